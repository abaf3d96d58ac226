"""What reference records say of the moments at which events happened, as the fold takes it.

| record  | what of it                       | what the fold is told                                      |
|---------|----------------------------------|------------------------------------------------------------|
| center  | closures                         | the days of the centre's own calendar on which it is shut  |
| center  | locks                            | the days whose figures stand, and since when               |
| child   | absences                         | the days on which it is announced not to come              |
| child   | enrolled_from                    | since when it belongs here                                 |
| pickup  | status and its history           | when each adult may, or must not, collect the child        |
| pickup  | valid_from, valid_to             | the same, cut to these days                                |
| staff   | employed_from, employed_to       | when each member of staff was on the staff                 |

An authorisation that never changed and never ends says nothing: whoever collects is then as the desk saw it. Nor does
somebody of whom nobody said since when, or until when, they are on the staff. Server and kiosk hold the same records at
one version of the log, and so find the same.
"""

from collections.abc import Iterable, Mapping
from datetime import date, timedelta
from types import MappingProxyType
from typing import Final

from msgspec import UNSET

from sync.circumstances import NOTHING_KNOWN, Absence, Circumstances, PeriodLock, Span
from sync.records import CenterRecord, ChildRecord, PickupRecord, StaffRecord, StatusChange, day_bounds_ms

MAY_COLLECT: Final = frozenset({"authorised", "temporary"})
_DAY: Final = timedelta(days=1)
_NOBODY: Final[Mapping[str, tuple[Span, ...]]] = MappingProxyType({})


def circumstances_of(
    center: CenterRecord,
    pickups: Iterable[PickupRecord] = (),
    received_at_ms: Mapping[str, int] | None = None,
    *,
    child: ChildRecord | None = None,
    employed: Mapping[str, tuple[Span, ...]] = _NOBODY,
) -> Circumstances:
    """Say what is known of a child with these pick-ups, or with none of anybody else of the centre.

    `received_at_ms`: when the server got each event (UTC milliseconds), by the id of the event; a time that lies behind
    it is in the future. `employed`: as `employment` gives it, once for all subjects of the centre.
    """
    closures = () if center.closures is UNSET else center.closures
    locks = () if center.locks is UNSET else center.locks
    zone = center.time_zone
    told = [(pickup.adult_id, *_spans(pickup, zone)) for pickup in pickups if _says_something(pickup)]
    absences = _absences(child, zone)
    enrolled_from_ms = _enrolled_from_ms(child, zone)
    is_known = closures or locks or told or absences or employed or enrolled_from_ms is not None
    if not is_known and received_at_ms is None:
        return NOTHING_KNOWN
    return Circumstances(
        may_collect={adult_id: may for adult_id, may, _ in told},
        must_not_collect={adult_id: must_not for adult_id, _, must_not in told if must_not},
        closures=tuple(_days(one.first_day, one.last_day, zone) for one in closures),
        absences=absences,
        locks=tuple(PeriodLock(_days(one.first_day, one.last_day, zone), one.locked_at_ms) for one in locks),
        enrolled_from_ms=enrolled_from_ms,
        employed=employed,
        received_at_ms={} if received_at_ms is None else received_at_ms,
    )


def employment(staff: Mapping[str, StaffRecord], time_zone: str) -> dict[str, tuple[Span, ...]]:
    """Say when each member of staff (by id) was on the staff; whoever has no dates is not in the answer."""
    found: dict[str, tuple[Span, ...]] = {}
    for person_id, record in staff.items():
        first, last = record.employed_from or "", record.employed_to or ""
        if first or last:
            found[person_id] = (_between(first, last, time_zone),)
    return found


def _absences(child: ChildRecord | None, time_zone: str) -> tuple[Absence, ...]:
    announced = () if child is None or child.absences is UNSET else child.absences
    return tuple(Absence(one.absence_id, _days(one.first_day, one.last_day, time_zone)) for one in announced)


def _enrolled_from_ms(child: ChildRecord | None, time_zone: str) -> int | None:
    if child is None or not child.enrolled_from:
        return None
    return day_bounds_ms(child.enrolled_from, time_zone)[0]


def _says_something(pickup: PickupRecord) -> bool:
    changed = pickup.history is not UNSET and bool(pickup.history)
    return changed or bool(pickup.valid_from or pickup.valid_to) or pickup.status not in MAY_COLLECT


def _spans(pickup: PickupRecord, time_zone: str) -> tuple[tuple[Span, ...], tuple[Span, ...]]:
    """When the adult may collect, and when expressly not; a refusal holds whatever days the authorisation is for."""
    valid = _between(pickup.valid_from, pickup.valid_to, time_zone)
    may: list[Span] = []
    must_not: list[Span] = []
    for span, status in _periods(pickup):
        if status not in MAY_COLLECT:
            must_not.append(span)
        elif (both := _overlap(span, valid)) is not None:
            may.append(both)
    return tuple(may), tuple(must_not)


def _periods(pickup: PickupRecord) -> list[tuple[Span, str]]:
    history = () if pickup.history is UNSET else pickup.history
    changes = history or (StatusChange(since_ms=0, status=pickup.status),)
    ends: list[int | None] = [*(change.since_ms for change in changes[1:]), None]
    return [(Span(change.since_ms, end), change.status) for change, end in zip(changes, ends, strict=True)]


def _between(first_day: str, last_day: str, time_zone: str) -> Span:
    """From one day to another, both included; an end that is empty is open."""
    start = day_bounds_ms(first_day, time_zone)[0] if first_day else 0
    end = day_bounds_ms(last_day, time_zone)[1] if last_day else None
    return Span(start, end)


def _overlap(one: Span, other: Span) -> Span | None:
    start = max(one.from_ms, other.from_ms)
    ends = [span.to_ms for span in (one, other) if span.to_ms is not None]
    end = min(ends) if ends else None
    return Span(start, end) if end is None or start < end else None


def _days(first_day: str, last_day: str, time_zone: str) -> Span:
    start, _ = day_bounds_ms(first_day, time_zone)
    after = (date.fromisoformat(last_day) + _DAY).isoformat()
    return Span(start, day_bounds_ms(after, time_zone)[0])
