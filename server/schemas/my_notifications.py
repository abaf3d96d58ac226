"""Shapes of what guardians want to be told by mail."""

from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field

from server.schemas.base import Input, Output

NoticeKind = Literal["checked_in", "checked_out", "booking", "pickups", "late_pick_up", "absence_asked"]


class ChoiceIn(Input):
    """Of what to be told about a child; an empty list: of nothing."""

    child_id: Annotated[UUID, Field(strict=False)]
    kinds: Annotated[list[NoticeKind], Field(max_length=20)]


class NotificationsIn(Input):
    """Choices for some children; those that are not named stay as they are."""

    items: Annotated[list[ChoiceIn], Field(min_length=1, max_length=100)]


class ChoiceOut(Output):
    """Of what I am told about a child; `may_hear` false: the centre lets me be told of nothing."""

    child_id: str
    kinds: list[str]
    may_hear: bool


class NotificationsOut(Output):
    """For children whom I may see; after a change, for those that it named."""

    items: list[ChoiceOut]
    next_cursor: str
