"""Shapes of the audit log."""

from datetime import datetime

from pydantic import Field

from server.schemas.base import Output


class AuditEntryOut(Output):
    """Something that a person did or read.

    `verb` is `changed` or `read`. `entity` is a table or a kind of record (`child`, `pickup_authorisation`, ...),
    `part` what of a child's file was read. `entity` is `more` where one request did so much that only the number of
    the other acts is told, in `entity_id`.
    """

    seq: int
    at: datetime
    actor: str = Field(description="Id of the person")
    verb: str
    entity: str
    entity_id: str
    part: str
    route: str = Field(examples=["PATCH /centers/{center_id}/children/{child_id}"])
    request_id: str


class AuditList(Output):
    """A page of the audit log, the newest first."""

    items: list[AuditEntryOut]
    next_cursor: str
