"""Absences that a guardian announces by their account: the same rows, and the same desks, as those that staff enter."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

import structlog

from server.core.clock import Clock
from server.core.errors import Conflict, FieldProblem, InvalidInput, NotEntitled, NotFound
from server.models.absences import Absence, AbsenceKind
from server.repositories import absences
from server.repositories.guardian_accounts import FamilyChild
from server.repositories.unit_of_work import UnitsOfWork
from server.services.absences import (
    LISTED_MAX,
    Announcement,
    Terms,
    announce_absence,
    check_announcement,
    withdraw_absence,
)
from server.services.access import User
from server.services.announcements import today_at
from server.services.child_files import Part, read_child
from server.services.guardian_rights import child_with_center

__all__ = ["AHEAD_DAYS_MAX", "Absence", "AbsenceKind", "MyAbsences", "SaidAbsence"]

# A year ahead, like the longest absence: a school year's holidays are known by then.
AHEAD_DAYS_MAX: Final = 366
# What the adult is to the child says who it was, and outlives an erasure of theirs, which a name must not.
GUARDIAN: Final = "guardian"

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class SaidAbsence:
    """Days (both included) on which a child will not come, and why; `id` is the caller's, and makes a repeat harmless.

    What follows from it for the bill, the centre says.
    """

    id: str
    first_day: date
    last_day: date
    kind: AbsenceKind
    note: str = ""


class MyAbsences:
    """Takes what guardians announce."""

    def __init__(self, units: UnitsOfWork, clock: Clock) -> None:
        """Write through `units`."""
        self._units = units
        self._clock = clock

    async def of_child(self, user: User, child_id: str) -> tuple[Sequence[Absence], str]:
        """Give the last 200 absences of a child of an account, whoever announced them, and the centre's time zone.

        Raises:
            NotFound: it is no child of the account's.

        """
        async with self._units.begin() as unit:
            _, center = await child_with_center(unit, user, child_id)
            await read_child(unit, user, center.id, child_id, Part.ABSENCES)
            return await absences.of_child(unit.session, center.id, child_id, limit=LISTED_MAX), center.time_zone

    async def announce(self, user: User, child_id: str, said: SaidAbsence) -> tuple[Absence, str]:
        """Say that a child will not come, today or later; with the same id it is said once. Gives its time zone, too.

        Raises:
            NotFound: it is no child of the account's.
            NotEntitled: the account may see the child, and not speak for it.
            InvalidInput: the days end before they begin, have begun before today, are more than a year, or lie further
                ahead than one.
            Conflict: another absence has this id, the child has too many, or the figures of one of the days stand.

        """
        async with self._units.begin(actor=user.id, origin="my") as unit:
            _, center = await child_with_center(unit, user, child_id)
            await unit.lock_head(center.id)
            child, _ = await child_with_center(unit, user, child_id)
            _require_voice(child)
            known = await absences.find(unit.session, center.id, said.id)
            if known is not None:
                return _repeated(known, user, child_id, said), center.time_zone
            now = self._clock.now()
            announcement = Announcement(
                absence_id=said.id, first_day=said.first_day, last_day=said.last_day,
                terms=Terms(said.kind, note=said.note), informed_at=now, informed_by=child.kind or GUARDIAN,
            )  # fmt: skip
            check_announcement(announcement, self._clock)
            _refuse_far(said, today_at(center, self._clock))
            row = await announce_absence(unit, center, user, child_id, announcement, now)
        _log.info("absence_announced", center=center.id, child=child_id, absence=said.id, user=user.id)
        return row, center.time_zone

    async def withdraw(self, user: User, child_id: str, absence_id: str) -> tuple[Absence, str]:
        """Take back what the account announced: the child is expected again. A second time changes nothing.

        Raises:
            NotFound: the account announced no such absence of this child.
            NotEntitled: the account does not speak for the child any more.
            Conflict: it began before today (whoever comes ends it by coming), or the figures of one of its days stand.

        """
        async with self._units.begin(actor=user.id, origin="my") as unit:
            _, center = await child_with_center(unit, user, child_id)
            await unit.lock_head(center.id)
            child, _ = await child_with_center(unit, user, child_id)
            row = await absences.find(unit.session, center.id, absence_id)
            if row is None or row.child_id != child_id or row.created_by != user.id:
                raise NotFound("You announced no such absence")
            _require_voice(child)
            if row.withdrawn_at is not None:
                return row, center.time_zone
            if row.first_day < today_at(center, self._clock):
                raise Conflict("It has begun: the child ends it by coming, and for the days before talk to the centre")
            await withdraw_absence(unit, row, self._clock.now())
        _log.info("absence_withdrawn", center=center.id, child=child_id, absence=absence_id, user=user.id)
        return row, center.time_zone


def _require_voice(child: FamilyChild) -> None:
    """Nobody looks for a child that is announced, so it takes the right to speak for it: the one to book."""
    if not child.can_book:
        raise NotEntitled("Only who may book for the child says that it does not come; ask the centre")


def _refuse_far(said: SaidAbsence, today: date) -> None:
    for name, day in (("first_day", said.first_day), ("last_day", said.last_day)):
        if not today <= day <= today + timedelta(days=AHEAD_DAYS_MAX):
            detail = f"Say it of today, or of days in the next {AHEAD_DAYS_MAX}"
            raise InvalidInput(detail, (FieldProblem(f"/{name}", detail),))


def _repeated(known: Absence, user: User, child_id: str, said: SaidAbsence) -> Absence:
    if (known.child_id, known.created_by, known.first_day, known.last_day) != (
        child_id, user.id, said.first_day, said.last_day,
    ):  # fmt: skip
        raise Conflict("There is another absence with this id")
    return known
