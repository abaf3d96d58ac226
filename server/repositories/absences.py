"""The SQL of absences: what is announced, which of it devices hold, who has come all the same, and who is missing."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final

from sqlalchemy import TextClause, func, text
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from server.models.absences import Absence, AbsenceFollowUp, AbsenceKind
from server.repositories.attendance import CenterKey
from server.repositories.unit_of_work import Connection
from sync.limits import REPLICA_DAYS
from sync.records import ABSENCES_MAX, AbsenceRecord

# A thousand children, each absent every other week of a year.
STANDING_MAX: Final = 26_000


@dataclass(frozen=True, slots=True)
class CalledChild:
    """A child as a list names it."""

    id: str
    given_name: str
    family_name: str
    preferred_name: str
    home_room_id: str


@dataclass(frozen=True, slots=True)
class DayAbsence:
    """An absence, whose it is, when the child first came in it (None: never), and whether it came on the day asked."""

    absence: Absence
    child: CalledChild
    came_at: datetime | None
    has_come: bool


async def told(connection: Connection, children: Iterable[CenterKey]) -> dict[CenterKey, tuple[AbsenceRecord, ...]]:
    """Give the absences of some children that devices hold, by their first days.

    These are at most `ABSENCES_MAX` of those not withdrawn, without those that were over `REPLICA_DAYS` before the last
    one of the child was written down: no desk holds a day on which they could matter. It depends on the table alone and
    on no clock, so that whoever makes a record anew makes the same one.
    """
    keys = list(children)
    columns = {"center_ids": [center_id for center_id, _ in keys], "child_ids": [child_id for _, child_id in keys]}
    return await _told(connection, _TOLD_OF_CHILDREN, columns)


async def told_at(connection: Connection, center_id: str) -> dict[str, tuple[AbsenceRecord, ...]]:
    """Give the same of all children of a centre, by child."""
    found = await _told(connection, _TOLD_AT_CENTER, {"center_id": center_id})
    return {child_id: records for (_, child_id), records in found.items()}


async def _told(
    connection: Connection, statement: TextClause, parameters: dict[str, Any]
) -> dict[CenterKey, tuple[AbsenceRecord, ...]]:
    found: dict[CenterKey, list[AbsenceRecord]] = {}
    for row in await connection.execute(statement, {**parameters, "days": REPLICA_DAYS}):
        records = found.setdefault((str(row.center_id), str(row.child_id)), [])
        if len(records) < ABSENCES_MAX:
            first, last = row.first_day.isoformat(), row.last_day.isoformat()
            records.append(AbsenceRecord(absence_id=str(row.id), first_day=first, last_day=last, kind=row.kind))
    return {key: tuple(sorted(records, key=_by_first_day)) for key, records in found.items()}


def _by_first_day(record: AbsenceRecord) -> tuple[str, str]:
    return (record.first_day, record.absence_id)


async def find(session: AsyncSession, center_id: str, absence_id: str) -> Absence | None:
    """Give an absence by its id."""
    return await session.get(Absence, (center_id, absence_id))


async def add(session: AsyncSession, row: Absence | AbsenceFollowUp) -> None:
    """Store a new row."""
    session.add(row)
    await session.flush()


async def of_child(session: AsyncSession, center_id: str, child_id: str, *, limit: int) -> list[Absence]:
    """Give the absences of a child, also withdrawn ones, the latest first."""
    statement = select(Absence).where(col(Absence.center_id) == center_id, col(Absence.child_id) == child_id)
    ordered = statement.order_by(col(Absence.first_day).desc(), col(Absence.id).desc())
    return list(await session.exec(ordered.limit(limit)))


async def standing(
    session: AsyncSession, center_id: str, first: date, last: date, *, child_id: str | None = None
) -> list[Absence]:
    """Give the absences that announce something, stand, and have a day between two days; of all children, or of one."""
    statement = select(Absence).where(
        col(Absence.center_id) == center_id,
        col(Absence.withdrawn_at).is_(None),
        col(Absence.kind) != AbsenceKind.UNEXPLAINED.value,
        col(Absence.first_day) <= last,
        col(Absence.last_day) >= first,
    )
    if child_id is not None:
        statement = statement.where(col(Absence.child_id) == child_id)
    return list(await session.exec(statement.order_by(col(Absence.child_id), col(Absence.id)).limit(STANDING_MAX)))


async def count_not_over(session: AsyncSession, center_id: str, child_id: str, today: date) -> int:
    """Count the absences of a child that stand and whose last day is not over."""
    statement = select(func.count()).where(
        col(Absence.center_id) == center_id,
        col(Absence.child_id) == child_id,
        col(Absence.withdrawn_at).is_(None),
        col(Absence.last_day) >= today,
    )
    return int((await session.exec(statement)).one())


async def of_day(
    connection: Connection, center_id: str, day: date, bounds: tuple[datetime, datetime], *, time_zone: str, limit: int
) -> list[DayAbsence]:
    """Give the absences that stand and cover a day, by name; `bounds` are the day's first and first-after moment."""
    parameters = {
        "center_id": center_id, "day": day, "since": bounds[0], "before": bounds[1], "time_zone": time_zone,
        "limit": limit,
    }  # fmt: skip
    return [
        DayAbsence(_absence(row), _called(row), row.came_at, row.has_come)
        for row in await connection.execute(_OF_DAY, parameters)
    ]


async def missing(
    connection: Connection, center_id: str, day: date, bounds: tuple[datetime, datetime], *, time_zone: str, limit: int
) -> list[CalledChild]:
    """Give the children who are on the roster on a day, came at no moment of `bounds`, and are announced by nobody.

    An absence that ended since the child came in it announces nothing any more; neither does an unexplained one.
    """
    parameters = {
        "center_id": center_id, "day": day, "since": bounds[0], "before": bounds[1], "time_zone": time_zone,
        "limit": limit,
    }  # fmt: skip
    return [_called(row) for row in await connection.execute(_MISSING, parameters)]


async def announced(
    connection: Connection, center_id: str, day: date, *, before: datetime, time_zone: str, limit: int
) -> set[str]:
    """Give the children of whom an absence says that they do not come on a day; an arrival before it has ended it."""
    parameters = {"center_id": center_id, "day": day, "before": before, "time_zone": time_zone, "limit": limit}
    return {str(one) for one in await connection.scalars(_ANNOUNCED, parameters)}


async def count_expected(connection: Connection, center_id: str, day: date) -> int:
    """Count the children who are on the roster on a day."""
    return int(await connection.scalar(_EXPECTED, {"center_id": center_id, "day": day}) or 0)


async def is_closed(connection: Connection, center_id: str, day: date) -> bool:
    """Whether a centre is closed on a day."""
    return bool(await connection.scalar(_IS_CLOSED, {"center_id": center_id, "day": day}))


async def is_locked(connection: Connection, center_id: str, first_day: date, last_day: date) -> bool:
    """Whether the figures of one of these days stand."""
    parameters = {"center_id": center_id, "first_day": first_day, "last_day": last_day}
    return bool(await connection.scalar(_IS_LOCKED, parameters))


async def find_follow_up(session: AsyncSession, center_id: str, follow_up_id: str) -> AbsenceFollowUp | None:
    """Give a note of a call by its id."""
    return await session.get(AbsenceFollowUp, (center_id, follow_up_id))


async def follow_ups(session: AsyncSession, center_id: str, day: date, *, limit: int) -> list[AbsenceFollowUp]:
    """Give the calls about a day, the earliest first."""
    statement = select(AbsenceFollowUp).where(
        col(AbsenceFollowUp.center_id) == center_id, col(AbsenceFollowUp.day) == day
    )
    ordered = statement.order_by(col(AbsenceFollowUp.at), col(AbsenceFollowUp.id))
    return list(await session.exec(ordered.limit(limit)))


async def count_follow_ups(session: AsyncSession, center_id: str, child_id: str, day: date) -> int:
    """Count the calls about a child and a day."""
    statement = select(func.count()).where(
        col(AbsenceFollowUp.center_id) == center_id,
        col(AbsenceFollowUp.child_id) == child_id,
        col(AbsenceFollowUp.day) == day,
    )
    return int((await session.exec(statement)).one())


def _called(row: Any) -> CalledChild:
    return CalledChild(
        id=str(row.child_id),
        given_name=row.given_name,
        family_name=row.family_name,
        preferred_name=row.preferred_name,
        home_room_id=str(row.home_room_id or ""),
    )


def _absence(row: Any) -> Absence:
    fields: Mapping[str, Any] = {name: getattr(row, name) for name in Absence.model_fields}
    ids = {"center_id": str(row.center_id), "id": str(row.id), "child_id": str(row.child_id)}
    return Absence(**{**fields, **ids, "created_by": str(row.created_by) if row.created_by else None})


_TOLD: Final = """
    SELECT absence.center_id, absence.child_id, absence.id, absence.first_day, absence.last_day, absence.kind
    FROM {lines} AS line
    CROSS JOIN LATERAL (
        SELECT max(changed_at) AS at FROM absence
        WHERE absence.center_id = line.center_id AND absence.child_id = line.child_id
    ) AS newest
    JOIN absence ON absence.center_id = line.center_id AND absence.child_id = line.child_id
    WHERE absence.withdrawn_at IS NULL
      AND absence.last_day >= CAST(newest.at AT TIME ZONE 'UTC' AS date) - CAST(:days AS integer)
    ORDER BY 1, 2, absence.last_day DESC, absence.id DESC
"""
_TOLD_OF_CHILDREN: Final = text(
    _TOLD.format(lines="(SELECT * FROM unnest(CAST(:center_ids AS uuid[]), CAST(:child_ids AS uuid[])) "
                       "AS one(center_id, child_id))")
)  # fmt: skip
_TOLD_AT_CENTER: Final = text(
    _TOLD.format(lines="(SELECT DISTINCT center_id, child_id FROM absence WHERE center_id = :center_id)")
)
# When the child of an absence first came in it: from then on the absence is over, as `sync.attendance` has it.
_CAME: Final = """
    LATERAL (
        SELECT min(stay.started_at) AS at FROM stay
        WHERE stay.center_id = absence.center_id AND stay.subject_id = absence.child_id
          AND stay.started_at >= CAST(absence.first_day AS timestamp) AT TIME ZONE CAST(:time_zone AS text)
          AND stay.started_at < CAST(absence.last_day + 1 AS timestamp) AT TIME ZONE CAST(:time_zone AS text)
    )
"""
_HAS_COME: Final = """
    EXISTS (
        SELECT FROM stay
        WHERE stay.center_id = person.center_id AND stay.subject_id = person.id
          AND coalesce(stay.started_at, stay.ended_at) < :before
          AND (stay.ended_at IS NULL OR stay.ended_at >= :since)
    )
"""
_OF_DAY: Final = text(f"""
    SELECT absence.*, person.given_name, person.family_name, person.preferred_name, profile.home_room_id,
           came.at AS came_at, {_HAS_COME} AS has_come
    FROM absence
    JOIN person ON person.center_id = absence.center_id AND person.id = absence.child_id
    JOIN child_profile AS profile ON profile.center_id = absence.center_id AND profile.child_id = absence.child_id
    CROSS JOIN {_CAME} AS came
    WHERE absence.center_id = :center_id AND absence.withdrawn_at IS NULL
      AND absence.first_day <= :day AND absence.last_day >= :day
    ORDER BY person.family_name, person.given_name, person.id, absence.first_day, absence.id LIMIT :limit
""")
_ON_ROSTER: Final = """
    profile.enrolled AND (profile.enrolled_from IS NULL OR profile.enrolled_from <= :day)
    AND (profile.enrolled_to IS NULL OR profile.enrolled_to >= :day)
"""
_MISSING: Final = text(f"""
    SELECT person.id AS child_id, person.given_name, person.family_name, person.preferred_name, profile.home_room_id
    FROM child_profile AS profile
    JOIN person ON person.center_id = profile.center_id AND person.id = profile.child_id
    WHERE profile.center_id = :center_id AND {_ON_ROSTER} AND NOT {_HAS_COME}
      AND NOT EXISTS (
          SELECT FROM absence CROSS JOIN {_CAME} AS came
          WHERE absence.center_id = profile.center_id AND absence.child_id = profile.child_id
            AND absence.withdrawn_at IS NULL AND absence.kind <> 'unexplained'
            AND absence.first_day <= :day AND absence.last_day >= :day
            AND (came.at IS NULL OR came.at >= :before)
      )
    ORDER BY person.family_name, person.given_name, person.id LIMIT :limit
""")
_ANNOUNCED: Final = text(f"""
    SELECT DISTINCT absence.child_id FROM absence CROSS JOIN {_CAME} AS came
    WHERE absence.center_id = :center_id AND absence.withdrawn_at IS NULL AND absence.kind <> 'unexplained'
      AND absence.first_day <= :day AND absence.last_day >= :day AND (came.at IS NULL OR came.at >= :before)
    ORDER BY absence.child_id LIMIT :limit
""")
_EXPECTED: Final = text(f"""
    SELECT count(*) FROM child_profile AS profile WHERE profile.center_id = :center_id AND {_ON_ROSTER}
""")
_IS_CLOSED: Final = text("""
    SELECT EXISTS (
        SELECT FROM center_calendar
        WHERE center_id = :center_id AND kind = 'closure' AND first_day <= :day AND last_day >= :day
    )
""")
_IS_LOCKED: Final = text("""
    SELECT EXISTS (
        SELECT FROM center_calendar
        WHERE center_id = :center_id AND kind = 'lock' AND first_day <= :last_day AND last_day >= :first_day
    )
""")
