"""Which of two versions of the program is newer."""

import re
from typing import Final

CHARACTERS_MAX: Final = 40
_VERSION: Final = re.compile(r"(\d{1,6}(?:\.\d{1,6}){0,4})(?:[.+-]?[a-z0-9.+-]*)?", re.IGNORECASE | re.ASCII)


def newer_version(theirs: str, own: str) -> str:
    """Their version when it is newer than ours by its numbers, else nothing; what is no version is not newer."""
    told, kept = _numbers(theirs), _numbers(own)
    return theirs if told and kept and told > kept else ""


def _numbers(text: str) -> tuple[int, ...]:
    """The leading numbers, without the zeros at their end: 1.2 and 1.2.0 are the same."""
    found = _VERSION.fullmatch(text) if len(text) <= CHARACTERS_MAX else None
    numbers = [int(number) for number in found[1].split(".")] if found else []
    while numbers and not numbers[-1]:
        numbers.pop()
    return tuple(numbers)
