"""Shapes of bookings; every time has the centre's own offset (RFC 3339)."""

from datetime import date, datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field

from server.schemas.base import Input, Line, Moment, Output

BATCH_MAX = 100
Status = Literal[
    "requested", "waitlisted", "confirmed", "declined", "cancelled_by_parent", "cancelled_by_centre", "attended",
    "no_show",
]  # fmt: skip


class BookingIn(Input):
    """A child wants a service on a day. The id is the client's, and unique for ever: asking again gives the same.

    The two moments are for services by the hour; without them it is the whole window of the service.
    """

    id: UUID = Field(strict=False)
    child_id: UUID = Field(strict=False)
    service_id: UUID = Field(strict=False)
    day: date = Field(strict=False)
    starts_at: Moment | None = Field(default=None, strict=False)
    ends_at: Moment | None = Field(default=None, strict=False)
    if_full: Literal["waitlist", "refuse"] = "waitlist"


class BatchIn(Input):
    """Several wishes, taken in their order: `all` books all of them or none, `each` says of each what became of it."""

    mode: Literal["all", "each"]
    items: Annotated[list[BookingIn], Field(min_length=1, max_length=BATCH_MAX)]


class CancelIn(Input):
    """Why; and, when staff cancel, on whose behalf: a parent who calls too late is charged, the centre never is."""

    reason: Annotated[Line, Field(max_length=200)] = ""
    on_behalf_of: Literal["parent", "centre"] = "centre"


class DecisionIn(Input):
    """An answer to a request, or to somebody who waits."""

    decision: Literal["confirm", "decline"]
    reason: Annotated[Line, Field(max_length=200)] = ""


class BookingOut(Output):
    """A booking. `chargeable`: it was cancelled too late to be free. `waitlist_position` 1 is the next to get a place.

    `cause` says why it ended before it was used: parent, centre, closure, schedule_ended, enrolment_ended or expired.
    """

    id: str
    child_id: str
    service_id: str
    schedule_id: str | None
    day: date
    starts_at: datetime
    ends_at: datetime
    status: str = Field(examples=["confirmed", "waitlisted"])
    source: str = Field(examples=["parent", "staff", "schedule"])
    waitlist_position: int | None
    answer_by: datetime | None
    chargeable: bool
    cause: str
    reason: str
    made_by: str | None
    created_at: datetime
    changed_at: datetime | None
    cancelled_at: datetime | None


class BookingList(Output):
    """By begin; `next_cursor` empty: there are no more.

    `as_of` of the first page: what to send as `updated_since` to learn of later changes. It lies two minutes back, so
    that nothing is missed; some of what is new comes twice.
    """

    items: list[BookingOut]
    next_cursor: str
    as_of: datetime


class RefusalOut(Output):
    """Why there is no booking."""

    code: str = Field(examples=["no_place", "already_booked"])
    detail: str


class ResultOut(Output):
    """What became of one wish: one of the two."""

    id: str
    booking: BookingOut | None
    refusal: RefusalOut | None


class BatchOut(Output):
    """In the order of the wishes."""

    items: list[ResultOut]
