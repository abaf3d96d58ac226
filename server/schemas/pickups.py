"""Shapes of who may collect a child."""

from datetime import date, datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field

from server.schemas.base import Input, Output
from server.schemas.people import Day

Status = Literal["authorised", "temporary", "not_authorised", "suspended"]


class PickupIn(Input):
    """Whether an adult may collect; one that is `temporary` says until which day."""

    id: Annotated[UUID, Field(strict=False)]
    adult_id: Annotated[UUID, Field(strict=False)]
    status: Status
    valid_from: Day | None = None
    valid_to: Day | None = None


class PickupChangeIn(Input):
    """What changes; what is left out stays."""

    status: Status = "suspended"
    valid_from: Day | None = None
    valid_to: Day | None = None


class StatusSinceOut(Output):
    """A status, and since when it is or was so; null: since before any change."""

    since: datetime | None
    status: str


class PickupOut(Output):
    """Whether an adult may collect a child, and how that came to be.

    `announced`: a guardian announced it for a day; `withdrawn_at`: and took it back.
    """

    id: str
    child_id: str
    adult_id: str
    given_name: str
    family_name: str
    relationship: str
    status: str
    valid_from: date | None
    valid_to: date | None
    history: list[StatusSinceOut]
    announced: bool
    withdrawn_at: datetime | None
    etag: str


class PickupList(Output):
    """Who may collect a child, and who must not, by name."""

    items: list[PickupOut]
    next_cursor: str
