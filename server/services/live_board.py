"""The live board of a centre: read in one snapshot, worked out in a thread.

It reads stays and findings as they were decided when their events came in (`server.services.projections`), where the
page of a day and the answer on two axes of time fold the facts anew: a board is made up to twenty times a second.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, TypeVar
from zoneinfo import ZoneInfo

from server.core.clock import Clock, datetime_of, ms_of
from server.models.rooms import Center, CenterRatioRules, Room
from server.repositories import absences, change_log, presence, reviews, set_aside
from server.repositories import live_board as reading
from server.repositories.live_board import BoardAlert, BoardFinding, BoardPerson, BoardStay, LastEvent
from server.repositories.presence import DeskRow
from server.repositories.unit_of_work import Connection, UnitsOfWork
from server.services import board_people as who
from server.services import board_plan as planned
from server.services.board import (
    DESKS_MAX,
    FINDINGS_MAX,
    GAPS_SAID_MAX,
    LEFT_MAX,
    LISTED_MAX,
    PEOPLE_MAX,
    STAYS_MAX,
    ChildLeft,
    Count,
    Covered,
    Curve,
    DeviceLine,
    LiveBoard,
    Mark,
    Overdue,
    RoomBoard,
    SaidFinding,
)
from server.services.board_people import Inside
from server.services.board_plan import DayPlan
from server.services.board_reference import Reference, References, read_center
from server.services.board_words import finding_words, gap_words, ratio_words, status_of
from server.services.day_times import DayTimes, Times
from server.services.expected import Expected
from server.services.presence import desk_words
from server.services.roster_records import ready_rules
from sync.change_log import Head
from sync.desk_coverage import Coverage, Gap, coverage
from sync.limits import REPLICA_DAYS
from sync.presence import Group
from sync.ratio import CenterRatio, center_ratio
from sync.ratio_breaches import local_moment
from sync.records import day_bounds_ms

# Boards that are worked out at once in one process: more would only wait for the same processor, each with a
# connection of the pool.
AT_ONCE_MAX: Final = 3
MINUTE_MS: Final = 60_000
Shaped = TypeVar("Shaped")


@dataclass(frozen=True, slots=True)
class Known:
    """What is read of a centre in one snapshot."""

    center: Center
    head: Head | None
    rooms: Sequence[Room]
    rules: Sequence[CenterRatioRules]
    people: Sequence[BoardPerson]
    stays: list[BoardStay]
    alerts: Sequence[BoardAlert]
    desks: list[DeskRow]
    last_events: list[LastEvent]
    findings: list[BoardFinding]
    finding_counts: dict[str, int]
    set_aside_count: int
    left: list[ChildLeft]
    left_count: int
    plan: DayPlan


class LiveBoards:
    """Tells everything urgent of a centre at once."""

    def __init__(self, units: UnitsOfWork, clock: Clock, expected: Expected) -> None:
        """Read through `units`; `expected` says who should come."""
        self._units = units
        self._clock = clock
        self._times = DayTimes(expected)
        self._references = References()
        self._at_once = asyncio.Semaphore(AT_ONCE_MAX)

    async def mark(self, center_id: str) -> Mark:
        """Give what a board would be known by that is asked for now; one statement, and nothing is worked out."""
        async with self._units.read() as connection:
            head = await change_log.read_head(connection, center_id)
        return mark_of(head, self._clock.now())

    async def of(self, center_id: str, shape: Callable[[LiveBoard], Shaped]) -> Shaped:
        """Give the board of a centre as it is now, in the `shape` that a door wants, made where it is worked out.

        Raises:
            NotFound: there is no such centre.
            DatabaseUnavailable: nothing is known.

        """
        async with self._at_once:
            as_of = self._clock.now()
            times = await self._times_of(center_id, as_of)
            async with self._units.read() as connection:
                head = await change_log.read_head(connection, center_id)
                reference = await self._references.of(connection, center_id, head, ms_of(as_of))
                known = await _read(connection, reference, head, as_of, times)
            # One way to a thread and back, and not two: each waits for whoever holds the interpreter.
            return await asyncio.to_thread(lambda: shape(board_of(known, as_of)))

    async def _times_of(self, center_id: str, as_of: datetime) -> Times:
        """The times of the day; they hold for a minute, and so may what is remembered of the centre for them."""
        known = self._times.known(center_id, as_of)
        if known is not None:
            return known
        async with self._units.read() as connection:
            center = await read_center(connection, center_id)
        return await self._times.of(center, as_of)


async def _read(
    connection: Connection, reference: Reference, head: Head | None, as_of: datetime, times: Times
) -> Known:
    center, people = reference.center, reference.people
    center_id = center.id
    since = datetime_of(_day_start_ms(center, as_of))
    oldest = as_of - timedelta(days=REPLICA_DAYS)
    stays = await reading.stays(connection, center_id, oldest=oldest, since=since, limit=STAYS_MAX)
    left, left_count = await _left(connection, center_id, people, stays, ms_of(as_of))
    return Known(
        center=center,
        head=head,
        rooms=reference.rooms,
        rules=reference.rules,
        people=people,
        stays=stays,
        alerts=reference.alerts,
        desks=await presence.desks(connection, center_id, limit=DESKS_MAX),
        last_events=await reading.last_events(connection, center_id, since=since, limit=DESKS_MAX),
        findings=await reading.open_findings(connection, center_id, limit=FINDINGS_MAX),
        finding_counts=await reading.open_counts(connection, center_id),
        set_aside_count=await set_aside.count_open(connection, center_id),
        left=left,
        left_count=left_count,
        plan=await _plan(connection, center, as_of, times),
    )


async def _plan(connection: Connection, center: Center, as_of: datetime, times: Times) -> DayPlan:
    day = as_of.astimezone(ZoneInfo(center.time_zone)).date()
    since = datetime_of(_day_start_ms(center, as_of))
    return DayPlan(
        times=times,
        announced=await absences.announced(
            connection, center.id, day, before=since, time_zone=center.time_zone, limit=PEOPLE_MAX
        ),
        calls=await reading.last_calls(connection, center.id, day, limit=PEOPLE_MAX),
    )


async def _left(
    connection: Connection, center_id: str, people: Sequence[BoardPerson], stays: Sequence[BoardStay], now_ms: int
) -> tuple[list[ChildLeft], int]:
    """The children who left today, the last `LEFT_MAX` of them with whoever collected them, and how many there are."""
    by_id = {person.id: person for person in people}
    inside = who.insiders(stays, by_id, (), now_ms)
    gone = who.departures(stays, inside, now_ms)
    shown = gone[:LEFT_MAX]
    events = [event for stay in shown if (event := who.said_event(stay.left_body)) is not None]
    unnamed = sorted({event.adult_id for event in events if event.adult_id and not event.adult_name})
    adults = await reviews.staff_names(connection, center_id, unnamed) if unnamed else {}
    return [who.child_left(stay, by_id.get(stay.subject_id), adults) for stay in shown], len(gone)


def board_of(known: Known, as_of: datetime) -> LiveBoard:
    """Work a board out of what was read: a pure function of it and of the time."""
    center, now_ms = known.center, ms_of(as_of)
    people = {person.id: person for person in known.people}
    room_names = {room.id: room.name for room in known.rooms}
    inside = who.insiders(known.stays, people, room_names, now_ms)
    covering = coverage(desk_words(known.desks, (), known_at_ms=now_ms, now_ms=now_ms), now_ms)
    covered = _covered(covering, as_of, ZoneInfo(center.time_zone))
    judged = center_ratio(
        ready_rules(center, known.rules), who.together(inside, room_names), local_moment(now_ms, center.time_zone)
    )
    alerts: dict[str, list[BoardAlert]] = {}
    for alert in known.alerts:
        alerts.setdefault(alert.child_id, []).append(alert)
    rooms = _Rooms(inside, alerts, judged, covered.unconfirmed)
    seen = who.seen_today(known.stays, now_ms)
    missing = planned.missed(known.people, seen, known.plan, room_names)
    absent = planned.announced(known.people, seen, known.plan, room_names)
    booked = planned.expected(known.people, inside, seen, known.plan, room_names)
    overdue = planned.overdue(inside, known.plan, as_of, center)
    late = who.after_hours(inside, who.last_closing_ms(as_of, center.closes_at, center.time_zone), room_names)
    allergies = who.allergies_present(inside, alerts, room_names)
    return LiveBoard(
        center=center,
        mark=mark_of(known.head, as_of),
        as_of=as_of,
        covered=covered,
        children=rooms.count(Group.CHILD),
        staff=rooms.count(Group.STAFF),
        visitors=rooms.count(Group.VISITOR),
        rooms=tuple(rooms.room(room.id, room.name, room.capacity) for room in known.rooms),
        without_room=rooms.room("", "", 0) if "" in judged.rooms else None,
        visitors_in=tuple(who.person_in(one) for one in inside if one.group is Group.VISITOR)[:LISTED_MAX],
        ratio=judged.center,
        status=status_of(judged.center, 0),
        says=ratio_words(judged.center),
        not_here=who.cut(missing),
        not_here_count=len(missing),
        announced=who.cut(absent),
        announced_count=len(absent),
        expected=who.cut(booked),
        expected_count=len(booked),
        overdue=who.cut([_overdue(one, known.plan, as_of, center, room_names) for one in overdue]),
        overdue_count=len(overdue),
        room_plans=tuple(planned.room_plans(known.people, known.plan, as_of, room_names)),
        forecast=planned.forecast(missing, inside, known.plan, as_of, center),
        after_hours=who.cut(late),
        after_hours_count=len(late),
        finding_counts=known.finding_counts,
        set_aside_count=known.set_aside_count,
        findings=tuple(SaidFinding(one, finding_words(one.kind)) for one in who.named(known.findings, known.stays)),
        devices=_devices(known, covering),
        allergies=tuple(allergies[:LISTED_MAX]),
        allergies_count=len(allergies),
        curve=_curve(known, as_of),
        left=tuple(known.left),
        left_count=known.left_count,
    )


def _overdue(one: Inside, plan: DayPlan, as_of: datetime, center: Center, rooms: Mapping[str, str]) -> Overdue:
    due_ms = planned.due_ms(one, plan, as_of, center) or 0
    return Overdue(one.stay.subject_id, one.name, rooms.get(one.room_id, ""), one.since_ms, due_ms)


def _curve(known: Known, as_of: datetime) -> Curve:
    start_ms, end_ms = _day_ms(known.center, as_of)
    rooms = [room.capacity for room in known.rooms]
    return Curve(
        starts_at_ms=start_ms,
        children=who.were_in(known.stays, start_ms=start_ms, now_ms=ms_of(as_of)),
        expected=planned.expected_at(known.people, known.plan, start_ms=start_ms, end_ms=end_ms),
        capacity=sum(rooms) if rooms and all(rooms) else None,
    )


def mark_of(head: Head | None, as_of: datetime) -> Mark:
    """Give what a board of this moment is known by; a centre without a log has the version 0."""
    return Mark(head.epoch if head else "", head.version if head else 0, ms_of(as_of) // MINUTE_MS)


class _Rooms:
    """Who is in, room by room, beside what the rules say of it."""

    def __init__(
        self,
        inside: Sequence[Inside],
        alerts: Mapping[str, Sequence[BoardAlert]],
        judged: CenterRatio,
        unconfirmed: int,
    ) -> None:
        self._inside = inside
        self._alerts = alerts
        self._judged = judged
        self._unconfirmed = unconfirmed

    def count(self, group: Group) -> Count:
        """How many of a group are in, in the whole centre."""
        return count_around(sum(one.group is group for one in self._inside), self._unconfirmed)

    def room(self, room_id: str, name: str, capacity: int) -> RoomBoard:
        """One room with whoever is in it."""
        there = [one for one in self._inside if one.room_id == room_id]
        children = [one for one in there if one.group is Group.CHILD]
        staff = [one for one in there if one.group is Group.STAFF]
        state = self._judged.rooms[room_id]
        return RoomBoard(
            room_id=room_id,
            name=name,
            capacity=capacity,
            children_count=count_around(len(children), self._unconfirmed),
            staff_count=len(staff),
            children=tuple(
                who.child_in(one, self._alerts.get(one.stay.subject_id, ())) for one in children[:LISTED_MAX]
            ),
            staff=tuple(who.person_in(one) for one in staff[:LISTED_MAX]),
            ratio=state,
            status=status_of(state, capacity),
            says=ratio_words(state),
            is_over_capacity=bool(capacity) and len(children) > capacity,
        )


def count_around(certain: int, unconfirmed: int) -> Count:
    """Give a count with its bounds: each entry that a desk still holds may be an arrival or a departure."""
    return Count(certain, max(0, certain - unconfirmed), certain + unconfirmed)


def _covered(found: Coverage, as_of: datetime, zone: ZoneInfo) -> Covered:
    gaps = [desk for desk in found.desks if desk.gap is not None]
    # A linked desk with entries that wait holds these and no others; of any other nobody knows what it has recorded.
    is_bounded = all(desk.gap is Gap.ENTRIES_WAIT and desk.is_linked for desk in gaps)
    return Covered(
        is_complete=found.is_complete,
        is_bounded=is_bounded,
        unconfirmed=sum(desk.waiting or 0 for desk in gaps),
        says=tuple(gap_words(desk, as_of, zone) for desk in gaps[:GAPS_SAID_MAX]),
    )


def _devices(known: Known, covering: Coverage) -> tuple[DeviceLine, ...]:
    rows = {desk.device_id: desk for desk in known.desks}
    events = {one.device_id: who.said_event(one.body) for one in known.last_events}
    lines = []
    for desk in covering.desks:
        row, event = rows[desk.device_id], events.get(desk.device_id)
        lines.append(
            DeviceLine(
                device_id=desk.device_id,
                name=desk.name,
                state=row.state,
                heard_at_ms=desk.heard_until_ms,
                is_linked=desk.is_linked,
                waiting=desk.waiting,
                gap=desk.gap,
                position_at_ms=None if row.told_at is None else ms_of(row.told_at),
                behind=_behind(row, known.head),
                clock_offset_ms=event.clock_offset_ms if event is not None else None,
                is_clock_suspect=event is not None and event.clock_suspect,
            )
        )
    return tuple(lines)


def _behind(row: DeskRow, head: Head | None) -> int | None:
    """How many versions a replica lacks by its last word; None when it told none, or followed another life."""
    if head is None or row.version is None or row.epoch != head.epoch:
        return None
    return max(0, head.version - row.version)


def _day_start_ms(center: Center, as_of: datetime) -> int:
    return _day_ms(center, as_of)[0]


def _day_ms(center: Center, as_of: datetime) -> tuple[int, int]:
    day = as_of.astimezone(ZoneInfo(center.time_zone)).date()
    return day_bounds_ms(day.isoformat(), center.time_zone)
