"""The intake against PostgreSQL: what the contract cannot see from outside."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager

import pytest
from sqlalchemy import event, text

from server.core.errors import DatabaseUnavailable
from server.repositories import journal_writes, journals
from sync.change_log import check_changes, genesis
from sync.effects import RecordApplied
from sync.journal import Entry, Outcome, ParkReason
from sync.records import RoomRecord
from tests.contract.postgres_world import PostgresWorld, make_world, world_on
from tests.contract.server_world import Desk, changes_after, greet, head_of, make_desk, new_id, outcomes, push
from tests.support.postgres import FreshDatabase

pytestmark = pytest.mark.postgres


@pytest.fixture
async def hasty(database: FreshDatabase) -> AsyncIterator[PostgresWorld]:
    """Another server on the same database, which waits for no lock for long."""
    async with world_on(database.urls.app, lock_timeout_ms=300) as world:
        yield world


@contextmanager
def counted(world: PostgresWorld) -> Iterator[list[str]]:
    """The statements that the engine sends inside the block."""
    seen: list[str] = []

    def note(_c: object, _k: object, statement: str, *_rest: object) -> None:
        seen.append(statement)

    event.listen(world.engine.sync_engine, "before_cursor_execute", note)
    try:
        yield seen
    finally:
        event.remove(world.engine.sync_engine, "before_cursor_execute", note)


async def count(world: PostgresWorld, table: str) -> int:
    async with world.engine.connect() as connection:
        return int(await connection.scalar(text(f"SELECT count(*) FROM {table}")) or 0)


async def test_an_entry_that_the_database_will_not_take_is_parked_and_its_neighbours_are_stored(
    world: PostgresWorld, owner: PostgresWorld, desk: Desk, child: str
) -> None:
    await owner.execute("ALTER TABLE attendance_event ADD CONSTRAINT fate CHECK (position('doom' in body) = 0)")
    entries = [desk.check_in(child), desk.check_in(child, minute=1, note="doom"), desk.check_out(child, minute=30)]
    answer = await push(world, desk, *entries)
    assert outcomes(answer) == [Outcome.APPLIED, Outcome.PARKED, Outcome.APPLIED]
    assert answer.outcomes[1].reason is ParkReason.UNREADABLE
    assert [outcome.version for outcome in answer.outcomes] == [1, 0, 2]
    assert (answer.through_seq, answer.hash) == (3, entries[-1].hash)
    assert await push(world, desk, *entries) == answer
    assert await count(world, "journal_entry") == 3


async def test_a_database_that_lacks_a_table_parks_nothing(
    world: PostgresWorld, owner: PostgresWorld, desk: Desk, child: str
) -> None:
    entry = desk.check_in(child)
    await owner.execute("ALTER TABLE attendance_event RENAME TO elsewhere")
    with pytest.raises(Exception, match="attendance_event"):
        await world.store.store_batch(desk.key, (entry,))
    await owner.execute("ALTER TABLE elsewhere RENAME TO attendance_event")
    assert outcomes(await push(world, desk, entry)) == [Outcome.APPLIED]


async def test_no_log_line_quotes_a_failing_row(
    world: PostgresWorld, owner: PostgresWorld, desk: Desk, child: str, capsys: pytest.CaptureFixture[str]
) -> None:
    await owner.execute("ALTER TABLE attendance_event ADD CONSTRAINT fate CHECK (seq < 0)")
    await push(world, desk, desk.check_in(child, adult_name="Grandmother"))
    said = capsys.readouterr()
    assert "entry_parked" in said.out + said.err
    assert "23514" in said.out + said.err
    assert "Grandmother" not in said.out + said.err
    assert b"Grandmother".hex() not in said.out + said.err


async def test_a_push_that_fails_as_a_whole_stores_nothing_and_can_be_sent_again(
    world: PostgresWorld, owner: PostgresWorld, desk: Desk, child: str
) -> None:
    await owner.execute("ALTER TABLE device_journal ADD CONSTRAINT fate CHECK (last_seq < 0)")
    entry = desk.check_in(child)
    with pytest.raises(Exception, match="fate"):
        await world.store.store_batch(desk.key, (entry,))
    assert await count(world, "journal_entry") == await count(world, "change_log") == 0
    await owner.execute("ALTER TABLE device_journal DROP CONSTRAINT fate")
    assert outcomes(await push(world, desk, entry)) == [Outcome.APPLIED]


async def test_a_push_that_cannot_get_the_lock_is_an_unavailable_database(
    world: PostgresWorld, hasty: PostgresWorld, center: str, desk: Desk, child: str
) -> None:
    entry = desk.check_in(child)
    async with world.units.begin() as unit:
        await unit.lock_head(center)
        with pytest.raises(DatabaseUnavailable):
            await hasty.store.store_batch(desk.key, (entry,))
    assert outcomes(await push(world, desk, entry)) == [Outcome.APPLIED]


async def test_two_copies_of_one_push_at_once_are_stored_once(
    world: PostgresWorld, desk: Desk, child: str, capsys: pytest.CaptureFixture[str]
) -> None:
    entries = [desk.check_in(child, minute=minute) for minute in range(20)]
    answers = await asyncio.gather(*(push(world, desk, *entries) for _ in range(4)))
    assert all(answer == answers[0] for answer in answers)
    assert await count(world, "journal_entry") == await count(world, "change_log") == 20
    assert "failed" not in capsys.readouterr().out


async def test_pushes_through_several_processes_give_dense_versions_and_one_chain(
    world: PostgresWorld, center: str, child: str
) -> None:
    processes = [make_world(world.engine) for _ in range(3)]
    desks = [await make_desk(world, center) for _ in processes]

    async def work(process: PostgresWorld, desk: Desk) -> None:
        for minute in range(8):
            await push(process, desk, desk.check_in(child, minute=minute), desk.check_out(child, minute=minute))
            await process.put_together(center, [(new_id(), RoomRecord(name="A")) for _ in range(2)])

    await asyncio.gather(*map(work, processes, desks))
    head = await head_of(world, desks[0])
    changes = await changes_after(world, desks[0], 0)
    assert head.version == len(changes) == 3 * 8 * 4
    assert check_changes(genesis(center, head.epoch), changes) == head


async def test_an_entry_is_kept_exactly_as_it_was_signed(world: PostgresWorld, desk: Desk) -> None:
    entry = desk.write("a\x00b", "k\x00", b"\x00\xff", boot_id="\\x00\U0001f9f8", wall_ms=-(2**62))
    await push(world, desk, entry)
    async with world.engine.connect() as connection:
        row = (await connection.execute(text("SELECT * FROM journal_entry"))).one()
    kept = Entry(
        incarnation=journals.unescaped(row.incarnation),
        seq=row.seq,
        event_id=journals.unescaped(row.event_id),
        kind=journals.unescaped(row.kind),
        body=row.body,
        hlc=row.hlc,
        wall_ms=row.wall_ms,
        monotonic_ms=row.monotonic_ms,
        boot_id=journals.unescaped(row.boot_id),
        base_epoch=journals.unescaped(row.base_epoch),
        base_version=row.base_version,
        previous_hash=row.previous_hash,
        hash=row.hash,
        signature=row.signature,
    )
    assert kept == entry


async def test_a_device_that_is_suspended_meanwhile_waits_for_the_push(
    world: PostgresWorld, hasty: PostgresWorld, desk: Desk
) -> None:
    device_id = desk.key.device_id
    async with world.units.begin() as unit:
        assert set(await journal_writes.lock_devices(unit.connection, [device_id])) == {device_id}
        with pytest.raises(Exception, match="lock timeout"):
            await hasty.revoke(desk.key)


async def test_a_fact_has_its_day_by_the_centres_own_clock(world: PostgresWorld, desk: Desk, child: str) -> None:
    # 14:13:20 UTC is 16:13:20 in Berlin: 466 minutes later it is 23:59 there, 467 minutes later the next day.
    await push(world, desk, desk.check_in(child, minute=466), desk.check_out(child, minute=467))
    assert [change.bucket for change in await changes_after(world, desk, 0)] == ["day:2026-09-21", "day:2026-09-22"]


async def test_a_clock_that_is_known_to_be_off_moves_the_fact_and_not_its_testimony(
    world: PostgresWorld, desk: Desk, child: str
) -> None:
    await push(world, desk, desk.check_in(child, clock_offset_ms=3_600_000, clock_error_ms=50))
    async with world.engine.connect() as connection:
        row = (await connection.execute(text("SELECT * FROM attendance_event"))).one()
    assert (row.corrected_at - row.occurred_at).total_seconds() == 3_600
    assert row.recorded_at == row.occurred_at
    assert row.received_at == world.clock.now()


async def test_a_full_push_takes_a_bounded_number_of_statements(world: PostgresWorld, center: str, desk: Desk) -> None:
    children = [await world.make_child(center) for _ in range(5)]
    one = [desk.check_in(child) for child in children]
    many = [desk.check_in(child, minute=minute) for minute in range(1, 101) for child in children]
    with counted(world) as few_statements:
        await push(world, desk, *one)
    with counted(world) as many_statements:
        await push(world, desk, *many[:500])
    assert len(many_statements) <= len(few_statements) < 20
    head = await head_of(world, desk)
    assert head.version == 505
    assert genesis(center, head.epoch).hash != head.hash


async def test_positions_are_written_at_the_flush_and_the_newest_stands(world: PostgresWorld, desk: Desk) -> None:
    await greet(world, desk)
    for version in range(3):
        world.store.record_applied(desk.key, RecordApplied("e\x00", version, queue_depth=7))
    assert await count(world, "device_position") == 0
    await world.store.flush_positions()
    world.store.record_applied(desk.key, RecordApplied(new_id(), 9, queue_depth=0))
    await world.store.flush_positions()
    await world.store.flush_positions()
    async with world.engine.connect() as connection:
        row = (await connection.execute(text("SELECT * FROM device_position"))).one()
    assert (row.version, row.queue_depth) == (9, 0)
