"""What a scanner types: told from a person by its pace, and a family code by its signature.

A scanner is a keyboard that types a whole code within some hundredths of a second and ends with ENTER. A person types
names, and no name has a digit in it: so a quick run of keys is a scan when it has one, wherever the focus is.
"""

import re
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from sync.barcodes import BARCODE_CHARACTERS_MIN
from sync.family_code import CODE_CHARACTERS, PREFIX, FamilyCode, read_code

# Scanners send a key every 1 to 20 ms; the quickest typist needs 60.
KEY_INTERVAL_MAX_MS: Final = 50
SCAN_CHARACTERS_MIN: Final = BARCODE_CHARACTERS_MIN
SCAN_CHARACTERS_MAX: Final = 400
# A code that stays before the scanner is read again and again.
SAME_CODE_MS: Final = 3_000
_DIGIT: Final = re.compile(r"[0-9]")


class Heard(StrEnum):
    """What a key turned out to be."""

    KEY = "key"
    BEGIN = "begin"
    SCAN = "scan"
    AGAIN = "again"


@dataclass
class ScanEar:
    """Listens to keys; every moment is given in milliseconds of one clock."""

    _run: str = ""
    _is_too_long: bool = False
    _last_ms: int | None = field(default=None)
    _said: str = ""
    _said_ms: int = 0

    def hear(self, character: str, at_ms: int) -> Heard:
        """Take in a key that types a character: BEGIN when a run may begin with it, else KEY."""
        is_new = self._last_ms is None or not 0 <= at_ms - self._last_ms <= KEY_INTERVAL_MAX_MS
        self._last_ms = at_ms
        if is_new:
            self._run, self._is_too_long = character, False
            return Heard.BEGIN
        if len(self._run) >= SCAN_CHARACTERS_MAX:
            self._is_too_long = True
        else:
            self._run += character
        return Heard.KEY

    def enter(self, at_ms: int) -> tuple[Heard, str]:
        """Take in ENTER: a scan with its code, the same one again (to be left alone), or a key like others."""
        run, is_too_long = self._run, self._is_too_long
        is_quick = self._last_ms is not None and 0 <= at_ms - self._last_ms <= KEY_INTERVAL_MAX_MS
        self.forget()
        if not is_quick or is_too_long or len(run) < SCAN_CHARACTERS_MIN or not _DIGIT.search(run):
            return Heard.KEY, ""
        is_same = run == self._said and 0 <= at_ms - self._said_ms < SAME_CODE_MS
        self._said, self._said_ms = run, at_ms
        return (Heard.AGAIN if is_same else Heard.SCAN), run

    def forget(self) -> None:
        """Another key came between: whatever was typed is no scan."""
        self._run, self._is_too_long, self._last_ms = "", False, None


@dataclass(frozen=True)
class ScanFault:
    """Why a code opens nothing, in words for the desk."""

    words: str


def read_scan(text: str, family_key: bytes, center_id: str, now_ms: int) -> FamilyCode | ScanFault:
    """Check a scanned code; `now_ms` is the time by the server's clock, UTC milliseconds since 1970."""
    if text.upper().count(PREFIX) > 1 and len(text) > CODE_CHARACTERS:
        return ScanFault("Two codes were scanned into one; scan one after the other.")
    read = read_code(text)
    if read is None:
        return ScanFault("This code is not known here; find the child by name.")
    code, signature = read
    if code.center_id != center_id:
        return ScanFault("This code belongs to another centre; find the child by name.")
    if not family_key:
        return ScanFault("This desk cannot check family codes yet; connect it to the network.")
    try:
        Ed25519PublicKey.from_public_bytes(family_key).verify(signature, code.to_sign())
    except (InvalidSignature, ValueError):
        return ScanFault("This code is not signed by this centre; find the child by name.")
    if code.expires_at_s * 1_000 <= now_ms:
        return ScanFault("This code has ended; the manager can make a new one.")
    return code
