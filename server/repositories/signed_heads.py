"""The SQL of signed days: where chains stand now, and what was signed of them."""

from collections.abc import AsyncGenerator
from datetime import date, datetime
from typing import Any, Final

from sqlalchemy import Row, text

from server.core.signed_heads import AUDIT, JOURNAL, LOG, Head, Sheet, SignedSheet
from server.repositories.audit_writes import micros
from server.repositories.job_locks import key_of
from server.repositories.unit_of_work import Connection
from server.repositories.verification import stream


async def lock(connection: Connection) -> None:
    """Let nobody else add a sheet before the transaction ends."""
    await connection.execute(_LOCK, {"key": key_of("sheet of signed heads")})


async def moved(connection: Connection) -> tuple[Head, ...]:
    """Give where each chain stands that is not where it stood when it was signed last, in order of chain."""
    rows = await connection.execute(_MOVED, {"log": LOG, "journal": JOURNAL, "audit": AUDIT})
    return tuple(_head(row) for row in rows)


async def last(connection: Connection) -> SignedSheet | None:
    """Give the newest sheet; None before the first."""
    found = None
    async for signed in sheets(connection, after=await connection.scalar(_BEFORE_LAST) or 0):
        found = signed
    return found


async def sheets(connection: Connection, *, after: int = 0) -> AsyncGenerator[SignedSheet, None]:
    """Give every sheet behind a number, each with its heads as they were signed."""
    async with stream(connection, _DAYS, {"after": after}) as rows:
        days = [row async for row in rows]
    for day in days:
        heads = tuple(_head(row) for row in await connection.execute(_HEADS, {"number": day.number}))
        yield _signed(day, heads)


async def add(connection: Connection, signed: SignedSheet, signed_at: datetime) -> None:
    """Add a sheet."""
    sheet = signed.sheet
    await connection.execute(
        _ADD_DAY,
        {
            "number": sheet.number, "day": date.fromisoformat(sheet.day), "signed_at": signed_at,
            "previous": sheet.previous, "public_key": signed.public_key, "signature": signed.signature,
        },
    )  # fmt: skip
    names = ("kind", "chain_id", "name", "seq", "hash")
    columns = {name: [getattr(head, name) for head in sheet.heads] for name in names}
    await connection.execute(_ADD_HEADS, {"number": sheet.number, **columns})


async def restored_at_us(connection: Connection) -> int:
    """Give when the database was last restored (UTC microseconds since 1970); 0 when it never was."""
    at: datetime | None = await connection.scalar(_RESTORED)
    return micros(at) if at else 0


def _signed(day: Row[Any], heads: tuple[Head, ...]) -> SignedSheet:
    sheet = Sheet(day.number, day.day.isoformat(), micros(day.signed_at), bytes(day.previous), heads)
    return SignedSheet(sheet, bytes(day.public_key), bytes(day.signature))


def _head(row: Row[Any]) -> Head:
    return Head(row.kind, str(row.chain_id), row.name, row.seq, bytes(row.hash))


_LOCK: Final = text("SELECT pg_advisory_xact_lock(:key)")
# The chains of evidence, not those that devices check: they cover every column (decision 0015).
_MOVED: Final = text("""
    WITH stands AS (
        SELECT CAST(:log AS text) AS kind, center_id AS chain_id, '' AS name, evidence_version AS seq, evidence AS hash
        FROM center_head WHERE evidence_version > 0
        UNION ALL
        SELECT CAST(:journal AS text), center_id, device_id || ' ' || incarnation, evidence_seq, evidence
        FROM device_journal WHERE evidence_seq > 0
        UNION ALL
        SELECT CAST(:audit AS text), chain_id, '', seq, hash FROM audit_head WHERE seq > 0
    ), signed AS (
        SELECT DISTINCT ON (kind, chain_id, name) kind, chain_id, name, seq, hash
        FROM signed_head ORDER BY kind, chain_id, name, number DESC
    )
    SELECT kind, chain_id, name, stands.seq, stands.hash
    FROM stands LEFT JOIN signed USING (kind, chain_id, name)
    WHERE (stands.seq, stands.hash) IS DISTINCT FROM (signed.seq, signed.hash)
    ORDER BY kind, chain_id, name COLLATE "C"
""")
_BEFORE_LAST: Final = text("SELECT max(number) - 1 FROM signed_day")
_DAYS: Final = text("""
    SELECT number, day, signed_at, previous, public_key, signature
    FROM signed_day WHERE number > :after ORDER BY number
""")
_HEADS: Final = text("""
    SELECT kind, chain_id, name, seq, hash FROM signed_head
    WHERE number = :number ORDER BY kind, chain_id, name COLLATE "C"
""")
_ADD_DAY: Final = text("""
    INSERT INTO signed_day (number, day, signed_at, previous, public_key, signature)
    VALUES (:number, :day, :signed_at, :previous, :public_key, :signature)
""")
_ADD_HEADS: Final = text("""
    INSERT INTO signed_head (number, kind, chain_id, name, seq, hash)
    SELECT :number, line.kind, line.chain_id, line.name, line.seq, line.hash
    FROM unnest(CAST(:kind AS text[]), CAST(:chain_id AS uuid[]), CAST(:name AS text[]), CAST(:seq AS bigint[]),
                CAST(:hash AS bytea[])) AS line(kind, chain_id, name, seq, hash)
""")
_RESTORED: Final = text("SELECT max(began_at) FROM log_epoch WHERE reason = 'restored'")
