"""Shapes of absences as guardians announce and read them."""

from datetime import date, datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field

from server.schemas.absences import Kind
from server.schemas.base import Input, Line, Output
from server.schemas.people import Day

SaidKind = Literal["sick", "holiday", "appointment", "other"]


class MyAbsenceIn(Input):
    """Days on which a child of mine will not come, both included; `id` is the app's, and makes a repeat harmless."""

    id: Annotated[UUID, Field(strict=False)]
    first_day: Day
    last_day: Day
    kind: SaidKind
    note: Line = Field(default="", max_length=500, description="For the staff; no desk and no other guardian sees it")


class MyAbsenceOut(Output):
    """An absence of a child of mine; `withdrawn_at`: since when it is none any more.

    `mine`: I announced it. What others wrote beside theirs is not told.
    """

    id: str
    child_id: str
    first_day: date
    last_day: date
    kind: Kind
    mine: bool
    note: str
    announced_at: datetime
    withdrawn_at: datetime | None


class MyAbsenceList(Output):
    """The latest first, withdrawn ones among them."""

    items: list[MyAbsenceOut]
    next_cursor: str
