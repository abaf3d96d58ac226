"""Shapes of what was kept aside, and of what is decided; every time has the centre's own offset (RFC 3339)."""

from datetime import datetime
from typing import Literal
from uuid import UUID

from pydantic import Field

from server.schemas.base import Input, Line, Moment, Output


class SetAsideOut(Output):
    """An entry that was kept aside. `entry` is its hash (64 hexadecimal digits), by which it is decided.

    `occurred_at` is when it says that it happened, by the server's clock; null: nobody can read it. `child_name` is
    empty when the child it names is not on file; `provisional_name` is what the desk called the child then.
    """

    entry: str
    reason: str = Field(examples=["unknown_reference", "lease_expired"])
    says: str
    device_id: str
    device_name: str
    event_id: str
    kind: str
    occurred_at: datetime | None
    received_at: datetime
    child_id: str
    child_name: str
    provisional_name: str
    adult_name: str
    can_be_taken_in: bool
    verdict: str = Field(examples=["", "taken_in", "dismissed"])
    answered_at: datetime | None
    answered_by_name: str
    answer_reason: str


class SetAsideList(Output):
    """Entries, those that came last first; `next_cursor` empty: there are no more."""

    items: list[SetAsideOut]
    next_cursor: str


class VerdictIn(Input):
    """What is decided. `taken_in`: of `child_id`, or of a child called `name` who is not on file (yet).

    Without either it is of the child it names. `occurred_at` says when it happened, if not as it says.
    """

    entry: str = Field(pattern=r"^[0-9a-f]{64}$", description="`entry` of the list")
    verdict: Literal["taken_in", "dismissed"]
    child_id: UUID | None = Field(default=None, strict=False)
    name: Line = Field(default="", max_length=200)
    occurred_at: Moment | None = Field(default=None, strict=False)
    reason: Line = Field(default="", max_length=160)


class VerdictOut(Output):
    """How many entries that tell of the same event were answered now, and the event that tells it from here on."""

    entries: int
    event_id: str | None
