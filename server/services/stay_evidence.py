"""The evidence of a stay: its trail, and for each event on it what was signed, on which device, and if it holds."""

import asyncio
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import structlog

from server.core.clock import Clock
from server.core.errors import NotFound
from server.models.rooms import Center
from server.repositories import change_log, stay_evidence
from server.repositories.journals import escaped
from server.repositories.stay_evidence import EntryKey, StoredEntry, StoredEvent
from server.repositories.unit_of_work import Connection, UnitsOfWork
from server.services.access import User
from server.services.entry_checks import EntryChecks, check_entry, told_body
from server.services.projections import circumstances_of_subject
from sync.attendance import AttendanceEvent, Fact
from sync.attendance_events import CLOCK_TOLERANCE_MS
from sync.evidence_trail import Question, Told, Trail, id_of_stay, trail_of
from sync.journal import Outcome
from sync.records import EventRecord
from sync.stays import Stay

__all__ = ["EventEvidence", "Proof", "StayEvidence", "StayRecord", "StoredEntry", "Told"]

# Five years of 250 days with sixteen events a day: what is read of one child at most.
FACTS_MAX: Final = 20_000
# A stay has two events and a handful of moves; what one page can still be read with.
EVENTS_MAX: Final = 500
# A desk with a link sends what it recorded within seconds.
LATE_MS: Final = 60_000

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Proof:
    """An entry of a journal that tells an event, and what was found when it was checked just now."""

    stored: StoredEntry
    checks: EntryChecks
    is_witness: bool


@dataclass(frozen=True, slots=True)
class EventEvidence:
    """An event of the trail and what stands behind it.

    `original` are the bytes that were signed; those that count when no entry is there. `received_at_ms`: UTC
    milliseconds since 1970. `log_matches`: the log that desks follow says what counts here.
    """

    told: Told
    original: bytes
    device_name: str
    received_at_ms: int
    outcome: str
    version: int
    witnessed_by: str
    log_matches: bool
    proofs: tuple[Proof, ...]

    @property
    def late_by_ms(self) -> int:
        """How long after it was entered the server got it; what is known of the desk's clock is taken into account."""
        return self.received_at_ms - entered_at_ms(self.told.fact.event)

    @property
    def is_late(self) -> bool:
        """Whether it waited on a desk for longer than a link needs."""
        return self.late_by_ms > LATE_MS

    @property
    def is_sound(self) -> bool:
        """Whether every entry proves it, and one does."""
        return bool(self.proofs) and self.log_matches and all(proof.checks.is_sound for proof in self.proofs)


@dataclass(frozen=True, slots=True)
class StayRecord:
    """All that is known of a stay as the log had it at `version`; `names` are those of people, rooms and devices.

    `stay` None: what was said there comes to no stay any more. `is_complete`: nothing was left out for being too much.
    """

    center: Center
    stay_id: str
    child_id: str
    provisional_name: str
    stay: Stay | None
    events: tuple[EventEvidence, ...]
    questions: tuple[Question, ...]
    names: Mapping[str, str]
    is_complete: bool
    version: int
    as_of: datetime
    reader: User


class StayEvidence:
    """Gathers what is behind a stay; nothing here is ever changed."""

    def __init__(self, units: UnitsOfWork, clock: Clock) -> None:
        """Read through `units`; `clock` says when it was asked."""
        self._units = units
        self._clock = clock

    async def of_stay(self, center: Center, reader: User, stay_id: str) -> StayRecord:
        """Give the evidence of the stay that an event begins, is a part of, or falls into; the reading is logged.

        Raises:
            NotFound: the centre has no such event of a child.

        """
        as_of = self._clock.now()
        async with self._units.read() as connection:
            facts = await stay_evidence.facts_of_subject(connection, center.id, stay_id, limit=FACTS_MAX + 1)
            asked = next((fact for fact in facts if fact.event.event_id == stay_id), None)
            if asked is None or not asked.event.child_subject_id:
                raise NotFound("There is no such stay of a child at this centre")
            # A child's whole record is folded: half a second for the most there can be, for which nobody else waits.
            known = await circumstances_of_subject(connection, center.id, asked.event.subject_id)
            trail = await asyncio.to_thread(trail_of, facts[:FACTS_MAX], stay_id, known)
            told = trail.told[:EVENTS_MAX]
            stored = await stay_evidence.stored_events(connection, center.id, [_id(one) for one in told])
            entries = await _entries(connection, center.id, told, stored)
            names = await stay_evidence.names_of(connection, center.id, _named(told, stored, trail))
            head = await change_log.read_head(connection, center.id)
        _log.info("stay_evidence_read", center=center.id, stay=stay_id, user=reader.id, events=len(told))
        return StayRecord(
            center=center,
            stay_id=id_of_stay(trail.stay) if trail.stay else stay_id,
            child_id=asked.event.child_id,
            provisional_name=next((name for one in told if (name := one.fact.event.provisional_name)), ""),
            stay=trail.stay,
            events=tuple(_evidence(one, stored.get(_id(one)), entries) for one in told),
            questions=trail.questions,
            names=names,
            is_complete=len(facts) <= FACTS_MAX and len(trail.told) <= EVENTS_MAX,
            version=head.version if head else 0,
            as_of=as_of,
            reader=reader,
        )


def entered_at_ms(event: AttendanceEvent) -> int:
    """When an event was entered by the server's clock, in UTC milliseconds, as far as the desk knew its own."""
    offset_ms = event.clock_offset_ms or 0
    return event.recorded_at_ms + (offset_ms if abs(offset_ms) > CLOCK_TOLERANCE_MS else 0)


async def _entries(
    connection: Connection, center_id: str, told: Sequence[Told], stored: Mapping[str, StoredEvent]
) -> list[StoredEntry]:
    facts = [one.fact for one in told]
    own = [EntryKey(fact.device_id, escaped(fact.incarnation), fact.seq) for fact in facts]
    witnessed = [
        (event.record.witnessed_by, event.version)
        for event in stored.values()
        if event.record is not None and event.record.witnessed_by
    ]
    return await stay_evidence.entries(connection, center_id, own, witnessed)


def _evidence(told: Told, event: StoredEvent | None, entries: Iterable[StoredEntry]) -> EventEvidence:
    fact = told.fact
    record = event.record if event else None
    proofs = tuple(_proofs(fact, event, entries))
    bodies = [body for proof in proofs if (body := told_body(proof.stored)) is not None]
    body = event.body if event else b""
    received_at_ms = record.received_at_ms if record else event.received_at_us // 1_000 if event else 0
    return EventEvidence(
        told=told,
        original=bodies[0] if bodies else body,
        device_name=record.device_name if record else "",
        received_at_ms=received_at_ms,
        outcome=record.outcome if record else "",
        version=event.version if event else 0,
        witnessed_by=record.witnessed_by if record else "",
        log_matches=record is not None and _is_told(record, fact, body),
        proofs=proofs,
    )


def _proofs(fact: Fact, event: StoredEvent | None, entries: Iterable[StoredEntry]) -> Iterator[Proof]:
    """The desk's own entry before that of a witness."""
    place = (fact.device_id, fact.incarnation, fact.seq)
    witness = event.record.witnessed_by if event and event.record else ""
    own, others = [], []
    for stored in entries:
        if (stored.device_id, stored.entry.incarnation, stored.entry.seq) == place:
            own.append(Proof(stored, check_entry(stored, fact, event), is_witness=False))
        elif event and witness == stored.device_id and stored.version == event.version and _brought(stored):
            others.append(Proof(stored, check_entry(stored, fact, event), is_witness=True))
    yield from (*own, *others)


def _is_told(record: EventRecord, fact: Fact, body: bytes) -> bool:
    """Whether the log's record holds these bytes, as of that place in that journal."""
    place = (record.device_id, record.incarnation, record.seq, record.hlc)
    return bytes(record.event) == body and place == (fact.device_id, fact.incarnation, fact.seq, fact.hlc)


def _brought(stored: StoredEntry) -> bool:
    return stored.outcome != Outcome.DUPLICATE


def _named(told: Iterable[Told], stored: Mapping[str, StoredEvent], trail: Trail) -> Iterator[str]:
    """Every id of a person, a room or a device that the evidence speaks of."""
    for one in told:
        for event in (one.fact.event, *(change.act.event for change in one.changes)):
            yield from (event.child_id, event.staff_id, event.adult_id, event.room_id, event.to_room_id)
            if event.corrected is not None:
                yield from (event.corrected.adult_id, event.corrected.room_id)
        yield one.fact.device_id
    yield from (room.room_id for room in (trail.stay.rooms if trail.stay else ()))
    yield from (event.record.witnessed_by for event in stored.values() if event.record)


def _id(told: Told) -> str:
    return told.fact.event.event_id
