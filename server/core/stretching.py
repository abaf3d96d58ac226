"""Stretching of short secrets with argon2id, away from the event loop and never more than two at once."""

import asyncio

from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

# 64 MiB each: the memory of a server is bounded whatever number of managers set PINs at one moment.
CONCURRENCY = 2


class Stretching:
    """Makes keys out of short secrets."""

    def __init__(self) -> None:
        """Bound the memory used to two stretchings."""
        self._free = asyncio.Semaphore(CONCURRENCY)

    async def argon2id(self, secret: str, salt: bytes, *, memory_kib: int, passes: int, lanes: int, size: int) -> bytes:
        """Give `size` bytes (RFC 9106, version 1.3)."""
        maker = Argon2id(salt=salt, length=size, iterations=passes, lanes=lanes, memory_cost=memory_kib)
        async with self._free:
            return await asyncio.to_thread(maker.derive, secret.encode())
