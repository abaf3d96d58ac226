"""The SQL that reads the audit log: pages of it for people, and whole chains for the check."""

from collections.abc import AsyncGenerator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncConnection

from server.core.audit_chain import OF_NOBODY, AuditEntry
from server.repositories.audit_writes import COLUMNS, micros
from server.repositories.verification import stream


@dataclass(frozen=True, slots=True)
class ChainEnd:
    """The last number and hash of a chain."""

    seq: int
    hash: bytes


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which entries of a chain: of one person, of one thing, of one kind, of one span of time; None is any."""

    actor: str | None = None
    entity_id: str | None = None
    verb: str | None = None
    since: datetime | None = None
    until: datetime | None = None


async def page(
    connection: AsyncConnection, chain_id: str, wanted: Wanted, *, before: int | None, limit: int
) -> list[AuditEntry]:
    """Give entries of a chain, the newest first, those before the number `before`."""
    parameters = {
        "chain_id": chain_id, "before": before, "limit": limit, "actor": wanted.actor, "entity_id": wanted.entity_id,
        "verb": wanted.verb, "since": wanted.since, "until": wanted.until,
    }  # fmt: skip
    return [_entry(row) for row in await connection.execute(_PAGE, parameters)]


async def chain_of_nobody(connection: AsyncConnection) -> str:
    """Give the chain for what is known of nobody: that of the only organisation, or else the server's own."""
    found = [str(one) for one in await connection.scalars(_ORGANISATIONS)]
    return found[0] if len(found) == 1 else OF_NOBODY


async def chain_end(connection: AsyncConnection, chain_id: str) -> ChainEnd | None:
    """Give where a chain ends; None when it never began."""
    row = (await connection.execute(_END, {"chain_id": chain_id})).one_or_none()
    return None if row is None else ChainEnd(row.seq, bytes(row.hash))


async def chain(connection: AsyncConnection, chain_id: str) -> AsyncGenerator[tuple[AuditEntry, bytes], None]:
    """Give every entry of a chain by number, each with the hash beside it."""
    async with stream(connection, _CHAIN, {"chain_id": chain_id}) as rows:
        async for row in rows:
            yield _entry(row), bytes(row.hash)


def _entry(row: Row[Any]) -> AuditEntry:
    return AuditEntry(
        chain_id=str(row.chain_id), seq=row.seq, at_us=micros(row.at), actor=row.actor, verb=row.verb,
        entity=row.entity, entity_id=row.entity_id, part=row.part, route=row.route, request_id=row.request_id,
    )  # fmt: skip


_PAGE: Final = text(f"""
    SELECT {COLUMNS} FROM audit_entry
    WHERE chain_id = :chain_id AND seq < coalesce(CAST(:before AS bigint), 9223372036854775807)
      AND (CAST(:actor AS text) IS NULL OR actor = :actor)
      AND (CAST(:entity_id AS text) IS NULL OR entity_id = :entity_id)
      AND (CAST(:verb AS text) IS NULL OR verb = :verb)
      AND (CAST(:since AS timestamptz) IS NULL OR at >= :since)
      AND (CAST(:until AS timestamptz) IS NULL OR at < :until)
    ORDER BY seq DESC LIMIT :limit
""")
_ORGANISATIONS: Final = text("SELECT id FROM organisation ORDER BY id LIMIT 2")
_END: Final = text("SELECT seq, hash FROM audit_head WHERE chain_id = :chain_id")
_CHAIN: Final = text(f"SELECT {COLUMNS} FROM audit_entry WHERE chain_id = :chain_id ORDER BY seq")
