"""The SQL behind the live board: stays and findings as they are decided, and who is who, each in one statement."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Final

import msgspec
from sqlalchemy import text

from server.core.clock import ms_of
from server.models.people import PersonKind
from server.models.projections import ReviewState
from server.repositories.unit_of_work import Connection


@dataclass(frozen=True, slots=True)
class BoardPerson:
    """A child or a member of staff; `birth_date` and `home_room_id` are empty when nobody said."""

    id: str
    is_child: bool
    given_name: str
    family_name: str
    preferred_name: str
    birth_date: str
    home_room_id: str
    is_enrolled: bool
    counts_in_ratio: bool


@dataclass(frozen=True, slots=True)
class BoardStay:
    """A stay that touches the day; times are UTC milliseconds, `rooms` pairs of a time and a room.

    `came_body` is the event that began it, or else ended it, of somebody who is not on file; `left_body` is the event
    that ended it; both are empty where there is none.
    """

    stay_id: str
    subject_id: str
    subject_kind: str
    started_at_ms: int | None
    ended_at_ms: int | None
    disputed: bool
    assumed: bool
    rooms: tuple[tuple[int, str], ...]
    came_body: bytes
    left_body: bytes


@dataclass(frozen=True, slots=True)
class BoardAlert:
    """Something that must be known of an enrolled child."""

    child_id: str
    kind: str
    severity: str
    text: str


@dataclass(frozen=True, slots=True)
class BoardFinding:
    """An open finding, and the name of whom it is about; as it is read, empty for one who is not on file."""

    finding: str
    kind: str
    severity: str
    subject_id: str
    subject_name: str
    since: datetime | None
    found_at: datetime | None


@dataclass(frozen=True, slots=True)
class LastCall:
    """The last call about a child that did not come, and how many there were."""

    at: datetime
    by_name: str
    result: str
    note: str
    calls: int


@dataclass(frozen=True, slots=True)
class LastEvent:
    """The event of the day that came last from a device."""

    device_id: str
    body: bytes


async def people(connection: Connection, center_id: str, *, limit: int) -> list[BoardPerson]:
    """Give the children that are enrolled or were once, and the staff, of a centre, by name."""
    kinds = [PersonKind.CHILD.value, PersonKind.STAFF.value]
    rows = await connection.execute(_PEOPLE, {"center_id": center_id, "kinds": kinds, "limit": limit})
    return [
        BoardPerson(
            id=str(row.id),
            is_child=row.kind == PersonKind.CHILD,
            given_name=row.given_name,
            family_name=row.family_name,
            preferred_name=row.preferred_name,
            birth_date=row.birth_date.isoformat() if row.birth_date else "",
            home_room_id=str(row.home_room_id or ""),
            is_enrolled=row.enrolled,
            counts_in_ratio=row.counts_in_ratio,
        )
        for row in rows
    ]


async def stays(
    connection: Connection, center_id: str, *, oldest: datetime, since: datetime, limit: int
) -> list[BoardStay]:
    """Give the stays that had not ended by `since`: the open ones first, then those that ended last.

    Those that began before `oldest` are left out, as on a desk.
    """
    parameters = {"center_id": center_id, "oldest": oldest, "since": since, "limit": limit}
    return [
        BoardStay(
            stay_id=str(row.stay_id),
            subject_id=str(row.subject_id),
            subject_kind=row.subject_kind,
            started_at_ms=ms_of(row.started_at) if row.started_at else None,
            ended_at_ms=ms_of(row.ended_at) if row.ended_at else None,
            disputed=row.disputed,
            assumed=row.assumed,
            rooms=_ROOMS.decode(row.rooms),
            came_body=bytes(row.came_body or b""),
            left_body=bytes(row.left_body or b""),
        )
        for row in await connection.execute(_STAYS, parameters)
    ]


async def alerts(connection: Connection, center_id: str, *, limit: int) -> list[BoardAlert]:
    """Give the alerts of the enrolled children of a centre, the critical ones first."""
    rows = await connection.execute(_ALERTS, {"center_id": center_id, "limit": limit})
    return [BoardAlert(str(row.child_id), row.kind, row.severity, row.text) for row in rows]


async def open_findings(connection: Connection, center_id: str, *, limit: int) -> list[BoardFinding]:
    """Give the open findings of a centre: critical ones first, then those found last."""
    parameters = {"center_id": center_id, "open": ReviewState.OPEN.value, "limit": limit}
    return [
        BoardFinding(
            finding=row.finding,
            kind=row.kind,
            severity=row.severity,
            subject_id=str(row.subject_id),
            subject_name=row.subject_name,
            since=row.since,
            found_at=row.found_at,
        )
        for row in await connection.execute(_FINDINGS, parameters)
    ]


async def open_counts(connection: Connection, center_id: str) -> dict[str, int]:
    """Count the open findings of a centre by severity."""
    parameters = {"center_id": center_id, "open": ReviewState.OPEN.value}
    return {row.severity: row.findings for row in await connection.execute(_FINDING_COUNTS, parameters)}


async def last_events(connection: Connection, center_id: str, *, since: datetime, limit: int) -> list[LastEvent]:
    """Give of each device the event that came last, of those whose corrected time is not before `since`."""
    rows = await connection.execute(_LAST_EVENTS, {"center_id": center_id, "since": since, "limit": limit})
    return [LastEvent(str(row.device_id), bytes(row.body)) for row in rows]


async def last_calls(connection: Connection, center_id: str, day: date, *, limit: int) -> dict[str, LastCall]:
    """Give the last call about each child that was called about on a day."""
    rows = await connection.execute(_LAST_CALLS, {"center_id": center_id, "day": day, "limit": limit})
    return {str(row.child_id): LastCall(row.at, row.by_name, row.result, row.note, row.calls) for row in rows}


_ROOMS: Final = msgspec.json.Decoder(tuple[tuple[int, str], ...])
_PEOPLE: Final = text("""
    SELECT person.id, kind, given_name, family_name, preferred_name, birth_date, home_room_id,
           coalesce(enrolled, false) AS enrolled, coalesce(counts_in_ratio, false) AS counts_in_ratio
    FROM person
    LEFT JOIN child_profile ON child_profile.center_id = person.center_id AND child_id = person.id
    LEFT JOIN staff_profile ON staff_profile.center_id = person.center_id AND person_id = person.id
    WHERE person.center_id = :center_id AND kind = ANY(CAST(:kinds AS text[]))
    ORDER BY coalesce(enrolled, true) DESC, family_name, given_name, person.id LIMIT :limit
""")
# Of an open stay nothing but a name is wanted from the event, and that only where no row of `person` has one.
_STAYS: Final = text("""
    SELECT stay.stay_id, stay.subject_id, stay.subject_kind, stay.started_at, stay.ended_at, stay.disputed,
           stay.assumed, CAST(stay.rooms AS text) AS rooms, came.body AS came_body, went.body AS left_body
    FROM stay
    LEFT JOIN person ON person.center_id = stay.center_id AND person.id = stay.subject_id
     AND person.kind IN ('child', 'staff')
    LEFT JOIN attendance_event AS came ON person.id IS NULL AND came.center_id = stay.center_id
     AND came.event_id = coalesce(stay.check_in, stay.check_out)
    LEFT JOIN attendance_event AS went ON went.center_id = stay.center_id AND went.event_id = stay.check_out
    WHERE stay.center_id = :center_id AND (stay.started_at >= :oldest OR stay.started_at IS NULL)
      AND (stay.ended_at IS NULL OR stay.ended_at >= :since)
    ORDER BY stay.ended_at DESC NULLS FIRST, stay.subject_id, stay.ordinal LIMIT :limit
""")
_ALERTS: Final = text("""
    SELECT alert.child_id, alert.kind, alert.severity, alert.text
    FROM alert JOIN child_profile USING (center_id, child_id)
    WHERE alert.center_id = :center_id AND child_profile.enrolled
    ORDER BY array_position(ARRAY['critical', 'attention', 'info'], alert.severity), alert.child_id, alert.id
    LIMIT :limit
""")
_FINDINGS: Final = text("""
    SELECT review.finding, review.kind, review.severity, review.subject_id,
           coalesce(person.given_name || ' ' || person.family_name, '') AS subject_name, review.since, review.found_at
    FROM review LEFT JOIN person ON person.center_id = review.center_id AND person.id = review.subject_id
    WHERE review.center_id = :center_id AND review.state = :open
    ORDER BY review.severity <> 'critical', coalesce(review.found_at, 'epoch') DESC, review.finding DESC LIMIT :limit
""")
_FINDING_COUNTS: Final = text("""
    SELECT severity, count(*) AS findings FROM review
    WHERE center_id = :center_id AND state = :open GROUP BY severity ORDER BY severity
""")
_LAST_CALLS: Final = text("""
    SELECT DISTINCT ON (child_id) child_id, at, by_name, result, note, count(*) OVER (PARTITION BY child_id) AS calls
    FROM absence_follow_up WHERE center_id = :center_id AND day = :day
    ORDER BY child_id, at DESC, id DESC LIMIT :limit
""")
_LAST_EVENTS: Final = text("""
    SELECT DISTINCT ON (device_id) device_id, body FROM attendance_event
    WHERE center_id = :center_id AND corrected_at >= :since
    ORDER BY device_id, version DESC LIMIT :limit
""")
