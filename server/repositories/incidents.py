"""The SQL of what went wrong on devices: kept once for each id, and never changed."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import msgspec
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from server.core.clock import datetime_of
from sync.incidents import DeviceIncident


@dataclass(frozen=True, slots=True)
class NewIncident:
    """An incident of a device of a centre."""

    center_id: str
    device_id: str
    incident: DeviceIncident


async def append(connection: AsyncConnection, incidents: Sequence[NewIncident], received_at: datetime) -> None:
    """Store incidents; one whose id is stored already is passed over."""
    parameters = {
        "received_at": received_at,
        "center_ids": [one.center_id for one in incidents],
        "device_ids": [one.device_id for one in incidents],
        "event_ids": [one.incident.event_id for one in incidents],
        "names": [one.incident.incident.value for one in incidents],
        "details": [msgspec.json.encode(one.incident.detail).decode() for one in incidents],
        "occurred": [datetime_of(one.incident.occurred_at_ms) for one in incidents],
    }
    await connection.execute(_APPEND, parameters)


_APPEND: Final = text("""
    INSERT INTO device_incident (received_at, center_id, device_id, event_id, incident, detail, occurred_at)
    SELECT CAST(:received_at AS timestamptz), line.center_id, line.device_id, line.event_id, line.incident,
           CAST(line.detail AS jsonb), line.occurred_at
    FROM unnest(CAST(:center_ids AS uuid[]), CAST(:device_ids AS uuid[]), CAST(:event_ids AS uuid[]),
                CAST(:names AS text[]), CAST(:details AS text[]), CAST(:occurred AS timestamptz[]))
         AS line(center_id, device_id, event_id, incident, detail, occurred_at)
    ON CONFLICT (center_id, event_id) DO NOTHING
""")
