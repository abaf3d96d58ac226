"""The SQL of desks that should be heard and are not."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import text

from server.repositories.unit_of_work import Connection


@dataclass(frozen=True, slots=True)
class HeardDesk:
    """An active kiosk: when it was last heard (or enrolled), and since when it is known to be silent."""

    device_id: str
    heard_at: datetime
    silent_since: datetime | None


async def desks(connection: Connection, center_id: str) -> list[HeardDesk]:
    """Give the active kiosks of a centre."""
    rows = await connection.execute(_DESKS, {"center_id": center_id})
    return [HeardDesk(str(row.id), row.heard_at, row.since) for row in rows]


async def note(connection: Connection, center_id: str, device_id: str, since: datetime) -> None:
    """Note that a desk is silent."""
    await connection.execute(_NOTE, {"center_id": center_id, "device_id": device_id, "since": since})


async def end(connection: Connection, center_id: str, device_ids: Sequence[str]) -> None:
    """Note that desks are silent no more."""
    await connection.execute(_END, {"center_id": center_id, "device_ids": list(device_ids)})


async def forget_retired(connection: Connection, center_id: str) -> None:
    """Forget the silence of desks that are not active any more: nobody expects to hear them."""
    await connection.execute(_FORGET, {"center_id": center_id})


_DESKS: Final = text("""
    SELECT device.id, coalesce(device.last_seen_at, device.created_at) AS heard_at, silence.since
    FROM device
    LEFT JOIN device_silence AS silence ON silence.center_id = device.center_id AND silence.device_id = device.id
    WHERE device.center_id = :center_id AND device.kind = 'kiosk' AND device.state = 'active' ORDER BY device.id
""")
_NOTE: Final = text("""
    INSERT INTO device_silence (center_id, device_id, since) VALUES (:center_id, :device_id, :since)
    ON CONFLICT (center_id, device_id) DO NOTHING
""")
_END: Final = text("""
    DELETE FROM device_silence WHERE center_id = :center_id AND device_id = ANY(CAST(:device_ids AS uuid[]))
""")
_FORGET: Final = text("""
    DELETE FROM device_silence AS silence WHERE center_id = :center_id AND NOT EXISTS (
        SELECT FROM device WHERE device.id = silence.device_id AND device.state = 'active'
    )
""")
