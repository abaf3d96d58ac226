"""What a guardian's children used, month by month, and what it comes to: the statements that the centre sees.

A charge belongs to a child. Whoever may see the child and book for it sees all of its charges, whoever booked: the
centre keeps no account for each parent, and a part of a bill is no bill.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import islice
from typing import Final
from zoneinfo import ZoneInfo

from server.core.clock import Clock
from server.core.errors import NotFound
from server.models.rooms import Center
from server.repositories import centers, usage_days
from server.repositories.guardian_accounts import FamilyChild
from server.repositories.unit_of_work import UnitOfWork, UnitsOfWork
from server.services.access import User
from server.services.child_files import Part, read_child
from server.services.guardian_rights import child_of, children_of
from server.services.statements import USAGE_RULES, Statement, Statements

__all__ = ["USAGE_RULES", "Key", "MyStatement", "MyStatements", "Statement", "StatementPage"]

# Each is worked out from the facts of a month and the days around it.
STATEMENTS_MAX: Final = 12
STATEMENTS: Final = 6

Key = tuple[date, str]
"""The first day of a month, and a child: after which of them a page begins."""


@dataclass(frozen=True, slots=True)
class MyStatement:
    """The statement of a child for a month."""

    child: FamilyChild
    month: date
    statement: Statement


@dataclass(frozen=True, slots=True)
class StatementPage:
    """Some statements, the newest month first; `after` is the last of them when there are more."""

    items: Sequence[MyStatement]
    after: Key | None


class MyStatements:
    """Tells guardians what was used."""

    def __init__(self, units: UnitsOfWork, clock: Clock, statements: Statements) -> None:
        """Read through `units`; `statements` works them out."""
        self._units = units
        self._clock = clock
        self._statements = statements

    async def page(self, user: User, after: Key | None, limit: int) -> StatementPage:
        """Give the statements of the children for whom an account may book, from this month back to the first one."""
        async with self._units.begin() as unit:
            children = [one for one in await children_of(unit.connection, user) if one.can_book]
            spans = await self._spans(unit, children)
            wanted = list(islice(months_of(spans, after), limit + 1))
            shown = {one.child_id: one for one in children}
            at = {center_id: await _center(unit, center_id) for center_id in {one.center_id for one in children}}
            for child_id in dict.fromkeys(child_id for _, child_id in wanted[:limit]):
                await read_child(unit, user, shown[child_id].center_id, child_id, Part.STATEMENT)
        items = [
            await self._worked_out(at[shown[child_id].center_id], shown[child_id], month)
            for month, child_id in wanted[:limit]
        ]
        return StatementPage(items, wanted[limit - 1] if len(wanted) > limit else None)

    async def of_month(self, user: User, child_id: str, month: date) -> MyStatement:
        """Give the statement of a child for the month that begins with a day.

        Raises:
            NotFound: it is no child of the account's, or none for which it may book.
            InvalidInput: the month does not lie in 2000 to 2099.

        """
        async with self._units.begin() as unit:
            child = await child_of(unit.connection, user, child_id)
            if not child.can_book:
                raise NotFound("There is no such child among those for whom you book")
            await read_child(unit, user, child.center_id, child_id, Part.STATEMENT)
            center = await _center(unit, child.center_id)
        return await self._worked_out(center, child, month)

    async def _worked_out(self, center: Center, child: FamilyChild, month: date) -> MyStatement:
        found = await self._statements.of_child(center, child.child_id, month, last_of(month))
        return MyStatement(child, month, found)

    async def _spans(self, unit: UnitOfWork, children: Sequence[FamilyChild]) -> dict[str, tuple[date, date]]:
        """The first and the newest month of each child of which there is anything."""
        spans: dict[str, tuple[date, date]] = {}
        zones = {one.center_id: one.time_zone for one in children}
        for center_id, zone in zones.items():
            ids = [one.child_id for one in children if one.center_id == center_id]
            today = self._clock.now().astimezone(ZoneInfo(zone)).date()
            found = await usage_days.first_days(unit.connection, center_id, ids, time_zone=zone)
            spans.update({child_id: (day.replace(day=1), today.replace(day=1)) for child_id, day in found.items()})
        return spans


def months_of(spans: Mapping[str, tuple[date, date]], after: Key | None) -> Iterator[Key]:
    """Give each month of each child between its first and its newest one, the newest first, after a key."""
    month = max((newest for _, newest in spans.values()), default=date.min)
    oldest = min((first for first, _ in spans.values()), default=date.max)
    while month >= oldest:
        for child_id, (first, newest) in sorted(spans.items()):
            is_later = after is None or month < after[0] or (month == after[0] and child_id > after[1])
            if first <= month <= newest and is_later:
                yield month, child_id
        month = (month - timedelta(days=1)).replace(day=1)


def last_of(month: date) -> date:
    """Give the last day of the month that begins with a day."""
    return (month.replace(day=28) + timedelta(days=4)).replace(day=1) - timedelta(days=1)


async def _center(unit: UnitOfWork, center_id: str) -> Center:
    center = await centers.find(unit.session, center_id)
    assert center is not None, "a child of a family is at a centre"
    return center
