"""Shapes of absences; every time has the centre's own offset (RFC 3339)."""

from datetime import date, datetime
from typing import Literal
from uuid import UUID

from pydantic import Field

from server.schemas.base import Input, Line, Moment, Output

Kind = Literal["sick", "holiday", "appointment", "other", "unexplained"]
Result = Literal["reached", "no_answer", "message_left", "other"]


class AbsenceTermsIn(Input):
    """Why the child does not come, and what follows from it."""

    kind: Kind
    justified: bool = False
    billable: bool = True
    note: Line = Field(default="", max_length=500, description="For the staff; no desk shows it")


class AbsenceIn(AbsenceTermsIn):
    """Days without a child, both included, at most 366; `absence_id` is the caller's, and makes a repeat harmless.

    `informed_at` and `informed_by`: when who of the family said so.
    """

    absence_id: UUID = Field(strict=False)
    first_day: date = Field(strict=False)
    last_day: date = Field(strict=False)
    informed_at: Moment | None = Field(default=None, strict=False)
    informed_by: Line = Field(default="", max_length=200)


class AbsenceOut(Output):
    """An absence; `withdrawn_at`: since when it is none any more. `etag` is what a change sends as If-Match."""

    absence_id: str
    child_id: str
    first_day: date
    last_day: date
    kind: Kind
    justified: bool
    billable: bool
    note: str
    informed_at: datetime | None
    informed_by: str
    created_at: datetime
    changed_at: datetime
    withdrawn_at: datetime | None
    etag: str


class AbsenceList(Output):
    """The latest first, withdrawn ones among them."""

    items: list[AbsenceOut]
    next_cursor: str


class AbsentChildOut(Output):
    """A child as the lists of a day name it."""

    child_id: str
    given_name: str
    family_name: str
    preferred_name: str
    home_room_id: str | None


class DayAbsenceOut(Output):
    """An absence of a day and its child.

    `has_come`: the child was here on the day all the same. `ended_at`: when it first came within the absence, which
    is over since then; null: it did not come.
    """

    child: AbsentChildOut
    absence: AbsenceOut
    has_come: bool
    ended_at: datetime | None


class DayAbsenceList(Output):
    """All absences of a day, by the children's names."""

    day: date
    items: list[DayAbsenceOut]
    next_cursor: str


class FollowUpIn(Input):
    """A call about a child that did not come; `follow_up_id` is a UUID that the caller made."""

    follow_up_id: UUID = Field(strict=False)
    day: date = Field(strict=False)
    result: Result
    note: Line = Field(default="", max_length=500)


class FollowUpOut(Output):
    """A call, and who noted it when."""

    follow_up_id: str
    child_id: str
    day: date
    at: datetime
    by: str
    result: Result
    note: str


class MissingChildOut(Output):
    """A child that nobody announced and nobody saw, and the calls about it."""

    child: AbsentChildOut
    follow_ups: list[FollowUpOut]


class MissingOut(Output):
    """Who of the expected children did not come by a moment; nobody is expected where the centre is not open."""

    day: date
    by: datetime
    is_open: bool
    expected: int
    items: list[MissingChildOut]
    next_cursor: str
