"""The SQL of the check command: every journal of a centre, entry by entry, beside what its outcomes speak of."""

from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncConnection

from server.repositories.journals import escaped
from server.repositories.verification import as_told, microseconds, stream
from sync.journal import Entry


@dataclass(frozen=True, slots=True)
class JournalRow:
    """The end of a journal as its row says it."""

    device_id: str
    incarnation: str
    last_seq: int
    last_hash: bytes
    evidence: bytes
    evidence_seq: int
    public_key: bytes | None


@dataclass(frozen=True, slots=True)
class EntryRow:
    """An entry, what became of it, and the row of the log and the incident that its outcome speaks of.

    `is_erased`: its body was emptied for somebody who was erased; the register says so.
    """

    entry: Entry
    received_at_us: int
    outcome: int
    reason: int
    version: int
    evidence: bytes
    log_entity: str | None
    log_entity_id: str
    log_body: bytes
    has_incident: bool
    is_erased: bool


@dataclass(frozen=True, slots=True)
class IncidentPair:
    """What is kept of an incident, and an entry that told it: `detail` is JSON, times are microseconds since 1970."""

    event_id: str
    device_id: str
    incident: str
    detail: str
    occurred_at: int
    received_at: int
    entry_body: bytes
    entry_device_id: str
    entry_received_at: int


async def journals(connection: AsyncConnection, center_id: str) -> list[JournalRow]:
    """Give the end of every journal, with the key of its device."""
    rows = await connection.execute(_JOURNALS, {"center_id": center_id})
    return [
        JournalRow(
            device_id=str(row.device_id),
            incarnation=as_told(row.incarnation),
            last_seq=row.last_seq,
            last_hash=row.last_hash,
            evidence=row.evidence,
            evidence_seq=row.evidence_seq,
            public_key=row.public_key,
        )
        for row in rows
    ]


async def orphan_entry(connection: AsyncConnection, center_id: str) -> tuple[str, str, int] | None:
    """Give device, incarnation and number of the first entry whose journal has no row."""
    row = (await connection.execute(_ORPHAN_ENTRY, {"center_id": center_id})).one_or_none()
    return None if row is None else (str(row.device_id), as_told(row.incarnation), row.seq)


async def entries(connection: AsyncConnection, center_id: str, journal: JournalRow) -> AsyncGenerator[EntryRow, None]:
    """Give every entry of a journal by number."""
    key = {
        "center_id": center_id,
        "device_id": journal.device_id,
        "incarnation": escaped(journal.incarnation),
    }
    async with stream(connection, _ENTRIES, key) as rows:
        async for row in rows:
            yield _entry_row(row)


async def incidents(connection: AsyncConnection, center_id: str) -> AsyncGenerator[IncidentPair, None]:
    """Give every incident that a device told, beside each entry that told it; those of one incident together."""
    async with stream(connection, _INCIDENTS, {"center_id": center_id}) as rows:
        async for row in rows:
            yield IncidentPair(
                event_id=row.event_id,
                device_id=str(row.device_id),
                incident=row.incident,
                detail=row.detail,
                occurred_at=row.occurred_at,
                received_at=row.received_at,
                entry_body=row.entry_body,
                entry_device_id=str(row.entry_device_id),
                entry_received_at=row.entry_received_at,
            )


async def fact_without_entry(connection: AsyncConnection, center_id: str) -> tuple[int, str] | None:
    """Give version and id of the first event in the log that no stored entry brought there."""
    row = (await connection.execute(_FACT_WITHOUT_ENTRY, {"center_id": center_id})).one_or_none()
    return None if row is None else (row.version, row.entity_id)


def entry_of(row: Row[Any]) -> Entry:
    """Give the entry of a row that holds all columns that its device wrote."""
    return Entry(
        incarnation=as_told(row.incarnation),
        seq=row.seq,
        event_id=as_told(row.event_id),
        kind=as_told(row.kind),
        body=row.body,
        hlc=row.hlc,
        wall_ms=row.wall_ms,
        monotonic_ms=row.monotonic_ms,
        boot_id=as_told(row.boot_id),
        base_epoch=as_told(row.base_epoch),
        base_version=row.base_version,
        previous_hash=row.previous_hash,
        hash=row.hash,
        signature=row.signature,
    )


def _entry_row(row: Row[Any]) -> EntryRow:
    return EntryRow(
        entry=entry_of(row),
        received_at_us=row.received_at_us,
        outcome=row.outcome,
        reason=row.reason,
        version=row.version,
        evidence=row.evidence,
        log_entity=row.log_entity,
        log_entity_id=row.log_entity_id or "",
        log_body=row.log_body or b"",
        has_incident=row.has_incident,
        is_erased=row.is_erased,
    )


_JOURNALS: Final = text("""
    SELECT journal.device_id, journal.incarnation, last_seq, last_hash, evidence, evidence_seq, public_key
    FROM device_journal AS journal
    LEFT JOIN device ON device.id = journal.device_id AND device.center_id = journal.center_id
    WHERE journal.center_id = :center_id ORDER BY journal.device_id, journal.incarnation
""")
_ORPHAN_ENTRY: Final = text("""
    SELECT device_id, incarnation, seq FROM journal_entry AS entry
    WHERE center_id = :center_id AND NOT EXISTS (
        SELECT FROM device_journal AS journal
        WHERE journal.center_id = entry.center_id AND journal.device_id = entry.device_id
          AND journal.incarnation = entry.incarnation)
    ORDER BY device_id, incarnation, seq LIMIT 1
""")
_ENTRIES: Final = text(f"""
    SELECT entry.incarnation, entry.seq, entry.event_id, entry.kind, entry.body, entry.hlc, entry.wall_ms,
           entry.monotonic_ms, entry.boot_id, entry.base_epoch, entry.base_version, entry.previous_hash, entry.hash,
           entry.signature, entry.outcome, entry.reason, entry.version, entry.evidence,
           {microseconds("entry.received_at")} AS received_at_us,
           line.entity AS log_entity, line.entity_id AS log_entity_id, line.body AS log_body,
           incident.event_id IS NOT NULL AS has_incident,
           entry.body = '' AND EXISTS (
               SELECT FROM erased_record AS gone
               WHERE gone.center_id = entry.center_id AND gone.entity = 'entry' AND gone.entity_id = entry.event_id
           ) AS is_erased
    FROM journal_entry AS entry
    LEFT JOIN change_log AS line ON line.center_id = entry.center_id AND line.version = entry.version
    LEFT JOIN device_incident AS incident ON incident.center_id = entry.center_id
      AND CAST(incident.event_id AS text) = entry.event_id
    WHERE entry.center_id = :center_id AND entry.device_id = :device_id AND entry.incarnation = :incarnation
    ORDER BY entry.seq
""")
_INCIDENTS: Final = text(f"""
    SELECT entry.event_id, kept.device_id, kept.incident, CAST(kept.detail AS text) AS detail,
           {microseconds("kept.occurred_at")} AS occurred_at, {microseconds("kept.received_at")} AS received_at,
           entry.body AS entry_body, entry.device_id AS entry_device_id,
           {microseconds("entry.received_at")} AS entry_received_at
    FROM device_incident AS kept
    JOIN journal_entry AS entry ON entry.center_id = kept.center_id AND entry.kind = 'device_incident'
      AND entry.outcome = 1 AND entry.event_id = CAST(kept.event_id AS text)
    WHERE kept.center_id = :center_id ORDER BY kept.received_at, entry.event_id, entry.received_at DESC
""")
_FACT_WITHOUT_ENTRY: Final = text("""
    SELECT version, entity_id FROM change_log AS line
    WHERE center_id = :center_id AND entity = 'event' AND operation = 1 AND NOT EXISTS (
        SELECT FROM journal_entry AS entry
        WHERE entry.center_id = :center_id AND entry.version = line.version AND entry.outcome <> 2)
      -- What an erasure put in place of an event has no entry of its own: the register and the event before tell of it.
      AND NOT (EXISTS (SELECT FROM erased_record AS gone WHERE gone.center_id = :center_id AND gone.entity = 'event'
                       AND gone.entity_id = line.entity_id)
               AND EXISTS (SELECT FROM change_log AS before WHERE before.center_id = :center_id
                           AND before.entity = 'event' AND before.entity_id = line.entity_id
                           AND before.version < line.version))
    ORDER BY version LIMIT 1
""")
