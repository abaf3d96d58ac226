"""The SQL behind the attendance of a day: the children of a centre, its facts as every replica has them."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

import msgspec
from sqlalchemy import text

from server.repositories.unit_of_work import Connection
from sync.amendments import ACTS
from sync.records import EventRecord


@dataclass(frozen=True, slots=True)
class ListedChild:
    """A child as a list names it."""

    id: str
    given_name: str
    family_name: str
    preferred_name: str
    home_room_id: str
    enrolled: bool


async def children(connection: Connection, center_id: str, *, child_id: str | None, limit: int) -> list[ListedChild]:
    """Give the children of a centre by name, or the one with an id."""
    parameters = {"center_id": center_id, "child_id": child_id, "limit": limit}
    rows = await connection.execute(_CHILDREN, parameters)
    return [
        ListedChild(
            id=str(row.id),
            given_name=row.given_name,
            family_name=row.family_name,
            preferred_name=row.preferred_name,
            home_room_id=str(row.home_room_id or ""),
            enrolled=row.enrolled,
        )
        for row in rows
    ]


async def event_records(
    connection: Connection,
    center_id: str,
    *,
    since: datetime,
    before: datetime,
    child_id: str | None,
    limit: int,
) -> list[EventRecord]:
    """Give the facts whose corrected time lies in `[since, before)`, the newest first, at most so many.

    Voids, corrections and answers act upon these also when they were recorded later, and are given too.
    """
    parameters = {
        "center_id": center_id, "since": since, "before": before, "child_id": child_id, "limit": limit,
        "acts": sorted(ACTS),
    }  # fmt: skip
    rows = await connection.scalars(_EVENT_RECORDS, parameters)
    return [_DECODER.decode(bytes(body)) for body in rows]


_DECODER: Final = msgspec.json.Decoder(EventRecord)
_CHILDREN: Final = text("""
    SELECT person.id, given_name, family_name, preferred_name, home_room_id, coalesce(enrolled, false) AS enrolled
    FROM person LEFT JOIN child_profile ON child_profile.center_id = person.center_id AND child_id = person.id
    WHERE person.center_id = :center_id AND kind = 'child'
      AND (CAST(:child_id AS uuid) IS NULL OR person.id = CAST(:child_id AS uuid))
    ORDER BY family_name, given_name, person.id LIMIT :limit
""")
_EVENT_RECORDS: Final = text("""
    SELECT record.body
    FROM attendance_event AS fact
    JOIN current_record AS record ON record.center_id = fact.center_id AND record.entity = 'event'
      AND record.entity_id = CAST(fact.event_id AS text)
    WHERE fact.center_id = :center_id AND fact.corrected_at >= :since
      AND (fact.corrected_at < :before OR fact.kind = ANY(CAST(:acts AS text[])))
      AND (CAST(:child_id AS uuid) IS NULL OR fact.child_id = CAST(:child_id AS uuid))
    ORDER BY fact.corrected_at DESC, fact.version DESC LIMIT :limit
""")
