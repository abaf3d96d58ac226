"""What the store of the sync sockets shares between them, and what it keeps in memory."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from server.core.database import create_engine
from server.core.errors import DatabaseUnavailable, NotEntitled, Unauthenticated
from server.services import sync_store
from sync.effects import RecordApplied
from sync.records import RoomRecord
from tests.contract.postgres_world import PostgresWorld, make_world
from tests.contract.server_world import Desk, make_desk, new_id, push, read_snapshot
from tests.support.postgres import FreshDatabase

pytestmark = pytest.mark.postgres


@pytest.fixture
async def world(database: FreshDatabase) -> AsyncIterator[PostgresWorld]:
    engine = create_engine(database.urls.app)
    try:
        yield make_world(engine)
    finally:
        await engine.dispose()


@pytest.fixture
async def desk(world: PostgresWorld) -> Desk:
    return await make_desk(world, await world.make_center())


async def put_rooms(world: PostgresWorld, desk: Desk, count: int) -> None:
    """Let the log grow by so many versions."""
    await world.put_together(desk.key.center_id, [(new_id(), RoomRecord(name="A")) for _ in range(count)])


async def test_a_page_is_encoded_once_for_all_who_want_it(world: PostgresWorld, desk: Desk) -> None:
    await put_rooms(world, desk, 3)
    pages = await asyncio.gather(*(world.store.load_page(desk.key, 0) for _ in range(40)))
    assert len({id(page.frame) for page in pages}) == 1


async def test_a_page_that_reached_the_head_is_made_anew_when_the_head_moves(world: PostgresWorld, desk: Desk) -> None:
    await put_rooms(world, desk, 1)
    first = await world.store.load_page(desk.key, 0)
    await put_rooms(world, desk, 1)
    second = await world.store.load_page(desk.key, 0)
    assert (first.to_version, second.to_version) == (1, 2)


async def test_a_page_that_is_full_stays_as_it_is(world: PostgresWorld, desk: Desk) -> None:
    for _ in range(3):
        await put_rooms(world, desk, 250)
    first = await world.store.load_page(desk.key, 0)
    await put_rooms(world, desk, 1)
    assert first.to_version < first.head_version
    assert await world.store.load_page(desk.key, 0) is first


async def test_a_snapshot_serves_until_it_is_a_page_behind(world: PostgresWorld, desk: Desk) -> None:
    await put_rooms(world, desk, 1)
    first = await world.store.load_snapshot(desk.key)
    await put_rooms(world, desk, 500)
    assert await world.store.load_snapshot(desk.key) is first
    await put_rooms(world, desk, 1)
    assert (await world.store.load_snapshot(desk.key)).head.version == 502


async def test_a_centre_without_a_log_gives_an_empty_snapshot(world: PostgresWorld, desk: Desk) -> None:
    head, records = await read_snapshot(world, desk)
    assert (head.version, records) == (0, ())


async def test_a_record_of_the_largest_size_fits_page_and_snapshot(world: PostgresWorld, desk: Desk) -> None:
    child = await world.make_child(desk.key.center_id)
    lines = [chr(0x1F9F8) * 200] * 4
    entry = desk.check_in(child, note=lines[0], adult_name=lines[1], auth_method=lines[2], identity_check=lines[3])
    await push(world, desk, entry, desk.check_out(child, minute=30))
    assert (await world.store.load_page(desk.key, 0)).to_version == 2
    _, records = await read_snapshot(world, desk)
    assert len(records) == 2


async def test_caches_forget_what_was_used_least_recently() -> None:
    cache: sync_store._Cache[str] = sync_store._Cache(10)
    cache.put("a", "A", 4)
    cache.put("b", "B", 4)
    assert cache.get("a") == "A"
    cache.put("c", "C", 4)
    assert (cache.get("a"), cache.get("b"), cache.get("c")) == ("A", None, "C")
    cache.put("a", "larger", 11)
    assert (cache.get("a"), cache.get("c")) == (None, None)
    cache.put("d", "D", 10)
    assert cache.get("d") == "D"


async def test_only_an_active_device_is_let_in(world: PostgresWorld, desk: Desk) -> None:
    assert await world.store.find_active_device(desk.key.device_id) == desk.key
    for stranger in (new_id(), "", "somebody", desk.key.device_id.upper(), "\x00"):
        with pytest.raises(Unauthenticated):
            await world.store.find_active_device(stranger)
    await world.revoke(desk.key)
    with pytest.raises(NotEntitled):
        await world.store.find_active_device(desk.key.device_id)


async def test_a_database_that_is_away_is_said_to_be(desk: Desk) -> None:
    engine = create_engine("postgresql://nobody@/nowhere?host=/nonexistent")
    away = make_world(engine).store
    with pytest.raises(DatabaseUnavailable):
        await away.load_snapshot(desk.key)
    with pytest.raises(DatabaseUnavailable):
        await away.load_page(desk.key, 0)
    with pytest.raises(DatabaseUnavailable):
        await away.store_batch(desk.key, (desk.check_in(new_id()),))
    await engine.dispose()


async def test_positions_that_cannot_be_written_wait(desk: Desk, world: PostgresWorld) -> None:
    engine = create_engine("postgresql://nobody@/nowhere?host=/nonexistent")
    away = make_world(engine).store
    away.record_applied(desk.key, RecordApplied(new_id(), 1, queue_depth=0))
    for _ in range(2):
        with pytest.raises(DatabaseUnavailable):
            await away.flush_positions()
    await engine.dispose()
