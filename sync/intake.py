"""How a device's entries become facts: each entry decided by itself, none lost, none in the way of another.

Whoever stores a push (PostgreSQL, the model in the simulator) loads what `Intake` asks for, lets it decide entry
after entry, numbers the drafts and writes everything in one transaction.
"""

from collections.abc import Iterable
from typing import Final

import msgspec

from sync.attendance import AttendanceEvent, EventKind, Fact, Finding, corrected_at_ms, decode_event, fold
from sync.change_log import ChangeDraft, Operation
from sync.journal import Entry, EntryOutcome, Outcome, ParkReason
from sync.limits import ENTRY_BODY_BYTES_MAX, WALL_MS_MAX, WALL_MS_MIN
from sync.records import Entity, EventRecord, bucket_of_day, encode_record

_KINDS: Final = frozenset(kind.value for kind in EventKind)


class Origin(msgspec.Struct, frozen=True, kw_only=True):
    """Whose entries these are, and when the server got them (UTC milliseconds)."""

    device_id: str
    device_name: str
    is_entitled: bool
    received_at_ms: int


class StoredFact(msgspec.Struct, frozen=True):
    """A fact of the centre that already stands, and its version in the change log."""

    fact: Fact
    version: int


class Decision(msgspec.Struct, frozen=True):
    """What becomes of one entry; `draft` and `fact` are None when nothing new enters the log."""

    entry: Entry
    outcome: EntryOutcome
    draft: ChangeDraft | None = None
    fact: Fact | None = None


def entry_event(entry: Entry) -> AttendanceEvent | None:
    """The event an entry holds, or None when it holds none that this version understands."""
    try:
        return decode_event(entry.body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


class Intake:
    """Decides the entries of one push, in order; lives for one transaction.

    `known_children` and `stored` need to hold only what the push can touch: the children it names, all the facts
    of those children that a fold depends on, and any fact of the centre that has one of the push's event ids.
    """

    def __init__(
        self,
        *,
        center_id: str,
        time_zone: str,
        head_version: int,
        known_children: Iterable[str],
        stored: Iterable[StoredFact],
    ) -> None:
        """Begin with what stands before the push."""
        self._center_id = center_id
        self._time_zone = time_zone
        self._version = head_version
        self._known_children = frozenset(known_children)
        self._standing: dict[str, StoredFact] = {}
        self._facts: dict[str, list[Fact]] = {}
        self._findings: dict[str, frozenset[Finding]] = {}
        for known in stored:
            self._remember(known.fact, known.version)

    def decide(self, entry: Entry, origin: Origin) -> Decision:
        """Decide one entry.

        A fact that contradicts others stands all the same (`CONFLICT`); what cannot be a fact is parked.
        """
        event = entry_event(entry)
        reason = self._park_reason(entry, event, origin)
        if event is None or reason is not ParkReason.NOT_PARKED:
            return Decision(entry, EntryOutcome(entry.seq, entry.event_id, Outcome.PARKED, reason))
        standing = self._standing.get(event.event_id)
        if standing is None:
            return self._accept(entry, event, origin)
        if standing.fact.event == event:
            return Decision(entry, _outcome(entry, Outcome.DUPLICATE, standing.version))
        # Another testimony under an id that is taken: it is no repeat, and it must not vanish behind one.
        return Decision(entry, EntryOutcome(entry.seq, entry.event_id, Outcome.PARKED, ParkReason.ID_MISMATCH))

    def _accept(self, entry: Entry, event: AttendanceEvent, origin: Origin) -> Decision:
        """Let a new fact into the log."""
        fact = fact_of(entry, event, origin.device_id)
        outcome = self._outcome_of(fact)
        self._version += 1
        self._remember(fact, self._version)
        record = EventRecord(
            event=msgspec.Raw(entry.body),
            device_id=origin.device_id,
            device_name=origin.device_name,
            incarnation=entry.incarnation,
            seq=entry.seq,
            hlc=entry.hlc,
            received_at_ms=origin.received_at_ms,
            outcome=outcome.name.lower(),
        )
        draft = ChangeDraft(
            bucket=bucket_of_day(corrected_at_ms(event), self._time_zone),
            entity=Entity.EVENT,
            entity_id=event.event_id,
            operation=Operation.PUT,
            body=encode_record(record),
            ends_unit=True,
        )
        return Decision(entry, _outcome(entry, outcome, self._version), draft, fact)

    def _outcome_of(self, fact: Fact) -> Outcome:
        """CONFLICT when this fact is part of a contradiction that was not there without it."""
        child_id = fact.event.child_id
        facts = self._facts.get(child_id, [])
        before = self._findings.get(child_id)
        if before is None:
            before = frozenset(fold(facts).findings)
        after = self._findings[child_id] = frozenset(fold([*facts, fact]).findings)
        return Outcome.CONFLICT if after - before else Outcome.APPLIED

    def _park_reason(self, entry: Entry, event: AttendanceEvent | None, origin: Origin) -> ParkReason:
        if not origin.is_entitled:
            return ParkReason.DEVICE_NOT_ENTITLED
        if len(entry.body) > ENTRY_BODY_BYTES_MAX:
            return ParkReason.TOO_LARGE
        if entry.kind not in _KINDS:
            return ParkReason.UNKNOWN_KIND
        if event is None:
            return _why_unreadable(entry.body)
        if event.event_id != entry.event_id or event.kind != entry.kind:
            return ParkReason.ID_MISMATCH
        if event.center_id != self._center_id:
            return ParkReason.WRONG_CENTER
        if not _has_possible_time(event):
            return ParkReason.IMPOSSIBLE_VALUE
        if event.child_id not in self._known_children:
            return ParkReason.UNKNOWN_REFERENCE
        return ParkReason.NOT_PARKED

    def _remember(self, fact: Fact, version: int) -> None:
        self._standing[fact.event.event_id] = StoredFact(fact, version)
        self._facts.setdefault(fact.event.child_id, []).append(fact)


def fact_of(entry: Entry, event: AttendanceEvent, device_id: str) -> Fact:
    """The fact that an entry testifies."""
    return Fact(event=event, device_id=device_id, incarnation=entry.incarnation, seq=entry.seq, hlc=entry.hlc)


def fact_of_record(record: EventRecord) -> Fact:
    """The fact behind an event record, as any replica sees it.

    Raises:
        msgspec.ValidationError: the record holds an event that this version cannot read (a newer server's).

    """
    event = decode_event(bytes(record.event))
    return Fact(
        event=event,
        device_id=record.device_id,
        incarnation=record.incarnation,
        seq=record.seq,
        hlc=record.hlc,
    )


def _outcome(entry: Entry, outcome: Outcome, version: int) -> EntryOutcome:
    return EntryOutcome(entry.seq, entry.event_id, outcome, ParkReason.NOT_PARKED, version)


def _why_unreadable(body: bytes) -> ParkReason:
    """Tell JSON with a value out of bounds from bytes that are no JSON at all."""
    try:
        msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return ParkReason.UNREADABLE
    return ParkReason.IMPOSSIBLE_VALUE


def _has_possible_time(event: AttendanceEvent) -> bool:
    return WALL_MS_MIN <= corrected_at_ms(event) <= WALL_MS_MAX
