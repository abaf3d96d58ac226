"""What the store of the sync sockets shares between them, and what it keeps in memory."""

import asyncio
from datetime import datetime

import pytest
from sqlalchemy import event, text

from server.core.database import create_engine
from server.core.errors import DatabaseUnavailable, NotEntitled, Unauthenticated
from server.services.journal_intake import DeviceKey
from server.services.positions import DEVICES_MAX, SEEN_STEP_S, Positions
from server.services.sync_store import Admitted, ServerStore
from sync.effects import LoadPage, LoadSnapshot, RecordApplied
from sync.limits import BUCKETS_MAX
from sync.records import RoomRecord
from tests.contract.postgres_world import PostgresWorld, make_world
from tests.contract.server_world import (
    Desk,
    greet,
    hello_of,
    new_id,
    push,
    read_page,
    read_snapshot,
)

pytestmark = pytest.mark.postgres


async def put_rooms(world: PostgresWorld, desk: Desk, count: int) -> None:
    """Let the log grow by so many versions."""
    await world.put_together(desk.key.center_id, [(new_id(), RoomRecord(name="A")) for _ in range(count)])


async def test_a_page_is_encoded_once_for_all_who_want_it(world: PostgresWorld, desk: Desk) -> None:
    await put_rooms(world, desk, 3)
    pages = await asyncio.gather(*(world.store.load_page(desk.key, LoadPage(0)) for _ in range(40)))
    assert len({id(page.frame) for page in pages}) == 1


async def test_a_page_that_reached_the_head_is_made_anew_when_the_head_moves(world: PostgresWorld, desk: Desk) -> None:
    await put_rooms(world, desk, 1)
    first = await world.store.load_page(desk.key, LoadPage(0))
    await put_rooms(world, desk, 1)
    second = await world.store.load_page(desk.key, LoadPage(0))
    assert (first.to_version, second.to_version) == (1, 2)


async def test_a_page_that_is_full_stays_as_it_is(world: PostgresWorld, desk: Desk) -> None:
    for _ in range(3):
        await put_rooms(world, desk, 250)
    first = await world.store.load_page(desk.key, LoadPage(0))
    await put_rooms(world, desk, 1)
    assert first.to_version < first.head_version
    assert await world.store.load_page(desk.key, LoadPage(0)) is first


async def test_a_snapshot_serves_until_it_is_a_page_behind(world: PostgresWorld, desk: Desk) -> None:
    await put_rooms(world, desk, 1)
    first = await world.store.load_snapshot(desk.key, LoadSnapshot())
    await put_rooms(world, desk, 500)
    assert await world.store.load_snapshot(desk.key, LoadSnapshot()) is first
    await put_rooms(world, desk, 1)
    assert (await world.store.load_snapshot(desk.key, LoadSnapshot())).head.version == 502


async def test_a_centre_without_a_log_gives_an_empty_snapshot(world: PostgresWorld, desk: Desk) -> None:
    head, records = await read_snapshot(world, desk)
    assert (head.version, records) == (0, ())


async def test_a_record_of_the_largest_size_fits_page_and_snapshot(world: PostgresWorld, desk: Desk) -> None:
    child = await world.make_child(desk.key.center_id)
    lines = [chr(0x1F9F8) * 200] * 4
    entry = desk.check_in(child, note=lines[0], adult_name=lines[1], auth_method=lines[2], identity_check=lines[3])
    await push(world, desk, entry, desk.check_out(child, minute=30))
    assert (await world.store.load_page(desk.key, LoadPage(0))).to_version == 2
    _, records = await read_snapshot(world, desk)
    assert len(records) == 2


async def test_only_a_device_that_is_known_is_let_in(world: PostgresWorld, desk: Desk) -> None:
    assert await world.store.admit(desk.key.device_id) == Admitted(desk.key, is_entitled=True)
    for stranger in (new_id(), "", "somebody", desk.key.device_id.upper(), "\x00"):
        with pytest.raises(Unauthenticated):
            await world.store.admit(stranger)
    await world.execute("UPDATE device SET state = 'suspended'")
    with pytest.raises(NotEntitled):
        await world.store.admit(desk.key.device_id)
    await world.revoke(desk.key)
    assert await world.store.admit(desk.key.device_id) == Admitted(desk.key, is_entitled=False)


async def test_a_device_that_was_suspended_or_deleted_meanwhile_is_not_loaded(world: PostgresWorld, desk: Desk) -> None:
    assert (await greet(world, desk)).is_entitled
    await world.execute("UPDATE device SET state = 'suspended'")
    with pytest.raises(NotEntitled):
        await greet(world, desk)
    await world.execute("DELETE FROM device")
    with pytest.raises(NotEntitled):
        await greet(world, desk)


async def test_the_lease_is_what_the_operator_chose(world: PostgresWorld, desk: Desk) -> None:
    store = ServerStore(world.units, world.intake, world.clock, lease_ms=3_600_000)
    for _ in range(2):
        assert (await store.load_device(desk.key, hello_of(desk))).lease_ms == 3_600_000


async def test_one_reader_asks_the_database_when_the_head_moves(world: PostgresWorld, desk: Desk) -> None:
    await put_rooms(world, desk, 3)
    asked: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        asked.append(statement)

    event.listen(world.engine.sync_engine, "before_cursor_execute", note)
    await world.store.load_page(desk.key, LoadPage(0))
    alone = len(asked)
    for _ in range(40):
        await world.store.load_page(desk.key, LoadPage(0))
    assert len(asked) == alone
    await put_rooms(world, desk, 1)
    asked.clear()
    pages = await asyncio.gather(*(world.store.load_page(desk.key, LoadPage(3)) for _ in range(40)))
    assert {page.to_version for page in pages} == {4}
    assert len(asked) <= alone


async def test_the_digests_of_many_buckets_fit_a_message(world: PostgresWorld, desk: Desk) -> None:
    child = await world.make_child(desk.key.center_id)
    far = [desk.check_in(child, minute=day * 1440) for day in range(BUCKETS_MAX + 20)]
    await push(world, desk, *far)
    head, records = await read_snapshot(world, desk)
    assert len(records) == BUCKETS_MAX + 20
    page = await read_page(world, desk, 0)
    assert page is not None
    assert len(page.digests) == BUCKETS_MAX
    assert page.digests[0].bucket == max(record.bucket for record in records)
    told = hello_of(desk, head, digests=page.digests)
    for _ in range(2):
        assert (await world.store.load_device(desk.key, told)).differing == ()


async def test_positions_that_wait_are_bounded_and_the_oldest_go_first(world: PostgresWorld, desk: Desk) -> None:
    positions = Positions(world.units, world.clock)
    effect = RecordApplied(new_id(), 1, queue_depth=0)
    positions.note(desk.key, effect)
    for number in range(DEVICES_MAX):
        positions.note(DeviceKey(desk.key.center_id, str(number)), effect)
    assert len(positions) == DEVICES_MAX
    assert desk.key not in positions._waiting


async def test_when_a_device_was_seen_is_written_now_and_then(world: PostgresWorld, desk: Desk) -> None:
    async def seen() -> datetime | None:
        async with world.engine.connect() as connection:
            found = await connection.scalar(text("SELECT last_seen_at FROM device"))
            assert found is None or isinstance(found, datetime)
            return found

    async def say_something() -> datetime:
        world.store.record_applied(desk.key, RecordApplied(new_id(), 1, queue_depth=0))
        await world.store.flush_positions()
        return world.clock.now()

    first = await say_something()
    assert await seen() == first
    world.clock.advance_ms(SEEN_STEP_S * 1000 - 1)
    await say_something()
    assert await seen() == first
    world.clock.advance_ms(2)
    async with world.engine.begin() as connection:
        # A push of this device is under way: nobody waits for it.
        await connection.execute(text("SELECT * FROM device FOR SHARE"))
        await say_something()
        assert await seen() == first
    last = await say_something()
    assert await seen() == last


async def test_a_database_that_is_away_is_said_to_be(desk: Desk) -> None:
    engine = create_engine("postgresql://nobody@/nowhere?host=/nonexistent")
    away = make_world(engine).store
    with pytest.raises(DatabaseUnavailable):
        await away.load_snapshot(desk.key, LoadSnapshot())
    with pytest.raises(DatabaseUnavailable):
        await away.load_page(desk.key, LoadPage(0))
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
