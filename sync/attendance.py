"""How presence is decided: one pure fold of a child's events into stays and findings, the same on every machine.

The fold is total (it never raises on events that passed `check_event`), independent of the order of arrival, and
idempotent: events are first reduced to a set by id, then sorted by corrected time, hybrid timestamp, device,
incarnation and sequence. Arrival never matters. A check-in keeps a child in the building until a check-out that
answers it; a child is never shown as gone because of a merge alone.

| case                                           | outcome                             | finding                    |
|------------------------------------------------|-------------------------------------|----------------------------|
| same event twice                               | once                                | -                          |
| two check-ins within 10 minutes, any desks     | earliest opens, second corroborates | -                          |
| two check-ins further apart, none out between  | earliest stands, stay open          | possible_missed_check_out  |
| that, and then a check-out of the earlier desk | stays are cut where they meet       | overlapping_stays          |
| check-out without check-in                     | unknown start, disputed             | check_out_without_check_in |
| two check-outs of one adult within 10 minutes  | first closes, second corroborates   | -                          |
| two check-outs with different adults           | first closes the stay               | two_collectors (critical)  |
"""

from collections.abc import Iterable, Sequence
from enum import StrEnum
from typing import Annotated, Final

import msgspec

from sync.limits import EVENT_NESTING_MAX, INT64_MAX, WALL_MS_MAX, WALL_MS_MIN

SAME_MOMENT_MS: Final = 10 * 60_000
# A desk's clock that is off by less than this is taken at its word: times stay exactly as they were recorded.
CLOCK_TOLERANCE_MS: Final = 2_000

Uuid = Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$")]
MaybeUuid = Annotated[str, msgspec.Meta(pattern=r"^([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})?$")]
# No control characters in anything that a person reads on a screen or a printed list.
Line = Annotated[str, msgspec.Meta(max_length=200, pattern=r"^[^\x00-\x1f\x7f-\x9f]*$")]
WallMs = Annotated[int, msgspec.Meta(ge=WALL_MS_MIN, le=WALL_MS_MAX)]
AnyMs = Annotated[int, msgspec.Meta(ge=-INT64_MAX, le=INT64_MAX)]


class EventKind(StrEnum):
    """The kinds of event that this version records and folds."""

    CHECK_IN = "check_in"
    CHECK_OUT = "check_out"


class AttendanceEvent(msgspec.Struct, gc=False, frozen=True, kw_only=True, omit_defaults=True):
    """What a desk testifies. Its JSON is a journal entry's body and is never changed afterwards.

    `occurred_at_ms` is what the person meant, `recorded_at_ms` the device's clock when it was entered (both UTC
    milliseconds since 1970). `clock_offset_ms` is server clock minus device clock as last measured, give or take
    `clock_error_ms`; None when this desk never measured it. `after_lease`: the desk had not heard the server for longer
    than it may, and said so.
    """

    event_id: Uuid
    kind: EventKind
    center_id: Uuid
    child_id: Uuid
    occurred_at_ms: WallMs
    recorded_at_ms: WallMs
    utc_offset_min: Annotated[int, msgspec.Meta(ge=-1_440, le=1_440)] = 0
    clock_offset_ms: AnyMs | None = None
    clock_error_ms: AnyMs | None = None
    room_id: MaybeUuid = ""
    adult_id: MaybeUuid = ""
    adult_name: Line = ""
    staff_id: MaybeUuid = ""
    auth_method: Line = "staff_attested"
    identity_check: Line = "none"
    note: Line = ""
    after_lease: bool = False


_EVENT_DECODER: Final = msgspec.json.Decoder(AttendanceEvent)


def encode_event(event: AttendanceEvent) -> bytes:
    """The exact bytes of an event; made once, on the device, and signed there."""
    return msgspec.json.encode(event)


def decode_event(body: bytes) -> AttendanceEvent:
    """Read an event strictly.

    Raises:
        msgspec.ValidationError: a value is impossible (a year before 2000, a control character, no UUID ...).
        msgspec.DecodeError: the bytes are not JSON.
        UnicodeDecodeError: the bytes are not UTF-8.

    """
    if body.count(b"{") + body.count(b"[") > EVENT_NESTING_MAX:
        message = f"an event is flat: more than {EVENT_NESTING_MAX} brackets"
        raise msgspec.ValidationError(message)
    body.decode()  # msgspec skips a field it does not know unchecked, and a desk keeps bodies as text
    return _EVENT_DECODER.decode(body)


class Fact(msgspec.Struct, gc=False, frozen=True, kw_only=True):
    """An event with what its order depends on: who wrote it down, and as which entry of whose journal."""

    event: AttendanceEvent
    device_id: str
    incarnation: str
    seq: int
    hlc: int

    @property
    def at_ms(self) -> int:
        """When it happened by the server's clock, in UTC milliseconds."""
        return corrected_at_ms(self.event)

    @property
    def order(self) -> tuple[int, int, str, str, int, str]:
        """The one order in which facts are folded; total, and free of anything about arrival."""
        return (self.at_ms, self.hlc, self.device_id, self.incarnation, self.seq, self.event.event_id)


def corrected_at_ms(event: AttendanceEvent) -> int:
    """When the event happened by the server's clock, in UTC milliseconds.

    A time that a person typed is believed; a time that the desk's clock gave is corrected by what is known of
    that clock, when it is off by more than `CLOCK_TOLERANCE_MS`.
    """
    offset_ms = event.clock_offset_ms or 0
    typed_by_a_person = event.occurred_at_ms != event.recorded_at_ms
    if typed_by_a_person or abs(offset_ms) <= CLOCK_TOLERANCE_MS:
        return event.occurred_at_ms
    return event.occurred_at_ms + offset_ms


class FindingKind(StrEnum):
    """A contradiction that only a person can settle."""

    POSSIBLE_MISSED_CHECK_OUT = "possible_missed_check_out"
    OVERLAPPING_STAYS = "overlapping_stays"
    CHECK_OUT_WITHOUT_CHECK_IN = "check_out_without_check_in"
    TWO_COLLECTORS = "two_collectors"


CRITICAL_FINDINGS: Final = frozenset({FindingKind.TWO_COLLECTORS})


class Finding(msgspec.Struct, gc=False, frozen=True, order=True):
    """A question for a person: its kind, and the events that contradict each other, oldest first."""

    kind: FindingKind
    event_ids: tuple[str, ...]

    @property
    def is_critical(self) -> bool:
        """Whether a manager must be told at once."""
        return self.kind in CRITICAL_FINDINGS


class Stay(msgspec.Struct, gc=False, frozen=True, kw_only=True):
    """One physical presence. `check_in` None: nobody saw the child come. `check_out` None: still here."""

    check_in: Fact | None
    check_out: Fact | None = None
    corroborated_by: tuple[str, ...] = ()
    started_at_ms: int | None = None
    ended_at_ms: int | None = None
    disputed: bool = False

    @property
    def is_open(self) -> bool:
        """Whether the child is in the building by this stay."""
        return self.ended_at_ms is None


class ChildAttendance(msgspec.Struct, frozen=True):
    """What a child's events come to: stays in order of time, never overlapping, and findings."""

    stays: tuple[Stay, ...] = ()
    findings: tuple[Finding, ...] = ()

    @property
    def open_stay(self) -> Stay | None:
        """The stay the child is in now, if any."""
        return self.stays[-1] if self.stays and self.stays[-1].is_open else None


def fold(facts: Iterable[Fact]) -> ChildAttendance:
    """Decide one child's stays and findings from all its facts, in whatever order and however often they come."""
    reducer = _reduced(_as_ordered_set(facts))
    return ChildAttendance(tuple(reducer.stays), tuple(reducer.findings))


class ChildFold:
    """The fold of one child's facts that goes on: a fact behind all others costs one step, any other a whole fold."""

    def __init__(self, facts: Iterable[Fact] = ()) -> None:
        """Fold what is known."""
        self._facts = list(_as_ordered_set(facts))
        self._ids = {fact.event.event_id for fact in self._facts}
        self._reducer = _reduced(self._facts)

    def add(self, fact: Fact) -> bool:
        """Take one more fact; says whether it is part of a contradiction that was not there without it."""
        known = len(self._reducer.findings)
        is_next = fact.event.event_id not in self._ids and (not self._facts or fact.order > self._facts[-1].order)
        if is_next:
            self._facts.append(fact)
            self._ids.add(fact.event.event_id)
            self._reducer.take(fact)
            return len(self._reducer.findings) > known
        before = frozenset(self._reducer.findings)
        self._facts = list(_as_ordered_set([*self._facts, fact]))
        self._ids.add(fact.event.event_id)
        self._reducer = _reduced(self._facts)
        return bool(frozenset(self._reducer.findings) - before)


def _as_ordered_set(facts: Iterable[Fact]) -> Sequence[Fact]:
    """Each event once, in the fold's order; of two facts with one event id the first in that order counts."""
    seen: set[str] = set()
    unique = []
    for fact in sorted(facts, key=lambda fact: fact.order):
        if fact.event.event_id not in seen:
            seen.add(fact.event.event_id)
            unique.append(fact)
    return unique


class _Reducer:
    """The stays and findings so far.

    `unanswered` are the check-ins of the open stay that no check-out has answered. A desk's check-out answers what
    was seen until `SAME_MOMENT_MS` after that desk's own last check-in, or everything when it has none. So what is
    unanswered is always the end of the list, and one more check-in of a desk that lets nobody out only lengthens it.
    """

    def __init__(self) -> None:
        self.stays: list[Stay] = []
        self.findings: list[Finding] = []
        self.unanswered: list[Fact] = []

    def take(self, fact: Fact) -> None:
        """One more fact, behind all that were taken."""
        if fact.event.kind is EventKind.CHECK_IN:
            self.check_in(fact)
        else:
            self.check_out(fact)

    def check_in(self, fact: Fact) -> None:
        last = self.stays[-1] if self.stays else None
        if last is None or not last.is_open:
            self.stays.append(Stay(check_in=fact, started_at_ms=fact.at_ms))
            self.unanswered = []
        elif fact.at_ms - _started(last) <= SAME_MOMENT_MS:
            self.stays[-1] = _corroborate(last, fact)
        else:
            self.findings.append(Finding(FindingKind.POSSIBLE_MISSED_CHECK_OUT, _ids(last.check_in, fact)))
        self.unanswered.append(fact)

    def check_out(self, fact: Fact) -> None:
        last = self.stays[-1] if self.stays else None
        if last is None:
            self._unknown_start(fact)
        elif last.is_open:
            self._close(last, fact)
        else:
            self._second_check_out(last, fact)

    def _close(self, last: Stay, fact: Fact) -> None:
        self.unanswered = self._left_unanswered_by(fact)
        if not self.unanswered:
            self.stays[-1] = msgspec.structs.replace(last, check_out=fact, ended_at_ms=fact.at_ms)
            return
        # Another desk saw the child come again before this check-out of a desk that saw it earlier: the check-out
        # answers the earlier arrival, and the child stays in by the later one until that is answered.
        rival, *later = self.unanswered
        self.stays[-1] = msgspec.structs.replace(last, check_out=fact, ended_at_ms=rival.at_ms, disputed=True)
        same = tuple(other.event.event_id for other in later if other.at_ms - rival.at_ms <= SAME_MOMENT_MS)
        self.stays.append(Stay(check_in=rival, corroborated_by=same, started_at_ms=rival.at_ms, disputed=True))
        self.findings.append(Finding(FindingKind.OVERLAPPING_STAYS, _ids(last.check_in, rival, fact)))

    def _left_unanswered_by(self, fact: Fact) -> list[Fact]:
        own = [seen.at_ms for seen in self.unanswered if seen.device_id == fact.device_id]
        if not own:
            return []
        return [seen for seen in self.unanswered if seen.at_ms > own[-1] + SAME_MOMENT_MS]

    def _second_check_out(self, last: Stay, fact: Fact) -> None:
        first = last.check_out
        if first is not None and _different_adults(first.event, fact.event):
            self.findings.append(Finding(FindingKind.TWO_COLLECTORS, _ids(first, fact)))
        elif fact.at_ms - _ended(last) <= SAME_MOMENT_MS:
            self.stays[-1] = _corroborate(last, fact)
        else:
            self._unknown_start(fact)

    def _unknown_start(self, fact: Fact) -> None:
        self.stays.append(Stay(check_in=None, check_out=fact, ended_at_ms=fact.at_ms, disputed=True))
        self.findings.append(Finding(FindingKind.CHECK_OUT_WITHOUT_CHECK_IN, _ids(fact)))


def _reduced(ordered: Iterable[Fact]) -> _Reducer:
    reducer = _Reducer()
    for fact in ordered:
        reducer.take(fact)
    return reducer


def _corroborate(stay: Stay, fact: Fact) -> Stay:
    return msgspec.structs.replace(stay, corroborated_by=(*stay.corroborated_by, fact.event.event_id))


def _different_adults(first: AttendanceEvent, second: AttendanceEvent) -> bool:
    """Whether two people are named and are not the same; somebody unnamed contradicts nobody."""
    if first.adult_id and second.adult_id:
        return first.adult_id != second.adult_id
    one, other = first.adult_name.casefold().strip(), second.adult_name.casefold().strip()
    return bool(one and other) and one != other


def _started(stay: Stay) -> int:
    return stay.started_at_ms or 0


def _ended(stay: Stay) -> int:
    return stay.ended_at_ms or 0


def _ids(*facts: Fact | None) -> tuple[str, ...]:
    return tuple(fact.event.event_id for fact in facts if fact is not None)
