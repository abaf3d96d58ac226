"""The SQL of sample data: bookings of years in bulk, and what is asked before any of it is written."""

from collections.abc import Iterable, Sequence
from datetime import date, datetime
from typing import Any, Final, NamedTuple

from sqlalchemy import text
from sqlmodel import col, func, select
from sqlmodel.ext.asyncio.session import AsyncSession

from server.models.devices import Device
from server.models.planning import Schedule
from server.models.rooms import Center
from server.repositories.journal_writes import NewEntry
from server.repositories.journals import escaped
from server.repositories.unit_of_work import Connection


class BookingLine(NamedTuple):
    """A row of `booking`, in the order of its columns."""

    center_id: str
    id: str
    child_id: str
    service_id: str
    schedule_id: str
    day: date
    starts_at: datetime
    ends_at: datetime
    status: str
    source: str
    cause: str
    chargeable: bool
    reason: str
    content: bytes
    created_at: datetime
    made_by: str
    cancelled_at: datetime | None


async def count_centers(session: AsyncSession) -> int:
    """Count all centres there are."""
    return (await session.exec(select(func.count()).select_from(Center))).one()


async def taken_codes(session: AsyncSession, codes: Iterable[str]) -> list[str]:
    """Give those of some codes that centres have, in order."""
    statement = select(col(Center.code)).where(col(Center.code).in_(list(codes))).order_by(col(Center.code))
    return list(await session.exec(statement))


async def add(session: AsyncSession, rows: Sequence[Device] | Sequence[Schedule]) -> None:
    """Store new desks or schedules."""
    session.add_all(rows)
    await session.flush()


async def people(connection: Connection, center_id: str) -> dict[str, str]:
    """Give the ids of everybody and of every room of a centre by their ids in roster files."""
    rows = await connection.execute(_PEOPLE, {"center_id": center_id})
    return {row.external_id: str(row.id) for row in rows}


async def add_bookings(connection: Connection, lines: Sequence[BookingLine]) -> None:
    """Store bookings; every constraint of the table holds."""
    if not lines:
        return
    # The driver begins its transaction with the first statement that goes through SQLAlchemy.
    await connection.execute(_BEGIN)
    raw: Any = (await connection.get_raw_connection()).driver_connection
    await _insert(raw, "booking", BookingLine._fields, lines)


async def _insert(raw: Any, table: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Insert rows in one go of the driver: PostgreSQL takes no COPY into a table with row-level security."""
    places = ", ".join(f"${number}" for number in range(1, len(columns) + 1))
    await raw.executemany(f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({places})", rows)


async def add_entries(connection: Connection, lines: Sequence[tuple[NewEntry, datetime]]) -> None:
    """Store new entries, each with when it was received and those of a journal in order; move the journals' ends."""
    raw: Any = (await connection.get_raw_connection()).driver_connection
    await _insert(raw, "journal_entry", _ENTRY_COLUMNS, [_entry(line, at) for line, at in lines])
    lasts = list({line.key: line for line, _ in lines}.values())
    parameters = {
        "center_ids": [line.key.center_id for line in lasts],
        "device_ids": [line.key.device_id for line in lasts],
        "incarnations": [escaped(line.key.incarnation) for line in lasts],
        "seqs": [line.entry.seq for line in lasts],
        "hashes": [line.entry.hash for line in lasts],
        "evidences": [line.evidence for line in lasts],
    }
    await connection.execute(_MOVE_ENDS, parameters)


def _entry(line: NewEntry, received_at: datetime) -> tuple[object, ...]:
    entry, outcome = line.entry, line.outcome
    return (
        *line.key[:2], escaped(line.key.incarnation), entry.seq, escaped(entry.event_id), escaped(entry.kind),
        entry.body, entry.hlc, entry.wall_ms, entry.monotonic_ms, escaped(entry.boot_id), escaped(entry.base_epoch),
        entry.base_version, entry.previous_hash, entry.hash, entry.signature, received_at, int(outcome.outcome),
        int(outcome.reason), outcome.version, line.evidence,
    )  # fmt: skip


async def analyze(connection: Connection) -> None:
    """Let the planner know what the tables hold; for the owner of the tables."""
    for table in ("attendance_event", "stay", "review", "booking", "absence", "journal_entry", "change_log"):
        await connection.execute(text(f"ANALYZE {table}"))


_PEOPLE: Final = text("""
    SELECT external_id, id FROM person WHERE center_id = :center_id
    UNION ALL SELECT external_id, id FROM room WHERE center_id = :center_id
    ORDER BY external_id
""")
_ENTRY_COLUMNS: Final = (
    "center_id", "device_id", "incarnation", "seq", "event_id", "kind", "body", "hlc", "wall_ms", "monotonic_ms",
    "boot_id", "base_epoch", "base_version", "previous_hash", "hash", "signature", "received_at", "outcome", "reason",
    "version", "evidence",
)  # fmt: skip
_MOVE_ENDS: Final = text("""
    INSERT INTO device_journal (center_id, device_id, incarnation, last_seq, last_hash, evidence, evidence_seq)
    SELECT line.center_id, line.device_id, line.incarnation, line.seq, line.hash, line.evidence, line.seq
    FROM unnest(CAST(:center_ids AS uuid[]), CAST(:device_ids AS uuid[]), CAST(:incarnations AS text[]),
                CAST(:seqs AS bigint[]), CAST(:hashes AS bytea[]), CAST(:evidences AS bytea[]))
         AS line(center_id, device_id, incarnation, seq, hash, evidence)
    ON CONFLICT (center_id, device_id, incarnation) DO UPDATE
    SET last_seq = excluded.last_seq, last_hash = excluded.last_hash, evidence = excluded.evidence,
        evidence_seq = excluded.evidence_seq
""")
_BEGIN: Final = text("SELECT 1")
