"""The SQL of the review inbox: what people have to settle, and the events behind it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import msgspec
from sqlalchemy import text

from server.repositories.journals import unescaped
from server.repositories.unit_of_work import Connection
from sync.records import EventRecord


@dataclass(frozen=True, slots=True)
class ReviewLine:
    """A row of `review`, and the name of the child if it is about one."""

    subject_id: str
    subject_kind: str
    subject_name: str
    finding: str
    kind: str
    severity: str
    state: str
    event_ids: tuple[str, ...]
    since: datetime | None
    found_at: datetime | None
    answer: str
    answered_by: str | None


@dataclass(frozen=True, slots=True)
class Filter:
    """Which reviews; an empty part asks for all."""

    state: str = ""
    severity: str = ""
    kind: str = ""
    subject_id: str | None = None


@dataclass(frozen=True, slots=True)
class Testimony:
    """An event as it stands, and what the desk that recorded it knew: the version its replica was at."""

    record: EventRecord
    base_epoch: str
    base_version: int


async def page(
    connection: Connection, center_id: str, wanted: Filter, *, after: tuple[datetime, str] | None, limit: int
) -> list[ReviewLine]:
    """Give reviews of a centre, those found last first, behind a moment and a key."""
    parameters = {
        "center_id": center_id,
        "state": wanted.state,
        "severity": wanted.severity,
        "kind": wanted.kind,
        "subject_id": wanted.subject_id,
        "after_at": after[0] if after else None,
        "after_finding": after[1] if after else "",
        "limit": limit,
    }
    return [_line(row) for row in await connection.execute(_PAGE, parameters)]


async def find(connection: Connection, center_id: str, finding: str) -> ReviewLine | None:
    """Give a review by its key."""
    rows = await connection.execute(_FIND, {"center_id": center_id, "finding": finding})
    return next((_line(row) for row in rows), None)


async def testimonies(connection: Connection, center_id: str, event_ids: Sequence[str]) -> dict[str, Testimony]:
    """Give events by their ids, with what their desks knew."""
    rows = await connection.execute(_TESTIMONIES, {"center_id": center_id, "event_ids": list(event_ids)})
    return {
        row.entity_id: Testimony(
            _DECODER.decode(bytes(row.body)), unescaped(row.base_epoch or ""), row.base_version or 0
        )
        for row in rows
    }


async def staff_names(connection: Connection, center_id: str, person_ids: Sequence[str]) -> dict[str, str]:
    """Give the names of people of a centre, as far as they are on file."""
    rows = await connection.execute(_NAMES, {"center_id": center_id, "person_ids": list(person_ids)})
    return {str(row.id): f"{row.given_name} {row.family_name}" for row in rows}


def _line(row: object) -> ReviewLine:
    values = {name: getattr(row, name) for name in ReviewLine.__slots__}
    values["subject_id"] = str(values["subject_id"])
    values["event_ids"] = tuple(str(one) for one in values["event_ids"])
    values["answered_by"] = str(values["answered_by"]) if values["answered_by"] else None
    return ReviewLine(**values)


_DECODER: Final = msgspec.json.Decoder(EventRecord)
_LINES: Final = """
    SELECT review.subject_id, review.subject_kind,
           coalesce(person.given_name || ' ' || person.family_name, '') AS subject_name, review.finding, review.kind,
           review.severity, review.state, review.event_ids, review.since, review.found_at, review.answer,
           review.answered_by
    FROM review LEFT JOIN person ON person.center_id = review.center_id AND person.id = review.subject_id
    WHERE review.center_id = :center_id
"""
_PAGE: Final = text(f"""
    {_LINES}
      AND (:state = '' OR review.state = :state) AND (:severity = '' OR review.severity = :severity)
      AND (:kind = '' OR review.kind = :kind)
      AND (CAST(:subject_id AS uuid) IS NULL OR review.subject_id = CAST(:subject_id AS uuid))
      AND (CAST(:after_at AS timestamptz) IS NULL
           OR (coalesce(review.found_at, 'epoch'), review.finding) < (:after_at, :after_finding))
    ORDER BY coalesce(review.found_at, 'epoch') DESC, review.finding DESC LIMIT :limit
""")
_FIND: Final = text(f"{_LINES} AND review.finding = :finding ORDER BY review.subject_id LIMIT 1")
_TESTIMONIES: Final = text("""
    SELECT record.entity_id, record.body, entry.base_epoch, entry.base_version
    FROM current_record AS record
    JOIN attendance_event AS fact
      ON fact.center_id = record.center_id AND fact.event_id = CAST(record.entity_id AS uuid)
    LEFT JOIN journal_entry AS entry
      ON entry.center_id = fact.center_id AND entry.device_id = fact.device_id
     AND entry.incarnation = fact.incarnation AND entry.seq = fact.seq
    WHERE record.center_id = :center_id AND record.entity = 'event'
      AND record.entity_id = ANY(CAST(:event_ids AS text[]))
    ORDER BY record.entity_id
""")
_NAMES: Final = text("""
    SELECT id, given_name, family_name FROM person
    WHERE center_id = :center_id AND id = ANY(CAST(:person_ids AS uuid[])) ORDER BY id
""")
