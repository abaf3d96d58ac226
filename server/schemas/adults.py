"""Shapes of guardians and contacts, and of the accounts they sign in with."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import Field

from server.schemas.base import Input, Output
from server.schemas.people import Code, Email, MaybeCode, Name


class AdultIn(Input):
    """An adult who is new. `id` is made by whoever sends it, so that a repeat is harmless."""

    id: Annotated[UUID, Field(strict=False)]
    external_id: Code | None = None
    given_name: Name
    family_name: Name
    phone: MaybeCode = ""
    email: Email = ""


class AdultChangeIn(Input):
    """What changes; what is left out stays."""

    given_name: Name = ""
    family_name: Name = ""
    phone: MaybeCode = ""
    email: Email = ""


class AdultOut(Output):
    """An adult; `account_id`: the account they sign in with, null when there is none."""

    id: str
    external_id: str
    given_name: str
    family_name: str
    phone: str
    email: str
    account_id: str | None


class AdultList(Output):
    """Adults by name; `next_cursor` empty: there are no more."""

    items: list[AdultOut]
    next_cursor: str


class AccountLinkIn(Input):
    """Which account is this adult's: one with a role at the centre."""

    user_id: Annotated[UUID, Field(strict=False)]


class AccountLinkOut(Output):
    """The account of an adult at this centre."""

    adult_id: str
    user_id: str
    linked_at: datetime
