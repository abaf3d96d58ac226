"""Followers against PostgreSQL: hints arrive at once, the poll is the truth, and a revoked device is sent away."""

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest
from sqlalchemy import text

from server.core.database import create_engine
from server.core.errors import DatabaseUnavailable
from server.repositories.backup import SERVER_LOCK
from server.repositories.heads import HeadListener
from server.services.followers import POLL_INTERVAL_S, Followers
from sync.errors import CloseCode
from sync.events import DrainRequested, HeadMoved, RightsLost
from tests.contract.postgres_world import PostgresWorld, make_world
from tests.contract.server_world import Desk, head_of, make_desk, push
from tests.support.postgres import FreshDatabase

pytestmark = pytest.mark.postgres

DEADLINE_S = 60


def followers_of(world: PostgresWorld) -> Followers:
    """Followers whose next poll is an hour away."""
    return Followers(world.units, HeadListener(world.engine), world.store.standings, world.clock, poll_interval_s=3600)


@pytest.fixture
def followers(world: PostgresWorld) -> Followers:
    """What reaches them without a call of `poll` came as a notification."""
    return followers_of(world)


@pytest.fixture
async def listening(followers: Followers) -> AsyncIterator[Followers]:
    task = asyncio.create_task(followers.run())
    async with asyncio.timeout(DEADLINE_S):
        await followers.is_listening.wait()
    yield followers
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


class Inbox:
    """What was delivered, and a way to wait for it."""

    def __init__(self) -> None:
        self.events: list[object] = []
        self._arrived = asyncio.Event()

    def deliver(self, event: object) -> None:
        self.events.append(event)
        self._arrived.set()

    async def until(self, condition: Callable[[list[object]], bool]) -> None:
        async with asyncio.timeout(DEADLINE_S):
            while not condition(self.events):
                self._arrived.clear()
                await self._arrived.wait()


async def test_a_push_wakes_the_followers_of_its_centre_and_no_others(
    world: PostgresWorld, listening: Followers, desk: Desk
) -> None:
    stranger = await make_desk(world, await world.make_center())
    inbox, other = Inbox(), Inbox()
    listening.join(desk.key, inbox.deliver)
    listening.join(stranger.key, other.deliver)
    await push(world, desk, desk.check_in(await world.make_child(desk.key.center_id)))
    moved = HeadMoved((await head_of(world, desk)).epoch, 1)
    await inbox.until(lambda events: moved in events)
    assert not [event for event in other.events if isinstance(event, HeadMoved) and event.version]


async def test_the_poll_tells_heads_without_any_notification(
    world: PostgresWorld, followers: Followers, desk: Desk
) -> None:
    inbox = Inbox()
    followers.join(desk.key, inbox.deliver)
    await push(world, desk, desk.check_in(await world.make_child(desk.key.center_id)))
    await followers.poll()
    assert inbox.events == [HeadMoved((await head_of(world, desk)).epoch, 1)]


async def test_a_revoked_device_is_sent_away_by_the_next_poll(
    world: PostgresWorld, followers: Followers, desk: Desk
) -> None:
    colleague = await make_desk(world, desk.key.center_id)
    inbox, other = Inbox(), Inbox()
    followers.join(desk.key, inbox.deliver)
    followers.join(colleague.key, other.deliver)
    await world.revoke(desk.key)
    await followers.poll()
    assert RightsLost(CloseCode.REVOKED) in inbox.events
    assert other.events == []
    assert POLL_INTERVAL_S * 2 + 1 <= 5


async def test_a_suspended_device_is_sent_away_too(world: PostgresWorld, followers: Followers, desk: Desk) -> None:
    inbox = Inbox()
    followers.join(desk.key, inbox.deliver)
    await world.execute("UPDATE device SET state = 'suspended'")
    await followers.poll()
    assert RightsLost(CloseCode.UNAUTHENTICATED) in inbox.events


async def test_who_came_after_the_reading_is_not_judged_by_it(
    world: PostgresWorld, followers: Followers, desk: Desk
) -> None:
    late = Inbox()

    def deliver(event: object) -> None:
        if isinstance(event, HeadMoved):
            followers.join(colleague.key, late.deliver)

    colleague = await make_desk(world, desk.key.center_id)
    await push(world, desk, desk.check_in(await world.make_child(desk.key.center_id)))
    followers.join(desk.key, deliver)
    await world.revoke(colleague.key)
    await followers.poll()
    assert late.events == []
    await followers.poll()
    assert RightsLost(CloseCode.REVOKED) in late.events


async def test_a_running_server_shares_the_lock_that_a_restore_wants(
    world: PostgresWorld, listening: Followers
) -> None:
    statement = text("SELECT pg_try_advisory_lock(:lock)")
    async with world.engine.connect() as connection:
        assert not await connection.scalar(statement, {"lock": SERVER_LOCK})


async def test_who_left_is_told_nothing(world: PostgresWorld, followers: Followers, desk: Desk) -> None:
    inbox, other = Inbox(), Inbox()
    leave = followers.join(desk.key, inbox.deliver)
    followers.join(desk.key, other.deliver)
    assert len(followers) == 2
    leave()
    leave()
    assert len(followers) == 1
    followers.drain(2_000)
    assert inbox.events == []
    assert other.events == [DrainRequested(2_000)]


async def test_a_lost_connection_is_made_again(world: PostgresWorld, listening: Followers, desk: Desk) -> None:
    inbox = Inbox()
    listening.join(desk.key, inbox.deliver)
    async with world.engine.begin() as connection:
        await connection.execute(
            text(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE pid <> pg_backend_pid() AND datname = current_database() AND query LIKE '%LISTEN%'"
            )
        )
    async with asyncio.timeout(DEADLINE_S):
        while listening.is_listening.is_set():
            await asyncio.sleep(0.01)
        await listening.is_listening.wait()
    await push(world, desk, desk.check_in(await world.make_child(desk.key.center_id)))
    await inbox.until(lambda events: any(isinstance(event, HeadMoved) and event.version == 1 for event in events))


async def test_a_database_that_is_away_is_told_by_the_poll_and_survived(desk: Desk, database: FreshDatabase) -> None:
    engine = create_engine("postgresql://nobody@/nowhere?host=/nonexistent")
    world = make_world(engine)
    lost = followers_of(world)
    lost.join(desk.key, Inbox().deliver)
    with pytest.raises(DatabaseUnavailable):
        await lost.poll()
    task = asyncio.create_task(lost.run())
    done, _ = await asyncio.wait([task], timeout=0.2)
    assert not done
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await engine.dispose()
