"""Shapes of what adults are to a child, and of their rights."""

from typing import Annotated

from pydantic import Field

from server.schemas.base import Input, Output
from server.schemas.people import MaybeCode


class RelationshipIn(Input):
    """What an adult is to a child. A right that is null is that of a legal guardian: theirs, and nobody else's."""

    kind: MaybeCode = ""
    legal_guardian: bool = False
    can_view: bool | None = None
    can_book: bool | None = None
    receives_notifications: bool | None = None
    emergency_rank: Annotated[int, Field(ge=1, le=99)] | None = None


class RightsOut(Output):
    """What an adult may do for a child, once what nobody decided has been."""

    can_view: bool
    can_book: bool
    receives_notifications: bool


class RelationshipOut(Output):
    """A relationship: what was decided, and the rights that follow. `emergency_rank` 1 is called first."""

    adult_id: str
    given_name: str
    family_name: str
    kind: str
    legal_guardian: bool
    can_view: bool | None
    can_book: bool | None
    receives_notifications: bool | None
    emergency_rank: int | None
    rights: RightsOut
    etag: str


class RelationshipList(Output):
    """The relationships of a child: those who are called first, then by name."""

    items: list[RelationshipOut]
    next_cursor: str
