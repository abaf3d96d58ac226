"""From when to when people belong to a centre: it judges what was recorded of them, and who is expected."""

from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Final

from server.core.clock import datetime_of
from server.core.errors import InvalidInput, NotFound
from server.core.etags import Expected, etag_of
from server.models.people import ChildProfile, Person, StaffProfile
from server.models.rooms import Center
from server.repositories import absences, people_days, projections
from server.repositories.unit_of_work import UnitOfWork, UnitsOfWork
from server.services import roster_records
from server.services.access import User
from server.services.projections import refold
from sync.records import Entity, day_bounds_ms

__all__ = ["ChildProfile", "PeopleDays", "Period", "StaffProfile", "etag_of_employment", "etag_of_enrolment"]

YEAR_MIN: Final = 1950
YEAR_MAX: Final = 2099
_ALWAYS: Final = (datetime(1950, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC))


@dataclass(frozen=True, slots=True)
class Period:
    """From one day to another, both included; None: nobody knows, or there is no end."""

    first_day: date | None = None
    last_day: date | None = None


class PeopleDays:
    """Keeps the days of enrolment and employment."""

    def __init__(self, units: UnitsOfWork) -> None:
        """Write through `units`."""
        self._units = units

    async def enrolment(self, center: Center, child_id: str) -> ChildProfile:
        """Give whether and when a child belongs to a centre. Raises NotFound."""
        async with self._units.begin() as unit:
            return (await child_of(unit, center.id, child_id))[1]

    async def enrol(
        self, center: Center, user: User, child_id: str, period: Period, expected: Expected
    ) -> ChildProfile:
        """Say from when to when a child is enrolled; what was recorded of it is judged anew.

        Raises:
            NotFound: the centre has no such child.
            PreconditionFailed: somebody changed it meanwhile.
            InvalidInput: the days end before they begin, or lie outside 1950 to 2099.

        """
        _check(period)
        async with self._units.begin(actor=user.id, origin="api") as unit:
            await unit.lock_head(center.id)
            _, profile = await child_of(unit, center.id, child_id)
            expected.require(etag_of_enrolment(profile))
            profile.enrolled_from, profile.enrolled_to = period.first_day, period.last_day
            await tell_child(unit, center.id, child_id)
            await refold(unit.connection, center.id, [child_id])
        return profile

    async def employment(self, center: Center, person_id: str) -> StaffProfile:
        """Give when somebody was on the staff of a centre. Raises NotFound."""
        async with self._units.begin() as unit:
            return (await member_of_staff(unit, center.id, person_id))[1]

    async def employ(
        self, center: Center, user: User, person_id: str, period: Period, expected: Expected
    ) -> StaffProfile:
        """Say from when to when somebody is on the staff; what they attested is judged anew.

        Raises:
            NotFound: the centre has no such member of staff.
            PreconditionFailed: somebody changed it meanwhile.
            InvalidInput: as `enrol`.

        """
        _check(period)
        async with self._units.begin(actor=user.id, origin="api") as unit:
            await unit.lock_head(center.id)
            person, profile = await member_of_staff(unit, center.id, person_id)
            expected.require(etag_of_employment(profile))
            before = Period(profile.employed_from, profile.employed_to)
            profile.employed_from, profile.employed_to = period.first_day, period.last_day
            await unit.session.flush()
            unit.put(center.id, Entity.STAFF, person_id, roster_records.staff_record(person, profile))
            since, until = _common(before, period, center.time_zone)
            concerned = await projections.attested_by(
                unit.connection, center.id, [person_id], since=since, before=until
            )
            await refold(unit.connection, center.id, concerned)
        return profile


def etag_of_enrolment(profile: ChildProfile) -> str:
    """Give the tag of what is known of a child's days here."""
    days = (profile.enrolled_from, profile.enrolled_to)
    return etag_of("enrolment", profile.center_id, profile.child_id, profile.enrolled, *days)


def etag_of_employment(profile: StaffProfile) -> str:
    """Give the tag of what is known of somebody's days on the staff."""
    days = (profile.employed_from, profile.employed_to)
    return etag_of("employment", profile.center_id, profile.person_id, profile.role, *days)


async def child_of(unit: UnitOfWork, center_id: str, child_id: str) -> tuple[Person, ChildProfile]:
    """Give a child of a centre. Raises NotFound."""
    found = await people_days.child(unit.session, center_id, child_id)
    if found is None:
        raise NotFound("There is no such child at this centre")
    return found


async def tell_child(unit: UnitOfWork, center_id: str, child_id: str) -> None:
    """Put a child's record into the log as the tables have it now. Raises NotFound."""
    await unit.session.flush()
    person, profile = await child_of(unit, center_id, child_id)
    key = (center_id, child_id)
    held = (await absences.told(unit.connection, [key])).get(key, ())
    alerts = await people_days.alerts(unit.session, center_id, child_id)
    unit.put(center_id, Entity.CHILD, child_id, roster_records.child_record(person, profile, alerts, held))


async def attested_by(unit: UnitOfWork, center_id: str, staff_ids: list[str]) -> list[str]:
    """Give the subjects of everything that some members of staff ever attested."""
    until, since = _ALWAYS
    return await projections.attested_by(unit.connection, center_id, staff_ids, since=since, before=until)


async def member_of_staff(unit: UnitOfWork, center_id: str, person_id: str) -> tuple[Person, StaffProfile]:
    """Give a member of staff of a centre. Raises NotFound."""
    found = await people_days.member_of_staff(unit.session, center_id, person_id)
    if found is None:
        raise NotFound("There is no such member of staff at this centre")
    return found


def _common(one: Period, other: Period, time_zone: str) -> tuple[datetime, datetime]:
    """The time that lies in both; what happened in it is found as before."""
    firsts = [period.first_day for period in (one, other) if period.first_day is not None]
    lasts = [period.last_day for period in (one, other) if period.last_day is not None]
    since = datetime_of(day_bounds_ms(max(firsts).isoformat(), time_zone)[0]) if firsts else _ALWAYS[0]
    before = datetime_of(day_bounds_ms(min(lasts).isoformat(), time_zone)[1]) if lasts else _ALWAYS[1]
    return since, before


def _check(period: Period) -> None:
    first, last = period.first_day, period.last_day
    if first is not None and last is not None and last < first:
        raise InvalidInput("The last day lies before the first")
    if any(not YEAR_MIN <= day.year <= YEAR_MAX for day in (first, last) if day is not None):
        raise InvalidInput(f"Give days in the years {YEAR_MIN} to {YEAR_MAX}")
