"""A database that takes connections and then says nothing: whoever asks is told in time, and no connection is kept."""

import asyncio
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import TypeAlias

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from server.core.database import close_engine, create_engine
from server.core.errors import DatabaseUnavailable
from tests.contract.postgres_world import PostgresWorld, make_world
from tests.support.postgres import FreshDatabase

pytestmark = [
    pytest.mark.postgres,
    pytest.mark.skipif("DATABASE_URL" in os.environ, reason="processes of a PostgreSQL that is not ours are let be"),
]

# 5.2 s for the statement and 2 s for the connection; the rest is for a machine that runs other tests beside this one.
TOLD_WITHIN_S = 20.0
# 3 s and the rest; asyncpg itself would wait for 15 s, once for each connection.
ENDED_WITHIN_S = 10.0

Silence: TypeAlias = Callable[[int], None]


@contextmanager
def _silent(pid: int) -> Iterator[None]:
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


async def _process_of(connection: AsyncConnection) -> int:
    return int((await connection.execute(text("SELECT pg_backend_pid()"))).scalar_one())


async def _before_it_is_asked(world: PostgresWorld, silence: Silence) -> None:
    async with world.units.read() as connection:
        pid = await _process_of(connection)
    silence(pid)
    async with world.units.read():
        pass


async def _between_two_statements(world: PostgresWorld, silence: Silence) -> None:
    async with world.units.begin() as unit:
        silence(await _process_of(unit.connection))
        await unit.connection.execute(text("SELECT 1"))


async def _at_the_commit(world: PostgresWorld, silence: Silence) -> None:
    async with world.units.begin() as unit:
        silence(await _process_of(unit.connection))


async def test_a_database_that_falls_silent_holds_nobody_up_for_long(database: FreshDatabase) -> None:
    cases = (_before_it_is_asked, _between_two_statements, _at_the_commit)
    engines = [create_engine(database.urls.app, pool_size=1, statement_timeout_ms=200) for _ in cases]
    worlds = [make_world(engine) for engine in engines]
    silent: set[int] = set()
    try:
        with ExitStack() as stack:

            def silence(pid: int) -> None:
                silent.add(pid)
                stack.enter_context(_silent(pid))

            async with asyncio.timeout(TOLD_WITHIN_S):
                told = [case(world, silence) for case, world in zip(cases, worlds, strict=True)]
                errors = await asyncio.gather(*told, return_exceptions=True)
            assert [type(error) for error in errors] == [DatabaseUnavailable] * len(cases)
            for world in worlds:
                async with world.units.read() as connection:
                    assert await _process_of(connection) not in silent
        assert len(silent) == len(cases)
    finally:
        for engine in engines:
            await close_engine(engine)


async def test_a_silent_database_does_not_hold_up_the_end_of_a_program(database: FreshDatabase) -> None:
    engine = create_engine(database.urls.app)
    async with engine.connect() as connection:
        pid = await _process_of(connection)
    with _silent(pid):
        async with asyncio.timeout(ENDED_WITHIN_S):
            await close_engine(engine)
