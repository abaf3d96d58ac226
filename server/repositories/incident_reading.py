"""The SQL that lists incidents for people, and what is known of the lives of a log."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

import msgspec
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from sync.incidents import Detail


@dataclass(frozen=True, slots=True)
class IncidentRow:
    """An incident of a device; `device_name` is empty when the device is not known any more."""

    event_id: str
    device_id: str
    device_name: str
    incident: str
    detail: Detail
    occurred_at: datetime
    received_at: datetime


@dataclass(frozen=True, slots=True)
class RestoredLife:
    """A life of a log that a restore began, and what came of the life before.

    `desks` of the centre had seen more of it than the backup held, at most up to `seen_version` (0: none did), and put
    back `witnessed` facts of others. `events` that were recorded before the restore came in after it.
    """

    epoch: str
    from_version: int
    began_at: datetime
    desks: int
    seen_version: int
    witnessed: int
    events: int


async def newest(connection: AsyncConnection, center_id: str, *, limit: int) -> list[IncidentRow]:
    """Give the incidents of a centre, the newest first."""
    rows = await connection.execute(_NEWEST, {"center_id": center_id, "limit": limit})
    return [
        IncidentRow(
            event_id=str(row.event_id),
            device_id=str(row.device_id),
            device_name=row.name or "",
            incident=row.incident,
            detail=msgspec.json.decode(row.detail, type=Detail),
            occurred_at=row.occurred_at,
            received_at=row.received_at,
        )
        for row in rows
    ]


async def restored_lives(connection: AsyncConnection, center_id: str) -> list[RestoredLife]:
    """Give every life of a centre's log that a restore began, in order."""
    rows = await connection.execute(_RESTORED, {"center_id": center_id})
    return [
        RestoredLife(
            epoch=str(row.epoch),
            from_version=row.from_version,
            began_at=row.began_at,
            desks=row.desks,
            seen_version=int(row.seen_version),
            witnessed=int(row.witnessed),
            events=row.events,
        )
        for row in rows
    ]


_NEWEST: Final = text("""
    SELECT kept.event_id, kept.device_id, device.name, kept.incident, CAST(kept.detail AS text) AS detail,
           kept.occurred_at, kept.received_at
    FROM device_incident AS kept
    LEFT JOIN device ON device.id = kept.device_id AND device.center_id = kept.center_id
    WHERE kept.center_id = :center_id ORDER BY kept.received_at DESC, kept.event_id DESC LIMIT :limit
""")
# A desk says from which position of which life it came, and to which. What it says is not trusted to be a number.
_RESTORED: Final = text("""
    WITH reconciled AS (
        SELECT device_id, detail ->> 'to_epoch' AS to_epoch,
               CASE WHEN jsonb_typeof(detail -> 'from_version') = 'number'
                    THEN CAST(detail ->> 'from_version' AS numeric) ELSE 0 END AS from_version,
               CASE WHEN jsonb_typeof(detail -> 'witnessed') = 'number'
                    THEN CAST(detail ->> 'witnessed' AS numeric) ELSE 0 END AS witnessed
        FROM device_incident WHERE center_id = :center_id AND incident = 'reconciled'
    )
    SELECT life.epoch, life.from_version, life.began_at, count(DISTINCT seen.device_id) AS desks,
           coalesce(max(seen.from_version), 0) AS seen_version,
           (SELECT coalesce(sum(witnessed), 0) FROM reconciled WHERE to_epoch = CAST(life.epoch AS text)) AS witnessed,
           (SELECT count(*) FROM attendance_event AS fact
            WHERE fact.center_id = :center_id AND fact.version > life.from_version
              AND fact.recorded_at < life.began_at) AS events
    FROM log_epoch AS life
    LEFT JOIN reconciled AS seen ON seen.to_epoch = CAST(life.epoch AS text) AND seen.from_version > life.from_version
    WHERE life.center_id = :center_id AND life.reason = 'restored'
    GROUP BY life.epoch, life.from_version, life.began_at
    ORDER BY life.from_version, life.began_at, life.epoch
""")
