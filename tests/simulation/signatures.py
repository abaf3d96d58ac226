"""How the devices of this world sign: quickly where nobody else checks, and for real where the shipped server does."""

import hashlib
from collections.abc import Callable
from functools import cache

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

Signer = Callable[[bytes], bytes]


def keyed_hash(device_id: str) -> Signer:
    """A keyed hash of 64 bytes, which nobody else in this world can make."""
    return lambda digest: hashlib.sha512(b"secret of " + device_id.encode() + digest).digest()


@cache
def private_key(device_id: str) -> Ed25519PrivateKey:
    """The Ed25519 key of a device, the same in every process."""
    return Ed25519PrivateKey.from_private_bytes(hashlib.sha256(b"key of " + device_id.encode()).digest())
