"""How texts of journals are kept, and the SQL of how far devices are.

An entry is never refused for what it says, and PostgreSQL's text holds no NUL: texts that a device chose are
kept in the form of `escaped`, which leaves ordinary ones as they are and can be undone exactly.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection


@dataclass(frozen=True, slots=True)
class Position:
    """How far a device said that its replica is."""

    center_id: str
    device_id: str
    epoch: str
    version: int
    queue_depth: int
    at: datetime


def escaped(value: str) -> str:
    """Give a text that PostgreSQL can hold, as Python's own escapes; `unescaped` undoes it."""
    if value.isascii() and value.isprintable() and "\\" not in value:
        return value
    return value.encode("unicode_escape").decode("ascii")


def unescaped(value: str) -> str:
    """Undo `escaped`."""
    return value.encode("ascii").decode("unicode_escape")


async def store_positions(connection: AsyncConnection, positions: Sequence[Position]) -> None:
    """Note how far devices are; the newest word of each device stands."""
    parameters = {
        "center_ids": [position.center_id for position in positions],
        "device_ids": [position.device_id for position in positions],
        "epochs": [escaped(position.epoch) for position in positions],
        "versions": [position.version for position in positions],
        "depths": [position.queue_depth for position in positions],
        "ats": [position.at for position in positions],
    }
    await connection.execute(_STORE_POSITIONS, parameters)


_STORE_POSITIONS: Final = text("""
    INSERT INTO device_position (center_id, device_id, epoch, version, queue_depth, at)
    SELECT line.*
    FROM unnest(CAST(:center_ids AS uuid[]), CAST(:device_ids AS uuid[]), CAST(:epochs AS text[]),
                CAST(:versions AS bigint[]), CAST(:depths AS bigint[]), CAST(:ats AS timestamptz[])) AS line
    ON CONFLICT (center_id, device_id) DO UPDATE
    SET epoch = excluded.epoch, version = excluded.version, queue_depth = excluded.queue_depth,
        at = excluded.at
""")
