"""Shapes of a centre's calendar."""

from datetime import date, datetime

from pydantic import Field

from server.schemas.base import Input, Line, Output


class DaysIn(Input):
    """Some days, both included; at most a year at once."""

    first_day: date = Field(strict=False)
    last_day: date = Field(strict=False)
    reason: Line = Field(default="", max_length=200)


class DaysOut(Output):
    """A closure, or a lock; `at` is when it was made, and of a lock since when the figures stand."""

    id: str
    first_day: date
    last_day: date
    reason: str
    at: datetime


class DaysList(Output):
    """The earliest first."""

    items: list[DaysOut]
    next_cursor: str
