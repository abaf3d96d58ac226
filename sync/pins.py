"""PINs of staff: which are taken, what it costs to try one, and the form in which every desk can check them.

A PIN is stretched with argon2id (the work of both programs; this module has no luck and no thread), and what comes out
is sealed with HMAC-SHA256 under the centre's pepper. A desk holds the seal in its replica and the pepper elsewhere, so
that neither alone lets anybody try PINs.
"""

import base64
import binascii
import hmac
from collections.abc import Iterable, Iterator
from datetime import date
from itertools import pairwise
from typing import Final

from sync.records import PinRecord

PIN_DIGITS_MIN: Final = 6
PIN_DIGITS_MAX: Final = 12
# argon2id (RFC 9106): 64 MiB, three passes, one lane. A four-digit PIN would fall in minutes at 19 MiB; a million PINs
# at a quarter of a second each are three days for each person, with the replica and the pepper in hand.
PIN_MEMORY_KIB: Final = 64 * 1024
PIN_PASSES: Final = 3
PIN_LANES: Final = 1
STRETCHED_BYTES: Final = 32
SALT_BYTES: Final = 16
PEPPER_BYTES: Final = 32
_SEAL_LABEL: Final = b"rollcall-pin-v1\n"
_KEY_ID_LABEL: Final = b"rollcall-pin-pepper-v1"
_KEY_ID_BYTES: Final = 8
_YEARS: Final = range(1900, 2100)
_PIECE_DIGITS_MAX: Final = 4
_PERSONAL_DIGITS_MIN: Final = 4


def is_pin(text: str) -> bool:
    """Whether a text has the form of a PIN: six to twelve digits 0 to 9."""
    return text.isascii() and text.isdigit() and PIN_DIGITS_MIN <= len(text) <= PIN_DIGITS_MAX


def weakness(pin: str, personal: Iterable[str] = ()) -> str:
    """What makes a PIN one of those that are tried first; empty when nothing does.

    `personal` are numbers that belong to the person, such as a phone number; other characters in them are ignored.
    """
    if not is_pin(pin):
        return f"A PIN has {PIN_DIGITS_MIN} to {PIN_DIGITS_MAX} digits"
    if len(set(pin)) < 3:  # noqa: PLR2004 - two digits in turn are as easily seen over a shoulder as one
        return "A PIN of one or two different digits is among the first that anybody tries"
    if _is_repeated(pin) or _is_run(pin):
        return "A PIN that repeats itself or counts up or down is among the first that anybody tries"
    if any(_is_day(*parts) for parts in _readings(pin)):
        return "A date is among the first that anybody tries"
    if any(pin in number or (len(number) >= PIN_DIGITS_MIN and number in pin) for number in map(_digits, personal)):
        return "A PIN that is part of a phone number or an address of the person is easily guessed"
    return ""


def _is_repeated(pin: str) -> bool:
    """123123, 12341234, 112233 and 998877."""
    halves = {pin[at : at + 2] for at in range(0, len(pin), 2)}
    doubled = len(pin) % 2 == 0 and all(len(set(half)) == 1 for half in halves)
    return doubled or any((pin[:size] * len(pin))[: len(pin)] == pin for size in range(1, _PIECE_DIGITS_MAX + 1))


def _is_run(pin: str) -> bool:
    steps = {(int(after) - int(before)) % 10 for before, after in pairwise(pin)}
    return len(steps) == 1


def _readings(digits: str) -> Iterator[tuple[str, str, str]]:
    """A text of six or eight digits read as year, month and day in every usual order; other lengths are no dates."""
    for width in (2, 4):
        if len(digits) == width + 4:
            yield digits[:width], digits[width : width + 2], digits[width + 2 :]
            yield digits[4:], digits[:2], digits[2:4]
            yield digits[4:], digits[2:4], digits[:2]


def _is_day(year: str, month: str, day: str) -> bool:
    # In a leap year: the 29th of February is somebody's birthday in two digits, too.
    number = int(year) if len(year) == 4 else 2000  # noqa: PLR2004 - a year in full
    try:
        date(2000, int(month), int(day))
    except ValueError:
        return False
    return number in _YEARS


def _digits(text: str) -> str:
    """The digits of a number that is long enough to be recognised, or what no PIN is part of."""
    found = "".join(character for character in text if character.isascii() and character.isdigit())
    return found if len(found) >= _PERSONAL_DIGITS_MIN else "-"


def pepper_id(pepper: bytes) -> str:
    """Names a pepper without telling anything of it; 16 hexadecimal digits."""
    return hmac.digest(pepper, _KEY_ID_LABEL, "sha256")[:_KEY_ID_BYTES].hex()


def sealed(stretched: bytes, salt: bytes, pepper: bytes, *, set_at_ms: int) -> PinRecord:
    """The record of a PIN that was stretched with `salt`; `set_at_ms` is when it was chosen, UTC milliseconds."""
    return PinRecord(
        salt=_text(salt), seal=_text(_seal(stretched, salt, pepper)), pepper_id=pepper_id(pepper), set_at_ms=set_at_ms
    )


def opens(record: PinRecord, stretched: bytes, pepper: bytes) -> bool:
    """Whether what was stretched with the record's salt is of the same PIN; in constant time."""
    return hmac.compare_digest(record.seal, _text(_seal(stretched, salt_of(record), pepper)))


def is_checkable(record: PinRecord, pepper: bytes) -> bool:
    """Whether a desk with this pepper can check the PIN at all; False for a record that says nonsense."""
    return len(pepper) == PEPPER_BYTES and record.pepper_id == pepper_id(pepper) and bool(salt_of(record))


def salt_of(record: PinRecord) -> bytes:
    """The salt of a PIN, 16 bytes; empty when the record holds none."""
    try:
        salt = base64.b64decode(record.salt, validate=True)
    except (binascii.Error, ValueError):
        return b""
    return salt if len(salt) == SALT_BYTES else b""


def _seal(stretched: bytes, salt: bytes, pepper: bytes) -> bytes:
    return hmac.digest(pepper, _SEAL_LABEL + salt + stretched, "sha256")


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()
