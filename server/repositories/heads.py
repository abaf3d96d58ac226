"""A connection that listens for the heads of change logs; only a hint, the truth is read from the table."""

import asyncio
from collections.abc import Callable
from typing import Any, Final

from sqlalchemy.ext.asyncio import AsyncEngine

from server.core.database import database_errors
from server.core.errors import DatabaseUnavailable
from server.repositories.backup import SERVER_LOCK
from server.repositories.change_log import HEADS_CHANNEL

_PAYLOAD_PARTS: Final = 3
# How often a listening connection is asked whether it is still there; a half-open one is silent otherwise.
ALIVE_CHECK_S: Final = 5.0

OnHead = Callable[[str, str, int], None]
"""Takes centre, epoch and version."""


class HeadListener:
    """Listens on a connection of its own, which is one of the engine's for as long as it lasts."""

    def __init__(self, engine: AsyncEngine) -> None:
        """Only remember."""
        self._engine = engine

    async def listen(self, on_head: OnHead, on_listening: Callable[[], None]) -> None:
        """Hand every notification on until the connection is lost, or the task is cancelled.

        `on_listening` is called once nothing can be missed any more; what was notified before it is lost.

        Raises:
            DatabaseUnavailable: the connection could not be made, or is gone.

        """
        with database_errors():
            async with self._engine.connect() as plain:
                connection = await plain.execution_options(isolation_level="AUTOCOMMIT")
                driver = (await connection.get_raw_connection()).driver_connection
                try:
                    await _hear(driver, on_head, on_listening)
                finally:
                    # A connection that listens must not serve anybody else.
                    await connection.invalidate()
        raise DatabaseUnavailable("the connection that listens for changes is gone")


async def _hear(connection: Any, on_head: OnHead, on_listening: Callable[[], None]) -> None:
    # Held as long as the connection lasts: a restore, which wants it for itself, sees that a server runs.
    await connection.execute("SELECT pg_advisory_lock_shared($1)", SERVER_LOCK)
    lost = asyncio.Event()
    connection.add_termination_listener(lambda _connection: lost.set())
    await connection.add_listener(HEADS_CHANNEL, lambda _c, _p, _ch, payload: _hand_on(str(payload), on_head))
    on_listening()
    while not lost.is_set():
        try:
            async with asyncio.timeout(ALIVE_CHECK_S):
                await lost.wait()
        except TimeoutError:
            await connection.execute("SELECT 1", timeout=ALIVE_CHECK_S)


def _hand_on(payload: str, on_head: OnHead) -> None:
    parts = payload.split(" ")
    if len(parts) == _PAYLOAD_PARTS and parts[2].isdecimal():
        on_head(parts[0], parts[1], int(parts[2]))
