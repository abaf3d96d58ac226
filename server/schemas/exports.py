"""Shapes of exports of one's data."""

from datetime import datetime
from typing import Literal

from pydantic import Field

from server.schemas.base import Input, Output


class ExportOut(Output):
    """An export and how far it is; times are in UTC.

    `kind`: `family` (my account, and the children whom I may see) or `child` (the file of `child_id` at `center_id`).
    It can be taken while it is `made`, until `expires_at`. `cause` says why it `ended` without being taken.
    """

    id: str
    kind: Literal["family", "child"]
    center_id: str | None
    child_id: str | None
    state: Literal["queued", "made", "taken", "expired", "ended"]
    cause: Literal["", "withdrawn", "replaced", "rights", "erased", "too_large", "failed"]
    asked_at: datetime
    made_at: datetime | None
    expires_at: datetime | None
    ended_at: datetime | None
    size_bytes: int


class ExportList(Output):
    """My exports, the newest first."""

    items: list[ExportOut]
    next_cursor: str


class ExportPasswordIn(Input):
    """My password again."""

    password: str = Field(min_length=1, max_length=256, repr=False)


class ExportTokenIn(Input):
    """The token that came by mail, or that was given for the password."""

    token: str = Field(min_length=1, max_length=200, repr=False)


class ExportTokenOut(Output):
    """What the export is taken with, once, until `expires_at`."""

    token: str = Field(repr=False)
    expires_at: datetime
