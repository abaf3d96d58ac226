"""Breaches of ratio over weeks: stays as the tables have them, judged day by day by the one engine; pure."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from server.core.clock import datetime_of, ms_of
from server.repositories.analytics import Scope
from server.repositories.ratio import RatioPerson
from server.services.analytics_figures import Breaches, BreachFigure
from sync.ratio import ChildPresent, StaffPresent
from sync.ratio_breaches import Breach, Period, Person, breaches
from sync.ratio_rules import RatioRuleSet
from sync.records import day_bounds_ms
from sync.stays import InRoom, Stay

LISTED_MAX: Final = 500
_MS_A_MINUTE: Final = 60_000


def breaches_of(
    scope: Scope,
    rules: Sequence[RatioRuleSet],
    people: Sequence[RatioPerson],
    rows: Sequence[Any],
    room_names: Mapping[str, str],
) -> Breaches:
    """Give the breaches of the days of a scope, the latest first; one that spans midnight counts on both days."""
    listed = {person.id: person for person in people}
    by_day: dict[str, list[tuple[str, Stay]]] = defaultdict(list)
    for row in rows:
        if row.started_at is None or (row.subject_kind == "person" and str(row.subject_id) not in listed):
            continue
        for day in _days(scope, row):
            by_day[day].append((str(row.subject_id), _stay(row)))
    found: list[tuple[str, Breach, int]] = []
    for day, stays in by_day.items():
        start_ms, end_ms = day_bounds_ms(day, scope.time_zone)
        period = Period(start_ms, min(end_ms, ms_of(scope.as_of) + 1), scope.time_zone)
        found += [
            (day, one, ((one.to_ms or period.to_ms) - one.from_ms) // _MS_A_MINUTE)
            for one in breaches(rules, _everybody(stays, listed), period)
        ]
    found.sort(key=lambda one: (-one[1].from_ms, one[1].room_id))
    return Breaches(
        count=len(found),
        minutes=sum(minutes for _, _, minutes in found),
        days_with_any=len({day for day, _, _ in found}),
        breaches=tuple(_figure(one, minutes, room_names) for _, one, minutes in found[:LISTED_MAX]),
        is_cut=len(found) > LISTED_MAX,
    )


def _days(scope: Scope, row: Any) -> Iterator[str]:
    zone = ZoneInfo(scope.time_zone)
    day = max(row.started_at.astimezone(zone).date(), scope.first_day)
    last = min((row.ended_at or scope.as_of).astimezone(zone).date(), scope.last_day)
    while day <= last:
        yield day.isoformat()
        day += timedelta(days=1)


def _everybody(stays: Sequence[tuple[str, Stay]], listed: Mapping[str, RatioPerson]) -> list[Person]:
    by_subject: dict[str, list[Stay]] = defaultdict(list)
    for subject_id, stay in stays:
        by_subject[subject_id].append(stay)
    return [_person(subject_id, tuple(own), listed.get(subject_id)) for subject_id, own in by_subject.items()]


def _person(subject_id: str, stays: tuple[Stay, ...], known: RatioPerson | None) -> Person:
    """A child that is not on file (yet) is there, too, and nobody knows its age."""
    if known is not None and not known.is_child:
        return Person(StaffPresent(subject_id, counts_in_ratio=known.counts_in_ratio), stays, known.home_room_id)
    birth, home = (known.birth_date, known.home_room_id) if known is not None else ("", "")
    return Person(ChildPresent(subject_id, birth), stays, home)


def _stay(row: Any) -> Stay:
    return Stay(
        check_in=None,
        started_at_ms=ms_of(row.started_at),
        ended_at_ms=None if row.ended_at is None else ms_of(row.ended_at),
        rooms=tuple(InRoom(since_ms, room_id) for since_ms, room_id in row.rooms),
    )


def _figure(breach: Breach, minutes: int, room_names: Mapping[str, str]) -> BreachFigure:
    return BreachFigure(
        room_id=breach.room_id,
        room_name=room_names.get(breach.room_id, ""),
        from_at=datetime_of(breach.from_ms),
        to_at=None if breach.to_ms is None else datetime_of(breach.to_ms),
        minutes=minutes,
        children=breach.worst.children,
        adults_missing_percent=breach.worst.percent_missing,
    )
