"""Shapes of children on the roster."""

from datetime import date
from typing import Annotated
from uuid import UUID

from pydantic import Field

from server.schemas.base import Input, Output
from server.schemas.people import Code, Day, MaybeName, Name


class ChildIn(Input):
    """A child that is new. `id` is made by whoever sends it, so that a repeat is harmless.

    Without `external_id` the child is called by `id` in roster files as well.
    """

    id: Annotated[UUID, Field(strict=False)]
    external_id: Code | None = None
    given_name: Name
    family_name: Name
    preferred_name: MaybeName = ""
    birth_date: Day | None = None
    home_room_id: Annotated[UUID, Field(strict=False)] | None = None
    enrolled: bool = True


class ChildChangeIn(Input):
    """What changes; what is left out stays."""

    given_name: Name = ""
    family_name: Name = ""
    preferred_name: MaybeName = ""
    birth_date: Day | None = None
    home_room_id: Annotated[UUID, Field(strict=False)] | None = None
    enrolled: bool = True


class ChildOut(Output):
    """A child; `external_id` is its id in roster files and never changes."""

    id: str
    external_id: str
    given_name: str
    family_name: str
    preferred_name: str
    birth_date: date | None
    home_room_id: str | None
    enrolled: bool


class ListedChildOut(ChildOut):
    """A child on a list; `version` is that of the centre's log at which it, or an alert of it, last changed."""

    version: int


class ChildList(Output):
    """Children by name. `version`: what to send as `updated_since` to learn of later changes (of the first page)."""

    items: list[ListedChildOut]
    next_cursor: str
    version: int
