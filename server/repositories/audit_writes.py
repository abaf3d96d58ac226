"""The SQL that appends to the audit log, behind the locked head of each chain."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from server.core.asking import Act
from server.core.audit_chain import GENESIS, AuditEntry, next_hash


@dataclass(frozen=True, slots=True)
class Noted:
    """What all acts of one transaction share: who, when, by which route and request."""

    actor: str
    at: datetime
    route: str
    request_id: str


async def append(connection: AsyncConnection, chain_id: str, acts: Sequence[Act], noted: Noted) -> None:
    """Append acts to a chain; whoever appends to several does so in order of chain, and commits at once."""
    row = (await connection.execute(_LOCK, {"chain_id": chain_id, "genesis": GENESIS})).one()
    entries, hashes, last = [], [], bytes(row.hash)
    for number, act in enumerate(acts, row.seq + 1):
        entry = AuditEntry(
            chain_id, number, micros(noted.at), noted.actor, act.verb, act.entity, act.entity_id, act.part,
            noted.route, noted.request_id,
        )  # fmt: skip
        last = next_hash(last, entry)
        entries.append(entry)
        hashes.append(last)
    await connection.execute(_APPEND, _columns(chain_id, entries, hashes, noted.at))


async def has_written(connection: AsyncConnection) -> bool:
    """Tell whether the transaction wrote, or locked, anything."""
    return bool(await connection.scalar(_HAS_WRITTEN))


def micros(at: datetime) -> int:
    """Give the microseconds since 1970 of an aware datetime, exactly."""
    seconds = int(at.replace(microsecond=0).timestamp())
    return seconds * 1_000_000 + at.microsecond


def _columns(chain_id: str, entries: Sequence[AuditEntry], hashes: Sequence[bytes], at: datetime) -> dict[str, object]:
    return {
        "chain_id": chain_id,
        "at": at,
        "actor": entries[0].actor,
        "route": entries[0].route,
        "request_id": entries[0].request_id,
        "seqs": [one.seq for one in entries],
        "verbs": [one.verb for one in entries],
        "entities": [one.entity for one in entries],
        "entity_ids": [one.entity_id for one in entries],
        "parts": [one.part for one in entries],
        "hashes": list(hashes),
        "last_seq": entries[-1].seq,
        "last_hash": hashes[-1],
    }


COLUMNS: Final = "chain_id, seq, at, actor, verb, entity, entity_id, part, route, request_id, hash"
# The update that changes nothing takes the lock, also on a head that somebody made meanwhile.
_LOCK: Final = text("""
    INSERT INTO audit_head (chain_id, seq, hash) VALUES (:chain_id, 0, :genesis)
    ON CONFLICT (chain_id) DO UPDATE SET seq = audit_head.seq
    RETURNING seq, hash
""")
_HAS_WRITTEN: Final = text("SELECT pg_current_xact_id_if_assigned() IS NOT NULL")
_APPEND: Final = text(f"""
    WITH moved AS (
        UPDATE audit_head SET seq = :last_seq, hash = :last_hash WHERE chain_id = :chain_id
    )
    INSERT INTO audit_entry ({COLUMNS})
    SELECT CAST(:chain_id AS uuid), line.seq, CAST(:at AS timestamptz), CAST(:actor AS text), line.verb, line.entity,
           line.entity_id, line.part, CAST(:route AS text), CAST(:request_id AS text), line.hash
    FROM unnest(CAST(:seqs AS bigint[]), CAST(:verbs AS text[]), CAST(:entities AS text[]),
                CAST(:entity_ids AS text[]), CAST(:parts AS text[]), CAST(:hashes AS bytea[]))
         AS line(seq, verb, entity, entity_id, part, hash)
""")
