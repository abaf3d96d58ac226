"""Shapes of coming and going by a parent's app."""

from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field

from server.schemas.base import Input, Output


class AppEntryIn(Input):
    """That a child came or left, by whoever stands at the desk whose code this is; `event_id` is the caller's."""

    event_id: Annotated[UUID, Field(strict=False)]
    kind: Literal["check_in", "check_out"]
    code: Annotated[str, Field(min_length=1, max_length=20, examples=["C3FK DD47"])]


class AppEntryOut(Output):
    """The event that it became, at which version of the log; `needs_review`: it contradicts what others recorded."""

    event_id: str
    version: int
    needs_review: bool
    desk_name: str
