"""Roll-calls and headcounts of a centre, merged from what its desks say, against who was in."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Final
from zoneinfo import ZoneInfo

from server.core.clock import Clock, datetime_of
from server.core.errors import InvalidInput, NotFound
from server.models.rooms import Center
from server.repositories import presence
from server.repositories.presence import DeskRow
from server.repositories.unit_of_work import Connection, UnitsOfWork
from server.services.attendance import YEAR_MAX, YEAR_MIN
from server.services.presence import (
    DESKS_MAX,
    Names,
    desk_words,
    read_names,
    received_of,
    records_around,
    wall_ms,
)
from sync.attendance import EventKind, Fact
from sync.desk_coverage import Coverage, coverage
from sync.limits import WALL_MS_MAX, WALL_MS_MIN
from sync.presence import Received, Subject, presence_at, subjects_known
from sync.records import EventRecord, day_bounds_ms
from sync.rollcall import RollCall, RoomCount, begun_at_ms, merge_headcounts, merge_rollcall, room_of

ROLLCALLS_MAX: Final = 100
ROOMS_COUNTED_MAX: Final = 1_000
# A thousand people marked on four desks, in each of a few roll-calls.
FACTS_MAX: Final = 20_000
_ROLLCALL_KINDS: Final = frozenset({EventKind.ROLLCALL_START, EventKind.ROLLCALL_MARK, EventKind.ROLLCALL_END})
_HEADCOUNT_KINDS: Final = frozenset({EventKind.HEADCOUNT})
_ALWAYS: Final = {"since": datetime_of(WALL_MS_MIN), "before": datetime_of(WALL_MS_MAX)}


@dataclass(frozen=True, slots=True)
class CoveredRollCall:
    """A roll-call, when it began, and the coverage statement for its end, or for now when it goes on."""

    begun_at_ms: int
    rollcall: RollCall
    coverage: Coverage


@dataclass(frozen=True, slots=True)
class RollCalls:
    """Roll-calls of a centre, the oldest first, with what people need to read them.

    `called`: what the events call visitors, and children who are not on file.
    """

    center: Center
    rollcalls: tuple[CoveredRollCall, ...]
    names: Names
    called: dict[str, str]
    device_names: dict[str, str]


@dataclass(frozen=True, slots=True)
class Headcounts:
    """The headcounts of a day, room by room; the coverage statement is for the day's end, or for now."""

    center: Center
    day: date
    rooms: tuple[RoomCount, ...]
    names: Names
    device_names: dict[str, str]
    coverage: Coverage


@dataclass(frozen=True, slots=True)
class _Read:
    """What one transaction found: what is said of roll-calls, and what tells who was in when they began."""

    said: Sequence[Received]
    around: Sequence[EventRecord]
    names: Names
    desks: Sequence[DeskRow]
    device_names: dict[str, str]


class RollCallReports:
    """Merges roll-calls and headcounts when they are asked for; nothing of them is stored."""

    def __init__(self, units: UnitsOfWork, clock: Clock) -> None:
        """Read through `units`."""
        self._units = units
        self._clock = clock

    async def of_day(self, center: Center, day: date | None) -> RollCalls:
        """Give the roll-calls that began on a day (today in the centre's zone when None), at most a hundred.

        Raises:
            InvalidInput: the day is not in the years 2000 to 2099.

        """
        as_of = self._clock.now()
        since, before = _bounds(center, _wanted(day, center, as_of))
        async with self._units.read() as connection:
            ids = await presence.subjects_of_day(
                connection, center.id, _ROLLCALL_KINDS, since=since, before=before, limit=ROLLCALLS_MAX
            )
            read = await _read(connection, center.id, ids)
        found = await asyncio.to_thread(_merged, center, read, wall_ms(as_of))
        began = [one for one in found.rollcalls if wall_ms(since) <= one.begun_at_ms < wall_ms(before)]
        return replace(found, rollcalls=tuple(began))

    async def one(self, center: Center, rollcall_id: str) -> RollCalls:
        """Give one roll-call. Raises NotFound when the centre has none with this id, or nothing of it counts."""
        as_of = self._clock.now()
        async with self._units.read() as connection:
            read = await _read(connection, center.id, [rollcall_id])
        found = await asyncio.to_thread(_merged, center, read, wall_ms(as_of))
        if not found.rollcalls:
            raise NotFound("There is no such roll-call at this centre")
        return found

    async def headcounts(self, center: Center, day: date | None) -> Headcounts:
        """Give the headcounts of a day (today in the centre's zone when None).

        Raises:
            InvalidInput: the day is not in the years 2000 to 2099.

        """
        as_of = self._clock.now()
        wanted = _wanted(day, center, as_of)
        since, before = _bounds(center, wanted)
        async with self._units.read() as connection:
            rooms = await presence.subjects_of_day(
                connection, center.id, _HEADCOUNT_KINDS, since=since, before=before, limit=ROOMS_COUNTED_MAX
            )
            records = await presence.records_of_subjects(
                connection, center.id, rooms, since=since, before=before, limit=FACTS_MAX
            )
            names = await read_names(connection, center.id)
            desks = await presence.desks(connection, center.id, limit=DESKS_MAX)
        received, now_ms = received_of(records), wall_ms(as_of)
        words = desk_words(desks, received, known_at_ms=now_ms, now_ms=now_ms)
        return Headcounts(
            center=center,
            day=wanted,
            rooms=merge_headcounts(one.fact for one in received),
            names=names,
            device_names={record.device_id: record.device_name for record in records},
            coverage=coverage(words, min(wall_ms(before), now_ms)),
        )


async def _read(connection: Connection, center_id: str, rollcall_ids: Sequence[str]) -> _Read:
    records = await presence.records_of_subjects(connection, center_id, rollcall_ids, limit=FACTS_MAX, **_ALWAYS)
    said = received_of(records)
    begun = [ms for facts in _by_rollcall(said).values() if (ms := begun_at_ms(facts)) is not None]
    moments = [datetime_of(ms) for ms in begun]
    around = await records_around(connection, center_id, min(moments), max(moments)) if moments else ()
    desks = await presence.desks(connection, center_id, limit=DESKS_MAX)
    device_names = {record.device_id: record.device_name for record in records}
    return _Read(said, around, await read_names(connection, center_id), desks, device_names)


def _by_rollcall(said: Sequence[Received]) -> dict[str, list[Fact]]:
    facts: dict[str, list[Fact]] = {}
    for one in said:
        if one.fact.event.rollcall_id:
            facts.setdefault(one.fact.event.rollcall_id, []).append(one.fact)
    return facts


def _merged(center: Center, read: _Read, now_ms: int) -> RollCalls:
    """Merge each roll-call of which anything counts, the oldest first, by all that is known today."""
    around = received_of(read.around)
    subjects = subjects_known(around, now_ms)
    words = desk_words(read.desks, (*around, *read.said), known_at_ms=now_ms, now_ms=now_ms)
    merged = []
    for rollcall_id, facts in _by_rollcall(read.said).items():
        begun_ms = begun_at_ms(facts)
        if begun_ms is not None:
            rollcall = merge_rollcall(rollcall_id, facts, _expected(subjects, begun_ms, room_of(facts)))
            moment_ms = now_ms if rollcall.ended_at_ms is None else min(rollcall.ended_at_ms, now_ms)
            merged.append(CoveredRollCall(begun_ms, rollcall, coverage(words, moment_ms)))
    merged.sort(key=lambda one: (one.begun_at_ms, one.rollcall.rollcall_id))
    return RollCalls(center, tuple(merged), read.names, _called(subjects), read.device_names)


def _called(subjects: Sequence[Subject]) -> dict[str, str]:
    return {
        subject.subject_id: said
        for subject in subjects
        for fact in subject.facts
        if (said := fact.event.provisional_name or fact.event.person_name)
    }


def _expected(subjects: Sequence[Subject], begun_ms: int, room_id: str) -> list[str]:
    """Who was in when it began, in the room that it is about."""
    present = presence_at(subjects, begun_ms).certain
    return [one.subject_id for one in present if room_id in ("", one.room_id)]


def _wanted(day: date | None, center: Center, as_of: datetime) -> date:
    wanted = day or as_of.astimezone(ZoneInfo(center.time_zone)).date()
    if not YEAR_MIN <= wanted.year <= YEAR_MAX:
        raise InvalidInput(f"Ask for a day in the years {YEAR_MIN} to {YEAR_MAX}")
    return wanted


def _bounds(center: Center, day: date) -> tuple[datetime, datetime]:
    start_ms, end_ms = day_bounds_ms(day.isoformat(), center.time_zone)
    return datetime_of(start_ms), datetime_of(end_ms)
