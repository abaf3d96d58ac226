"""Strict checks of text that came from outside, shared by every door."""

import unicodedata

from server.core.errors import InvalidInput

_FORBIDDEN_CATEGORIES = frozenset({"Cc", "Cs", "Co", "Cn"})  # controls, surrogates, private use, unassigned


def clean_text(value: str, *, what: str, length_max: int, length_min: int = 1) -> str:
    """Give `value` in NFC without outer blanks; lengths count characters (code points).

    Raises InvalidInput when it is too short or too long or holds a control character, a NUL, half a
    surrogate pair or an unassigned character; the message names `what`, never the value.
    """
    text = unicodedata.normalize("NFC", value).strip()
    if any(unicodedata.category(character) in _FORBIDDEN_CATEGORIES for character in text):
        raise InvalidInput(f"{what} holds a control character or one that does not exist")
    if not length_min <= len(text) <= length_max:
        raise InvalidInput(f"{what} must have {length_min} to {length_max} characters, not {len(text)}")
    return text
