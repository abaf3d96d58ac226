"""The reports that there are: their columns, who may read them, and into which parts a period is cut; pure."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Final
from zoneinfo import ZoneInfo

from server.core.clock import datetime_of
from server.core.errors import InvalidInput
from server.models.accounts import RoleId
from server.services.access import MANAGER_AND_UP, STAFF_AND_UP
from sync.records import day_bounds_ms

YEAR_MIN: Final = 2000
YEAR_MAX: Final = 2099
_DAY: Final = timedelta(days=1)

ReportRow = tuple[str, ...]
"""The cells of a line, as many as the report has columns."""


class ReportName(StrEnum):
    """What can be asked for, as addresses name it."""

    DAILY = "daily"
    HOURS = "hours"
    RATIO = "ratio"
    ABSENCES = "absences"
    LATE_PICKUPS = "late-pickups"
    USAGE = "usage"
    EMERGENCY = "emergency"
    CORRECTIONS = "corrections"


class Cut(StrEnum):
    """What is read in one transaction: a week or a month of the calendar, or one moment."""

    WEEK = "week"
    MONTH = "month"
    NOW = "now"


@dataclass(frozen=True, slots=True)
class ReportColumn:
    """A column, and its part of the width of a printed page."""

    title: str
    weight: float = 1.0


@dataclass(frozen=True, slots=True)
class ReportKind:
    """A report: what it is called, what it tells, who may read it."""

    name: ReportName
    title: str
    about: str
    cut: Cut
    roles: frozenset[RoleId]
    columns: tuple[ReportColumn, ...]


@dataclass(frozen=True, slots=True)
class Part:
    """Days of a report, both included, that are read together."""

    first: date
    last: date

    def bounds(self, time_zone: str) -> tuple[datetime, datetime]:
        """Give its first moment and the first one after it."""
        return (
            datetime_of(day_bounds_ms(self.first.isoformat(), time_zone)[0]),
            datetime_of(day_bounds_ms(self.last.isoformat(), time_zone)[1]),
        )

    def days(self) -> Iterator[date]:
        """Give its days."""
        day = self.first
        while day <= self.last:
            yield day
            day += _DAY


def parts_of(cut: Cut, first: date, last: date) -> list[Part]:
    """Cut days (both included) at the ends of weeks or months.

    Raises:
        InvalidInput: the days end before they begin, or lie outside 2000 to 2099.

    """
    if not (first <= last and first.year >= YEAR_MIN and last.year <= YEAR_MAX):
        raise InvalidInput(f"Ask for a first day and a last one after it, in the years {YEAR_MIN} to {YEAR_MAX}")
    parts: list[Part] = []
    day = first
    while day <= last:
        end = min(last, _end(cut, day, last))
        parts.append(Part(day, end))
        day = end + _DAY
    return parts


def _end(cut: Cut, day: date, last: date) -> date:
    if cut is Cut.WEEK:
        return day + timedelta(days=6 - day.weekday())
    if cut is Cut.MONTH:
        return (day.replace(day=1) + timedelta(days=31)).replace(day=1) - _DAY
    return last


def local(moment: datetime | int | None, zone: ZoneInfo) -> str:
    """Give a moment (or UTC milliseconds) by the centre's clocks, with its offset; empty: it is not known."""
    if moment is None:
        return ""
    at = datetime_of(moment) if isinstance(moment, int) else moment
    return at.astimezone(zone).isoformat(sep=" ", timespec="seconds")


def in_words(code: str) -> str:
    """Give a code as people read it."""
    return code.replace("_", " ")


def full_name(given_name: str, family_name: str) -> str:
    """Give a name as lists have it; whoever is not on file (any more) has none."""
    return f"{given_name} {family_name}".strip() or "not on file"


def _columns(*titles: str, **weights: float) -> tuple[ReportColumn, ...]:
    return tuple(ReportColumn(title, weights.get(title.lower().replace(" ", "_"), 1.0)) for title in titles)


KINDS: Final = {
    one.name: one
    for one in (
        ReportKind(
            ReportName.DAILY,
            "Daily sign-in and sign-out sheet",
            "Every stay with both ends: who brought and collected the child, how that was recorded, at which desk, and "
            "whether the desk's signature of the entry still verifies.",
            Cut.WEEK,
            STAFF_AND_UP,
            _columns(
                "Day",
                "Child",
                "Room",
                "Came",
                "Brought by",
                "Method in",
                "Desk in",
                "Signature in",
                "Left",
                "Collected by",
                "Method out",
                "Desk out",
                "Signature out",
                "Remarks",
                child=1.4,
                came=1.1,
                left=1.1,
                method_in=1.2,
                method_out=1.2,
                remarks=1.2,
            ),
        ),
        ReportKind(
            ReportName.HOURS,
            "Hours per child",
            "Days, stays and hours of each child, month by month. A stay is cut at the ends of the period; one whose "
            "arrival nobody saw counts no hours, one that goes on counts up to now.",
            Cut.MONTH,
            MANAGER_AND_UP,
            _columns("From", "To", "Child", "Days", "Stays", "Hours", "Unsure stays", "Assumed ends", child=3),
        ),
        ReportKind(
            ReportName.RATIO,
            "Ratio per room and quarter of an hour",
            "Each room in which somebody was: who was there when most was missing within the quarter, and what the "
            "rules of that day wanted.",
            Cut.WEEK,
            MANAGER_AND_UP,
            _columns(
                "From",
                "To",
                "Room",
                "Children",
                "Staff",
                "Counted staff",
                "Staff needed",
                "Children allowed",
                "Group cap",
                "State",
                "Breach",
                **{"from": 2, "to": 2, "room": 2, "state": 1.5},
            ),
        ),
        ReportKind(
            ReportName.ABSENCES,
            "Absences",
            "Every child that was announced not to come, or was expected and did not come, with the calls that were "
            "made. Who is expected follows today's roster and its dates.",
            Cut.WEEK,
            MANAGER_AND_UP,
            _columns(
                "Day",
                "Child",
                "State",
                "Kind",
                "Announced at",
                "Announced by",
                "Justified",
                "Billable",
                "Came at",
                "Note",
                "Calls",
                child=1.5,
                announced_at=1.2,
                came_at=1.2,
                note=1.6,
                calls=2.4,
            ),
        ),
        ReportKind(
            ReportName.LATE_PICKUPS,
            "Late pick-ups",
            "Every stay that ended after the end of what was booked for it, or without a booking after the centre "
            "closed.",
            Cut.WEEK,
            MANAGER_AND_UP,
            _columns(
                "Day",
                "Child",
                "Due",
                "Due by",
                "Left",
                "Minutes late",
                "Collected by",
                "Method",
                "Desk",
                "Remarks",
                child=1.6,
                due=1.4,
                left=1.4,
                collected_by=1.4,
                remarks=1.4,
            ),
        ),
        ReportKind(
            ReportName.USAGE,
            "Service usage",
            "What each child used, as the statements have it: locked days as they were known when they were locked.",
            Cut.MONTH,
            MANAGER_AND_UP,
            _columns(
                "Day",
                "Child",
                "Kind",
                "Service",
                "Quantity",
                "Unit",
                "Booked from",
                "Booked to",
                "Attended from",
                "Attended to",
                "Amount",
                "Currency",
                "Remarks",
                child=1.6,
                booked_from=1.3,
                booked_to=1.3,
                attended_from=1.3,
                attended_to=1.3,
                remarks=1.2,
            ),
        ),
        ReportKind(
            ReportName.EMERGENCY,
            "Emergency list",
            "The children who are in now, with what must be known of them and whom to call, in the order of calling.",
            Cut.NOW,
            STAFF_AND_UP,
            _columns(
                "Child",
                "Room",
                "In since",
                "Alerts",
                "Call",
                "Seen",
                child=1.6,
                room=1,
                in_since=1.2,
                alerts=3,
                call=3.4,
                seen=0.4,
            ),
        ),
        ReportKind(
            ReportName.CORRECTIONS,
            "Audit trail of corrections",
            "Every void, correction and answer to a finding, by the day on which it was made: who, why, and each value "
            "before and after. Nothing that was said first is ever deleted.",
            Cut.MONTH,
            MANAGER_AND_UP,
            _columns(
                "Made at",
                "Made by",
                "Desk",
                "What",
                "About",
                "Event",
                "Happened at",
                "Before",
                "After",
                "Reason",
                "In effect",
                "Event id",
                made_at=1.1,
                about=1.3,
                before=1.5,
                after=1.5,
                reason=1.5,
                event_id=1.4,
                happened_at=1.1,
            ),
        ),
    )
}
"""Every report by its name."""
