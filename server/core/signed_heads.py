"""Days of the books: where every chain stood, signed with a key that is in no database.

Whoever can rewrite the database can write a chain anew, with its head. What was signed they cannot sign again, and a
sheet that was carried away they cannot take back.

    digest = SHA-256(number || day || signed at || digest of the sheet before || heads)

as MessagePack writes an array of them; the signature is Ed25519 (RFC 8032) over `DOMAIN` and the digest.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from server.core.signatures import is_signed
from server.core.tokens import derive_key

LOG: Final = "log"
JOURNAL: Final = "journal"
AUDIT: Final = "audit"
DOMAIN: Final = b"rollcall.signed-heads.v1\x00"
KEY_ID_CHARACTERS: Final = 12
_Chain = tuple[str, str, str]


class Head(msgspec.Struct, frozen=True, array_like=True):
    """Where a chain stood: its kind, whose it is, which of them (`name`, may be empty), and number and hash."""

    kind: str
    chain_id: str
    name: str
    seq: int
    hash: bytes

    @property
    def chain(self) -> _Chain:
        """Give which chain it is the head of."""
        return self.kind, self.chain_id, self.name


class Sheet(msgspec.Struct, frozen=True):
    """The heads that moved since the sheet before; `day` is ISO 8601 in UTC, times are microseconds since 1970."""

    number: int
    day: str
    signed_at_us: int
    previous: bytes
    heads: tuple[Head, ...]

    @property
    def digest(self) -> bytes:
        """Give the hash that is signed, and that the next sheet carries."""
        fields = (self.number, self.day, self.signed_at_us, self.previous, self.heads)
        return hashlib.sha256(msgspec.msgpack.encode(fields)).digest()


class SignedSheet(msgspec.Struct, frozen=True):
    """A sheet with its signature, and the raw Ed25519 key that made it."""

    sheet: Sheet
    public_key: bytes
    signature: bytes

    @property
    def is_good(self) -> bool:
        """Tell whether the key that it names signed it."""
        return is_signed(self.public_key, self.signature, DOMAIN + self.sheet.digest)


class HeadKey:
    """Signs sheets with a key that comes from SECRET_KEY: another secret makes another key."""

    def __init__(self, secret_key: str) -> None:
        """Derive the key."""
        self._key = Ed25519PrivateKey.from_private_bytes(derive_key(secret_key, "signed-heads"))
        self.public_key: Final = self._key.public_key().public_bytes_raw()

    def sign(self, sheet: Sheet) -> SignedSheet:
        """Give the sheet with its signature."""
        return SignedSheet(sheet, self.public_key, self._key.sign(DOMAIN + sheet.digest))


def key_id(public_key: bytes) -> str:
    """Give the name under which people are told of a key."""
    return hashlib.sha256(public_key).hexdigest()[:KEY_ID_CHARACTERS]


def to_line(signed: SignedSheet) -> bytes:
    """Give a sheet as a line of JSON, with its end."""
    return msgspec.json.encode(signed) + b"\n"


def from_line(line: bytes) -> SignedSheet | None:
    """Read a line; None when it is none, as one that was cut off."""
    try:
        return msgspec.json.decode(line, type=SignedSheet)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


@dataclass(frozen=True, slots=True)
class Pin:
    """What a chain must say at a number, since it was signed on a day."""

    seq: int
    hash: bytes
    day: str


class PinCheck:
    """Compares a chain, as somebody walks it, with what was signed of it; each answer is what is wrong, or None."""

    def __init__(self, pins: Sequence[Pin] = ()) -> None:
        """Begin before the first row; `pins` in any order."""
        self._pins = sorted(pins, key=lambda pin: (pin.seq, pin.day), reverse=True)
        self._good = 0

    def take(self, seq: int, hash_: bytes) -> str | None:
        """Look at the hash of the next row, as it follows from the rows."""
        while self._pins and self._pins[-1].seq <= seq:
            pin = self._pins.pop()
            if (pin.seq, pin.hash) != (seq, hash_):
                return f"written anew: a row from {self._good + 1} to {pin.seq} is not what was signed on {pin.day}"
            self._good = seq
        return None

    def finish(self, last_seq: int) -> str | None:
        """Say what is missing behind the last row, which has the number `last_seq`."""
        if not self._pins:
            return None
        pin = self._pins[0]
        return f"the rows from {last_seq + 1} to {pin.seq} are missing: they were signed on {pin.day}"
