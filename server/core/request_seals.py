"""What is kept of a request with an Idempotency-Key: hashes, and an answer that only a repeat of it opens.

An answer may hold a code that lets a desk in, or names. So it is sealed with a key that follows from SECRET_KEY *and*
the client's key, which is stored nowhere: neither a copy of the database nor SECRET_KEY beside it opens one.
"""

import base64
import hashlib
import hmac
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

import msgspec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from server.core.tokens import derive_key

NONCE_BYTES: Final = 12  # NIST SP 800-38D section 8.2


class Answer(msgspec.Struct, frozen=True, array_like=True):
    """An answer as it was sent: its status, headers, and body."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes


@dataclass(frozen=True, slots=True)
class Sealed:
    """A request under its key: the hash by which it is found, that of what was sent, and the key of its seal."""

    key_digest: bytes
    request_digest: bytes
    seal_key: bytes


class RequestSeals:
    """Makes hashes and seals from one secret."""

    def __init__(self, secret_key: str, luck: Callable[[int], bytes]) -> None:
        """Derive keys of our own; `luck` gives unpredictable bytes."""
        self._name_key = derive_key(secret_key, "request-key:name")
        self._seal_key = derive_key(secret_key, "request-key:seal")
        self._luck = luck

    def of(self, scope: Iterable[str], key: str, request: Iterable[bytes]) -> Sealed:
        """Give what a request is kept under. `scope`: within what the key is its own; `request`: all that was sent."""
        named = _joined(part.encode("utf-8", "surrogatepass") for part in (*scope, key))
        seal_key = hmac.digest(self._seal_key, named, hashlib.sha256)
        return Sealed(
            hmac.digest(self._name_key, named, hashlib.sha256),
            hmac.digest(seal_key, _joined(request), hashlib.sha256),
            hmac.digest(seal_key, b"answer", hashlib.sha256),
        )

    def seal(self, sealed: Sealed, answer: Answer) -> bytes:
        """Encrypt an answer (AES-256-GCM), bound to its request."""
        nonce = self._luck(NONCE_BYTES)
        return nonce + AESGCM(sealed.seal_key).encrypt(nonce, msgspec.msgpack.encode(answer), sealed.request_digest)

    def open(self, sealed: Sealed, data: bytes) -> Answer:
        """Decrypt what `seal` gave for the same request."""
        plain = AESGCM(sealed.seal_key).decrypt(data[:NONCE_BYTES], data[NONCE_BYTES:], sealed.request_digest)
        return msgspec.msgpack.decode(plain, type=Answer)


def _joined(parts: Iterable[bytes]) -> bytes:
    """Parts as one text that no other parts give."""
    return b"\0".join(base64.b64encode(part) for part in parts)
