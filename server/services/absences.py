"""Announced absences of a child: the desks hold their days and kind, and nobody looks for a child that is announced."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from server.core.clock import Clock, ms_of
from server.core.errors import Conflict, InvalidInput, NotFound
from server.core.etags import Expected, etag_of
from server.models.absences import Absence, AbsenceKind
from server.models.rooms import Center
from server.repositories import absences
from server.repositories.unit_of_work import UnitOfWork, UnitsOfWork
from server.services.access import User
from server.services.people_days import child_of, tell_child
from sync.limits import WALL_MS_MIN
from sync.records import ABSENCES_MAX

__all__ = ["Absence", "AbsenceKind", "Absences", "Announcement", "Terms", "etag_of_absence"]

DAYS_MAX: Final = 366
YEAR_MIN: Final = 2000
YEAR_MAX: Final = 2099
# Of one child: five years of a word every week and a half.
LISTED_MAX: Final = 200


@dataclass(frozen=True, slots=True)
class Terms:
    """What may be said otherwise later: why the child does not come, and what follows from it."""

    kind: AbsenceKind
    justified: bool = False
    billable: bool = True
    note: str = ""


@dataclass(frozen=True, slots=True)
class Announcement:
    """Days (both included) without a child, when the family said so, and who of it; `absence_id` is the caller's."""

    absence_id: str
    first_day: date
    last_day: date
    terms: Terms
    informed_at: datetime | None = None
    informed_by: str = ""


class Absences:
    """Keeps what is announced."""

    def __init__(self, units: UnitsOfWork, clock: Clock) -> None:
        """Write through `units`."""
        self._units = units
        self._clock = clock

    async def of_child(self, center: Center, child_id: str) -> list[Absence]:
        """Give the absences of a child, also withdrawn ones, the latest first, at most 200. Raises NotFound."""
        async with self._units.begin() as unit:
            await child_of(unit, center.id, child_id)
            return await absences.of_child(unit.session, center.id, child_id, limit=LISTED_MAX)

    async def announce(self, center: Center, user: User, child_id: str, said: Announcement) -> Absence:
        """Announce an absence; with the same id it is announced once, however often it is sent.

        What is sent again is answered as it stands, also when its terms were changed or it was withdrawn since.

        Raises:
            NotFound: the centre has no such child.
            InvalidInput: the days end before they begin, are more than a year, or lie outside 2000 to 2099; or the
                family is said to have told it in the future.
            Conflict: another absence has this id, the figures of one of the days stand, or the child has too many.

        """
        check_announcement(said, self._clock)
        async with self._units.begin(actor=user.id, origin="api") as unit:
            await unit.lock_head(center.id)
            return await announce_absence(unit, center, user, child_id, said, self._clock.now())

    async def change(
        self, center: Center, user: User, *, child_id: str, absence_id: str, terms: Terms, expected: Expected
    ) -> Absence:
        """Say why the child does not come, and what follows from it, in other words.

        Raises:
            NotFound: the child has no such absence.
            PreconditionFailed: it is not in a state that is expected.
            Conflict: it was withdrawn, or the figures of one of its days stand.

        """
        async with self._units.begin(actor=user.id, origin="api") as unit:
            await unit.lock_head(center.id)
            row = await _find(unit, center, child_id, absence_id)
            expected.require(etag_of_absence(row))
            if row.withdrawn_at is not None:
                raise Conflict("The absence was withdrawn; announce another")
            if _terms(row) != terms:
                await _refuse_locked(unit, row)
                row.kind, row.note = terms.kind.value, terms.note
                row.justified, row.billable = terms.justified, terms.billable
                row.changed_at = self._clock.now()
                await tell_child(unit, center.id, child_id)
        return row

    async def withdraw(self, center: Center, user: User, child_id: str, absence_id: str) -> Absence:
        """Take an announcement back: the child is expected again. Once is enough, and twice the same.

        Raises:
            NotFound: the child has no such absence.
            Conflict: the figures of one of its days stand.

        """
        async with self._units.begin(actor=user.id, origin="api") as unit:
            await unit.lock_head(center.id)
            row = await _find(unit, center, child_id, absence_id)
            await withdraw_absence(unit, row, self._clock.now())
        return row


def check_announcement(said: Announcement, clock: Clock) -> None:
    """Refuse days and times that make no sense, as `Absences.announce` says. Raises InvalidInput."""
    if said.last_day < said.first_day:
        raise InvalidInput("The last day lies before the first")
    if not YEAR_MIN <= said.first_day.year <= said.last_day.year <= YEAR_MAX:
        raise InvalidInput(f"Give days in the years {YEAR_MIN} to {YEAR_MAX}")
    if (said.last_day - said.first_day).days >= DAYS_MAX:
        raise InvalidInput(f"Give at most {DAYS_MAX} days at once")
    if said.informed_at is None:
        return
    if said.informed_at.tzinfo is None:
        raise InvalidInput("A time needs an offset, such as +01:00")
    if not WALL_MS_MIN <= ms_of(said.informed_at) <= clock.wall_ms():
        raise InvalidInput("The family told it in the future, or before the year 2000")


async def announce_absence(
    unit: UnitOfWork, center: Center, user: User, child_id: str, said: Announcement, now: datetime
) -> Absence:
    """Store what was announced and checked, once, and tell every desk; the caller holds the centre's head.

    Raises:
        NotFound, Conflict: as `Absences.announce`.

    """
    await child_of(unit, center.id, child_id)
    known = await absences.find(unit.session, center.id, said.absence_id)
    row = _row(center, user, child_id, said, now)
    if known is not None:
        if _days_of(known) != _days_of(row):
            raise Conflict("There is another absence with this id")
        return known
    await _refuse_too_many(unit, center, child_id, said.last_day, now)
    await _refuse_locked(unit, row)
    await absences.add(unit.session, row)
    await tell_child(unit, center.id, child_id)
    return row


async def withdraw_absence(unit: UnitOfWork, row: Absence, now: datetime) -> None:
    """Take an absence back that stands, and tell every desk; the caller holds the centre's head.

    Raises:
        Conflict: the figures of one of its days stand.

    """
    if row.withdrawn_at is None:
        await _refuse_locked(unit, row)
        row.withdrawn_at = row.changed_at = now
        await tell_child(unit, row.center_id, row.child_id)


def _row(center: Center, user: User, child_id: str, said: Announcement, now: datetime) -> Absence:
    return Absence(
        center_id=center.id,
        id=said.absence_id,
        child_id=child_id,
        first_day=said.first_day,
        last_day=said.last_day,
        kind=said.terms.kind.value,
        informed_at=said.informed_at,
        informed_by=said.informed_by,
        justified=said.terms.justified,
        billable=said.terms.billable,
        note=said.terms.note,
        created_at=now,
        created_by=user.id or None,
        changed_at=now,
    )


async def _refuse_too_many(unit: UnitOfWork, center: Center, child_id: str, last_day: date, now: datetime) -> None:
    """Desks hold so many of a child: one that counts today must be among them."""
    today = now.astimezone(ZoneInfo(center.time_zone)).date()
    # A desk may live where it is still yesterday, and one day is soon over.
    counted = await absences.count_not_over(unit.session, center.id, child_id, today - timedelta(days=1))
    if last_day >= today and counted >= ABSENCES_MAX:
        raise Conflict(f"A child can have {ABSENCES_MAX} absences that are not over; withdraw some, or join them")


def etag_of_absence(row: Absence) -> str:
    """Give the tag of the state in which an absence is."""
    return etag_of("absence", row.id, row.changed_at, row.kind, row.justified, row.billable, row.note, row.withdrawn_at)


async def _find(unit: UnitOfWork, center: Center, child_id: str, absence_id: str) -> Absence:
    found = await absences.find(unit.session, center.id, absence_id)
    if found is None or found.child_id != child_id:
        raise NotFound("The child has no such absence")
    await child_of(unit, center.id, child_id)
    return found


async def _refuse_locked(unit: UnitOfWork, row: Absence) -> None:
    if await absences.is_locked(unit.connection, row.center_id, row.first_day, row.last_day):
        raise Conflict("The figures of one of these days stand: nothing can be said of its absences any more")


def _terms(row: Absence) -> Terms:
    return Terms(AbsenceKind(row.kind), row.justified, row.billable, row.note)


def _days_of(row: Absence) -> tuple[object, ...]:
    """What of an announcement never changes."""
    return (row.child_id, row.first_day, row.last_day, row.informed_at, row.informed_by)
