"""Pushes that arrive together: stored together, and none of them pays for another."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import contextmanager

import pytest
from sqlalchemy import event, text

from server.core.errors import DatabaseUnavailable
from server.services import journal_intake
from server.services.pushes import DeviceKey
from sync.attendance import EventKind
from sync.errors import CloseCode
from sync.events import BatchStored
from sync.incidents import Incident
from sync.journal import Entry, Outcome, ParkReason
from sync.limits import SLOW_DOWN_MAX_MS
from sync.records import RoomRecord
from tests.contract.postgres_world import PostgresWorld, make_world, world_on
from tests.contract.server_world import Desk, make_desk, new_id, outcomes, push, refusal
from tests.support.postgres import FreshDatabase

pytestmark = pytest.mark.postgres

DEADLINE_S = 60.0


@pytest.fixture
async def world(database: FreshDatabase) -> AsyncIterator[PostgresWorld]:
    # Whoever waits for a lock that a test holds waits for longer than the test does.
    async with world_on(database.urls.app, lock_timeout_ms=60_000) as world:
        yield world


@contextmanager
def transactions(world: PostgresWorld) -> Iterator[list[str]]:
    """The writes of entries inside the block: one for each transaction that stores any."""
    seen: list[str] = []

    def note(_c: object, _k: object, statement: str, *_rest: object) -> None:
        if "INSERT INTO journal_entry" in statement:
            seen.append(statement)

    event.listen(world.engine.sync_engine, "before_cursor_execute", note)
    try:
        yield seen
    finally:
        event.remove(world.engine.sync_engine, "before_cursor_execute", note)


async def desks_of(world: PostgresWorld, centers: int, desks: int) -> list[tuple[Desk, str]]:
    """Desks of several centres, each with a child of its centre."""
    made = []
    for _ in range(centers):
        center = await world.make_center()
        child = await world.make_child(center)
        made += [(await make_desk(world, center), child) for _ in range(desks)]
    return made


async def push_together(world: PostgresWorld, pushes: Sequence[tuple[Desk, Entry]]) -> list[BatchStored]:
    async with asyncio.timeout(DEADLINE_S):
        return list(await asyncio.gather(*(push(world, desk, entry) for desk, entry in pushes)))


async def until(world: PostgresWorld, statement: str) -> None:
    """Wait until a question to the database is answered with yes."""
    async with asyncio.timeout(DEADLINE_S), world.engine.connect() as connection:
        while not await connection.scalar(text(statement)):
            await connection.rollback()


def somebody_waits(count: int = 1) -> str:
    """Whether so many transactions wait for a lock."""
    waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
    return f"SELECT ({waiting}) >= {count}"


async def test_pushes_of_many_centres_that_arrive_together_share_transactions(world: PostgresWorld) -> None:
    desks = await desks_of(world, centers=6, desks=5)
    pushes = [(desk, desk.check_in(child)) for desk, child in desks]
    with transactions(world) as shared:
        answers = await push_together(world, pushes)
    assert len(shared) <= 4
    for center in {desk.key.center_id for desk, _ in desks}:
        ours = [answer for (desk, _), answer in zip(desks, answers, strict=True) if desk.key.center_id == center]
        assert sorted(answer.outcomes[0].version for answer in ours) == [1, 2, 3, 4, 5]
    assert await push_together(world, pushes) == answers


async def test_an_entry_that_the_database_will_not_take_hurts_no_neighbour(
    world: PostgresWorld, owner: PostgresWorld
) -> None:
    await owner.execute("ALTER TABLE attendance_event ADD CONSTRAINT fate CHECK (position('doom' in body) = 0)")
    desks = await desks_of(world, centers=3, desks=3)
    notes = ["doom" if number in (2, 7) else "" for number in range(9)]
    pushes = [(desk, desk.check_in(child, note=note)) for (desk, child), note in zip(desks, notes, strict=True)]
    answers = await push_together(world, pushes)
    became = [answer.outcomes[0].outcome for answer in answers]
    assert [one is Outcome.PARKED for one in became] == [bool(note) for note in notes]
    assert {answer.outcomes[0].reason for answer, note in zip(answers, notes, strict=True) if note} == {
        ParkReason.UNREADABLE
    }
    assert await push_together(world, pushes) == answers


async def test_a_centre_that_somebody_holds_keeps_nobody_else_waiting(world: PostgresWorld) -> None:
    (busy, child), *others = await desks_of(world, centers=4, desks=1)
    async with world.units.begin() as unit:
        await unit.lock_head(busy.key.center_id)
        waiting = asyncio.create_task(push(world, busy, busy.check_in(child)))
        answers = await push_together(world, [(desk, desk.check_in(other)) for desk, other in others])
        assert [outcomes(answer) for answer in answers] == [[Outcome.APPLIED]] * 3
        await until(world, somebody_waits())
        again = await push_together(world, [(desk, desk.check_out(other, minute=9)) for desk, other in others])
        assert [outcomes(answer) for answer in again] == [[Outcome.APPLIED]] * 3
        assert not waiting.done()
    async with asyncio.timeout(DEADLINE_S):
        assert outcomes(await waiting) == [Outcome.APPLIED]


async def test_a_device_that_is_being_changed_keeps_nobody_else_waiting(world: PostgresWorld) -> None:
    (busy, child), (other, child_of_other) = await desks_of(world, centers=2, desks=1)
    async with world.engine.connect() as connection:
        await connection.execute(text("UPDATE device SET state = 'revoked' WHERE id = :id"), {"id": busy.key.device_id})
        waiting = asyncio.create_task(push(world, busy, busy.check_in(child)))
        (answer,) = await push_together(world, [(other, other.check_in(child_of_other))])
        assert outcomes(answer) == [Outcome.APPLIED]
        await until(world, somebody_waits())
        await connection.commit()
    async with asyncio.timeout(DEADLINE_S):
        assert (await waiting).outcomes[0].reason is ParkReason.DEVICE_NOT_ENTITLED


async def test_a_caller_that_goes_away_hurts_nobody_and_takes_nothing_back(world: PostgresWorld) -> None:
    desks = await desks_of(world, centers=1, desks=3)
    pushes = [(desk, desk.check_in(child, minute=number)) for number, (desk, child) in enumerate(desks)]
    async with world.units.begin() as unit:
        await unit.lock_head(desks[0][0].key.center_id)
        waiting = [asyncio.create_task(push(world, desk, entry)) for desk, entry in pushes]
        await until(world, somebody_waits())
        waiting[0].cancel()
    async with asyncio.timeout(DEADLINE_S):
        gone, *answers = await asyncio.gather(*waiting, return_exceptions=True)
    assert isinstance(gone, asyncio.CancelledError)
    assert all(isinstance(answer, BatchStored) for answer in answers)
    answer = await push(world, *pushes[0])
    assert sorted(one.outcomes[0].version for one in [answer, *answers] if isinstance(one, BatchStored)) == [1, 2, 3]


async def test_an_answer_that_does_not_come_is_an_unavailable_database(
    world: PostgresWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    ((desk, child),) = await desks_of(world, centers=1, desks=1)
    entry = desk.check_in(child)
    monkeypatch.setattr(journal_intake, "ANSWER_DEADLINE_S", 0.1)
    async with world.units.begin() as unit:
        await unit.lock_head(desk.key.center_id)
        with pytest.raises(DatabaseUnavailable):
            await world.store.store_batch(desk.key, (entry,))
    monkeypatch.undo()
    assert outcomes(await push(world, desk, entry)) == [Outcome.APPLIED]


async def test_more_pushes_than_can_wait_are_turned_away(world: PostgresWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal_intake, "WAITING_MAX", 2)
    desks = await desks_of(world, centers=1, desks=5)
    pushes = [(desk, desk.check_in(child)) for desk, child in desks]
    async with asyncio.timeout(DEADLINE_S):
        answers = await asyncio.gather(*(push(world, *one) for one in pushes), return_exceptions=True)
    turned_away = [answer for answer in answers if isinstance(answer, DatabaseUnavailable)]
    assert len(turned_away) == 3
    assert sum(isinstance(answer, BatchStored) for answer in answers) == 2


async def test_devices_are_asked_to_slow_down_while_pushes_wait_for_long(
    world: PostgresWorld, owner: PostgresWorld
) -> None:
    desks = await desks_of(world, centers=journal_intake.LANES + 1, desks=1)
    intake, clock = world.intake, world.clock
    async with owner.engine.connect() as connection:
        await connection.execute(text("LOCK TABLE journal_entry IN ACCESS EXCLUSIVE MODE"))
        waiting = []
        for number, (desk, child) in enumerate(desks):
            waiting.append(asyncio.create_task(push(world, desk, desk.check_in(child))))
            await until(world, somebody_waits(min(number + 1, journal_intake.LANES)))
        assert intake.slow_down_ms() == 0
        clock.advance_ms(3_000)
        assert intake.slow_down_ms() == 3_000
        clock.advance_ms(60_000)
        assert intake.slow_down_ms() == SLOW_DOWN_MAX_MS
    async with asyncio.timeout(DEADLINE_S):
        await asyncio.gather(*waiting)
    assert intake.slow_down_ms() == 0


async def test_a_centre_that_somebody_holds_slows_no_device_of_another_down(world: PostgresWorld) -> None:
    desks = await desks_of(world, centers=1, desks=2)
    async with world.units.begin() as unit:
        await unit.lock_head(desks[0][0].key.center_id)
        waiting = []
        for desk, child in desks:
            waiting.append(asyncio.create_task(push(world, desk, desk.check_in(child))))
            await until(world, somebody_waits(1))
        world.clock.advance_ms(60_000)
        assert world.intake.slow_down_ms() == 0
    async with asyncio.timeout(DEADLINE_S):
        await asyncio.gather(*waiting)


async def test_when_the_database_goes_away_every_push_of_the_group_is_told(
    world: PostgresWorld, owner: PostgresWorld
) -> None:
    desks = await desks_of(world, centers=2, desks=2)
    pushes = [(desk, desk.check_in(child)) for desk, child in desks]
    async with owner.engine.connect() as connection:
        await connection.execute(text("LOCK TABLE journal_entry IN ACCESS EXCLUSIVE MODE"))
        waiting = [asyncio.create_task(push(world, desk, entry)) for desk, entry in pushes]
        async with asyncio.timeout(DEADLINE_S):
            while not all(task.done() for task in waiting):
                await world.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                    "WHERE wait_event_type = 'Lock' AND usename = current_user"
                )
            failed = await asyncio.gather(*waiting, return_exceptions=True)
    assert all(isinstance(failure, DatabaseUnavailable) for failure in failed), failed
    assert [outcomes(answer) for answer in await push_together(world, pushes)] == [[Outcome.APPLIED]] * 4


async def test_a_device_that_is_not_known_here_or_is_another_centres_is_refused_alone(world: PostgresWorld) -> None:
    (desk, child), (other, child_of_other) = await desks_of(world, centers=2, desks=1)
    ghost = Desk(DeviceKey(desk.key.center_id, new_id()), desk.private_key)
    stray = Desk(DeviceKey(other.key.center_id, desk.key.device_id), desk.private_key)
    async with asyncio.timeout(DEADLINE_S):
        answer, *refusals = await asyncio.gather(
            push(world, other, other.check_in(child_of_other)),
            refusal(world, ghost, ghost.check_in(child)),
            refusal(world, stray, stray.check_in(child_of_other)),
        )
    assert outcomes(answer) == [Outcome.APPLIED]
    assert [one.code for one in refusals] == [CloseCode.REVOKED] * 2
    assert outcomes(await push(world, desk, desk.check_in(child))) == [Outcome.APPLIED]


# -- what the intake remembers of a centre


async def test_what_another_server_stored_meanwhile_counts(world: PostgresWorld) -> None:
    ((desk, child),) = await desks_of(world, centers=1, desks=1)
    elsewhere = make_world(world.engine)
    other = await make_desk(world, desk.key.center_id)
    became = []
    for minute, process, one, kind in (
        (0, world, desk, EventKind.CHECK_IN),
        (60, elsewhere, other, EventKind.CHECK_OUT),
        (120, world, desk, EventKind.CHECK_IN),
        (180, elsewhere, other, EventKind.CHECK_IN),
        (240, world, desk, EventKind.CHECK_OUT),
    ):
        became += outcomes(await push(process, one, one.record(child, kind, minute=minute, event_id="")))
    assert became == [Outcome.APPLIED, Outcome.APPLIED, Outcome.APPLIED, Outcome.CONFLICT, Outcome.CONFLICT]


async def test_what_is_remembered_gives_the_outcomes_that_a_new_server_gives(world: PostgresWorld) -> None:
    desks = await desks_of(world, centers=2, desks=1)
    minutes = [0, 300, 100, 101, 900, 50, -30_000, 500, 20_000, 0]
    became: list[list[Outcome]] = [[], []]
    for number, minute in enumerate(minutes):
        kind = EventKind.CHECK_IN if number % 3 else EventKind.CHECK_OUT
        for (desk, child), process, ours in zip(desks, (world, make_world(world.engine)), became, strict=True):
            entry = desk.record(child, kind, minute=minute, event_id="")
            ours.extend(outcomes(await push(process, desk, entry)))
    remembered, forgotten = became
    assert remembered == forgotten
    assert set(remembered) == {Outcome.APPLIED, Outcome.CONFLICT}


async def test_a_child_that_comes_to_the_centre_is_known_from_then_on(world: PostgresWorld) -> None:
    ((desk, child),) = await desks_of(world, centers=1, desks=1)
    await push(world, desk, desk.check_in(child))
    newcomer = await world.make_child(desk.key.center_id)
    assert outcomes(await push(world, desk, desk.check_in(newcomer))) == [Outcome.APPLIED]
    await world.put_together(desk.key.center_id, [(new_id(), RoomRecord(name="A"))])
    assert [one.version for one in (await push(world, desk, desk.check_out(child, minute=9))).outcomes] == [4]


# -- a fork is a matter for people


async def test_a_fork_is_noticed_once_however_often_it_is_pushed(world: PostgresWorld) -> None:
    ((desk, child),) = await desks_of(world, centers=1, desks=1)
    clone = Desk(desk.key, desk.private_key, desk.incarnation)
    await push(world, desk, desk.check_in(child))
    forked = clone.check_in(child, minute=2)
    for _ in range(3):
        assert (await refusal(world, desk, forked)).code is CloseCode.FORK
    ((device_id, incident),) = (await world.incidents(desk.key.center_id)).values()
    assert (device_id, incident.incident) == (desk.key.device_id, Incident.JOURNAL_FORKED)
    assert incident.detail == {"incarnation": desk.incarnation, "seq": 1, "noticed_by": "server"}


async def test_a_fork_of_a_journal_with_an_odd_name_is_noticed_too(world: PostgresWorld) -> None:
    ((desk, child),) = await desks_of(world, centers=1, desks=1)
    odd, clone = (Desk(desk.key, desk.private_key, "a\x00\\") for _ in range(2))
    await push(world, odd, odd.check_in(child))
    assert (await refusal(world, odd, clone.check_in(child))).code is CloseCode.FORK
    (found,) = (await world.incidents(desk.key.center_id)).values()
    assert found[1].detail["incarnation"] == "a\\x00\\\\"
