"""Shapes of erasures and legal holds."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field

from server.schemas.base import Input, Output
from server.schemas.people import Name

Kind = Literal["child", "adult"]
Reason = Literal["family_asked", "left", "mistake", "court_order", "retention_over", "other"]


class ErasureIn(Input):
    """Whom to erase. `id` is made by whoever sends it."""

    id: Annotated[UUID, Field(strict=False)]
    kind: Kind
    person_id: Annotated[UUID, Field(strict=False)]


class ConfirmationIn(Input):
    """Why, and my password again. Nothing brings back what is erased."""

    reason: Reason
    password: str = Field(min_length=1, max_length=256, repr=False)


class ErasureOut(Output):
    """An erasure: `asked`, `done` or `withdrawn`; `confirm_by` is there while it is asked for."""

    id: str
    kind: str
    person_id: str
    state: str
    reason: str
    asked_at: datetime
    asked_by: str
    confirm_by: datetime | None
    ended_at: datetime | None
    ended_by: str


class ErasureList(Output):
    """Erasures by id."""

    items: list[ErasureOut]
    next_cursor: str


class ErasureAsked(ErasureOut):
    """An erasure with what it takes away: `adults` are those whom no other child needs, and who go with the child."""

    adults: list[str]
    alerts: int
    pickups: int
    photos: int
    cards: int
    accounts: int


class HoldIn(Input):
    """Whom to hold, and why (the file number of a court, say, and no name). `id` is made by whoever sends it."""

    id: Annotated[UUID, Field(strict=False)]
    person_id: Annotated[UUID, Field(strict=False)]
    reason: Name


class HoldOut(Output):
    """A hold that stands."""

    id: str
    person_id: str
    reason: str
    placed_at: datetime
    placed_by: str


class HoldList(Output):
    """The holds of a centre that stand."""

    items: list[HoldOut]
    next_cursor: str
