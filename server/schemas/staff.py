"""Shapes of members of staff."""

from datetime import date
from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field

from server.schemas.base import Input, Output
from server.schemas.people import Code, Day, Email, MaybeCode, Name

Role = Literal["manager", "educator", "assistant", "support"]


class StaffIn(Input):
    """Somebody who is new on the staff. `id` is made by whoever sends it, so that a repeat is harmless.

    `role` is what they are at the centre, and no right to sign in.
    """

    id: Annotated[UUID, Field(strict=False)]
    external_id: Code | None = None
    given_name: Name
    family_name: Name
    role: Role
    counts_in_ratio: bool = True
    phone: MaybeCode = ""
    email: Email = ""
    employed_from: Day | None = None
    employed_to: Day | None = None


class StaffChangeIn(Input):
    """What changes; what is left out stays. The days are changed at `employment`."""

    given_name: Name = ""
    family_name: Name = ""
    role: Role = "educator"
    counts_in_ratio: bool = True
    phone: MaybeCode = ""
    email: Email = ""


class StaffOut(Output):
    """A member of staff; `external_id` is the id in roster files and never changes."""

    id: str
    external_id: str
    given_name: str
    family_name: str
    role: Role
    counts_in_ratio: bool
    phone: str
    email: str
    employed_from: date | None
    employed_to: date | None


class StaffList(Output):
    """Members of staff by name, also those who have left."""

    items: list[StaffOut]
    next_cursor: str
