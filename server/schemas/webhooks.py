"""Shapes of webhooks and of the log of their deliveries."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field

from server.schemas.base import Input, Line, Output

Kind = Literal[
    "attendance.checked_in", "attendance.checked_out", "attendance.moved", "attendance.closed",
    "attendance.corrected", "attendance.release_refused", "child.changed", "pickup.changed", "absence.announced",
    "absence.changed", "absence.withdrawn", "booking.changed", "finding.opened", "finding.settled", "device.silent",
    "device.heard",
]  # fmt: skip
Kinds = Annotated[list[Kind], Field(min_length=1, max_length=40, examples=[["attendance.checked_in"]])]
Url = Annotated[str, Field(min_length=1, max_length=500, examples=["https://hooks.example.org/rollcall"])]
Description = Annotated[Line, Field(max_length=200, examples=["Billing"])]


class WebhookIn(Input):
    """A new webhook; `id` is made by whoever sends it, so that a repeat is harmless."""

    id: Annotated[UUID, Field(strict=False)]
    url: Url
    description: Description = ""
    kinds: Kinds


class WebhookChangeIn(Input):
    """What shall be otherwise; what is left out stays."""

    url: Url | None = None
    description: Description | None = None
    kinds: Kinds | None = None
    state: Literal["active", "paused"] | None = None


class ReplayIn(Input):
    """From where on a webhook is told again: a version of the change log, a number of a noted event, or both."""

    from_version: Annotated[int, Field(ge=1, le=2**63 - 1)] | None = None
    from_number: Annotated[int, Field(ge=1, le=2**63 - 1)] | None = None


class WebhookOut(Output):
    """A webhook and how it fares; `epoch`, `version` and `number` are how far it was told.

    `pause_reason`: `asked` by somebody, `failing` for three days, `gone` as its receiver said (410). `failing_since`
    and `last_error` tell of failures that have not ended; then it is tried again at `next_try_at`.
    """

    id: str
    url: str
    description: str
    kinds: list[str]
    state: str
    pause_reason: str
    epoch: str | None
    version: int
    number: int
    attempts: int
    failing_since: datetime | None
    last_error: str
    next_try_at: datetime | None
    delivered_at: datetime | None
    rotated_at: datetime | None
    created_at: datetime
    etag: str


class WebhookSecretOut(WebhookOut):
    """A webhook with its secret, which is shown this once; null in the answer to a repeat."""

    secret: str | None = Field(examples=["whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"])


class WebhookList(Output):
    """The webhooks of a centre, the oldest first."""

    items: list[WebhookOut]
    next_cursor: str


class DeliveryOut(Output):
    """One attempt: `status` is that of the answer, null when there was none; then `reason` says why."""

    id: str
    message_id: str
    kind: str
    version: int | None
    number: int | None
    attempt: int
    at: datetime
    took_ms: int
    status: int | None
    outcome: str
    reason: str


class DeliveryList(Output):
    """Attempts of the last 30 days, the newest first."""

    items: list[DeliveryOut]
    next_cursor: str
