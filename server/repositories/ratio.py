"""The SQL of ratio: a centre's rules, who of its people counts as what, and what its desks knew when."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Final

from sqlalchemy import text
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from server.models.people import PersonKind
from server.models.rooms import CenterRatioRules
from server.repositories.unit_of_work import Connection
from sync.limits import REPLICA_DAYS
from sync.ratio_rules import RULE_SETS_MAX


@dataclass(frozen=True, slots=True)
class RatioPerson:
    """A child or a member of staff; `birth_date` and `home_room_id` are empty when nobody said."""

    id: str
    is_child: bool
    birth_date: str
    home_room_id: str
    counts_in_ratio: bool


@dataclass(frozen=True, slots=True)
class ToldBy:
    """A desk told of a fact that happened at a moment, and had followed the log up to a version."""

    device_id: str
    at: datetime
    base_version: int


async def rules_of(session: AsyncSession, center_id: str) -> list[CenterRatioRules]:
    """Give the rule sets of a centre by day."""
    statement = select(CenterRatioRules).where(col(CenterRatioRules.center_id) == center_id)
    ordered = statement.order_by(col(CenterRatioRules.effective_from))
    return list(await session.exec(ordered.limit(RULE_SETS_MAX)))


async def rules_read(connection: Connection, center_id: str) -> list[CenterRatioRules]:
    """Give the rule sets of a centre by day, in a transaction that only reads."""
    async with AsyncSession(connection, expire_on_commit=False) as session:
        return await rules_of(session, center_id)


async def put_rules(session: AsyncSession, center_id: str, day: date, body: bytes, at: datetime) -> None:
    """Store the rules that hold from a day on, in the place of others that did."""
    found = await session.get(CenterRatioRules, (center_id, day))
    if found is None:
        session.add(CenterRatioRules(center_id=center_id, effective_from=day, body=body, created_at=at))
    elif found.body != body:
        found.body, found.created_at = body, at
    await session.flush()


async def people(connection: Connection, center_id: str, *, limit: int) -> list[RatioPerson]:
    """Give the children and the staff of a centre, also those who were there once; at most so many."""
    rows = await connection.execute(_PEOPLE, {"center_id": center_id, "limit": limit})
    return [
        RatioPerson(
            id=str(row.id),
            is_child=row.kind == PersonKind.CHILD,
            birth_date=row.birth_date.isoformat() if row.birth_date else "",
            home_room_id=str(row.home_room_id or ""),
            counts_in_ratio=row.counts_in_ratio,
        )
        for row in rows
    ]


async def told_by(
    connection: Connection, center_id: str, *, start: datetime, before: datetime, limit: int
) -> list[ToldBy]:
    """Give which desk told of something in `[start, before)`, and the last of each in the two weeks before, by time."""
    parameters = {"center_id": center_id, "start": start, "before": before, "days": REPLICA_DAYS, "limit": limit}
    rows = await connection.execute(_TOLD_BY, parameters)
    return [ToldBy(str(row.device_id), row.corrected_at, row.base_version) for row in rows]


_PEOPLE: Final = text("""
    SELECT person.id, kind, birth_date, home_room_id, coalesce(counts_in_ratio, false) AS counts_in_ratio
    FROM person
    LEFT JOIN child_profile ON child_profile.center_id = person.center_id AND child_id = person.id
    LEFT JOIN staff_profile ON staff_profile.center_id = person.center_id AND person_id = person.id
    WHERE person.center_id = :center_id AND kind IN ('child', 'staff')
    ORDER BY person.id LIMIT :limit
""")
# The position that a desk had followed is in the entry of its journal that brought the fact.
_TOLD_BY: Final = text("""
    WITH told AS (
        SELECT fact.device_id, fact.corrected_at, entry.base_version
        FROM attendance_event AS fact
        JOIN journal_entry AS entry USING (center_id, device_id, incarnation, seq)
        WHERE fact.center_id = :center_id AND fact.corrected_at < :before
          AND fact.corrected_at >= CAST(:start AS timestamptz) - make_interval(days => :days)
    ), earlier AS (
        SELECT DISTINCT ON (device_id) device_id, corrected_at, base_version
        FROM told WHERE corrected_at < :start ORDER BY device_id, corrected_at DESC, base_version DESC
    )
    SELECT device_id, corrected_at, base_version FROM earlier
    UNION ALL
    SELECT device_id, corrected_at, base_version FROM told WHERE corrected_at >= :start
    ORDER BY corrected_at, base_version, device_id LIMIT :limit
""")
