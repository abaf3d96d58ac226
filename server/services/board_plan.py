"""What a live board says of who should be there: by bookings and schedules, beside those who are there.

Everything here is a function of what was planned and of who is in; nothing of it is a fact, and the board says so. A
child counts as expected in the room it belongs to: bookings name no room.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from server.core.clock import datetime_of, ms_of
from server.models.rooms import Center
from server.repositories.live_board import BoardPerson, LastCall
from server.services.board import Forecast, Missed, RoomPlan
from server.services.board_people import Inside, display_name
from server.services.day_windows import Span
from server.services.departures import DueBy, due_of
from sync.presence import Group

__all__ = ["DayPlan", "LastCall", "due_ms", "forecast", "missed", "overdue", "quarter_of", "room_plans"]

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
    for one in people:
        times = () if one.id in plan.announced else plan.times.get(one.id, ())
        if not one.is_child or not times:
            continue
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
