"""Reports over any period: read part by part, so that ten years take no more memory than a month, and hold no lock.

Each part is read in one transaction as it is then. What is written while a long report is read may be in its later
parts and not in its earlier ones; `as_of` of a report is when it was begun.
"""

import asyncio
from dataclasses import dataclass
from datetime import date, datetime
from typing import Final
from zoneinfo import ZoneInfo

from server.core.clock import Clock
from server.core.errors import InvalidInput
from server.models.rooms import Center
from server.repositories import reports
from server.repositories.unit_of_work import UnitsOfWork
from server.services.report_corrections import correction_rows
from server.services.report_days import daily_rows, late_rows
from server.services.report_kinds import (
    KINDS,
    Cut,
    Part,
    ReportKind,
    ReportName,
    ReportRow,
    local,
    parts_of,
)
from server.services.report_people import absence_rows, emergency_rows, hours_rows, usage_rows
from server.services.report_ratio import ratio_rows
from server.services.statements import Statements

__all__ = ["KINDS", "ReportKind", "ReportName", "ReportPlan", "ReportRow", "Reports", "local"]

# Parts that are worked out at once in one process: desks and boards want the same processor.
AT_ONCE_MAX: Final = 2


@dataclass(frozen=True, slots=True)
class ReportPlan:
    """A report that is to be read part by part; `first` and `last` are days of the centre's calendar."""

    kind: ReportKind
    center: Center
    first: date
    last: date
    as_of: datetime
    parts: tuple[Part, ...]


class Reports:
    """Tells what inspectors, bookkeepers and parents ask for on paper."""

    def __init__(self, units: UnitsOfWork, clock: Clock, statements: Statements) -> None:
        """Read through `units`."""
        self._units = units
        self._clock = clock
        self._statements = statements
        self._at_once = asyncio.Semaphore(AT_ONCE_MAX)

    def today(self, center: Center) -> date:
        """Give the day on the calendar of a centre."""
        return self._clock.now().astimezone(ZoneInfo(center.time_zone)).date()

    async def plan(self, center: Center, name: ReportName, first: date | None, last: date | None) -> ReportPlan:
        """Say into which parts a report is cut; days are both included, today at the centre when left out.

        Days before the first event of the centre, of which no report could tell anything, make no parts.

        Raises:
            InvalidInput: the days end before they begin, lie outside 2000 to 2099, or are given for the present alone.

        """
        kind, now = KINDS[name], self._clock.now()
        today = self.today(center)
        if kind.cut is Cut.NOW and not (first in {None, today} and last in {None, today}):
            raise InvalidInput("This list is about now; the page of who was in shows other moments")
        begin, end = first or last or today, last or first or today
        parts = parts_of(kind.cut, begin, end)
        if kind.cut is not Cut.NOW:
            parts = await self._told(center, parts)
        return ReportPlan(kind, center, begin, end, now, tuple(parts))

    async def rows(self, plan: ReportPlan, part: Part) -> list[ReportRow]:
        """Give the lines of one part. Raises DatabaseUnavailable."""
        units, clock, center = self._units, self._clock, plan.center
        async with self._at_once:
            match plan.kind.name:
                case ReportName.DAILY:
                    return await daily_rows(units, center, part)
                case ReportName.HOURS:
                    return await hours_rows(units, clock, center, part)
                case ReportName.RATIO:
                    return await ratio_rows(units, clock, center, part)
                case ReportName.ABSENCES:
                    return await absence_rows(units, clock, center, part)
                case ReportName.LATE_PICKUPS:
                    return await late_rows(units, center, part)
                case ReportName.USAGE:
                    return await usage_rows(units, self._statements, center, part)
                case ReportName.EMERGENCY:
                    return await emergency_rows(units, clock, center, part)
                case ReportName.CORRECTIONS:
                    return await correction_rows(units, center, part)

    async def _told(self, center: Center, parts: list[Part]) -> list[Part]:
        async with self._units.read() as connection:
            begun = await reports.first_day(connection, center.id, center.time_zone)
        return [part for part in parts if begun is not None and part.last >= begun] or parts[-1:]
