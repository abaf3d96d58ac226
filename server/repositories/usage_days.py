"""The SQL of days of usage: since when there is anything to state of a child, and which rules locked days have."""

from collections.abc import Collection
from datetime import date
from typing import Final

from sqlalchemy import text
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from server.models.planning import UsageRules
from server.repositories.unit_of_work import Connection


async def first_days(
    connection: Connection, center_id: str, child_ids: Collection[str], *, time_zone: str
) -> dict[str, date]:
    """Give the first day, at the centre, of each of these children of whom there is a booking or a stay."""
    parameters = {"center_id": center_id, "child_ids": list(child_ids), "time_zone": time_zone}
    rows = await connection.execute(_FIRST_DAYS, parameters)
    return {str(row.child_id): row.first_day for row in rows if row.first_day is not None}


async def rules(session: AsyncSession) -> list[UsageRules]:
    """Give since when which rules of usage hold for days that are locked, the newest first; version 1 held before."""
    return list(await session.exec(select(UsageRules).order_by(col(UsageRules.version).desc())))


_FIRST_DAYS: Final = text("""
    SELECT child.id AS child_id, least(
        (SELECT min(booking.day) FROM booking
         WHERE booking.center_id = :center_id AND booking.child_id = child.id),
        (SELECT CAST(min(coalesce(stay.started_at, stay.ended_at)) AT TIME ZONE :time_zone AS date) FROM stay
         WHERE stay.center_id = :center_id AND stay.subject_id = child.id)
    ) AS first_day
    FROM unnest(CAST(:child_ids AS uuid[])) AS child (id) ORDER BY child.id
""")
