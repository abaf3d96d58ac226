"""What the fold is told beside a subject's events, and what it finds in one event by it.

Everything here is plain data in UTC milliseconds, and nothing of it depends on when it was looked at: the same
circumstances give the same findings on every machine. An empty part means that nothing is known, and nothing is found.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

import msgspec

from sync.attendance_events import OVERRIDE, AttendanceEvent, EventKind, Fact
from sync.findings import Finding, FindingKind

# A person types whole minutes: a time that lies so little ahead of the clock is no time in the future.
AHEAD_MS: Final = 60_000


class Span(msgspec.Struct, gc=False, frozen=True):
    """From the first millisecond up to, and without, the last; None: without end."""

    from_ms: int
    to_ms: int | None = None

    def holds(self, at_ms: int) -> bool:
        """Whether the moment lies in it."""
        return self.from_ms <= at_ms and (self.to_ms is None or at_ms < self.to_ms)


class Absence(msgspec.Struct, gc=False, frozen=True):
    """An announced absence of the child."""

    absence_id: str
    span: Span


class PeriodLock(msgspec.Struct, gc=False, frozen=True):
    """A period whose figures stand as they were known at `locked_at_ms`."""

    span: Span
    locked_at_ms: int


class Circumstances(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of one subject, its centre and the people and devices that act there.

    `may_collect` and `must_not_collect`: when each adult may, or expressly must not, collect this child; the second
    wins. `employed`: when each member of staff was on the staff. `revoked_at_ms`: since when a device may not act any
    more. `wrong_clocks`: when a device's clock, by itself, is known to have been wrong. `received_at_ms`: when the
    server got each event; one that is not there it has not got. `children`, `adults`, `rooms`: every id that ever was
    on file.
    """

    may_collect: Mapping[str, tuple[Span, ...]] = {}
    must_not_collect: Mapping[str, tuple[Span, ...]] = {}
    closures: tuple[Span, ...] = ()
    absences: tuple[Absence, ...] = ()
    locks: tuple[PeriodLock, ...] = ()
    enrolled_from_ms: int | None = None
    employed: Mapping[str, tuple[Span, ...]] = {}
    revoked_at_ms: Mapping[str, int] = {}
    wrong_clocks: Mapping[str, tuple[Span, ...]] = {}
    received_at_ms: Mapping[str, int] = {}
    children: frozenset[str] | None = None
    adults: frozenset[str] | None = None
    rooms: frozenset[str] | None = None


NOTHING_KNOWN: Final = Circumstances()


def speaks_for_itself(event: AttendanceEvent) -> bool:
    """Whether the event says something of itself that a person should see, whatever else is known."""
    if event.clock_suspect or event.disputes or event.provisional_name or is_override(event):
        return True
    return event.occurred_at_ms - event.recorded_at_ms > AHEAD_MS


def is_override(event: AttendanceEvent) -> bool:
    """Whether a child was given to somebody against whom something spoke, by the word of a second person."""
    return event.kind is EventKind.CHECK_OUT and event.reason_code == OVERRIDE


def judge(fact: Fact, known: Circumstances) -> Iterator[Finding]:
    """What is to be found in one event that counts, whatever the others say."""
    event = fact.event
    since_ms = _authorisation_lost_ms(event, fact.at_ms, known)
    if since_ms is not None:
        yield Finding(FindingKind.RELEASED_ON_STALE_AUTHORISATION, (event.event_id,), since_ms)
    if event.answer:
        return  # a departure that an answer tells of: the answer itself is judged as an act
    if is_override(event):
        yield Finding(FindingKind.RELEASED_BY_OVERRIDE, (event.event_id,))
    if is_adjustment(event.event_id, fact.at_ms, known):
        yield Finding(FindingKind.ADJUSTMENT_AFTER_LOCK, (event.event_id,))
    if _is_time_uncertain(fact, known):
        yield Finding(FindingKind.TIME_UNCERTAIN, (event.event_id,))
    if _is_reference_unknown(event, known):
        yield Finding(FindingKind.UNKNOWN_REFERENCE, (event.event_id,))
    if event.disputes:
        yield Finding(FindingKind.DISPUTED_BY_GUARDIAN, (*event.confirms, event.event_id))
    yield from judge_actor(fact, known)


def judge_act(act: Fact, touched: Iterable[Fact], known: Circumstances) -> Iterator[Finding]:
    """What is to be found in a void, a correction or an answer that acts, and in what it acts upon."""
    said = act.event.corrected
    moments = [fact.at_ms for fact in touched]
    moments += [ms for ms in (act.event.left_at_ms, said.occurred_at_ms if said else None) if ms is not None]
    if any(is_adjustment(act.event.event_id, at_ms, known) for at_ms in moments):
        yield Finding(FindingKind.ADJUSTMENT_AFTER_LOCK, (act.event.event_id,))
    yield from judge_actor(act, known)


def judge_actor(fact: Fact, known: Circumstances) -> Iterator[Finding]:
    """Whether who attests was on the staff, and the device in use, when it was written down."""
    revoked_at_ms = known.revoked_at_ms.get(fact.device_id)
    employed = known.employed.get(fact.event.staff_id)
    is_revoked = revoked_at_ms is not None and fact.at_ms >= revoked_at_ms
    if is_revoked or (employed is not None and not _holds(employed, fact.at_ms)):
        yield Finding(FindingKind.ACTOR_NOT_ENTITLED, (fact.event.event_id,))


def is_adjustment(event_id: str, at_ms: int, known: Circumstances) -> bool:
    """Whether a moment lies in a locked period whose figures were made without this event."""
    return any(
        lock.span.holds(at_ms) and known.received_at_ms.get(event_id, lock.locked_at_ms + 1) > lock.locked_at_ms
        for lock in known.locks
    )


def _authorisation_lost_ms(event: AttendanceEvent, at_ms: int, known: Circumstances) -> int | None:
    """Since when the adult who collected was not to any more, 0 when nobody knows; None: there is no such question."""
    if event.kind is not EventKind.CHECK_OUT or not event.adult_id:
        return None
    blocked = [span.from_ms for span in known.must_not_collect.get(event.adult_id, ()) if span.holds(at_ms)]
    if blocked:
        return min(blocked)
    allowed = known.may_collect.get(event.adult_id)
    if allowed is None or _holds(allowed, at_ms):
        return None
    return max((span.to_ms for span in allowed if span.to_ms is not None and span.to_ms <= at_ms), default=0)


def _is_time_uncertain(fact: Fact, known: Circumstances) -> bool:
    event = fact.event
    is_by_clock = event.occurred_at_ms == event.recorded_at_ms
    return (
        event.clock_suspect
        or event.occurred_at_ms - event.recorded_at_ms > AHEAD_MS
        or fact.at_ms - known.received_at_ms.get(event.event_id, fact.at_ms) > AHEAD_MS
        or (known.enrolled_from_ms is not None and fact.at_ms < known.enrolled_from_ms)
        or (is_by_clock and _holds(known.wrong_clocks.get(fact.device_id, ()), event.recorded_at_ms))
    )


def _is_reference_unknown(event: AttendanceEvent, known: Circumstances) -> bool:
    if event.provisional_name and (known.children is None or event.child_id not in known.children):
        return True
    if known.adults is not None and event.adult_id and event.adult_id not in known.adults:
        return True
    rooms = known.rooms
    return rooms is not None and any(room and room not in rooms for room in (event.room_id, event.to_room_id))


def _holds(spans: Iterable[Span], at_ms: int) -> bool:
    return any(span.holds(at_ms) for span in spans)
