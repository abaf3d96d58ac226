"""Compaction: bodies go that nobody alive will ask for, and no reader ever gets an empty one."""

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from sqlalchemy import text

from server.core.errors import Unavailable
from server.repositories import change_log
from server.services.compaction import Compacted, Compaction
from server.services.verification import Verification
from sync.change_log import Operation, check_changes, genesis
from tests.contract.server_world import Desk, new_id, read_page, read_snapshot
from tests.support.books import Books, books_on
from tests.support.postgres import FreshDatabase, PostgresServer

pytestmark = pytest.mark.postgres

EMPTIED = "SELECT version FROM change_log WHERE center_id = :center_id AND operation = 1 AND body = '' ORDER BY version"
FLOOR = "SELECT compacted_version FROM center_head WHERE center_id = :center_id"


@pytest.fixture
async def books(postgres_server: PostgresServer, database: FreshDatabase) -> AsyncIterator[Books]:
    """Elm Lane, where a child has had four names; its record stands in the last version of the four."""
    async with books_on(postgres_server, database) as opened:
        await opened.take_in()
        for name in ("Second", "Third", "Fourth"):
            await opened.rename("elm", "C-1", name)
        yield opened


async def compact(books: Books, horizon_days: int = 30) -> Compacted:
    return await Compaction(books.units, books.clock).run(await books.center("elm"), horizon_days)


async def emptied(books: Books) -> list[int]:
    return [row.version for row in await books.rows(EMPTIED, center_id=await books.center("elm"))]


async def floor(books: Books) -> int:
    return int(await books.value(FLOOR, center_id=await books.center("elm")))


async def versions_of_child(books: Books) -> list[int]:
    child = await books.person("C-1")
    rows = await books.rows("SELECT version FROM change_log WHERE entity_id = :child ORDER BY version", child=child)
    return [row.version for row in rows]


async def heard(books: Books, desk: Desk, version: int, *, days_ago: float = 0, epoch: str = "") -> None:
    """Let a desk have said that it is at a version."""
    now = epoch or await books.value(
        "SELECT CAST(epoch AS text) FROM center_head WHERE center_id = :c", c=desk.key.center_id
    )
    await books.tamper(
        "INSERT INTO device_position VALUES (:c, :d, :epoch, :version, 0, :at) ON CONFLICT (center_id, device_id) "
        "DO UPDATE SET version = excluded.version, at = excluded.at",
        c=desk.key.center_id,
        d=desk.key.device_id,
        epoch=now,
        version=version,
        at=books.clock.now() - timedelta(days=days_ago),
    )


async def right(books: Books) -> bool:
    report = await Verification(books.units).check(await books.center("elm"))
    return not report.findings


async def test_superseded_bodies_go_and_the_one_that_stands_stays(books: Books) -> None:
    *old, last = await versions_of_child(books)
    done = await compact(books)
    assert await emptied(books) == old
    assert (done.rows, done.floor, done.head) == (3, last, last)
    assert done.bytes > 3 * 100
    assert await right(books)


async def test_the_chain_still_verifies_as_a_device_does_it(books: Books) -> None:
    await compact(books)
    elm = await books.center("elm")
    async with books.units.read() as connection:
        head = await change_log.read_head(connection, elm)
        rows = await change_log.read_after(connection, elm, 0)
    assert head is not None
    assert check_changes(genesis(elm, head.epoch), [row.change for row in rows]) == head


async def test_doing_it_again_does_nothing(books: Books) -> None:
    await compact(books)
    assert (await compact(books)).rows == 0


async def test_the_slowest_live_device_keeps_what_it_needs(books: Books) -> None:
    first, second, third, _ = await versions_of_child(books)
    near, far = await books.desk(), await books.desk()
    await heard(books, near, third)
    await heard(books, far, second)
    done = await compact(books)
    assert (done.floor, done.devices) == (second, 2)
    assert await emptied(books) == [first, second]
    assert await floor(books) == second
    await heard(books, far, third)
    await compact(books)
    assert await emptied(books) == [first, second, third]
    assert await right(books)


async def test_a_device_beyond_the_horizon_does_not_count(books: Books) -> None:
    first, *_, last = await versions_of_child(books)
    desk = await books.desk()
    await heard(books, desk, first, days_ago=29.9)
    assert (await compact(books)).floor == first
    await heard(books, desk, first, days_ago=30.1)
    assert (await compact(books)).floor == last


async def test_a_device_that_may_not_sync_does_not_count(books: Books) -> None:
    first, *_, last = await versions_of_child(books)
    desk = await books.desk()
    await heard(books, desk, first)
    await books.world.revoke(desk.key)
    assert (await compact(books)).floor == last


async def test_a_position_in_another_life_of_the_log_does_not_count(books: Books) -> None:
    first, *_, last = await versions_of_child(books)
    await heard(books, await books.desk(), first, epoch=new_id())
    assert (await compact(books)).floor == last


async def test_a_device_that_claims_the_future_does_not_move_the_floor_beyond_the_head(books: Books) -> None:
    *_, last = await versions_of_child(books)
    await heard(books, await books.desk(), 10**9)
    assert (await compact(books)).floor == last


async def test_the_floor_never_falls(books: Books) -> None:
    first, *_, last = await versions_of_child(books)
    await compact(books)
    await heard(books, await books.desk(), first)
    assert (await compact(books)).floor == last
    assert await floor(books) == last


async def test_a_rehearsal_changes_nothing_and_says_what_would_go(books: Books) -> None:
    plan = await Compaction(books.units, books.clock).plan(await books.center("elm"))
    assert await emptied(books) == []
    assert await floor(books) == 0
    assert plan == await compact(books)


async def test_a_centre_without_a_log_has_nothing_to_lose(books: Books) -> None:
    done = await Compaction(books.units, books.clock).run(new_id())
    assert done == Compacted(0, 0, 0, 0, 0)


async def test_a_removed_record_loses_its_bodies_and_keeps_its_removal(books: Books) -> None:
    elm, room = await books.center("elm"), await books.value("SELECT id FROM room WHERE external_id = 'OWLS'")
    await books.world.remove_room(elm, str(room))
    await compact(books)
    statement = "SELECT operation, body, salt FROM change_log WHERE entity_id = :room ORDER BY version"
    put, removal = await books.rows(statement, room=str(room))
    assert (put.operation, put.body, put.salt) == (Operation.PUT, b"", b"")
    assert (removal.operation, len(removal.salt)) == (Operation.REMOVE, 16)


async def test_a_reader_that_began_before_still_gets_whole_bodies(books: Books) -> None:
    elm = await books.center("elm")
    async with books.units.read() as connection:
        assert await connection.scalar(text(FLOOR), {"center_id": elm}) == 0
        await compact(books)
        rows = await change_log.read_after(connection, elm, 0)
        assert all(row.change.body for row in rows)
        assert await connection.scalar(text(FLOOR), {"center_id": elm}) == 0


async def test_whoever_sees_an_empty_body_sees_the_floor_above_it(books: Books) -> None:
    """Stopped between any two of its transactions, the floor is always raised already."""
    elm = await books.center("elm")

    class Stopped(Exception):
        pass

    def stop(_done: int, _total: int) -> None:
        raise Stopped

    with pytest.raises(Stopped):
        await Compaction(books.units, books.clock).run(elm, 30, stop)
    assert max(await emptied(books)) <= await floor(books)
    assert await right(books)


async def test_no_desk_gets_an_empty_body_wherever_it_stands(books: Books) -> None:
    _, second, third, _ = await versions_of_child(books)
    desk = await books.desk()
    await heard(books, desk, second)
    await compact(books)
    for version in range(third + 1):
        if version < second:
            with pytest.raises(Unavailable):
                await read_page(books.world, desk, version)
        else:
            page = await read_page(books.world, desk, version)
            assert page is not None
            assert all(change.body for change in page.changes)
    _, records = await read_snapshot(books.world, desk)
    assert all(record.body for record in records)


async def test_the_server_itself_may_not_take_a_body(books: Books) -> None:
    with pytest.raises(Exception, match="permission denied"):
        await books.world.execute("UPDATE change_log SET body = ''")
