"""How much an account may ask of the API, over servers that share a database."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from server.core.database import create_engine
from server.core.errors import RateLimited
from server.core.ids import Ids
from server.repositories.unit_of_work import UnitsOfWork
from server.services.account_limits import LEASE_MS, LEASE_TRIES, AccountLimits, wanted_tries
from server.services.throttles import API_ACCOUNT, Throttles
from tests.support.api import SECRET, Api, problem
from tests.support.postgres import FreshDatabase

pytestmark = pytest.mark.postgres
ME = "/api/v1/users/me"


@pytest.fixture
async def engine(database: FreshDatabase) -> AsyncIterator[AsyncEngine]:
    engine = create_engine(database.urls.app)
    try:
        yield engine
    finally:
        await engine.dispose()


def server(api: Api, engine: AsyncEngine) -> AccountLimits:
    """Another server of the same database."""
    units = UnitsOfWork(engine, clock=api.clock, luck=bytes, new_id=Ids(api.clock).new)
    return AccountLimits(Throttles(units, api.clock, SECRET), api.clock)


async def let_by(limits: AccountLimits, user_id: str, tries: int) -> int:
    """How many of so many tries are let by."""
    count = 0
    for _ in range(tries):
        try:
            await limits.take(user_id)
        except RateLimited:
            break
        count += 1
    return count


async def test_servers_count_an_account_together_and_seldom_ask(api: Api, engine: AsyncEngine) -> None:
    manager = await api.sign_in("manager")
    first = await api.client.get(ME, headers=manager)
    assert first.headers["ratelimit-policy"] == '"api_account";q=3000;w=3000'
    assert first.headers["ratelimit"] == '"api_account";r=2999;t=1'
    # Also what is refused tells it; and where nobody is known there is nothing to tell.
    refused = await api.client.get("/api/v1/centers/x/rooms", headers=manager)
    assert (refused.status_code, refused.headers["ratelimit"]) == (422, '"api_account";r=2998;t=1')
    assert "ratelimit" not in (await api.client.get(ME)).headers

    async def counted(tries: int) -> bool:
        """Whether the database knows of so many tries of somebody."""
        wanted = api.clock.now() + timedelta(seconds=tries * API_ACCOUNT.step_s)
        async with engine.connect() as connection:
            return bool(
                await connection.scalar(text("SELECT count(*) FROM throttle WHERE full_at = :at"), {"at": wanted})
            )

    for _ in range(LEASE_TRIES - 2):
        await api.client.get(ME, headers=manager)
    assert await counted(LEASE_TRIES)
    # Many at once take together; what was not used within a minute is lost.
    one, other = server(api, engine), server(api, engine)
    await asyncio.gather(*(one.take("busy") for _ in range(3 * LEASE_TRIES)))
    assert await counted(3 * LEASE_TRIES)
    left = await other.take("busy")
    assert left.tries == API_ACCOUNT.burst - 3 * LEASE_TRIES - 1
    api.clock.advance_ms(LEASE_MS)
    assert (await other.take("busy")).tries == API_ACCOUNT.burst - 4 * LEASE_TRIES + LEASE_MS // 1000 - 1
    # Together never more than the limit, and it is used up to the last.
    spent = 0
    while more := await let_by(one, "flood", 70) + await let_by(other, "flood", 70):
        spent += more
    assert spent == API_ACCOUNT.burst
    with pytest.raises(RateLimited) as full:
        await one.take("flood")
    assert full.value.retry_after_s == 1
    api.clock.advance_ms(1_000)
    assert (await let_by(one, "flood", 5), await let_by(other, "flood", 5)) == (1, 0)
    # At the door.
    async with engine.begin() as connection:
        full_at = api.clock.now() + timedelta(seconds=API_ACCOUNT.window_s)
        await connection.execute(text("UPDATE throttle SET full_at = :at"), {"at": full_at})
    answer = await api.client.get(ME, headers=manager)
    assert problem(answer) == (429, "rate_limited")
    assert answer.headers["retry-after"] == "1"
    assert answer.headers["ratelimit"] == '"api_account";r=0;t=1'


def test_less_is_taken_at_once_where_less_is_left() -> None:
    assert [wanted_tries(left) for left in (3_000, 500, 490, 25, 19, 1, 0)] == [50, 50, 49, 2, 1, 1, 1]
