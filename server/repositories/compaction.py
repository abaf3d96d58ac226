"""The SQL of compaction: how far every live device has come, and the bodies that nobody will ask for again."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from server.repositories.journals import escaped


@dataclass(frozen=True, slots=True)
class Slowest:
    """How many active devices were heard, and the smallest position among them (None: none was heard)."""

    devices: int
    version: int | None


@dataclass(frozen=True, slots=True)
class Superseded:
    """How many bodies can go, and how many bytes they are."""

    rows: int
    bytes: int


async def compacted_version(connection: AsyncConnection, center_id: str) -> int:
    """Give the position below which superseded bodies may be gone already."""
    return int(await connection.scalar(_COMPACTED, {"center_id": center_id}) or 0)


async def slowest_device(connection: AsyncConnection, center_id: str, epoch: str, since: datetime) -> Slowest:
    """Give the smallest position in this life of the log of the active devices that were heard since then."""
    parameters = {"center_id": center_id, "epoch": escaped(epoch), "since": since}
    row = (await connection.execute(_SLOWEST, parameters)).one()
    return Slowest(row.devices, row.version)


async def superseded(connection: AsyncConnection, center_id: str, *, through: int) -> Superseded:
    """Count what `empty` would take."""
    row = (await connection.execute(_COUNT, {"center_id": center_id, "after": 0, "through": through})).one()
    return Superseded(row.found, int(row.bytes))


async def raise_floor(connection: AsyncConnection, center_id: str, version: int) -> None:
    """Let nobody below this position read the log any more."""
    await connection.execute(_RAISE, {"center_id": center_id, "version": version})


async def empty(connection: AsyncConnection, center_id: str, *, after: int, through: int) -> Superseded:
    """Take body and salt from those rows of `(after, through]` whose record was put anew or removed since."""
    row = (await connection.execute(_EMPTY, {"center_id": center_id, "after": after, "through": through})).one()
    return Superseded(row.found, int(row.bytes))


_COMPACTED: Final = text("SELECT compacted_version FROM center_head WHERE center_id = :center_id")
_SLOWEST: Final = text("""
    SELECT count(*) AS devices, min(position.version) AS version
    FROM device_position AS position
    JOIN device ON device.id = position.device_id AND device.center_id = position.center_id
    WHERE position.center_id = :center_id AND device.state = 'active'
      AND position.epoch = :epoch AND position.at >= :since
""")
# A record that stands at a version is what `current_record` says; versions only grow, so what is superseded stays so.
_WHERE_SUPERSEDED: Final = """
    center_id = :center_id AND version > :after AND version <= :through AND operation = 1 AND salt <> ''
      AND NOT EXISTS (SELECT FROM current_record AS record
                      WHERE record.center_id = change_log.center_id AND record.entity = change_log.entity
                        AND record.entity_id = change_log.entity_id AND record.version = change_log.version)
"""
_COUNT: Final = text(f"""
    SELECT count(*) AS found, coalesce(sum(octet_length(body)), 0) AS bytes FROM change_log WHERE {_WHERE_SUPERSEDED}
""")
_RAISE: Final = text("""
    UPDATE center_head SET compacted_version = least(version, greatest(compacted_version, :version))
    WHERE center_id = :center_id
""")
_EMPTY: Final = text(f"""
    WITH old AS (
        SELECT version, octet_length(body) AS bytes FROM change_log WHERE {_WHERE_SUPERSEDED} FOR UPDATE
    ), emptied AS (
        UPDATE change_log SET body = '', salt = '' FROM old
        WHERE change_log.center_id = :center_id AND change_log.version = old.version RETURNING old.bytes
    )
    SELECT count(*) AS found, coalesce(sum(bytes), 0) AS bytes FROM emptied
""")
