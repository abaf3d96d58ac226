"""The SQL behind a parent's stream: the stays of some children as they were decided, in one statement."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import msgspec
from sqlalchemy import text

from server.core.clock import ms_of
from server.models.devices import DeviceKind
from server.repositories.unit_of_work import Connection

STAYS_OF_CHILD_MAX: Final = 50  # that touch one day


@dataclass(frozen=True, slots=True)
class FamilyStay:
    """A stay of a child; times are UTC milliseconds, `rooms` pairs of a time and a room.

    `came_at_desk`, `left_at_desk`: somebody at a desk recorded this end of it, and not the server.
    """

    child_id: str
    started_at_ms: int | None
    ended_at_ms: int | None
    disputed: bool
    assumed: bool
    rooms: tuple[tuple[int, str], ...]
    came_at_desk: bool
    left_at_desk: bool


async def stays(
    connection: Connection, center_id: str, child_ids: Collection[str], *, oldest: datetime, since: datetime
) -> dict[str, list[FamilyStay]]:
    """Give the stays of children that had not ended by `since`, in their order; none that began before `oldest`."""
    parameters = {
        "center_id": center_id, "child_ids": list(child_ids), "oldest": oldest, "since": since,
        "kiosk": DeviceKind.KIOSK.value, "limit": STAYS_OF_CHILD_MAX * len(child_ids),
    }  # fmt: skip
    found: dict[str, list[FamilyStay]] = {}
    for row in await connection.execute(_STAYS, parameters):
        stay = FamilyStay(
            child_id=str(row.subject_id),
            started_at_ms=ms_of(row.started_at) if row.started_at else None,
            ended_at_ms=ms_of(row.ended_at) if row.ended_at else None,
            disputed=row.disputed,
            assumed=row.assumed,
            rooms=_ROOMS.decode(row.rooms),
            came_at_desk=row.came_at_desk,
            left_at_desk=row.left_at_desk,
        )
        found.setdefault(stay.child_id, []).append(stay)
    return found


_ROOMS: Final = msgspec.json.Decoder(tuple[tuple[int, str], ...])
_STAYS: Final = text("""
    SELECT stay.subject_id, stay.started_at, stay.ended_at, stay.disputed, stay.assumed,
           CAST(stay.rooms AS text) AS rooms, came_at.id IS NOT NULL AS came_at_desk,
           left_at.id IS NOT NULL AS left_at_desk
    FROM stay
    LEFT JOIN attendance_event AS came ON came.center_id = stay.center_id AND came.event_id = stay.check_in
    LEFT JOIN attendance_event AS went ON went.center_id = stay.center_id AND went.event_id = stay.check_out
    LEFT JOIN device AS came_at ON came_at.id = came.device_id AND came_at.kind = :kiosk
    LEFT JOIN device AS left_at ON left_at.id = went.device_id AND left_at.kind = :kiosk
    WHERE stay.center_id = :center_id AND stay.subject_id = ANY(CAST(:child_ids AS uuid[]))
      AND (stay.started_at >= :oldest OR stay.started_at IS NULL)
      AND (stay.ended_at IS NULL OR stay.ended_at >= :since)
    ORDER BY stay.subject_id, stay.ordinal LIMIT :limit
""")
