"""Shapes of who comes regularly."""

from datetime import date
from uuid import UUID

from pydantic import Field

from server.schemas.base import Input, Output
from server.schemas.offers import TimeText, Weekdays


class ScheduleIn(Input):
    """A child comes on some weekdays from a day on; the times are for services by the hour. The id is the client's."""

    id: UUID = Field(strict=False)
    child_id: UUID = Field(strict=False)
    service_id: UUID = Field(strict=False)
    weekdays: Weekdays
    first_day: date = Field(strict=False)
    last_day: date | None = Field(default=None, strict=False)
    from_time: TimeText | None = None
    to_time: TimeText | None = None


class EndScheduleIn(Input):
    """The last day on which it holds."""

    last_day: date = Field(strict=False)


class BookScheduleIn(Input):
    """How far ahead."""

    weeks: int = Field(ge=1, le=52)


class ScheduleOut(Output):
    """A schedule; without a last day it goes on until it is ended."""

    id: str
    child_id: str
    service_id: str
    weekdays: list[int]
    first_day: date
    last_day: date | None
    from_time: str | None
    to_time: str | None


class MadeOut(Output):
    """What became of its days that were not booked yet, and the days that were left out."""

    confirmed: int
    waitlisted: int
    closed: list[date]
    booked_already: list[date]


class NewScheduleOut(Output):
    """A schedule, and what was booked for it."""

    schedule: ScheduleOut
    made: MadeOut


class EndedScheduleOut(Output):
    """A schedule that ends, and how many of its bookings were given back."""

    schedule: ScheduleOut
    cancelled: int


class ScheduleList(Output):
    """Those made first before others."""

    items: list[ScheduleOut]
    next_cursor: str
