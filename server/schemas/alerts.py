"""Shapes of what must be known of a child."""

from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field

from server.schemas.base import Input, Output
from server.schemas.people import Text

Kind = Literal["allergy", "medical", "medication", "dietary", "custody", "behaviour", "note"]
Severity = Literal["info", "attention", "critical"]


class AlertIn(Input):
    """An alert that is new; `id` is made by whoever sends it, so that a repeat is harmless."""

    id: Annotated[UUID, Field(strict=False)]
    kind: Kind
    severity: Severity
    text: Text


class AlertChangeIn(Input):
    """What changes; what is left out stays."""

    kind: Kind = "note"
    severity: Severity = "info"
    text: Text = ""


class AlertOut(Output):
    """An alert of a child."""

    id: str
    kind: str
    severity: str
    text: str
    etag: str


class AlertList(Output):
    """The alerts of a child, as a desk shows them."""

    items: list[AlertOut]
    next_cursor: str
