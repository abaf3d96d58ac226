"""Carries evidence and digests on over rows that a server of an earlier release wrote without them."""

from collections.abc import AsyncIterator
from typing import Any, Final

from sqlalchemy import Row, TextClause, text
from sqlalchemy.ext.asyncio import AsyncConnection

from server.repositories.journal_writes import JournalEnd, JournalKey
from server.repositories.journals import escaped
from server.repositories.log_rows import microseconds
from server.repositories.log_writes import LockedHead, Share, replace_digests
from sync.digest import MODULUS, Held, contribution
from sync.evidence import journal_evidence, log_evidence

BATCH_ROWS: Final = 5_000


async def close_log_gap(connection: AsyncConnection, center_id: str, locked: LockedHead) -> LockedHead:
    """Bring the evidence of a locked log to its head, and count the digests of the centre anew."""
    evidence = locked.evidence
    key = {"center_id": center_id, "after": locked.evidence_version, "rows": BATCH_ROWS}
    async for row in _batches(connection, _READ_LOG, key, {"after": "version"}):
        evidence = log_evidence(
            evidence,
            row.hash,
            bucket=row.bucket,
            transaction_last=row.transaction_last,
            at_us=microseconds(row.at),
            actor=row.actor,
            origin=row.origin,
        )
    await replace_digests(connection, center_id, await _counted(connection, center_id))
    return LockedHead(locked.head, evidence, locked.head.version)


async def close_journal_gap(connection: AsyncConnection, journal: JournalKey, end: JournalEnd) -> JournalEnd:
    """Bring the evidence of a journal to its end."""
    evidence = end.evidence
    key = {
        "center_id": journal.center_id,
        "device_id": journal.device_id,
        "incarnation": escaped(journal.incarnation),
        "after": end.evidence_seq,
        "rows": BATCH_ROWS,
    }
    async for row in _batches(connection, _READ_JOURNAL, key, {"after": "seq"}):
        evidence = journal_evidence(
            evidence,
            row.hash,
            row.signature,
            outcome=row.outcome,
            reason=row.reason,
            version=row.version,
            received_at_us=microseconds(row.received_at),
        )
    return JournalEnd(end.head, evidence, end.head.seq)


async def _counted(connection: AsyncConnection, center_id: str) -> dict[str, Share]:
    shares: dict[str, Share] = {}
    key = {"center_id": center_id, "entity": "", "entity_id": "", "rows": BATCH_ROWS}
    async for row in _batches(connection, _READ_CURRENT, key, {"entity": "entity", "entity_id": "entity_id"}):
        total, count = shares.get(row.bucket, (0, 0))
        held = Held(row.bucket, row.entity, row.entity_id, row.version, row.commitment)
        shares[row.bucket] = ((total + contribution(held)) % MODULUS, count + 1)
    return shares


async def _batches(
    connection: AsyncConnection, statement: TextClause, key: dict[str, Any], moves: dict[str, str]
) -> AsyncIterator[Row[Any]]:
    """All rows behind a key, `BATCH_ROWS` at a time; `moves` says which parameter follows which column."""
    while rows := (await connection.execute(statement, key)).all():
        for row in rows:
            yield row
        key = key | {parameter: getattr(rows[-1], column) for parameter, column in moves.items()}


_READ_LOG: Final = text("""
    SELECT version, hash, bucket, transaction_last, at, actor, origin FROM change_log
    WHERE center_id = :center_id AND version > :after ORDER BY version LIMIT :rows
""")
_READ_CURRENT: Final = text("""
    SELECT entity, entity_id, bucket, version, commitment FROM current_record
    WHERE center_id = :center_id AND (entity, entity_id) > (:entity, :entity_id)
    ORDER BY entity, entity_id LIMIT :rows
""")
_READ_JOURNAL: Final = text("""
    SELECT seq, hash, signature, outcome, reason, version, received_at FROM journal_entry
    WHERE center_id = :center_id AND device_id = :device_id AND incarnation = :incarnation AND seq > :after
    ORDER BY seq LIMIT :rows
""")
