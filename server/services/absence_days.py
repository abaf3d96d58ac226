"""A day of a centre without some of its children: who is announced, who came all the same, and who is missing."""

from dataclasses import dataclass
from datetime import date, datetime, time
from typing import Final
from zoneinfo import ZoneInfo

from server.core.clock import Clock, datetime_of
from server.core.errors import Conflict, InvalidInput
from server.models.absences import AbsenceFollowUp, FollowUpResult
from server.models.rooms import Center
from server.repositories import absences
from server.repositories.absences import CalledChild, DayAbsence
from server.repositories.unit_of_work import Connection, UnitsOfWork
from server.services.access import User
from server.services.people_days import child_of
from sync.records import day_bounds_ms

__all__ = [
    "AbsenceDays",
    "AbsenceFollowUp",
    "CalledChild",
    "DayAbsence",
    "FollowUp",
    "FollowUpResult",
    "Missing",
    "MissingChild",
]

CHILDREN_MAX: Final = 1_000
FOLLOW_UPS_OF_CHILD_MAX: Final = 20
FOLLOW_UPS_MAX: Final = CHILDREN_MAX * FOLLOW_UPS_OF_CHILD_MAX
# A call may be written down on Monday that was made on Friday.
FOLLOW_UP_DAYS: Final = 14
YEAR_MIN: Final = 2000
YEAR_MAX: Final = 2099
SATURDAY: Final = 5


@dataclass(frozen=True, slots=True)
class FollowUp:
    """A call about a child that did not come on a day; `follow_up_id` is the caller's."""

    follow_up_id: str
    day: date
    result: FollowUpResult
    note: str = ""


@dataclass(frozen=True, slots=True)
class MissingChild:
    """A child that is expected, is not here and is announced by nobody, and what was done about it."""

    child: CalledChild
    follow_ups: tuple[AbsenceFollowUp, ...]


@dataclass(frozen=True, slots=True)
class Missing:
    """Who is missing on a day by a moment; `is_open`: the centre is, else nobody is expected."""

    day: date
    by: datetime
    is_open: bool
    expected: int
    children: tuple[MissingChild, ...]


class AbsenceDays:
    """Answers questions about a day, and keeps the calls."""

    def __init__(self, units: UnitsOfWork, clock: Clock) -> None:
        """Read and write through `units`."""
        self._units = units
        self._clock = clock

    async def of_day(self, center: Center, day: date | None) -> tuple[date, list[DayAbsence]]:
        """Give the absences that cover a day (today at the centre when None), by name, at most a thousand.

        Raises:
            InvalidInput: the day is not in the years 2000 to 2099.

        """
        wanted = day or self._today(center)
        _check_year(wanted)
        bounds = bounds_of(wanted, center.time_zone)
        async with self._units.read() as connection:
            found = await absences.of_day(
                connection, center.id, wanted, bounds, time_zone=center.time_zone, limit=CHILDREN_MAX
            )
        return wanted, found

    async def missing(self, center: Center, day: date | None, by: time | None) -> Missing:
        """Give who was expected on a day (today when None), has not come by a time, and is announced by nobody.

        `by` is on the centre's own clock; None, or a time that has not come yet: now, or the end of the day.

        Raises:
            InvalidInput: the day has not come yet, or is not in the years 2000 to 2099.

        """
        wanted = day or self._today(center)
        _check_year(wanted)
        if wanted > self._today(center):
            raise InvalidInput("Nobody can be missing on a day that has not come yet")
        start, end = bounds_of(wanted, center.time_zone)
        moment = min(self._clock.now(), end)
        if by is not None:
            moment = min(moment, datetime.combine(wanted, by, ZoneInfo(center.time_zone)))
        async with self._units.read() as connection:
            is_open = await is_open_on(connection, center.id, wanted)
            expected = await absences.count_expected(connection, center.id, wanted) if is_open else 0
            children = await missing_children(connection, center, wanted, (start, moment)) if is_open else []
        calls = await self._follow_ups(center, wanted) if children else {}
        found = tuple(MissingChild(child, tuple(calls.get(child.id, ()))) for child in children)
        return Missing(wanted, moment, is_open, expected, found)

    async def follow_up(self, center: Center, user: User, child_id: str, said: FollowUp) -> AbsenceFollowUp:
        """Note a call; with the same id and words it is noted once, however often it is sent.

        Raises:
            NotFound: the centre has no such child.
            InvalidInput: the day has not come yet, or is more than two weeks ago.
            Conflict: another note has this id, or there are too many of one child and day.

        """
        if not 0 <= (self._today(center) - said.day).days <= FOLLOW_UP_DAYS:
            raise InvalidInput(f"Note a call about today or one of the {FOLLOW_UP_DAYS} days before")
        async with self._units.begin(actor=user.id, origin="api") as unit:
            await unit.lock_head(center.id)
            await child_of(unit, center.id, child_id)
            known = await absences.find_follow_up(unit.session, center.id, said.follow_up_id)
            if known is not None:
                if (known.child_id, known.day, known.result, known.note) != (
                    child_id, said.day, said.result.value, said.note,
                ):  # fmt: skip
                    raise Conflict("There is another note with this id")
                return known
            if await absences.count_follow_ups(unit.session, center.id, child_id, said.day) >= FOLLOW_UPS_OF_CHILD_MAX:
                raise Conflict(f"There are {FOLLOW_UPS_OF_CHILD_MAX} notes about this child and day, and that is all")
            row = AbsenceFollowUp(
                center_id=center.id,
                id=said.follow_up_id,
                child_id=child_id,
                day=said.day,
                at=self._clock.now(),
                made_by=user.id or None,
                by_name=user.display_name,
                result=said.result.value,
                note=said.note,
            )
            await absences.add(unit.session, row)
        return row

    async def _follow_ups(self, center: Center, day: date) -> dict[str, list[AbsenceFollowUp]]:
        found: dict[str, list[AbsenceFollowUp]] = {}
        async with self._units.begin() as unit:
            for row in await absences.follow_ups(unit.session, center.id, day, limit=FOLLOW_UPS_MAX):
                found.setdefault(row.child_id, []).append(row)
        return found

    def _today(self, center: Center) -> date:
        return self._clock.now().astimezone(ZoneInfo(center.time_zone)).date()


async def is_open_on(connection: Connection, center_id: str, day: date) -> bool:
    """Whether children are expected on a day: it is a weekday, and the centre is not closed."""
    return day.weekday() < SATURDAY and not await absences.is_closed(connection, center_id, day)


async def missing_children(
    connection: Connection, center: Center, day: date, bounds: tuple[datetime, datetime]
) -> list[CalledChild]:
    """Give who of the roster came at no moment of `bounds` and is announced by nobody, by name."""
    return await absences.missing(connection, center.id, day, bounds, time_zone=center.time_zone, limit=CHILDREN_MAX)


def bounds_of(day: date, time_zone: str) -> tuple[datetime, datetime]:
    """Give the first and the first-after moment of a day of a centre."""
    start_ms, end_ms = day_bounds_ms(day.isoformat(), time_zone)
    return datetime_of(start_ms), datetime_of(end_ms)


def _check_year(day: date) -> None:
    if not YEAR_MIN <= day.year <= YEAR_MAX:
        raise InvalidInput(f"Ask for a day in the years {YEAR_MIN} to {YEAR_MAX}")
