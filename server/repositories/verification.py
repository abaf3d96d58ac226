"""The SQL of the check command: the rows of a centre's log, fold and tables in order, streamed; nothing is decided."""

from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import TextClause, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncResult
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from server.core.audit_chain import OF_NOBODY
from server.models.rooms import Center
from server.repositories import rosters
from server.repositories.journals import unescaped
from server.repositories.rosters import Roster
from sync.change_log import Change
from sync.digest import Held

# Rows that a cursor fetches at a time: bodies are at most 64 KiB, so at most 32 MiB.
ROWS_AT_ONCE: Final = 500


@dataclass(frozen=True, slots=True)
class HeadRow:
    """The end of a log as its row says it."""

    epoch: str
    version: int
    hash: bytes
    evidence: bytes
    evidence_version: int
    origin_epoch: str
    compacted_version: int


@dataclass(frozen=True, slots=True)
class LogRow:
    """A row of the log; `stands` tells whether `current_record` holds it, `at_us` is UTC microseconds since 1970."""

    change: Change
    operation: int
    hash: bytes
    evidence: bytes
    at_us: int
    actor: str
    origin: str
    stands: bool


@dataclass(frozen=True, slots=True)
class Standing:
    """A record that stands."""

    entity: str
    entity_id: str
    version: int
    bucket: str
    body: bytes


@dataclass(frozen=True, slots=True)
class FoldDifference:
    """A record for which log and fold differ; `columns` says where, and nothing when one side has none."""

    entity: str
    entity_id: str
    version: int
    in_log: bool
    in_fold: bool
    columns: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class FactPair:
    """A fact as the log's record has it (None: it has none), and as its row in `attendance_event` has it.

    Times are UTC microseconds since 1970.
    """

    event_id: str
    version: int
    body: bytes | None
    row: Mapping[str, Any] | None


async def center_ids(connection: AsyncConnection) -> list[str]:
    """Give every centre of which there is anything, and every organisation of which the audit log tells something."""
    return [str(center_id) for center_id in await connection.scalars(_CENTER_IDS)]


async def code_of(connection: AsyncConnection, center_id: str) -> str:
    """Give the code of a centre, or the name of an organisation; empty when it has no row."""
    return str(await connection.scalar(_CODE, {"center_id": center_id, "of_nobody": OF_NOBODY}) or "")


async def head(connection: AsyncConnection, center_id: str) -> HeadRow | None:
    """Give the head of a centre's log."""
    row = (await connection.execute(_HEAD, {"center_id": center_id})).one_or_none()
    if row is None:
        return None
    return HeadRow(
        epoch=str(row.epoch),
        version=row.version,
        hash=row.hash,
        evidence=row.evidence,
        evidence_version=row.evidence_version,
        origin_epoch=str(row.origin_epoch),
        compacted_version=row.compacted_version,
    )


async def epochs(connection: AsyncConnection, center_id: str) -> list[tuple[str, int]]:
    """Give the lives of a log, epoch and first position, in order."""
    rows = await connection.execute(_EPOCHS, {"center_id": center_id})
    return [(str(row.epoch), row.from_version) for row in rows]


async def sizes(connection: AsyncConnection, center_id: str) -> int:
    """Give how many rows a check of this centre goes through, roughly."""
    return int(await connection.scalar(_SIZES, {"center_id": center_id}) or 0)


async def log_rows(connection: AsyncConnection, center_id: str) -> AsyncGenerator[LogRow, None]:
    """Give every row of the log by version."""
    async with stream(connection, _LOG, {"center_id": center_id}) as rows:
        async for row in rows:
            change = Change(
                row.version, row.bucket, row.entity, row.entity_id, row.operation, row.body, row.salt, row.commitment,
                row.transaction_last,
            )  # fmt: skip
            yield LogRow(change, row.operation, row.hash, row.evidence, row.at_us, row.actor, row.origin, row.stands)


async def fold_difference(connection: AsyncConnection, center_id: str) -> FoldDifference | None:
    """Give the first record, by version, of which the fold does not hold what the log says."""
    row = (await connection.execute(_FOLD, {"center_id": center_id})).one_or_none()
    if row is None:
        return None
    columns = tuple(name for name in ("version", "bucket", "body", "salt", "commitment") if getattr(row, f"is_{name}"))
    return FoldDifference(row.entity, row.entity_id, row.at_version, row.in_log, row.in_fold, columns)


async def held(connection: AsyncConnection, center_id: str) -> AsyncGenerator[Held, None]:
    """Give what every record that stands adds to the digest of its bucket."""
    async with stream(connection, _HELD, {"center_id": center_id}) as rows:
        async for row in rows:
            yield Held(row.bucket, row.entity, row.entity_id, row.version, row.commitment)


async def stored_digests(connection: AsyncConnection, center_id: str) -> dict[str, tuple[int, int]]:
    """Give total and count of each bucket as they are kept; -1 for a total that is no number."""
    rows = await connection.execute(_DIGESTS, {"center_id": center_id})
    return {row.bucket: (int(row.total) if row.total.is_finite() else -1, row.records) for row in rows}


async def roster(connection: AsyncConnection, center_id: str) -> Roster | None:
    """Give the whole roster of a centre as its tables have it; None when it has no row."""
    async with AsyncSession(connection) as session:
        center = (await session.exec(select(Center).where(col(Center.id) == center_id))).one_or_none()
        return None if center is None else await rosters.load(session, center)


async def reference_records(connection: AsyncConnection, center_id: str) -> AsyncGenerator[Standing, None]:
    """Give every record that stands and is no event, by version."""
    async with stream(connection, _REFERENCE, {"center_id": center_id}) as rows:
        async for row in rows:
            yield Standing(row.entity, row.entity_id, row.version, row.bucket, row.body)


async def facts(connection: AsyncConnection, center_id: str) -> AsyncGenerator[FactPair, None]:
    """Give every fact as log and table have it, by version."""
    async with stream(connection, _FACTS, {"center_id": center_id}) as rows:
        async for row in rows:
            fact = dict(row._mapping) if row.child_id is not None else None  # noqa: SLF001 - the documented way
            if fact is not None:
                fact["incarnation"] = as_told(fact["incarnation"])
            yield FactPair(row.fact_id, row.fact_version, row.record_body, fact)


def microseconds(column: str) -> str:
    """Give the SQL of a time as microseconds: PostgreSQL has times that Python cannot hold. -1: it has no end."""
    return f"CASE WHEN isfinite({column}) THEN CAST(extract(epoch FROM {column}) * 1000000 AS bigint) ELSE -1 END"


def as_told(kept: str) -> str:
    """Give a text as its device wrote it; one that was never kept like that stays as it is."""
    try:
        return unescaped(kept)
    except UnicodeError:
        return kept


@asynccontextmanager
async def stream(
    connection: AsyncConnection, statement: TextClause, parameters: Mapping[str, object]
) -> AsyncIterator[AsyncResult[Any]]:
    """Give the rows of a statement, a bounded number at a time."""
    async with connection.stream(statement.execution_options(yield_per=ROWS_AT_ONCE), dict(parameters)) as rows:
        yield rows


# A log is found by stepping from centre to centre through its primary key, not by reading it.
_CENTER_IDS: Final = text("""
    WITH RECURSIVE logged AS (
        (SELECT center_id FROM change_log ORDER BY center_id LIMIT 1)
        UNION ALL
        SELECT (SELECT center_id FROM change_log WHERE center_id > logged.center_id ORDER BY center_id LIMIT 1)
        FROM logged WHERE logged.center_id IS NOT NULL
    )
    SELECT id FROM (
        SELECT id FROM center
        UNION SELECT center_id FROM center_head
        UNION SELECT center_id FROM logged WHERE center_id IS NOT NULL
        UNION SELECT chain_id FROM audit_head
        UNION SELECT chain_id FROM audit_entry
    ) AS known ORDER BY (SELECT code FROM center WHERE center.id = known.id), id
""")
_CODE: Final = text("""
    SELECT code FROM center WHERE id = :center_id
    UNION ALL SELECT 'organisation ' || name FROM organisation WHERE id = :center_id
    UNION ALL SELECT 'no organisation' WHERE CAST(:center_id AS uuid) = CAST(:of_nobody AS uuid)
""")
_HEAD: Final = text("""
    SELECT epoch, version, hash, evidence, evidence_version, origin_epoch, compacted_version
    FROM center_head WHERE center_id = :center_id
""")
_EPOCHS: Final = text("""
    SELECT epoch, from_version FROM log_epoch WHERE center_id = :center_id
    ORDER BY from_version, reason = 'restored', began_at, epoch
""")
_SIZES: Final = text("""
    SELECT (SELECT count(*) FROM change_log WHERE center_id = :center_id)
         + (SELECT count(*) FROM current_record WHERE center_id = :center_id)
         + (SELECT count(*) FROM attendance_event WHERE center_id = :center_id)
         + (SELECT count(*) FROM journal_entry WHERE center_id = :center_id)
""")
_LOG: Final = text(f"""
    SELECT line.version, line.bucket, line.entity, line.entity_id, line.operation, line.body, line.salt,
           line.commitment, line.hash, line.transaction_last, line.actor, line.origin, line.evidence,
           {microseconds("line.at")} AS at_us,
           record.version IS NOT NULL AS stands
    FROM change_log AS line
    LEFT JOIN current_record AS record ON record.center_id = line.center_id AND record.entity = line.entity
      AND record.entity_id = line.entity_id AND record.version = line.version
    WHERE line.center_id = :center_id ORDER BY line.version
""")
_FOLD: Final = text("""
    WITH newest AS (
        SELECT entity, entity_id, max(version) AS version FROM change_log
        WHERE center_id = :center_id GROUP BY entity, entity_id
    ), logged AS (
        SELECT line.* FROM newest JOIN change_log AS line
          ON line.center_id = :center_id AND line.version = newest.version AND line.operation = 1
    ), stands AS (
        SELECT * FROM current_record WHERE center_id = :center_id
    )
    SELECT coalesce(logged.entity, stands.entity) AS entity, coalesce(logged.entity_id, stands.entity_id) AS entity_id,
           coalesce(logged.version, stands.version) AS at_version,
           logged.version IS NOT NULL AS in_log, stands.version IS NOT NULL AS in_fold,
           logged.version IS DISTINCT FROM stands.version AS is_version,
           logged.bucket IS DISTINCT FROM stands.bucket AS is_bucket,
           logged.body IS DISTINCT FROM stands.body AS is_body,
           logged.salt IS DISTINCT FROM stands.salt AS is_salt,
           logged.commitment IS DISTINCT FROM stands.commitment AS is_commitment
    FROM logged FULL JOIN stands ON logged.entity = stands.entity AND logged.entity_id = stands.entity_id
    WHERE (logged.version, logged.bucket, logged.body, logged.salt, logged.commitment)
       IS DISTINCT FROM (stands.version, stands.bucket, stands.body, stands.salt, stands.commitment)
    ORDER BY at_version, entity, entity_id LIMIT 1
""")
_HELD: Final = text("""
    SELECT bucket, entity, entity_id, version, commitment FROM current_record
    WHERE center_id = :center_id ORDER BY entity, entity_id
""")
_DIGESTS: Final = text("SELECT bucket, total, records FROM bucket_digest WHERE center_id = :center_id ORDER BY bucket")
_REFERENCE: Final = text("""
    SELECT entity, entity_id, version, bucket, body FROM current_record
    WHERE center_id = :center_id AND entity <> 'event' ORDER BY version, entity, entity_id
""")
_FACTS: Final = text(f"""
    WITH told AS (
        SELECT entity_id, version, body FROM current_record WHERE center_id = :center_id AND entity = 'event'
    ), kept AS (
        SELECT * FROM attendance_event WHERE center_id = :center_id
    )
    SELECT coalesce(told.entity_id, CAST(kept.event_id AS text)) AS fact_id,
           coalesce(told.version, kept.version) AS fact_version, told.body AS record_body,
           kept.event_id, kept.child_id, kept.kind, kept.device_id, kept.incarnation, kept.seq, kept.hlc,
           kept.version, kept.body,
           {microseconds("kept.occurred_at")} AS occurred_at, {microseconds("kept.corrected_at")} AS corrected_at,
           {microseconds("kept.recorded_at")} AS recorded_at, {microseconds("kept.received_at")} AS received_at
    FROM told FULL JOIN kept ON told.entity_id = CAST(kept.event_id AS text)
    ORDER BY fact_version, fact_id
""")
