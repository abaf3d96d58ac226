"""Shapes of cards and fobs; what a card says comes in, and never goes out."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import Field

from server.schemas.base import Input, Line, Output


class BarcodeIn(Input):
    """A card that is given out; `id` is made by whoever sends it, so that a repeat is harmless."""

    id: Annotated[UUID, Field(strict=False)]
    barcode: str = Field(min_length=4, max_length=64, description="What a scanner reads, with a digit in it")
    label: Line = Field(default="", max_length=64, examples=["blue fob"])


class BarcodeOut(Output):
    """A card of a person; `revoked_at` null: it is good."""

    id: str
    label: str
    created_at: datetime
    revoked_at: datetime | None


class BarcodeList(Output):
    """The cards of a person, the newest first; also revoked ones, the last of them."""

    items: list[BarcodeOut]
    next_cursor: str
