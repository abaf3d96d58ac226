"""What reference records say of the moments at which events happened, as the fold takes it.

| record  | what of it                       | what the fold is told                                      |
|---------|----------------------------------|------------------------------------------------------------|
| center  | closures                         | the days of the centre's own calendar on which it is shut  |
| center  | locks                            | the days whose figures stand, and since when               |
| pickup  | status and its history           | when each adult may, or must not, collect the child        |
| pickup  | valid_from, valid_to             | the same, cut to these days                                |

An authorisation that never changed and never ends says nothing: whoever collects is then as the desk saw it. Server and
kiosk hold the same records at one version of the log, and so find the same.
"""

from collections.abc import Iterable, Mapping
from datetime import date, timedelta
from typing import Final

from msgspec import UNSET

from sync.circumstances import NOTHING_KNOWN, Circumstances, PeriodLock, Span
from sync.records import CenterRecord, PickupRecord, StatusChange, day_bounds_ms

MAY_COLLECT: Final = frozenset({"authorised", "temporary"})
_DAY: Final = timedelta(days=1)


def circumstances_of(
    center: CenterRecord, pickups: Iterable[PickupRecord] = (), received_at_ms: Mapping[str, int] | None = None
) -> Circumstances:
    """Say what is known of a child with these pick-ups, or with none of anybody else of the centre.

    `received_at_ms`: when the server got each event (UTC milliseconds), by the id of the event; a time that lies behind
    it is in the future.
    """
    closures = () if center.closures is UNSET else center.closures
    locks = () if center.locks is UNSET else center.locks
    zone = center.time_zone
    told = [(pickup.adult_id, *_spans(pickup, zone)) for pickup in pickups if _says_something(pickup)]
    if not (closures or locks or told or received_at_ms is not None):
        return NOTHING_KNOWN
    return Circumstances(
        may_collect={adult_id: may for adult_id, may, _ in told},
        must_not_collect={adult_id: must_not for adult_id, _, must_not in told if must_not},
        closures=tuple(_days(one.first_day, one.last_day, zone) for one in closures),
        locks=tuple(PeriodLock(_days(one.first_day, one.last_day, zone), one.locked_at_ms) for one in locks),
        received_at_ms={} if received_at_ms is None else received_at_ms,
    )


def _says_something(pickup: PickupRecord) -> bool:
    changed = pickup.history is not UNSET and bool(pickup.history)
    return changed or bool(pickup.valid_from or pickup.valid_to) or pickup.status not in MAY_COLLECT


def _spans(pickup: PickupRecord, time_zone: str) -> tuple[tuple[Span, ...], tuple[Span, ...]]:
    """When the adult may collect, and when expressly not; a refusal holds whatever days the authorisation is for."""
    valid = _valid(pickup, time_zone)
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


def _valid(pickup: PickupRecord, time_zone: str) -> Span:
    start = day_bounds_ms(pickup.valid_from, time_zone)[0] if pickup.valid_from else 0
    end = day_bounds_ms(pickup.valid_to, time_zone)[1] if pickup.valid_to else None
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
