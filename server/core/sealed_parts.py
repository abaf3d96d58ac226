"""Keeps a long file in parts that only SECRET_KEY opens: a copy of the database, or a backup of it, shows nothing.

Each file has a key of its own, which follows from SECRET_KEY and the file's salt and is stored nowhere. A part is
sealed with AES-256-GCM (NIST SP 800-38D) under its number as the nonce: a key seals one file once, so no nonce comes
twice, and a part that was moved, changed or taken from another file does not open.
"""

import hashlib
import hmac
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from server.core.tokens import derive_key

SALT_BYTES: Final = 32
TAG_BYTES: Final = 16
_NONCE_BYTES: Final = 12


class PartNotGood(ValueError):
    """A part is not what was sealed, or SECRET_KEY is another one by now."""


class SealedFile:
    """Seals and opens the parts of one file."""

    def __init__(self, key: bytes) -> None:
        """Take the 32 bytes of the file's key."""
        self._cipher = AESGCM(key)

    def seal(self, number: int, part: bytes) -> bytes:
        """Give a part (numbers count from 0) as it is kept: `TAG_BYTES` longer."""
        return self._cipher.encrypt(_nonce(number), part, None)

    def open(self, number: int, sealed: bytes) -> bytes:
        """Give a part as it was. Raises PartNotGood."""
        try:
            return self._cipher.decrypt(_nonce(number), sealed, None)
        except InvalidTag:
            raise PartNotGood("a part does not open") from None


class SealedFiles:
    """Makes the keys of files."""

    def __init__(self, secret_key: str) -> None:
        """Derive the one key from which they follow."""
        self._key = derive_key(secret_key, "sealed-parts")

    def of(self, salt: bytes) -> SealedFile:
        """Give the file of a salt: `SALT_BYTES` of luck, drawn anew whenever a file is written anew."""
        if len(salt) != SALT_BYTES:
            raise ValueError(f"a salt has {SALT_BYTES} bytes")
        return SealedFile(hmac.digest(self._key, salt, hashlib.sha256))


def _nonce(number: int) -> bytes:
    return number.to_bytes(_NONCE_BYTES, "big")
