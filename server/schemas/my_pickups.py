"""Shapes of who collects a guardian's child for a day."""

from datetime import date, datetime
from typing import Annotated
from uuid import UUID

from pydantic import Field

from server.schemas.base import Input, Output
from server.schemas.people import Code, Day, Name


class AnnouncementIn(Input):
    """Who collects on which day, and my password again. `id` is made by whoever sends it."""

    id: Annotated[UUID, Field(strict=False)]
    given_name: Name
    family_name: Name
    phone: Code
    relationship: Code
    day: Day
    password: str = Field(min_length=1, max_length=256, repr=False)


class AnnouncementOut(Output):
    """An announcement of mine; `status` says what the centre makes of it, `withdrawn_at` that I took it back."""

    id: str
    child_id: str
    given_name: str
    family_name: str
    phone: str
    relationship: str
    day: date | None
    status: str
    withdrawn_at: datetime | None


class AnnouncementList(Output):
    """My announcements for today and later, by name."""

    items: list[AnnouncementOut]
    next_cursor: str
