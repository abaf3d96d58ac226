"""Shapes of the audit log."""

from datetime import datetime

from pydantic import Field

from server.schemas.base import Output


class AuditEntryOut(Output):
    """Something that a person did or read.

    `verb` is `changed`, `read`, or tells of log-ins: `signed_in`, `signed_out`, `sign_in_failed`, `locked_out`.
    `entity` is a table or a kind of record (`child`, `pickup_authorisation`, ...), `part` what of a child's file was
    read, or how a log-in came to it. `entity` is `more` where one request did so much that only the number of the other
    acts is told, in `entity_id`.
    """

    seq: int
    at: datetime
    actor: str = Field(
        description="Id of the person; `somebody` when nobody knows who it was, `operator` for a command, or a job"
    )
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
