"""Ratio room by room and quarter by quarter: of each quarter the moment at which most was missing."""

import asyncio
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from server.core.clock import Clock
from server.models.rooms import Center, Room
from server.repositories import centers, ratio, reports
from server.repositories.ratio import RatioPerson
from server.repositories.reports import ReportStay
from server.repositories.unit_of_work import UnitsOfWork
from server.services.report_kinds import Part, ReportRow, in_words, local
from server.services.roster_records import ready_rules
from sync.limits import REPLICA_DAYS
from sync.ratio import ChildPresent, RatioState, StaffPresent, center_ratio
from sync.ratio_breaches import Person, Presence, groups_at, local_moment, presences
from sync.ratio_rules import WHOLE_PERCENT, RatioRuleSet
from sync.records import day_bounds_ms
from sync.stays import InRoom, Stay

QUARTER_MS: Final = 900_000
PEOPLE_MAX: Final = 20_000
# Two thousand people who come four times on each of seven days, and those who never left.
STAYS_MAX: Final = 60_000


async def ratio_rows(units: UnitsOfWork, clock: Clock, center: Center, part: Part) -> list[ReportRow]:
    """Give each room in which somebody was, for each quarter of an hour of a part that has begun."""
    since, before = part.bounds(center.time_zone)
    async with units.read() as connection:
        stays = await reports.stays_touching(
            connection, center.id, since, before, oldest=since - timedelta(days=REPLICA_DAYS), limit=STAYS_MAX
        )
        people = await ratio.people(connection, center.id, limit=PEOPLE_MAX) if stays else []
        rules = ready_rules(center, await ratio.rules_read(connection, center.id))
        rooms = await centers.rooms_read(connection, center.id)
    everybody = list(_everybody(stays, people))
    found: list[ReportRow] = []
    for day in part.days():
        # In a thread, and a day at a time: others of this process want their turn.
        found += await asyncio.to_thread(_of_day, _Day(center, rules, rooms, everybody, clock.wall_ms()), day)
    return found


class _Day:
    """What a day of a centre is judged by; `now_ms`: what lies behind it has not happened."""

    def __init__(
        self,
        center: Center,
        rules: Sequence[RatioRuleSet],
        rooms: Sequence[Room],
        everybody: Sequence[Presence],
        now_ms: int,
    ) -> None:
        self.zone = ZoneInfo(center.time_zone)
        self.time_zone = center.time_zone
        self.rules = rules
        self.names = {room.id: room.name for room in rooms}
        self._places = {room_id: place for place, room_id in enumerate(self.names)}
        self.everybody = everybody
        self.now_ms = now_ms

    def place(self, room_id: str) -> tuple[int, str]:
        """Give what rooms are sorted by: as people list them, and last those of whom nobody said the room."""
        return (self._places.get(room_id, len(self._places)), room_id)

    def states(self, at_ms: int, there: Sequence[Presence]) -> dict[str, RatioState]:
        """How each room stands in which somebody is."""
        groups = groups_at(there, at_ms)
        return center_ratio(self.rules, groups, local_moment(at_ms, self.time_zone)).rooms


def _of_day(known: _Day, day: date) -> list[ReportRow]:
    start_ms, end_ms = day_bounds_ms(day.isoformat(), known.time_zone)
    there = [one for one in known.everybody if one.from_ms < end_ms and (one.to_ms is None or one.to_ms > start_ms)]
    if not there:
        return []
    moments = sorted({moment for one in there for moment in (one.from_ms, one.to_ms) if moment is not None})
    rows: list[ReportRow] = []
    before: dict[str, RatioState] = {}
    for quarter_ms in range(start_ms, min(end_ms, known.now_ms), QUARTER_MS):
        until_ms = min(quarter_ms + QUARTER_MS, known.now_ms)
        begin = bisect_left(moments, quarter_ms)
        inside = [at_ms for at_ms in moments[begin : bisect_left(moments, until_ms)] if at_ms > quarter_ms]
        worst: dict[str, RatioState] = {}
        for at_ms in (quarter_ms, *inside):
            now = [one for one in there if one.from_ms <= at_ms and (one.to_ms is None or at_ms < one.to_ms)]
            before = known.states(at_ms, now) if now else {}
            for room_id, state in before.items():
                worst[room_id] = max(worst.get(room_id, state), state, key=_badness)
        rows += [_row(known, quarter_ms, room_id, worst[room_id]) for room_id in sorted(worst, key=known.place)]
    return rows


def _row(known: _Day, quarter_ms: int, room_id: str, state: RatioState) -> ReportRow:
    return (
        local(quarter_ms, known.zone),
        local(quarter_ms + QUARTER_MS, known.zone),
        known.names.get(room_id, "") or "room not known",
        str(state.children),
        str(state.staff),
        f"{state.counted_percent / WHOLE_PERCENT:g}",
        str(state.staff_needed),
        "" if state.children_allowed is None else str(state.children_allowed),
        str(state.group_cap or ""),
        in_words(state.reason.value),
        "BREACH" if state.is_breach else "",
    )


def _badness(state: RatioState) -> tuple[bool, int, int]:
    return (state.is_breach, state.percent_missing, state.children)


def _everybody(stays: Sequence[ReportStay], people: Sequence[RatioPerson]) -> Iterator[Presence]:
    """Children, also those who are not on file, and staff; visitors count for nothing."""
    listed = {person.id: person for person in people}
    for stay in stays:
        person = listed.get(stay.subject_id)
        if person is None and not stay.is_child:
            continue
        who: ChildPresent | StaffPresent = ChildPresent(stay.subject_id, person.birth_date if person else "")
        if person is not None and not person.is_child:
            who = StaffPresent(stay.subject_id, counts_in_ratio=person.counts_in_ratio)
        rooms = tuple(InRoom(since_ms, room_id) for since_ms, room_id in stay.rooms)
        told = Stay(check_in=None, started_at_ms=stay.started_at_ms, ended_at_ms=stay.ended_at_ms, rooms=rooms)
        yield from presences(Person(who, (told,), person.home_room_id if person else ""))
