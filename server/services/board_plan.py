"""What a live board says of who should be there: by bookings and schedules, beside those who are there.

Everything here is a function of what was planned and of who is in; nothing of it is a fact, and the board says so. A
child counts as expected in the room it belongs to: bookings name no room.
"""

from bisect import bisect_right
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from server.core.clock import datetime_of, ms_of
from server.models.rooms import Center
from server.repositories.live_board import BoardPerson, LastCall
from server.services.board import Announced, Booked, Came, Forecast, Missed, RoomPlan
from server.services.board_people import QUARTER_MS, Inside, display_name
from server.services.day_windows import Span
from server.services.departures import DueBy, due_of, joined
from sync.presence import Group

__all__ = [
    "DayPlan", "LastCall", "announced", "due_ms", "expected", "expected_at", "forecast", "missed", "overdue",
    "quarter_of", "room_plans",
]  # fmt: skip

FORECAST: Final = timedelta(hours=2)
FORECAST_STEP: Final = timedelta(minutes=15)
FORECAST_STEPS: Final = int(FORECAST / FORECAST_STEP)


@dataclass(frozen=True, slots=True)
class DayPlan:
    """What is planned for the day: times of each child that has any, by its id.

    `announced` are the children that will not come by what was said, `calls` the last call about each child.
    """

    times: Mapping[str, tuple[Span, ...]] = field(default_factory=dict)
    announced: Collection[str] = frozenset()
    calls: Mapping[str, LastCall] = field(default_factory=dict)


def missed(
    people: Iterable[BoardPerson], seen: Collection[str], plan: DayPlan, room_names: Mapping[str, str]
) -> list[Missed]:
    """Give the enrolled children that were not `seen` today and are not announced.

    Those whose booked time begins first come first, and those without one last, by name.
    """
    found = [
        Missed(
            child_id=one.id,
            name=display_name(one),
            room_name=room_names.get(one.home_room_id, ""),
            expected_at_ms=_first_ms(plan.times.get(one.id, ())),
            call=plan.calls.get(one.id),
        )
        for one in people
        if one.is_child and one.is_enrolled and one.id not in seen and one.id not in plan.announced
    ]
    return sorted(found, key=_by_time)


def announced(
    people: Iterable[BoardPerson], seen: Collection[str], plan: DayPlan, room_names: Mapping[str, str]
) -> list[Announced]:
    """Give the children that are announced to be absent and were not `seen` today, by name."""
    found = [
        Announced(one.id, display_name(one), room_names.get(one.home_room_id, ""))
        for one in people
        if one.is_child and one.id in plan.announced and one.id not in seen
    ]
    return sorted(found, key=lambda one: (one.name.casefold(), one.child_id))


def expected(
    people: Iterable[BoardPerson],
    inside: Iterable[Inside],
    seen: Collection[str],
    plan: DayPlan,
    room_names: Mapping[str, str],
) -> list[Booked]:
    """Give the children that are booked for any time of today and are not announced, by when they are to come.

    It is what bookings say: who is in without one is not among them.
    """
    there = {one.stay.subject_id for one in inside}
    found = [
        Booked(
            child_id=one.id,
            name=display_name(one),
            room_name=room_names.get(one.home_room_id, ""),
            starts_at_ms=min(ms_of(span.starts_at) for span in times),
            ends_at_ms=max(ms_of(span.ends_at) for span in times),
            came=Came.IN if one.id in there else Came.LEFT if one.id in seen else Came.NOT_COME,
        )
        for one, times in _booked(people, plan)
    ]
    return sorted(found, key=lambda one: (one.starts_at_ms, one.name.casefold(), one.child_id))


def expected_at(people: Iterable[BoardPerson], plan: DayPlan, *, start_ms: int, end_ms: int) -> tuple[int, ...]:
    """Count the children that are booked at each quarter of an hour from `start_ms` up to, and without, `end_ms`.

    Both are UTC milliseconds. A child with two bookings for one moment counts once, and at the end of a booking it is
    expected no more.
    """
    spans = [span for _, times in _booked(people, plan) for span in joined(times)]
    begun = sorted(ms_of(span.starts_at) for span in spans)
    ended = sorted(ms_of(span.ends_at) for span in spans)
    moments = range(start_ms, end_ms, QUARTER_MS)
    return tuple(bisect_right(begun, at_ms) - bisect_right(ended, at_ms) for at_ms in moments)


def overdue(inside: Iterable[Inside], plan: DayPlan, now: datetime, center: Center) -> list[Inside]:
    """Give the children who are in after the end of what was booked for them."""
    return [one for one in inside if (due := due_ms(one, plan, now, center)) is not None and due < ms_of(now)]


def due_ms(one: Inside, plan: DayPlan, now: datetime, center: Center) -> int | None:
    """Give when a child that is in should be collected by its bookings (UTC milliseconds); None: nothing says so."""
    times = plan.times.get(one.stay.subject_id, ())
    if one.group is not Group.CHILD or not times:
        return None
    due = due_of(times, datetime_of(one.since_ms), now, center)
    return ms_of(due.at) if due is not None and due.by is DueBy.BOOKING else None


def room_plans(people: Iterable[BoardPerson], plan: DayPlan, now: datetime, room_ids: Iterable[str]) -> list[RoomPlan]:
    """Count the children who are booked, by the room they belong to; who is announced is expected nowhere."""
    today: dict[str, int] = {}
    at_once: dict[str, int] = {}
    for one, times in _booked(people, plan):
        today[one.home_room_id] = today.get(one.home_room_id, 0) + 1
        if any(span.starts_at <= now < span.ends_at for span in times):
            at_once[one.home_room_id] = at_once.get(one.home_room_id, 0) + 1
    return [RoomPlan(room_id, at_once.get(room_id, 0), today.get(room_id, 0)) for room_id in room_ids]


def forecast(
    waited_for: Iterable[Missed], inside: Iterable[Inside], plan: DayPlan, now: datetime, center: Center
) -> Forecast:
    """Count who is to come and who is to go in the next two hours, quarter by quarter of the clock on the wall."""
    begin = quarter_of(now)
    arrivals, departures = [0] * FORECAST_STEPS, [0] * FORECAST_STEPS
    for child in waited_for:
        _count(arrivals, begin, _next_begin(plan.times.get(child.child_id, ()), now))
    for one in inside:
        at_ms = due_ms(one, plan, now, center)
        _count(departures, begin, None if at_ms is None else datetime_of(at_ms))
    return Forecast(ms_of(begin), tuple(arrivals), tuple(departures))


def quarter_of(moment: datetime) -> datetime:
    """Give the quarter of an hour that has begun; every zone of today is whole quarters away from UTC."""
    step_ms = int(FORECAST_STEP / timedelta(milliseconds=1))
    return datetime_of(ms_of(moment) // step_ms * step_ms)


def _booked(people: Iterable[BoardPerson], plan: DayPlan) -> Iterator[tuple[BoardPerson, tuple[Span, ...]]]:
    """Children with the times for which they are expected; who is announced is expected at none."""
    for one in people:
        times = plan.times.get(one.id, ())
        if times and one.is_child and one.id not in plan.announced:
            yield one, times


def _count(quarters: list[int], begin: datetime, at: datetime | None) -> None:
    if at is None:
        return
    place = max(0, (at - begin) // FORECAST_STEP)
    if place < len(quarters):
        quarters[place] += 1


def _next_begin(times: Sequence[Span], now: datetime) -> datetime | None:
    """When a child that has not come is to come: at the begin of a time that is not over."""
    return min((span.starts_at for span in times if span.ends_at > now), default=None)


def _first_ms(times: Sequence[Span]) -> int | None:
    return min((ms_of(span.starts_at) for span in times), default=None)


def _by_time(one: Missed) -> tuple[bool, int, str, str]:
    return (one.expected_at_ms is None, one.expected_at_ms or 0, one.name.casefold(), one.child_id)
