"""Whether there are adults enough with the children: now, and at each moment of a day."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

import msgspec

from server.core.clock import Clock, datetime_of
from server.core.errors import InvalidInput
from server.models.rooms import Center, Room
from server.repositories import attendance_days, centers, change_log, ratio
from server.repositories.ratio import RatioPerson, ToldBy
from server.repositories.unit_of_work import Connection, UnitsOfWork
from server.services.roster_records import ready_rules
from sync.attendance import Fact, fold
from sync.intake import fact_of_record
from sync.limits import REPLICA_DAYS, WALL_MS_MAX
from sync.ratio import CenterRatio, ChildPresent, Group, RatioState, StaffPresent, center_ratio
from sync.ratio_breaches import (
    Breach,
    DeskWord,
    Period,
    Person,
    breaches,
    groups_at,
    local_moment,
    presences,
)
from sync.ratio_rules import RatioRuleSet
from sync.records import EventRecord, day_bounds_ms

__all__ = ["Breach", "CenterRatio", "DayBreaches", "DeskWord", "Ratio", "RatioNow", "RatioState"]

PEOPLE_MAX: Final = 2_000
# Two thousand people with four facts a day over the window of the fold.
EVENTS_MAX: Final = PEOPLE_MAX * 4 * (REPLICA_DAYS + 1)
YEAR_MIN: Final = 2000
YEAR_MAX: Final = 2099


@dataclass(frozen=True, slots=True)
class RatioNow:
    """How it stands: each room of the centre by its id, and "" when somebody is in no room; names by id."""

    version: int
    as_of: datetime
    judged: CenterRatio
    room_names: dict[str, str]


@dataclass(frozen=True, slots=True)
class DayBreaches:
    """The breaches of a day, up to now when it is today; names of rooms and desks by id."""

    day: date
    version: int
    as_of: datetime
    breaches: tuple[Breach, ...]
    room_names: dict[str, str]
    device_names: dict[str, str]


@dataclass(frozen=True, slots=True)
class _Known:
    """What is read of a centre in one transaction."""

    version: int
    rule_sets: tuple[RatioRuleSet, ...]
    rooms: list[Room]
    people: list[RatioPerson]
    records: list[EventRecord]
    words: list[ToldBy]


class Ratio:
    """Judges a centre by its own rules, from the same facts as the attendance."""

    def __init__(self, units: UnitsOfWork, clock: Clock) -> None:
        """Read through `units`."""
        self._units = units
        self._clock = clock

    async def now(self, center: Center, asked_months: int | None = None) -> RatioNow:
        """Judge who is in now; `asked_months` is the age of a child that may come next, in completed months."""
        as_of = self._clock.now()
        known = await self._read(center, as_of.astimezone(ZoneInfo(center.time_zone)).date())
        whereabouts = [one for person in _people(known) for one in presences(person) if one.to_ms is None]
        groups = {room.id: Group() for room in known.rooms} | groups_at(whereabouts, WALL_MS_MAX)
        moment = local_moment(self._clock.wall_ms(), center.time_zone)
        judged = center_ratio(known.rule_sets, groups, moment, asked_months)
        return RatioNow(known.version, as_of, judged, _names(known.rooms))

    async def breaches_of_day(self, center: Center, day: date | None) -> DayBreaches:
        """Give the breaches of a day (today in the centre's zone when None), cut to it.

        Raises:
            InvalidInput: the day is not in the years 2000 to 2099.

        """
        as_of = self._clock.now()
        wanted = day or as_of.astimezone(ZoneInfo(center.time_zone)).date()
        if not YEAR_MIN <= wanted.year <= YEAR_MAX:
            raise InvalidInput(f"Ask for a day in the years {YEAR_MIN} to {YEAR_MAX}")
        known = await self._read(center, wanted)
        start_ms, end_ms = day_bounds_ms(wanted.isoformat(), center.time_zone)
        period = Period(start_ms, min(end_ms, self._clock.wall_ms() + 1), center.time_zone)
        words = [DeskWord(one.device_id, _wall_ms(one.at), one.base_version) for one in known.words]
        return DayBreaches(
            day=wanted,
            version=known.version,
            as_of=as_of,
            breaches=breaches(known.rule_sets, _people(known), period, words),
            room_names=_names(known.rooms),
            device_names={record.device_id: record.device_name for record in known.records},
        )

    async def _read(self, center: Center, day: date) -> _Known:
        start_ms, end_ms = day_bounds_ms(day.isoformat(), center.time_zone)
        first_ms, _ = day_bounds_ms((day - timedelta(days=REPLICA_DAYS)).isoformat(), center.time_zone)
        start, before = datetime_of(start_ms), datetime_of(end_ms)
        async with self._units.read() as connection:
            head = await change_log.read_head(connection, center.id)
            records = await attendance_days.event_records(
                connection, center.id, since=datetime_of(first_ms), before=before, child_id=None, limit=EVENTS_MAX
            )
            words = await ratio.told_by(connection, center.id, start=start, before=before, limit=EVENTS_MAX)
            return _Known(
                version=head.version if head else 0,
                rule_sets=await self._rules(connection, center),
                rooms=await centers.rooms_read(connection, center.id),
                people=await ratio.people(connection, center.id, limit=PEOPLE_MAX),
                records=records,
                words=words,
            )

    async def _rules(self, connection: Connection, center: Center) -> tuple[RatioRuleSet, ...]:
        return ready_rules(center, await ratio.rules_read(connection, center.id))


def _people(known: _Known) -> list[Person]:
    """Everybody with a stay. A child that is not on file (yet) is there, too, and nobody knows its age."""
    facts = _facts_by_subject(known.records)
    listed = {person.id: person for person in known.people}
    found = []
    for subject_id, told in facts.items():
        person = listed.get(subject_id)
        if person is None and not told[0].event.child_subject_id:
            continue  # a visitor, a roll-call, a room
        home = person.home_room_id if person is not None else ""
        found.append(Person(_presence_of(subject_id, person), fold(told).stays, home))
    return found


def _presence_of(subject_id: str, person: RatioPerson | None) -> ChildPresent | StaffPresent:
    if person is None or person.is_child:
        return ChildPresent(subject_id, "" if person is None else person.birth_date)
    return StaffPresent(subject_id, counts_in_ratio=person.counts_in_ratio)


def _facts_by_subject(records: Iterable[EventRecord]) -> dict[str, list[Fact]]:
    facts: dict[str, list[Fact]] = {}
    for record in records:
        try:
            fact = fact_of_record(record)
        except (msgspec.DecodeError, UnicodeDecodeError):
            continue  # of a kind that came with a newer server
        facts.setdefault(fact.event.subject_id, []).append(fact)
    return facts


def _names(rooms: Sequence[Room]) -> dict[str, str]:
    return {room.id: room.name for room in rooms}


def _wall_ms(at: datetime) -> int:
    return round(at.timestamp() * 1000)
