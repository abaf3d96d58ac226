"""Plain barcodes of cards and fobs from elsewhere: which texts are taken, and the form in which desks know them.

A barcode is a number on a card: short, printed, and read by every telephone. What a desk holds is HMAC-SHA256 of it
under a key that is made from the centre's pepper, which lies elsewhere than the replica. So nobody reads cards out of a
copied replica, and one look finds a card among all.
"""

import base64
import hmac
from typing import Final

from sync.pins import PEPPER_BYTES, pepper_id
from sync.records import CredentialRecord

BARCODE_CHARACTERS_MIN: Final = 4
BARCODE_CHARACTERS_MAX: Final = 64
_FIRST: Final = " "
_LAST: Final = "~"
# What the pepper seals is a PIN; a key of its own keeps the two apart, whatever is in either.
_KEY_LABEL: Final = b"rollcall-barcode-key-v1"
_SEAL_LABEL: Final = b"rollcall-barcode-v1\n"


def is_barcode(text: str) -> bool:
    """Whether a text can be on a card: printable ASCII, no blank at an end, and a digit, by which a scan is told."""
    is_printable = all(_FIRST <= character <= _LAST for character in text)
    has_digit = any("0" <= character <= "9" for character in text)
    return (
        BARCODE_CHARACTERS_MIN <= len(text) <= BARCODE_CHARACTERS_MAX
        and is_printable
        and has_digit
        and text == text.strip()
    )


def seal_of(text: str, pepper: bytes) -> str:
    """What a barcode comes to under the pepper of a centre; base64 of 32 bytes."""
    key = hmac.digest(pepper, _KEY_LABEL, "sha256")
    return base64.b64encode(hmac.digest(key, _SEAL_LABEL + text.encode("ascii"), "sha256")).decode()


def is_sealed_with(record: CredentialRecord, pepper: bytes) -> bool:
    """Whether a desk with this pepper can tell whose card it is."""
    return len(pepper) == PEPPER_BYTES and record.pepper_id == pepper_id(pepper)
