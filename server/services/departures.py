"""When a child should have been collected: at the end of what was booked for it, or else when the centre closes; pure.

| what there is                                       | due                                             |
|-----------------------------------------------------|-------------------------------------------------|
| bookings that the stay touches, or that met it      | the end of the last of those that meet          |
| two bookings with time between them                 | the end of the first, until the second begins   |
| no booking, and the centre has a closing time       | its closing time on the day on which it came    |
| a stay that began after that                        | that of the next day                            |
| neither                                             | nothing: nobody can be late                     |

Bookings that meet or overlap are one, as in `server.services.usage`. A booking that ended before the child came says
nothing of when it is to go.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

from server.models.rooms import Center
from server.services.day_windows import Span


class DueBy(StrEnum):
    """What says when a child is to be collected."""

    BOOKING = "booking"
    CLOSING = "closing"


@dataclass(frozen=True, slots=True)
class Due:
    """When (UTC), and what says so."""

    at: datetime
    by: DueBy


def due_of(booked: Iterable[Span], came: datetime | None, until: datetime, center: Center) -> Due | None:
    """Give when a child that came (None: nobody saw it) and was there until a moment should have been collected."""
    begun = [span for span in joined(booked) if span.starts_at < until and (came is None or span.ends_at > came)]
    if begun:
        return Due(begun[-1].ends_at, DueBy.BOOKING)
    closing = _closing_after(came or until, center, is_known=came is not None)
    return None if closing is None else Due(closing, DueBy.CLOSING)


def closing_on(day: date, center: Center) -> datetime | None:
    """Give when a centre closes on a day (UTC); None without hours. Of an hour that comes twice the second one."""
    if center.closes_at is None:
        return None
    at = datetime.combine(day, center.closes_at, ZoneInfo(center.time_zone))
    return max(at.replace(fold=fold).astimezone(UTC) for fold in (0, 1))


def joined(booked: Iterable[Span]) -> list[Span]:
    """Give bookings by time, those that meet or overlap as one."""
    found: list[Span] = []
    for span in sorted(booked, key=lambda one: one.starts_at):
        if found and span.starts_at <= found[-1].ends_at:
            found[-1] = Span(found[-1].starts_at, max(found[-1].ends_at, span.ends_at))
        else:
            found.append(span)
    return found


def _closing_after(moment: datetime, center: Center, *, is_known: bool) -> datetime | None:
    """The closing of the day on which a child came; that of the next day when it came later. Unknown: of that day."""
    day = moment.astimezone(ZoneInfo(center.time_zone)).date()
    closing = closing_on(day, center)
    if closing is not None and is_known and closing <= moment:
        return closing_on(day + timedelta(days=1), center)
    return closing
