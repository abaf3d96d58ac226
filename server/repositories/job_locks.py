"""Locks by which several servers agree on who runs a job."""

import hashlib
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from server.core.database import database_errors


class JobLocks:
    """Advisory locks of sessions: a run may take longer than a transaction is let to stand idle.

    Each is held on a connection of its own, so `engine` is not the one on which the jobs work: with a small pool a
    job would wait for the connection that its own lock has. A server that dies lets go with its connection.
    """

    def __init__(self, engine: AsyncEngine) -> None:
        """Only remember."""
        self._engine = engine

    @asynccontextmanager
    async def held(self, name: str) -> AsyncIterator[bool]:
        """Hold the lock of a job for as long as the block takes; gives False when another server has it.

        A connection that is lost in the middle takes the lock with it while the block goes on: what must not be done
        twice is guarded in the tables.

        Raises:
            DatabaseUnavailable: the database is away; of what the block raises nothing is changed.

        """
        key = key_of(name)
        async with AsyncExitStack() as stack:
            with database_errors():
                plain = await stack.enter_async_context(self._engine.connect())
                connection = await plain.execution_options(isolation_level="AUTOCOMMIT")
                is_ours = bool(await connection.scalar(_TRY, {"key": key}))
            try:
                yield is_ours
            finally:
                if is_ours:
                    await _let_go(connection, key)


def key_of(name: str) -> int:
    """Give the number of the lock of a job, the same on every server (64 bits, signed)."""
    return int.from_bytes(hashlib.sha256(f"rollcall job {name}".encode()).digest()[:8], "big", signed=True)


async def _let_go(connection: AsyncConnection, key: int) -> None:
    try:
        with database_errors():
            await connection.scalar(_LET_GO, {"key": key})
    except BaseException:
        # Whatever went wrong, the connection must not serve anybody else with the lock on it.
        await connection.invalidate()
        raise


_TRY: Final = text("SELECT pg_try_advisory_lock(:key)")
_LET_GO: Final = text("SELECT pg_advisory_unlock(:key)")
