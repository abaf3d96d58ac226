"""Shapes of incidents."""

from datetime import datetime

from server.schemas.base import Output


class IncidentOut(Output):
    """Something that went wrong on a device; `detail` holds a few numbers and short texts."""

    id: str
    device_id: str
    device_name: str
    incident: str
    detail: dict[str, int | str]
    occurred_at: datetime
    received_at: datetime


class RestoreOut(Output):
    """A restore from a backup that ended at `version`.

    `desks` had seen more of the log than that, at most up to `seen_version` (0: none had). They put back `witnessed`
    events of other desks; in all, `events` that were recorded before the restore came in after it. Changes to the
    roster behind `version` do not come back by themselves.
    """

    epoch: str
    version: int
    restored_at: datetime
    desks: int
    seen_version: int
    witnessed: int
    events: int


class IncidentList(Output):
    """The newest incidents, the newest first, and every restore."""

    items: list[IncidentOut]
    next_cursor: str
    restores: list[RestoreOut]
