"""How a device's entries become facts: each entry decided by itself, none lost, none in the way of another.

Whoever stores a push (PostgreSQL, the model in the simulator) reads each entry's testimony once, loads what `Intake`
asks for, lets it decide entry after entry, numbers the drafts and writes everything in one transaction.

| kind             | what it testifies                                        | what becomes of it       |
|------------------|----------------------------------------------------------|--------------------------|
| an `EventKind`   | what happened at this desk                               | a fact in the log        |
| witnessed        | a fact that this desk's replica holds and the log lost   | the fact, as it was      |
| device_incident  | what happened to the device itself                       | kept for people, no fact |
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import msgspec

from sync.attendance import (
    AttendanceEvent,
    ChildFold,
    EventKind,
    Fact,
    Line,
    Uuid,
    corrected_at_ms,
    decode_event,
)
from sync.change_log import ChangeDraft, Operation
from sync.circumstances import NOTHING_KNOWN, Circumstances, Span
from sync.incidents import INCIDENT_KIND, DeviceIncident, decode_incident
from sync.journal import Entry, EntryOutcome, Int64, Label, Outcome, ParkReason
from sync.limits import ENTRY_BODY_BYTES_MAX, WALL_MS_MAX, WALL_MS_MIN
from sync.records import CenterRecord, ChildRecord, Entity, EventRecord, PickupRecord, bucket_of_day, encode_record
from sync.reference import circumstances_of

WITNESSED_KIND: Final = "witnessed"

_EVENT_KINDS: Final = frozenset(kind.value for kind in EventKind)
_KINDS: Final = _EVENT_KINDS | {WITNESSED_KIND, INCIDENT_KIND}


class Origin(msgspec.Struct, gc=False, frozen=True, kw_only=True):
    """Whose entries these are, and when the server got them (UTC milliseconds)."""

    device_id: str
    device_name: str
    is_entitled: bool
    received_at_ms: int


class StoredFact(msgspec.Struct, gc=False, frozen=True):
    """A fact of the centre that already stands, its version in the change log, and when the server got it (UTC ms)."""

    fact: Fact
    version: int
    received_at_ms: int = 0


class Testimony(msgspec.Struct, gc=False, frozen=True):
    """What an entry holds, read once; `reason` says why it holds nothing that this version understands."""

    event: AttendanceEvent | None = None
    record: EventRecord | None = None
    incident: DeviceIncident | None = None
    reason: ParkReason = ParkReason.NOT_PARKED


class Decision(msgspec.Struct, gc=False, frozen=True):
    """What becomes of one entry.

    `draft`, `fact` and `record` are None when nothing new enters the log; `record` is what the draft's body encodes.
    `incident` is to be kept for people.
    """

    entry: Entry
    outcome: EntryOutcome
    draft: ChangeDraft | None = None
    fact: Fact | None = None
    record: EventRecord | None = None
    incident: DeviceIncident | None = None


class _Witness(msgspec.Struct, frozen=True):
    """What must hold of a record that another desk puts back, beside its types."""

    device_id: Uuid
    device_name: Line
    incarnation: Label
    seq: Int64
    hlc: Int64
    received_at_ms: Int64


def read_testimony(entry: Entry) -> Testimony:
    """Read what an entry says; a defect in it becomes the reason to park it."""
    if len(entry.body) > ENTRY_BODY_BYTES_MAX:
        return Testimony(reason=ParkReason.TOO_LARGE)
    if entry.kind not in _KINDS:
        return Testimony(reason=ParkReason.UNKNOWN_KIND)
    try:
        if entry.kind == INCIDENT_KIND:
            return Testimony(incident=decode_incident(entry.body))
        if entry.kind == WITNESSED_KIND:
            return _read_record(entry.body)
        return Testimony(event=decode_event(entry.body))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return Testimony(reason=_why_unreadable(entry.body))


def _read_record(body: bytes) -> Testimony:
    body.decode()
    record = msgspec.json.decode(body, type=EventRecord)
    msgspec.convert(record, _Witness, from_attributes=True)
    return Testimony(event=decode_event(bytes(record.event)), record=record)


class Intake:
    """Decides the entries of pushes, in order.

    `known_children` and `stored` need to hold only what the pushes can touch: the children they name, all the facts
    of their subjects that a fold depends on, and any fact of the centre that has one of their event ids. An intake may
    serve the next transaction too, when the log still ends at `version`, after it learnt what those pushes can touch.
    """

    def __init__(
        self,
        *,
        center_id: str,
        time_zone: str,
        head_version: int,
        known_children: Iterable[str],
        stored: Iterable[StoredFact],
        center: CenterRecord | None = None,
    ) -> None:
        """Begin with what stands before the push; without `center` nothing is known of closures, locks and pick-ups."""
        self._center_id = center_id
        self._time_zone = time_zone
        self._center = center
        self._pickups: dict[str, Sequence[PickupRecord]] = {}
        self._children: dict[str, ChildRecord] = {}
        self._employed: Mapping[str, tuple[Span, ...]] = {}
        self.received_at_ms: dict[str, int] = {}
        self.version = head_version
        self._known_children: set[str] = set()
        self._standing: dict[str, StoredFact] = {}
        self._facts: dict[str, list[Fact]] = {}
        self._folds: dict[str, ChildFold] = {}
        self.learn(known_children=known_children, stored=stored)

    def __len__(self) -> int:
        """How many facts it holds."""
        return len(self._standing)

    def learn(
        self,
        *,
        known_children: Iterable[str],
        stored: Iterable[StoredFact],
        pickups: Mapping[str, Sequence[PickupRecord]] | None = None,
        children: Mapping[str, ChildRecord] | None = None,
        employed: Mapping[str, tuple[Span, ...]] | None = None,
    ) -> None:
        """Take in more of what stands; what is known already changes nothing.

        Who may collect a child (`pickups`, by child) and what its record says (`children`) is told before the first
        decision about that child, and who was on the staff (`employed`, `sync.reference.employment`) before any.
        """
        self._known_children.update(known_children)
        self._pickups.update(pickups or {})
        self._children.update(children or {})
        if employed is not None:
            self._employed = employed
        for known in stored:
            event = known.fact.event
            if event.event_id in self._standing:
                continue
            self._standing[event.event_id] = known
            self.received_at_ms[event.event_id] = known.received_at_ms
            if event.subject_id in self._folds:
                self._folds[event.subject_id].add(known.fact)
            else:
                self._facts.setdefault(event.subject_id, []).append(known.fact)

    def facts(self, subject_id: str) -> Sequence[Fact]:
        """Give all the facts of a subject that are known here."""
        fold = self._folds.get(subject_id)
        return self._facts.get(subject_id, ()) if fold is None else fold.facts

    def holds(self, event_id: str) -> bool:
        """Whether the event stands, as far as is known here."""
        return event_id in self._standing

    def circumstances(self, subject_id: str) -> Circumstances:
        """Say what is known of a subject beside its facts."""
        if self._center is None:
            return NOTHING_KNOWN
        return circumstances_of(
            self._center,
            self._pickups.get(subject_id, ()),
            self.received_at_ms,
            child=self._children.get(subject_id),
            employed=self._employed,
        )

    def decide(self, entry: Entry, origin: Origin, testimony: Testimony | None = None) -> Decision:
        """Decide one entry, whose testimony may have been read before.

        A fact that contradicts others stands all the same (`CONFLICT`); what cannot be a fact is parked.
        """
        said = testimony or read_testimony(entry)
        reason = self._park_reason(entry, said, origin)
        if reason is not ParkReason.NOT_PARKED:
            return Decision(entry, EntryOutcome(entry.seq, entry.event_id, Outcome.PARKED, reason))
        if said.incident is not None:
            return Decision(entry, _outcome(entry, Outcome.APPLIED, 0), incident=said.incident)
        event = said.event
        assert event is not None
        standing = self._standing.get(event.event_id)
        if standing is None:
            return self._accept(entry, event, said.record, origin)
        if standing.fact.event == event:
            return Decision(entry, _outcome(entry, Outcome.DUPLICATE, standing.version))
        # Another testimony under an id that is taken: it is no repeat, and it must not vanish behind one.
        return Decision(entry, EntryOutcome(entry.seq, entry.event_id, Outcome.PARKED, ParkReason.ID_MISMATCH))

    def _accept(self, entry: Entry, event: AttendanceEvent, seen: EventRecord | None, origin: Origin) -> Decision:
        """Let a new fact into the log; one that was witnessed as the desk that recorded it had sent it."""
        record = _own_record(entry, origin) if seen is None else _witnessed_record(seen, origin)
        fact = fact_of(record, event)
        self.received_at_ms[event.event_id] = record.received_at_ms
        outcome = Outcome.CONFLICT if self._fold(event.subject_id).add(fact) else Outcome.APPLIED
        record = msgspec.structs.replace(record, outcome=outcome.name.lower())
        self.version += 1
        self._standing[event.event_id] = StoredFact(fact, self.version, record.received_at_ms)
        draft = ChangeDraft(
            bucket=bucket_of_day(corrected_at_ms(event), self._time_zone),
            entity=Entity.EVENT,
            entity_id=event.event_id,
            operation=Operation.PUT,
            body=encode_record(record),
            ends_unit=True,
        )
        return Decision(entry, _outcome(entry, outcome, self.version), draft, fact, record)

    def _fold(self, subject_id: str) -> ChildFold:
        known = self._folds.get(subject_id)
        if known is None:
            facts, circumstances = self._facts.pop(subject_id, ()), self.circumstances(subject_id)
            known = self._folds[subject_id] = ChildFold(facts, circumstances)
        return known

    def _park_reason(self, entry: Entry, said: Testimony, origin: Origin) -> ParkReason:
        if not origin.is_entitled:
            return ParkReason.DEVICE_NOT_ENTITLED
        if said.reason is not ParkReason.NOT_PARKED:
            return said.reason
        if said.incident is not None:
            matches = said.incident.event_id == entry.event_id
            return ParkReason.NOT_PARKED if matches else ParkReason.ID_MISMATCH
        event = said.event
        assert event is not None
        is_its_kind = said.record is not None or event.kind == entry.kind
        if event.event_id != entry.event_id or not is_its_kind:
            return ParkReason.ID_MISMATCH
        return self._why_not_a_fact(event)

    def _why_not_a_fact(self, event: AttendanceEvent) -> ParkReason:
        if event.center_id != self._center_id:
            return ParkReason.WRONG_CENTER
        if not WALL_MS_MIN <= corrected_at_ms(event) <= WALL_MS_MAX:
            return ParkReason.IMPOSSIBLE_VALUE
        if self._is_child_unknown(event):
            return ParkReason.UNKNOWN_REFERENCE
        return ParkReason.LEASE_EXPIRED if event.after_lease else ParkReason.NOT_PARKED

    def _is_child_unknown(self, event: AttendanceEvent) -> bool:
        """Whether the event is of a child who is not on file, and whom the desk did not take in under a name."""
        child_id = event.child_subject_id
        return bool(child_id) and child_id not in self._known_children and not event.provisional_name


def fact_of(record: EventRecord, event: AttendanceEvent) -> Fact:
    """The fact behind an event record whose event was read already."""
    return Fact(
        event=event,
        device_id=record.device_id,
        incarnation=record.incarnation,
        seq=record.seq,
        hlc=record.hlc,
    )


def fact_of_record(record: EventRecord) -> Fact:
    """The fact behind an event record, as any replica sees it.

    Raises:
        msgspec.ValidationError: the record holds an event that this version cannot read (a newer server's).

    """
    return fact_of(record, decode_event(bytes(record.event)))


def _own_record(entry: Entry, origin: Origin) -> EventRecord:
    return EventRecord(
        event=msgspec.Raw(entry.body),
        device_id=origin.device_id,
        device_name=origin.device_name,
        incarnation=entry.incarnation,
        seq=entry.seq,
        hlc=entry.hlc,
        received_at_ms=origin.received_at_ms,
        outcome="",
    )


def _witnessed_record(seen: EventRecord, origin: Origin) -> EventRecord:
    received_at_ms = min(max(seen.received_at_ms, WALL_MS_MIN), WALL_MS_MAX)
    return msgspec.structs.replace(seen, received_at_ms=received_at_ms, witnessed_by=origin.device_id)


def _outcome(entry: Entry, outcome: Outcome, version: int) -> EntryOutcome:
    return EntryOutcome(entry.seq, entry.event_id, outcome, ParkReason.NOT_PARKED, version)


def _why_unreadable(body: bytes) -> ParkReason:
    """Tell JSON with a value out of bounds from bytes that are no JSON at all."""
    try:
        msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return ParkReason.UNREADABLE
    return ParkReason.IMPOSSIBLE_VALUE
