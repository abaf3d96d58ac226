"""The judgement at the end: is everything where it must be once faults have stopped?"""

from collections.abc import Callable
from typing import TYPE_CHECKING

from sync.attendance import ChildAttendance, Fact, fold
from sync.circumstances import Circumstances
from sync.device_session import State
from sync.digest import sums
from sync.records import Entity
from tests.simulation.books import journal_of
from tests.simulation.model_records import facts_of_records, fold_of_log, held_of
from tests.simulation.model_store import ModelServerStore, StoredEntry
from tests.simulation.reference import Reference
from tests.simulation.replicas import is_kept
from tests.simulation.shown import check_judges_alike
from tests.simulation.trace import Violated
from tests.simulation.truth import judge_attendance

if TYPE_CHECKING:
    from tests.simulation.device import Device
    from tests.simulation.world import World

Complaint = tuple[str, str]


def complaint_of(world: "World") -> Complaint | None:
    """What is not yet quiet, as (checker, what), or None. Cheap: it is asked every two virtual seconds."""
    for device in world.devices:
        found = _complaint_of_device(world, device)
        if found is not None:
            return found
    return None


def _complaint_of_device(world: "World", device: "Device") -> Complaint | None:
    if device.id in world.revoked_ms:
        return None if device.is_destroyed else ("nothing_stuck", f"{device.name} was revoked and is still there")
    if device.person_needed:
        return ("nothing_stuck", f"{device.name} waits for a person: {device.person_needed}")
    if device.loop is None or device.loop.session.state is not State.FOLLOWING:
        return ("nothing_stuck", f"{device.name} has no link that follows")
    depth = device.replica.journal.queue_depth()
    if depth:
        return ("outboxes_empty", f"{depth} entries of {device.name} have no outcome")
    head = device.replica.progress.read().head
    wanted = world.stores[device.center_id].state.head
    if head != wanted:
        return ("replicas_equal", f"{device.name} is at {head.version}, the log at {wanted.version}")
    if device.phase is None or not device.phase.is_current:
        return ("nothing_stuck", f"{device.name} does not know that it is current")
    if device.loop.lanes_busy:
        return ("nothing_stuck", f"a store effect of {device.name} never ended")
    return None


def judge(world: "World") -> None:
    """Everything that must hold when all is quiet.

    Raises:
        Violated: naming the invariant.

    """
    for center_id, store in world.stores.items():
        reference = Reference(store.state.records.values())
        _judge_store(world, store, reference)
        judge_attendance(world, store.state.log, reference)
        for device in world.devices:
            if device.center_id == center_id:
                world.checkers.books.check_arrived(device)
                if not device.is_destroyed:
                    _judge_device(world, device, store)
                    if world.plan.rulings:
                        check_judges_alike(device, store.state.records.values())
        world.checkers.books.check_brought_back(center_id)


def _judge_store(world: "World", store: ModelServerStore, reference: Reference) -> None:
    state = store.state
    if fold_of_log(state.log) != state.records:
        raise Violated("replicas_equal", "the server's tables are not the fold of its log")
    if isinstance(store, ModelServerStore) and state.totals != sums(map(held_of, state.records.values())):
        raise Violated("replicas_equal", "the server's digests are not those of its records")
    facts = [known.fact for known in state.facts]
    logged = {fact.event.event_id: fact for fact in facts_of_records(state.records.values())}
    if {fact.event.event_id: fact for fact in facts} != logged:
        raise Violated("exactly_once", "facts and log of the server differ")
    luck = world.luck("checks")
    for child in sorted({fact.event.child_id for fact in facts}):
        mine = [fact for fact in facts if fact.event.child_id == child]
        _judge_fold(mine, reference.known_of(child), luck.shuffled)
    foreign = [fact.event.center_id for fact in facts if fact.event.center_id != store.center_id]
    if foreign:
        raise Violated("centers_are_apart", "a fact of one centre is in the log of another")


def _judge_fold(facts: list[Fact], known: Circumstances, shuffled: Callable[[list[Fact]], list[Fact]]) -> None:
    """Any order of arrival gives the same stays and findings."""
    wanted = fold(facts, known)
    if fold(shuffled(facts), known) != wanted or fold([*reversed(facts), *facts], known) != wanted:
        raise Violated("same_attendance_everywhere", "another order of arrival gives another attendance")


def _judge_device(world: "World", device: "Device", store: ModelServerStore) -> None:
    dropped_before = device.replica.progress.read().dropped_before
    held = {
        (row.entity, row.entity_id): (row.version, row.body.encode())
        for row in device.replica.records.all()
        if is_kept(row.bucket, dropped_before)
    }
    wanted = {key: record for key, record in store.state.records.items() if is_kept(record.bucket, dropped_before)}
    if held != {key: (record.version, record.body) for key, record in wanted.items()}:
        raise Violated("replicas_equal", f"the records of {device.name} are not those of the server")
    _judge_journal(world, device, store)
    facts = facts_of_records(wanted.values())
    known = [known.fact for known in store.state.facts if (Entity.EVENT, known.fact.event.event_id) in held]
    if _by_id(facts) != _by_id(known) and _attendance(facts) != _attendance(known):
        raise Violated("same_attendance_everywhere", f"{device.name} sees other stays than the server")


def _judge_journal(world: "World", device: "Device", store: ModelServerStore) -> None:
    stored = {
        (key[1], line.entry.seq): line
        for key, lines in store.state.journals.items()
        if key[0] == device.id
        for line in lines
    }
    for entry in journal_of(device):
        line = stored.get((entry.incarnation, entry.seq))
        if line is None or line.entry != entry:
            raise Violated("no_acknowledged_entry_lost", f"entry {entry.seq} of {device.name} is not on the server")
    world.checkers.books.check_told(device)
    _judge_outcomes(device, stored)


def _judge_outcomes(device: "Device", stored: dict[tuple[str, int], StoredEntry]) -> None:
    """What the desk shows of an entry is what the server decided, in whatever life it did so."""
    for own in device.replica.journal.recent(-(2**62)):
        line = stored[(own.incarnation, own.seq)]
        decided = line.outcome
        if (own.outcome, own.reason, own.version) != (decided.outcome, decided.reason, decided.version):
            raise Violated("exactly_once", f"{device.name} was told {own.outcome!r} for {own.seq}: {decided}")


def _by_id(facts: list[Fact]) -> dict[str, Fact]:
    """The same facts come to the same attendance, in whatever order; that is judged once for all."""
    return {fact.event.event_id: fact for fact in facts}


def _attendance(facts: list[Fact]) -> dict[str, ChildAttendance]:
    children = sorted({fact.event.child_id for fact in facts})
    return {child: fold([fact for fact in facts if fact.event.child_id == child]) for child in children}
