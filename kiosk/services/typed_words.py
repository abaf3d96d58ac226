"""What a person types beside times: names and reasons, with the bounds that every desk keeps."""

from typing import Final

from kiosk.services.errors import DeskError

# A name on a door badge; a reason is a sentence. An event carries 200 characters of either.
NAME_CHARACTERS_MAX: Final = 80
NAME_CHARACTERS_MIN: Final = 2
REASON_CHARACTERS_MAX: Final = 160
REASON_CHARACTERS_MIN: Final = 3
PURPOSE_CHARACTERS_MAX: Final = 80
NOTE_CHARACTERS_MAX: Final = 160


def typed_name(text: str) -> str:
    """A name without spaces around or doubled; raises DeskError bad_input when it is too short or too long."""
    name = _clean(text)
    if len(name) < NAME_CHARACTERS_MIN:
        raise DeskError("bad_input", "Type the full name.")
    _refuse_longer(name, NAME_CHARACTERS_MAX, "A name")
    return name


def typed_reason(text: str) -> str:
    """Why something is changed; raises DeskError bad_input when nothing, or too much, is said."""
    reason = _clean(text)
    if len(reason) < REASON_CHARACTERS_MIN:
        raise DeskError("bad_input", "Say why in a few words; whoever reads it later will ask.")
    _refuse_longer(reason, REASON_CHARACTERS_MAX, "A reason")
    return reason


def typed_purpose(text: str) -> str:
    """What somebody comes for, which may be left empty; raises DeskError bad_input when it is too long."""
    purpose = _clean(text)
    _refuse_longer(purpose, PURPOSE_CHARACTERS_MAX, "A company or purpose")
    return purpose


def typed_note(text: str) -> str:
    """A word about an entry, which may be left empty; raises DeskError bad_input when it is too long."""
    note = _clean(text)
    _refuse_longer(note, NOTE_CHARACTERS_MAX, "A note")
    return note


def _clean(text: str) -> str:
    """One line: whatever else stood between words becomes a space, and what cannot be shown goes."""
    return " ".join("".join(sign for sign in word if sign.isprintable()) for word in text.split()).strip()


def _refuse_longer(text: str, characters_max: int, what: str) -> None:
    if len(text) > characters_max:
        raise DeskError("bad_input", f"{what} has at most {characters_max} characters.")
