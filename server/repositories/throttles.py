"""The SQL of limits: one row for each limit and whom it counts, moved ahead in time by each try."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import text

from server.repositories.unit_of_work import Connection


async def take(
    connection: Connection, key: bytes, *, now: datetime, step: timedelta, window: timedelta
) -> datetime | None:
    """Count one try; gives None when it is let by, or until when the limit is full when it is not.

    The generic cell rate algorithm (ITU-T I.371 annex A): a try moves `full_at` ahead by `step`, and none is let by
    that would move it further than `window` ahead of now. A time that no try can have led to is left over from a
    clock that was wrong, and counts for nothing.
    """
    taken = await take_some(connection, key, now=now, step=step, window=window)
    return None if taken.is_let_by else taken.full_at


@dataclass(frozen=True, slots=True)
class Taken:
    """Whether tries were let by, and until when the limit is full now."""

    is_let_by: bool
    full_at: datetime


async def take_some(connection: Connection, key: bytes, *, now: datetime, step: timedelta, window: timedelta) -> Taken:
    """Count tries, or none of them: as `take`, where `step` is what all of them move."""
    parameters = {"key": key, "now": now, "step": step, "window": window}
    moved: datetime | None = await connection.scalar(_TAKE, parameters)
    if moved is not None:
        return Taken(is_let_by=True, full_at=moved)
    full_at: datetime | None = await connection.scalar(_FULL_AT, {"key": key})
    return Taken(is_let_by=False, full_at=full_at or now)


async def give_back(connection: Connection, key: bytes, *, step: timedelta) -> None:
    """Undo the count of one try."""
    await connection.execute(_GIVE_BACK, {"key": key, "step": step})


async def forget(connection: Connection, *, now: datetime, rows_max: int) -> int:
    """Take away rows that mean as much as none; gives how many, `rows_max` at most."""
    return (await connection.execute(_FORGET, {"now": now, "rows_max": rows_max})).rowcount


# Half a minute for the clocks of two servers.
_STALE: Final = "throttle.full_at > CAST(:now AS timestamptz) + 2 * CAST(:window AS interval) + interval '30 seconds'"
_BEGIN: Final = f"""
    CASE WHEN {_STALE} THEN CAST(:now AS timestamptz)
         ELSE greatest(throttle.full_at, CAST(:now AS timestamptz)) END
"""
_TAKE: Final = text(f"""
    INSERT INTO throttle (key, full_at)
    VALUES (:key, CAST(:now AS timestamptz) + CAST(:step AS interval))
    ON CONFLICT (key) DO UPDATE SET full_at = {_BEGIN} + CAST(:step AS interval)
    WHERE {_BEGIN} + CAST(:step AS interval) <= CAST(:now AS timestamptz) + CAST(:window AS interval)
    RETURNING full_at
""")
_FULL_AT: Final = text("SELECT full_at FROM throttle WHERE key = :key")
_GIVE_BACK: Final = text("UPDATE throttle SET full_at = full_at - CAST(:step AS interval) WHERE key = :key")
_FORGET: Final = text("""
    DELETE FROM throttle WHERE key IN (
        SELECT key FROM throttle WHERE full_at <= :now ORDER BY full_at LIMIT :rows_max FOR UPDATE SKIP LOCKED
    )
""")
