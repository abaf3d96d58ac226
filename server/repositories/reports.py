"""The SQL of reports: stays, absences and acts of a part of a period, and the people they are about."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Final

import msgspec
from sqlalchemy import Row, text

from server.core.clock import ms_of
from server.repositories.unit_of_work import Connection
from sync.amendments import ACTS


@dataclass(frozen=True, slots=True)
class ReportStay:
    """A stay; times are UTC milliseconds, `rooms` pairs of a time and a room, ids empty where there is none."""

    stay_id: str
    subject_id: str
    is_child: bool
    given_name: str
    family_name: str
    home_room_id: str
    started_at_ms: int | None
    ended_at_ms: int | None
    check_in: str
    check_out: str
    disputed: bool
    assumed: bool
    rooms: tuple[tuple[int, str], ...]


@dataclass(frozen=True, slots=True)
class ChildHours:
    """What the stays of a child come to in a part of a period; `unsure` are stays of which an end is not known."""

    given_name: str
    family_name: str
    days: int
    stays: int
    seconds: Decimal
    unsure: int
    assumed: int


@dataclass(frozen=True, slots=True)
class Guardian:
    """An adult of a child, in the order in which they are called."""

    child_id: str
    given_name: str
    family_name: str
    kind: str
    phone: str
    legal_guardian: bool
    emergency_rank: int | None


@dataclass(frozen=True, slots=True)
class Act:
    """A void, a correction or an answer: its id, and whom its events are about."""

    event_id: str
    subject_id: str


async def first_day(connection: Connection, center_id: str, time_zone: str) -> date | None:
    """Give the day of the centre's calendar on which its first event happened; None: nothing has."""
    found: date | None = await connection.scalar(_FIRST_DAY, {"center_id": center_id, "time_zone": time_zone})
    return found


async def stays_begun(
    connection: Connection, center_id: str, since: datetime, before: datetime, *, limit: int
) -> list[ReportStay]:
    """Give the stays of children that began in `[since, before)`, or ended in it when nobody saw them begin."""
    parameters = {"center_id": center_id, "since": since, "before": before, "limit": limit}
    return [_stay(row) for row in await connection.execute(_STAYS_BEGUN, parameters)]


async def stays_ended(
    connection: Connection, center_id: str, since: datetime, before: datetime, *, limit: int
) -> list[ReportStay]:
    """Give the stays of children that ended in `[since, before)`."""
    parameters = {"center_id": center_id, "since": since, "before": before, "limit": limit}
    return [_stay(row) for row in await connection.execute(_STAYS_ENDED, parameters)]


async def stays_touching(
    connection: Connection, center_id: str, since: datetime, before: datetime, *, oldest: datetime, limit: int
) -> list[ReportStay]:
    """Give the stays of everybody that have a moment in `[since, before)` and began at `oldest` or later."""
    parameters = {"center_id": center_id, "since": since, "before": before, "oldest": oldest, "limit": limit}
    return [_stay(row) for row in await connection.execute(_STAYS_TOUCHING, parameters)]


async def hours(
    connection: Connection, center_id: str, bounds: tuple[datetime, datetime], *, now: datetime, time_zone: str
) -> list[ChildHours]:
    """Give what each child's stays come to in `bounds`, by name; a stay that goes on counts up to now."""
    parameters = {
        "center_id": center_id, "since": bounds[0], "before": bounds[1], "now": now, "time_zone": time_zone,
    }  # fmt: skip
    return [
        ChildHours(row.given_name, row.family_name, row.days, row.stays, Decimal(row.seconds), row.unsure, row.assumed)
        for row in await connection.execute(_HOURS, parameters)
    ]


async def users_of_services(
    connection: Connection, center_id: str, bounds: tuple[datetime, datetime]
) -> list[tuple[str, str, str]]:
    """Give id, given and family name of the children who were booked or came in `bounds`, by name."""
    parameters = {"center_id": center_id, "since": bounds[0], "before": bounds[1]}
    return [(str(row.id), row.given_name, row.family_name) for row in await connection.execute(_USERS, parameters)]


async def guardians(connection: Connection, center_id: str, child_ids: Sequence[str]) -> list[Guardian]:
    """Give the adults of some children: those who are called first, then by name."""
    rows = await connection.execute(_GUARDIANS, {"center_id": center_id, "child_ids": list(child_ids)})
    return [
        Guardian(
            str(row.child_id), row.given_name, row.family_name, row.kind, row.phone, row.legal_guardian,
            row.emergency_rank,
        )
        for row in rows
    ]  # fmt: skip


async def acts(connection: Connection, center_id: str, since: datetime, before: datetime, *, limit: int) -> list[Act]:
    """Give the voids, corrections and answers that were made in `[since, before)`, the earliest first."""
    parameters = {"center_id": center_id, "since": since, "before": before, "kinds": sorted(ACTS), "limit": limit}
    return [Act(str(row.event_id), str(row.child_id)) for row in await connection.execute(_ACTS, parameters)]


def _stay(row: Row[Any]) -> ReportStay:
    return ReportStay(
        stay_id=str(row.stay_id),
        subject_id=str(row.subject_id),
        is_child=row.subject_kind == "child",
        given_name=row.given_name or "",
        family_name=row.family_name or "",
        home_room_id=str(row.home_room_id or ""),
        started_at_ms=ms_of(row.started_at) if row.started_at else None,
        ended_at_ms=ms_of(row.ended_at) if row.ended_at else None,
        check_in=str(row.check_in or ""),
        check_out=str(row.check_out or ""),
        disputed=row.disputed,
        assumed=row.assumed,
        rooms=_ROOMS.decode(row.rooms),
    )


_ROOMS: Final = msgspec.json.Decoder(tuple[tuple[int, str], ...])
_FIRST_DAY: Final = text("""
    SELECT CAST(min(corrected_at) AT TIME ZONE CAST(:time_zone AS text) AS date) FROM attendance_event
    WHERE center_id = :center_id
""")
_STAYS: Final = """
    SELECT stay.stay_id, stay.subject_id, stay.subject_kind, stay.started_at, stay.ended_at, stay.check_in,
           stay.check_out, stay.disputed, stay.assumed, CAST(stay.rooms AS text) AS rooms, person.given_name,
           person.family_name, profile.home_room_id
    FROM stay
    LEFT JOIN person ON person.center_id = stay.center_id AND person.id = stay.subject_id
     AND person.kind IN ('child', 'staff')
    LEFT JOIN child_profile AS profile ON profile.center_id = stay.center_id AND profile.child_id = stay.subject_id
"""
_STAYS_BEGUN: Final = text(f"""
    {_STAYS} WHERE stay.center_id = :center_id AND stay.subject_kind = 'child'
      AND (stay.started_at >= :since AND stay.started_at < :before
           OR stay.started_at IS NULL AND stay.ended_at >= :since AND stay.ended_at < :before)
    ORDER BY coalesce(stay.started_at, stay.ended_at), stay.subject_id, stay.ordinal LIMIT :limit
""")
# No index leads to an end; nobody stays for a fortnight, so the one that leads to the begin is near enough.
_STAYS_ENDED: Final = text(f"""
    {_STAYS} WHERE stay.center_id = :center_id AND stay.subject_kind = 'child'
      AND (stay.started_at >= CAST(:since AS timestamptz) - interval '14 days' AND stay.started_at < :before
           OR stay.started_at IS NULL)
      AND stay.ended_at >= :since AND stay.ended_at < :before
    ORDER BY stay.ended_at, stay.subject_id, stay.ordinal LIMIT :limit
""")
_STAYS_TOUCHING: Final = text(f"""
    {_STAYS} WHERE stay.center_id = :center_id AND stay.started_at >= :oldest AND stay.started_at < :before
      AND (stay.ended_at IS NULL OR stay.ended_at > :since)
    ORDER BY stay.started_at, stay.subject_id, stay.ordinal LIMIT :limit
""")
_HOURS: Final = text("""
    WITH part AS (
        SELECT subject_id, assumed, ended_at IS NULL AS goes_on,
               greatest(started_at, :since) AS begun, least(coalesce(ended_at, :now), :before) AS ended
        FROM stay
        WHERE center_id = :center_id AND subject_kind = 'child'
          AND (started_at < :before AND (ended_at IS NULL OR ended_at >= :since)
               OR started_at IS NULL AND ended_at >= :since AND ended_at < :before)
    )
    SELECT coalesce(person.given_name, '') AS given_name, coalesce(person.family_name, '') AS family_name,
           count(DISTINCT CAST(coalesce(begun, ended) AT TIME ZONE CAST(:time_zone AS text) AS date)) AS days,
           count(*) AS stays,
           coalesce(sum(greatest(extract(epoch FROM ended - begun), 0)), 0) AS seconds,
           count(*) FILTER (WHERE begun IS NULL OR goes_on) AS unsure,
           count(*) FILTER (WHERE assumed) AS assumed
    FROM part LEFT JOIN person ON person.center_id = :center_id AND person.id = part.subject_id
    GROUP BY part.subject_id, person.family_name, person.given_name
    ORDER BY person.family_name, person.given_name, part.subject_id
""")
_USERS: Final = text("""
    SELECT person.id, person.given_name, person.family_name FROM person
    WHERE person.center_id = :center_id AND person.kind = 'child' AND (
        EXISTS (SELECT FROM booking WHERE booking.center_id = person.center_id AND booking.child_id = person.id
                AND booking.starts_at < :before AND booking.ends_at > :since)
        OR EXISTS (SELECT FROM stay WHERE stay.center_id = person.center_id AND stay.subject_id = person.id
                   AND coalesce(stay.started_at, stay.ended_at) < :before
                   AND (stay.ended_at IS NULL OR stay.ended_at >= :since)))
    ORDER BY person.family_name, person.given_name, person.id
""")
_GUARDIANS: Final = text("""
    SELECT relationship.child_id, adult.given_name, adult.family_name, relationship.kind, adult.phone,
           relationship.legal_guardian, relationship.emergency_rank
    FROM relationship
    JOIN person AS adult ON adult.center_id = relationship.center_id AND adult.id = relationship.adult_id
    WHERE relationship.center_id = :center_id AND relationship.child_id = ANY(CAST(:child_ids AS uuid[]))
      AND (relationship.legal_guardian OR relationship.emergency_rank IS NOT NULL)
    ORDER BY relationship.child_id, relationship.emergency_rank NULLS LAST, adult.family_name, adult.given_name,
             adult.id
""")
_ACTS: Final = text("""
    SELECT event_id, child_id FROM attendance_event
    WHERE center_id = :center_id AND corrected_at >= :since AND corrected_at < :before
      AND kind = ANY(CAST(:kinds AS text[]))
    ORDER BY corrected_at, version LIMIT :limit
""")
