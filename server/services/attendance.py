"""Who was where on a day: the fold of each child's facts, cut to one day of the centre."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Final
from zoneinfo import ZoneInfo

import msgspec

from server.core.clock import Clock, datetime_of
from server.core.errors import InvalidInput, NotFound
from server.models.rooms import Center
from server.repositories import absences, attendance_days, change_log, sync_state
from server.repositories.absences import DayAbsence
from server.repositories.attendance_days import ListedChild
from server.repositories.unit_of_work import UnitsOfWork
from server.services.projections import Around, around_of
from sync.amendments import ACTS
from sync.attendance import Fact, Finding, Stay, fold
from sync.digest import digests
from sync.intake import fact_of_record
from sync.limits import REPLICA_DAYS
from sync.records import DAY_BUCKET_PREFIX, EventRecord, day_bounds_ms

__all__ = ["Attendance", "AttendanceDay", "ChildDay", "DayAbsence", "DayEvent", "Presence", "SyncState"]

CHILDREN_MAX: Final = 1_000
# A thousand children with four facts a day over the window of the fold.
EVENTS_MAX: Final = CHILDREN_MAX * 4 * (REPLICA_DAYS + 1)
YEAR_MIN: Final = 2000
YEAR_MAX: Final = 2099


class Presence(StrEnum):
    """Where a child was when the day ended, or is now."""

    IN = "in"
    OUT = "out"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class DayEvent:
    """One fact of the day and the record it came in."""

    fact: Fact
    record: EventRecord


@dataclass(frozen=True, slots=True)
class ChildDay:
    """What one child's facts come to on the day; `absence`: it is announced for it, and did not come until its end."""

    child: ListedChild
    presence: Presence
    stays: tuple[Stay, ...]
    findings: tuple[Finding, ...]
    events: tuple[DayEvent, ...]
    absence: DayAbsence | None = None


@dataclass(frozen=True, slots=True)
class AttendanceDay:
    """A day of a centre as the log had it at `version` of `epoch`."""

    center: Center
    day: date
    epoch: str
    version: int
    as_of: datetime
    children: tuple[ChildDay, ...]
    device_names: dict[str, str]

    @property
    def children_present(self) -> int:
        """How many children are in, or were when the day ended."""
        return sum(child.presence is Presence.IN for child in self.children)


@dataclass(frozen=True, slots=True)
class SyncState:
    """Where the log of a centre is, and what an up-to-date replica holds."""

    epoch: str
    version: int
    digests: dict[str, str]


class Attendance:
    """Answers questions about a centre's days."""

    def __init__(self, units: UnitsOfWork, clock: Clock) -> None:
        """Read through `units`."""
        self._units = units
        self._clock = clock

    async def of_day(self, center: Center, day: date | None, child_id: str | None = None) -> AttendanceDay:
        """Give a day (today in the centre's zone when None), for one child or for all, at most a thousand.

        Raises:
            NotFound: the centre has no such child.
            InvalidInput: the day is not in the years 2000 to 2099.

        """
        as_of = self._clock.now()
        wanted = day or as_of.astimezone(ZoneInfo(center.time_zone)).date()
        if not YEAR_MIN <= wanted.year <= YEAR_MAX:
            raise InvalidInput(f"Ask for a day in the years {YEAR_MIN} to {YEAR_MAX}")
        since, before = _window(wanted, center.time_zone)
        async with self._units.read() as connection:
            head = await change_log.read_head(connection, center.id)
            children = await attendance_days.children(connection, center.id, child_id=child_id, limit=CHILDREN_MAX)
            records = await attendance_days.event_records(
                connection, center.id, since=since, before=before, child_id=child_id, limit=EVENTS_MAX
            )
            events = _by_child(records)
            children += _not_on_file(children, events)
            around = await around_of(connection, center.id, [(center.id, child.id) for child in children])
            bounds_ms = day_bounds_ms(wanted.isoformat(), center.time_zone)
            bounds = (datetime_of(bounds_ms[0]), datetime_of(bounds_ms[1]))
            announced = await absences.of_day(
                connection, center.id, wanted, bounds, time_zone=center.time_zone, limit=CHILDREN_MAX
            )
        if child_id is not None and not children:
            raise NotFound("There is no such child at this centre")
        return AttendanceDay(
            center=center,
            day=wanted,
            epoch=head.epoch if head else "",
            version=head.version if head else 0,
            as_of=as_of,
            children=_children_of_day(children, events, _Day(center.id, bounds_ms, around, announced)),
            device_names={record.device_id: record.device_name for record in records},
        )

    async def sync_state(self, center: Center) -> SyncState:
        """Give what every device of the centre holds once it is up to date."""
        today = self._clock.now().astimezone(ZoneInfo(center.time_zone)).date()
        oldest = f"{DAY_BUCKET_PREFIX}{(today - timedelta(days=REPLICA_DAYS)).isoformat()}"
        async with self._units.read() as connection:
            head = await change_log.read_head(connection, center.id)
            held = await sync_state.held_records(connection, center.id, oldest_day_bucket=oldest)
        return SyncState(head.epoch if head else "", head.version if head else 0, digests(held))


def _window(day: date, time_zone: str) -> tuple[datetime, datetime]:
    """The facts a day depends on: those of the days that a fold looks back, up to the day's end."""
    first = day - timedelta(days=REPLICA_DAYS)
    start_ms, _ = day_bounds_ms(first.isoformat(), time_zone)
    _, end_ms = day_bounds_ms(day.isoformat(), time_zone)
    return datetime_of(start_ms), datetime_of(end_ms)


@dataclass(frozen=True, slots=True)
class _Day:
    """What the day of every child is made with: its bounds (UTC milliseconds), what judges it, who is announced."""

    center_id: str
    bounds_ms: tuple[int, int]
    around: Around
    announced: Sequence[DayAbsence]


def _by_child(records: Sequence[EventRecord]) -> dict[str, list[DayEvent]]:
    events: dict[str, list[DayEvent]] = {}
    for record in records:
        try:
            fact = fact_of_record(record)
        except (msgspec.DecodeError, UnicodeDecodeError):
            continue  # of a kind that came with a newer server: kept in the log, and no part of a day here
        if fact.event.child_subject_id:
            events.setdefault(fact.event.child_subject_id, []).append(DayEvent(fact, record))
    return events


def _not_on_file(children: Sequence[ListedChild], events: Mapping[str, Sequence[DayEvent]]) -> list[ListedChild]:
    """Whoever was taken in under a name and is not on file: in the building like everybody, called as the desk wrote.

    Of whom nothing is told but that something else does not count, is nobody.
    """
    found = []
    for child_id in events.keys() - {child.id for child in children}:
        told = [one.fact.event for one in events[child_id] if one.fact.event.kind not in ACTS]
        if told:
            name = next((event.provisional_name for event in told if event.provisional_name), "")
            found.append(ListedChild(child_id, name, "", "", "", enrolled=False))
    return sorted(found, key=lambda child: (child.given_name, child.id))


def _children_of_day(
    children: Sequence[ListedChild], events: Mapping[str, Sequence[DayEvent]], around: _Day
) -> tuple[ChildDay, ...]:
    days = (_child_day(child, events.get(child.id, []), around) for child in children)
    return tuple(day for day in days if day.child.enrolled or day.events or day.stays)


def _child_day(child: ListedChild, events: Sequence[DayEvent], around: _Day) -> ChildDay:
    start_ms, end_ms = around.bounds_ms
    received_ms = {event.fact.event.event_id: event.record.received_at_ms for event in events}
    known = around.around.of((around.center_id, child.id), received_ms)
    attendance = fold([event.fact for event in events], known)
    stays = tuple(stay for stay in attendance.stays if (stay.ended_at_ms or end_ms) >= start_ms)
    ordered = sorted(events, key=lambda event: event.fact.order)
    today = tuple(event for event in ordered if start_ms <= event.fact.at_ms < end_ms)
    ids = {event.fact.event.event_id for event in today}
    presence = Presence.IN if attendance.open_stay else Presence.OUT if stays else Presence.NONE
    findings = tuple(finding for finding in attendance.findings if ids & set(finding.event_ids))
    absence = _absence(child.id, around) if presence is Presence.NONE else None
    return ChildDay(child, presence, stays, findings, today, absence)


def _absence(child_id: str, day: _Day) -> DayAbsence | None:
    """What is announced of a child and is not over: of several, what began last says most of the day."""
    end = datetime_of(day.bounds_ms[1])
    mine = [one for one in day.announced if one.child.id == child_id and (one.came_at is None or one.came_at >= end)]
    return mine[-1] if mine else None
