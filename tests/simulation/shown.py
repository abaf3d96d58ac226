"""What a desk shows of its children, by the part of the shipped desk that knows it."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from kiosk.services.knowledge import Knowledge
from kiosk.store.records import StoredRecord
from sync import effects as do
from sync.attendance import Fact, fold
from sync.change_log import Change, Operation
from sync.messages import Plan, SnapshotRecord
from tests.simulation.model_records import facts_of_records
from tests.simulation.reference import Reference
from tests.simulation.replicas import is_kept
from tests.simulation.trace import Violated

if TYPE_CHECKING:
    from tests.simulation.device import Device


def begins_another_life(effect: object) -> bool:
    """Whether this replaces the replica by what a restored server still knows."""
    if not isinstance(effect, do.StoreSnapshotPart):
        return False
    return effect.plan is Plan.RECONCILE and effect.part.part == effect.part.parts


def events_shown(device: "Device") -> set[str]:
    """The events of the children of its centre on which this desk's screen rests."""
    knowledge = Knowledge(device.id)
    replica = device.replica
    knowledge.load(replica.progress.read().version, replica.records.all(), replica.journal.recent(-(2**62)))
    children = device.world.offices[device.center_id].children
    return {event_id for child in children for event_id in knowledge.facts(child)}


def check_nothing_vanished(device: "Device", before: set[str]) -> None:
    """Another life of the server takes no event from a screen: a child in the building is not shown as gone for it."""
    vanished = before - events_shown(device)
    if vanished:
        raise Violated("nobody_vanishes", f"{device.name} no longer shows {sorted(vanished)[:3]}")


def check_judges_alike(device: "Device", records: Iterable[SnapshotRecord]) -> None:
    """A desk that holds these records, as a replica and then as pages, finds of everybody what the server finds.

    What it holds was compared with the server's records before. It is asked between the two, so that what it made of
    half of them must be made anew when the other half says more.
    """
    dropped_before = device.replica.progress.read().dropped_before
    wanted = [record for record in records if is_kept(record.bucket, dropped_before)]
    reference = Reference(wanted)
    subjects: dict[str, list[Fact]] = {}
    for fact in facts_of_records(wanted):
        subjects.setdefault(fact.event.subject_id, []).append(fact)
    held = [row for row in device.replica.records.all() if is_kept(row.bucket, dropped_before)]
    held.sort(key=lambda row: row.version)
    half = len(held) // 2
    desk = Knowledge(device.id)
    desk.load(held[half - 1].version if half else 0, held[:half], ())
    for subject_id in subjects:
        desk.attendance(subject_id)
    desk.apply(held[-1].version if held else 0, [_change(row) for row in held[half:]])
    for subject_id, facts in subjects.items():
        if desk.attendance(subject_id) != fold(facts, reference.known_of(subject_id)):
            raise Violated("same_attendance_everywhere", f"{device.name} judges {subject_id} otherwise than the server")


def _change(row: StoredRecord) -> Change:
    body = row.body.encode()
    return Change(row.version, row.bucket, row.entity, row.entity_id, Operation.PUT, body, b"", b"", True)
