"""The unit of work against PostgreSQL: what may go wrong in a transaction, and what devices then see."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from server.core.errors import DatabaseUnavailable
from server.repositories import change_log
from server.repositories.held_commit import holding, settle_held
from sync.change_log import genesis
from sync.limits import PAGE_CHANGES_MAX, UNIT_BYTES_MAX
from sync.records import Entity, RoomRecord
from tests.contract.postgres_world import PostgresWorld, world_on
from tests.contract.server_world import changes_after, head_of, make_desk, new_id
from tests.support.postgres import FreshDatabase

pytestmark = pytest.mark.postgres


@pytest.fixture
async def world(database: FreshDatabase) -> AsyncIterator[PostgresWorld]:
    async with world_on(database.urls.app, lock_timeout_ms=200) as world:
        yield world


async def test_an_exception_undoes_tables_and_log_together(world: PostgresWorld) -> None:
    center = await world.make_center()
    desk = await make_desk(world, center)
    before = await head_of(world, desk)

    async def fail_half_way() -> None:
        async with world.units.begin() as unit:
            unit.put(center, Entity.ROOM, new_id(), RoomRecord(name="A"))
            raise LookupError

    with pytest.raises(LookupError):
        await fail_half_way()
    assert await head_of(world, desk) == before
    assert await world.rows(center) == set()


async def test_units_of_one_transaction_are_numbered_in_order(world: PostgresWorld) -> None:
    center = await world.make_center()
    ids = [new_id() for _ in range(4)]
    async with world.units.begin(actor="somebody", origin="test") as unit:
        unit.put(center, Entity.ROOM, ids[0], RoomRecord(name="A"))
        unit.put(center, Entity.ROOM, ids[1], RoomRecord(name="B"))
        unit.end_unit()
        unit.put(center, Entity.ROOM, ids[2], RoomRecord(name="C"))
    changes = await changes_after(world, await make_desk(world, center), 0)
    assert [change.entity_id for change in changes] == ids[:3]
    assert [change.transaction_last for change in changes] == [False, True, True]


async def test_the_end_of_a_unit_stays_when_its_last_change_changes_nothing(world: PostgresWorld) -> None:
    center = await world.make_center()
    old, new, other = new_id(), new_id(), new_id()
    await world.put_together(center, [(old, RoomRecord(name="Old"))])
    async with world.units.begin() as unit:
        unit.put(center, Entity.ROOM, new, RoomRecord(name="New"))
        unit.put(center, Entity.ROOM, old, RoomRecord(name="Old"))
        unit.end_unit()
        unit.put(center, Entity.ROOM, old, RoomRecord(name="Old"))
        unit.end_unit()
        unit.put(center, Entity.ROOM, other, RoomRecord(name="Other"))
    changes = await changes_after(world, await make_desk(world, center), 1)
    assert [(change.entity_id, change.transaction_last) for change in changes] == [(new, True), (other, True)]


async def test_a_record_that_is_removed_and_put_again_stands(world: PostgresWorld) -> None:
    center = await world.make_center()
    room = new_id()
    await world.put_together(center, [(room, RoomRecord(name="A"))])
    async with world.units.begin() as unit:
        unit.remove(center, Entity.ROOM, room)
        unit.put(center, Entity.ROOM, room, RoomRecord(name="A"))
        unit.remove(center, Entity.ROOM, new_id())
    assert {row[2:4] for row in await world.rows(center)} == {(room, 3)}


async def test_a_unit_that_no_page_can_hold_is_refused(world: PostgresWorld) -> None:
    center = await world.make_center()
    with pytest.raises(ValueError, match="does not fit one page"):
        await world.put_together(center, [(new_id(), RoomRecord(name="A")) for _ in range(PAGE_CHANGES_MAX + 1)])
    assert await world.rows(center) == set()


async def test_one_transaction_writes_to_the_logs_of_several_centres_or_to_none(world: PostgresWorld) -> None:
    centers = sorted([await world.make_center() for _ in range(3)], reverse=True)
    async with world.units.begin() as unit:
        for number, center in enumerate(centers, start=1):
            for _ in range(number):
                unit.put(center, Entity.ROOM, new_id(), RoomRecord(name="A"))
    assert [len(await world.rows(center)) for center in centers] == [1, 2, 3]

    async def fail_half_way() -> None:
        async with world.units.begin() as unit:
            for center in centers:
                unit.put(center, Entity.ROOM, new_id(), RoomRecord(name="B"))
            unit.put(centers[0], Entity.ROOM, new_id(), RoomRecord(name="C" * UNIT_BYTES_MAX))

    with pytest.raises(ValueError, match="does not fit one page"):
        await fail_half_way()
    assert [len(await world.rows(center)) for center in centers] == [1, 2, 3]


async def test_a_record_moves_from_one_centre_to_another_in_one_transaction(world: PostgresWorld) -> None:
    old, new = await world.make_center(), await world.make_center()
    room = new_id()
    await world.put_together(old, [(room, RoomRecord(name="A"))])
    async with world.units.begin() as unit:
        await unit.lock_heads((new, old))
        unit.remove(old, Entity.ROOM, room)
        unit.put(new, Entity.ROOM, room, RoomRecord(name="A"))
    assert await world.rows(old) == set()
    assert {row[2] for row in await world.rows(new)} == {room}


async def test_heads_are_locked_in_order_and_never_the_other_way_round(world: PostgresWorld) -> None:
    first, second = sorted([await world.make_center(), await world.make_center()])
    async with world.units.begin() as unit:
        await unit.lock_head(second)
        with pytest.raises(AssertionError, match="in order of centre"):
            await unit.lock_head(first)
        assert set(await unit.lock_heads((second,))) == {second}


async def test_transactions_over_the_same_centres_never_wait_for_each_other_in_a_circle(world: PostgresWorld) -> None:
    centers = [await world.make_center() for _ in range(4)]

    async def write(turn: int) -> None:
        async with world.units.begin() as unit:
            for center in (*centers[turn:], *centers[:turn]):
                unit.put(center, Entity.ROOM, new_id(), RoomRecord(name="A"))

    await asyncio.gather(*(write(turn % 4) for turn in range(12)))
    assert [len(await world.rows(center)) for center in centers] == [12] * 4


async def test_two_that_begin_a_log_at_once_begin_the_same(world: PostgresWorld) -> None:
    center = await world.make_center()

    async def begin() -> str:
        async with world.units.begin() as unit:
            return (await unit.lock_head(center)).epoch

    assert len({*await asyncio.gather(*(begin() for _ in range(5)))}) == 1


async def test_waiting_for_a_head_has_an_end(world: PostgresWorld) -> None:
    center = await world.make_center()
    async with world.units.begin() as unit:
        await unit.lock_head(center)
        with pytest.raises(DatabaseUnavailable):
            await world.put_together(center, [(new_id(), RoomRecord(name="A"))])


async def test_a_reader_sees_one_moment_and_cannot_write(world: PostgresWorld) -> None:
    center = await world.make_center()
    desk = await make_desk(world, center)
    before = await head_of(world, desk)
    async with world.units.read() as connection:
        assert await change_log.read_head(connection, center) == before == genesis(center, before.epoch)
        await world.put_together(center, [(new_id(), RoomRecord(name="A"))])
        assert await change_log.read_head(connection, center) == before
        with pytest.raises(DBAPIError, match="read-only"):
            await connection.execute(text("DELETE FROM center_head"))
        await connection.rollback()


@pytest.mark.parametrize("table", ["change_log", "journal_entry", "attendance_event", "log_epoch", "device_incident"])
async def test_the_server_cannot_change_what_it_once_wrote(world: PostgresWorld, table: str) -> None:
    for statement in (f"DELETE FROM {table}", f"UPDATE {table} SET center_id = center_id"):
        with pytest.raises(DBAPIError, match="permission denied"):
            await world.execute(statement)


async def test_the_last_transaction_of_a_task_is_held_back_and_no_other(world: PostgresWorld) -> None:
    center = await world.make_center()
    desk = await make_desk(world, center)
    begun = (await head_of(world, desk)).version
    told: list[str] = []

    async def put(name: str) -> None:
        async with world.units.begin() as unit:
            unit.put(center, Entity.ROOM, new_id(), RoomRecord(name=name))
            unit.after_commit(lambda: told.append(name))

    async def versions() -> int:
        async def elsewhere() -> int:
            return (await head_of(world, desk)).version - begun

        # Another task, whose transactions are not held and which sees only what is committed.
        return await asyncio.create_task(elsewhere())

    with holding() as held:
        await put("before")
        assert (await versions(), told) == (1, ["before"])
        held.begin()
        await put("first")
        assert (await versions(), told) == (1, ["before"])
        await put("second")
        assert (await versions(), told) == (2, ["before", "first"])
        async with world.units.read():
            assert (await versions(), told) == (3, ["before", "first", "second"])
        # Within another one nothing waits: it would wait for itself.
        async with world.units.begin():
            await put("inner")
            assert await versions() == 4
        await settle_held()
        await put("undone")
        await held.drop()
        await put("third")
        async with world.units.last() as connection:
            assert (await versions(), await connection.scalar(text("SELECT 1"))) == (4, 1)
        assert (await versions(), told[3:]) == (5, ["inner", "third"])
        async with world.units.last():
            pass
    assert held.give() is None
