"""Shapes of the stays of a guardian's child; every time has the centre's own offset (RFC 3339)."""

from datetime import date, datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field

from server.schemas.base import Input, Line, Output
from server.schemas.presence import Moment

Ends = Literal["arrival", "departure", "stay"]


class HandoverOut(Output):
    """Who brought or collected the child, as what, and how that was recorded.

    `name` empty: nobody said. `retroactive`: entered later than it happened. `corrected`: part of it was said anew.
    """

    name: str
    relationship: str
    method: str
    identity_check: str
    desk_name: str
    recorded_at_desk: bool
    retroactive: bool
    corrected: bool


class OwnWordOut(Output):
    """What I said last of the stay; `open`: a dispute that the centre has not answered."""

    event_id: str
    says: Literal["confirmed", "disputed"]
    reason: str
    at: datetime
    open: bool


class MyStayOut(Output):
    """A stay. `started_at` null: nobody saw the child come; `ended_at` null: it is still in.

    `evidence_id`: by which the centre finds all that is behind it. `assumed`: nobody saw the child go.
    """

    stay_id: str
    evidence_id: str
    started_at: datetime | None
    ended_at: datetime | None
    brought: HandoverOut | None
    collected: HandoverOut | None
    disputed: bool
    assumed: bool
    own_word: OwnWordOut | None


class StayDayOut(Output):
    """The stays that began on a day, the first one first."""

    day: date
    stays: list[MyStayOut]


class MyStayList(Output):
    """The days with stays, the last one first."""

    child_id: str
    first_day: date
    last_day: date
    days: list[StayDayOut]


class ConfirmIn(Input):
    """A confirmation; `event_id` is made by whoever sends it, so that a repeat is harmless."""

    event_id: Annotated[UUID, Field(strict=False)]


class DisputeIn(Input):
    """A dispute: what was not so, why, and when it was in truth (of an arrival or a departure)."""

    event_id: Annotated[UUID, Field(strict=False)]
    about: Ends = "stay"
    reason: Line = Field(min_length=1, max_length=150)
    right_time: Moment | None = None


class SaidOut(Output):
    """The event that the word became; `needs_review`: the centre has to answer it."""

    event_id: str
    version: int
    needs_review: bool
