"""The SQL behind who was in when: facts of roll-calls and rooms, desks with their last words, names."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import msgspec
from sqlalchemy import text

from server.models.devices import DeviceKind, DeviceState
from server.models.people import PersonKind
from server.repositories.unit_of_work import Connection
from sync.amendments import ACTS
from sync.attendance import EventKind
from sync.records import EventRecord


@dataclass(frozen=True, slots=True)
class DeskRow:
    """A kiosk that is not revoked; what follows `last_seen_at` is of its last position, None when it never told one.

    `epoch` and `version` are those of the log that its replica had followed.
    """

    device_id: str
    name: str
    state: str
    last_seen_at: datetime | None
    told_at: datetime | None
    waiting: int | None
    epoch: str | None
    version: int | None


@dataclass(frozen=True, slots=True)
class PersonName:
    """How a child or a member of staff is called today."""

    given_name: str
    family_name: str
    preferred_name: str


async def desks(connection: Connection, center_id: str, *, limit: int) -> list[DeskRow]:
    """Give the kiosks of a centre that were not revoked, with their last words, by name.

    The server's own desk is none: what it records is here when it is recorded.
    """
    parameters = {
        "center_id": center_id, "revoked": DeviceState.REVOKED.value, "kiosk": DeviceKind.KIOSK.value, "limit": limit,
    }  # fmt: skip
    rows = await connection.execute(_DESKS, parameters)
    return [
        DeskRow(
            device_id=str(row.id),
            name=row.name,
            state=row.state,
            last_seen_at=row.last_seen_at,
            told_at=row.told_at,
            waiting=row.queue_depth,
            epoch=row.epoch,
            version=row.version,
        )
        for row in rows
    ]


async def names(connection: Connection, center_id: str, *, limit: int) -> dict[str, PersonName]:
    """Give the names of the children and the staff of a centre by id."""
    kinds = [PersonKind.CHILD.value, PersonKind.STAFF.value]
    rows = await connection.execute(_NAMES, {"center_id": center_id, "kinds": kinds, "limit": limit})
    return {str(row.id): PersonName(row.given_name, row.family_name, row.preferred_name) for row in rows}


async def room_names(connection: Connection, center_id: str, *, limit: int) -> dict[str, str]:
    """Give the names of the rooms of a centre by id, in the order in which people list them."""
    rows = await connection.execute(_ROOMS, {"center_id": center_id, "limit": limit})
    return {str(row.id): row.name for row in rows}


async def subjects_of_day(
    connection: Connection,
    center_id: str,
    kinds: Collection[EventKind],
    *,
    since: datetime,
    before: datetime,
    limit: int,
) -> list[str]:
    """Give the subjects of the events of these kinds whose corrected time lies in `[since, before)`, oldest first."""
    parameters = {
        "center_id": center_id, "kinds": sorted(kinds), "since": since, "before": before, "limit": limit,
    }  # fmt: skip
    return [str(row.child_id) for row in await connection.execute(_SUBJECTS_OF_DAY, parameters)]


async def records_of_subjects(
    connection: Connection,
    center_id: str,
    subject_ids: Collection[str],
    *,
    since: datetime,
    before: datetime,
    limit: int,
) -> list[EventRecord]:
    """Give the facts of these subjects in `[since, before)`, the newest first, and the acts that came after."""
    parameters = {
        "center_id": center_id, "subject_ids": list(subject_ids), "acts": sorted(ACTS),
        "since": since, "before": before, "limit": limit,
    }  # fmt: skip
    return [_DECODER.decode(bytes(body)) for body in await connection.scalars(_RECORDS_OF_SUBJECTS, parameters)]


_DECODER: Final = msgspec.json.Decoder(EventRecord)
_DESKS: Final = text("""
    SELECT device.id, device.name, device.state, device.last_seen_at, position.at AS told_at, position.queue_depth,
           position.epoch, position.version
    FROM device LEFT JOIN device_position AS position
      ON position.center_id = device.center_id AND position.device_id = device.id
    WHERE device.center_id = :center_id AND device.state <> :revoked AND device.kind = :kiosk
    ORDER BY device.name, device.id LIMIT :limit
""")
_NAMES: Final = text("""
    SELECT id, given_name, family_name, preferred_name FROM person
    WHERE center_id = :center_id AND kind = ANY(CAST(:kinds AS text[]))
    ORDER BY id LIMIT :limit
""")
_ROOMS: Final = text("""
    SELECT id, name FROM room WHERE center_id = :center_id ORDER BY sort, name, id LIMIT :limit
""")
_SUBJECTS_OF_DAY: Final = text("""
    SELECT child_id FROM attendance_event
    WHERE center_id = :center_id AND corrected_at >= :since AND corrected_at < :before
      AND kind = ANY(CAST(:kinds AS text[]))
    GROUP BY child_id ORDER BY min(corrected_at), child_id LIMIT :limit
""")
_RECORDS_OF_SUBJECTS: Final = text("""
    SELECT record.body
    FROM attendance_event AS fact
    JOIN current_record AS record ON record.center_id = fact.center_id AND record.entity = 'event'
      AND record.entity_id = CAST(fact.event_id AS text)
    WHERE fact.center_id = :center_id AND fact.child_id = ANY(CAST(:subject_ids AS uuid[]))
      AND fact.corrected_at >= :since
      AND (fact.corrected_at < :before OR fact.kind = ANY(CAST(:acts AS text[])))
    ORDER BY fact.corrected_at DESC, fact.version DESC LIMIT :limit
""")
