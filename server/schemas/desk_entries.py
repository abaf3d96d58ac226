"""Shapes of what people enter at the server."""

from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field

from server.schemas.base import Input, Line, Moment, Output


class EntryIn(Input):
    """An entry; what goes with which kind is said below.

    `check_in`, `check_out`, `room_move`: `child_id`, `occurred_at`, `room_id` (of a move `to_room_id`), the adult.
    `void`: `named`, a reason. `correct`: `named`, a reason, and what is right: `right_time`, `room_id`, the adult.
    `confirm`: `named`, the adult who confirms, or with `disputes` says that it was not so.
    """

    kind: Literal["check_in", "check_out", "room_move", "void", "correct", "confirm"]
    event_id: UUID | None = Field(default=None, strict=False, description="Makes a repeat harmless")
    child_id: UUID | None = Field(default=None, strict=False)
    occurred_at: Moment | None = Field(default=None, strict=False)
    room_id: UUID | None = Field(default=None, strict=False)
    to_room_id: UUID | None = Field(default=None, strict=False)
    adult_id: UUID | None = Field(default=None, strict=False)
    adult_name: Line = Field(default="", max_length=200)
    named: list[Annotated[UUID, Field(strict=False)]] = Field(default_factory=list, max_length=16)
    right_time: Moment | None = Field(default=None, strict=False)
    disputes: bool = False
    reason_code: str = Field(default="", max_length=40, pattern=r"^[a-z0-9_]*$")
    reason: Line = Field(default="", max_length=200)


class EnteredOut(Output):
    """The event that it became; `needs_review`: it contradicts others, and is in the inbox."""

    event_id: str
    version: int
    needs_review: bool
