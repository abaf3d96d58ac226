"""Connections are looked at before they are used: a lost one costs nobody a request, a fresh one no question."""

from collections.abc import AsyncIterator

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from server.core.database import ASKED_AFTER_MS, close_engine, create_engine
from tests.support.clock import FakeClock
from tests.support.kiosk_server import until
from tests.support.postgres import FreshDatabase

pytestmark = pytest.mark.postgres


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
async def engine(database: FreshDatabase, clock: FakeClock) -> AsyncIterator[AsyncEngine]:
    engine = create_engine(database.urls.app, pool_size=2, clock=clock)
    yield engine
    await close_engine(engine)


async def _pid(engine: AsyncEngine) -> int:
    async with engine.connect() as connection:
        return int((await connection.execute(text("SELECT pg_backend_pid()"))).scalar_one())


async def _asked_again(engine: AsyncEngine, clock: FakeClock, idle_ms: int) -> list[str]:
    """What a connection is sent by name when it is used again after so long."""
    asked: list[str] = []
    async with engine.connect() as connection:
        driver = (await connection.get_raw_connection()).driver_connection
        assert driver is not None
    clock.advance_ms(idle_ms)
    driver.add_query_logger(lambda query: asked.append(query.query))
    await _pid(engine)
    return asked


async def test_a_connection_that_was_used_a_moment_ago_is_not_asked(engine: AsyncEngine, clock: FakeClock) -> None:
    asked = await _asked_again(engine, clock, ASKED_AFTER_MS)
    assert asked == ["BEGIN;", "ROLLBACK;"]  # and what it was wanted for, which the driver does not tell


async def test_one_that_was_idle_is_asked_first(engine: AsyncEngine, clock: FakeClock) -> None:
    asked = await _asked_again(engine, clock, ASKED_AFTER_MS + 1)
    assert ";" in asked[: asked.index("ROLLBACK;")]


async def test_one_that_was_ended_is_replaced_and_nobody_notices(engine: AsyncEngine) -> None:
    async with engine.connect() as other:
        await other.execute(text("SELECT 1"))
        async with engine.connect() as one:
            driver = (await one.get_raw_connection()).driver_connection
            lost = int((await one.execute(text("SELECT pg_backend_pid()"))).scalar_one())
        await other.execute(text("SELECT pg_terminate_backend(:pid)"), {"pid": lost})
        assert driver is not None
        await until(driver.is_closed)
        assert await _pid(engine) != lost
