"""The SQL behind the evidence of a stay: the facts of its child, the entries that tell them, and names for ids."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import msgspec
from sqlalchemy import Row, text

from server.repositories.unit_of_work import Connection
from server.repositories.verification import as_told, microseconds
from server.repositories.verification_journals import entry_of
from sync.attendance import Fact, decode_event
from sync.journal import Entry, Outcome
from sync.records import EventRecord


@dataclass(frozen=True, slots=True)
class StoredEvent:
    """What is stored of a fact: the body that counts, and its record in the log (None: there is none to be read).

    `received_at_us` is UTC microseconds since 1970.
    """

    event_id: str
    body: bytes
    version: int
    received_at_us: int
    record: EventRecord | None


@dataclass(frozen=True, slots=True)
class StoredEntry:
    """An entry of a journal, what became of it, its device, and hash and evidence of the entry before it.

    `public_key` is None when the device is not known any more, `before_hash` when the entry before is not there.
    """

    device_id: str
    device_name: str
    public_key: bytes | None
    entry: Entry
    received_at_us: int
    outcome: int
    reason: int
    version: int
    evidence: bytes
    before_hash: bytes | None
    before_evidence: bytes | None


@dataclass(frozen=True, slots=True)
class EntryKey:
    """Where an entry stands: its number in a journal."""

    device_id: str
    incarnation: str
    seq: int


async def facts_of_subject(connection: Connection, center_id: str, event_id: str, *, limit: int) -> list[Fact]:
    """Give the facts of whom an event is about, those nearest to it in time first; none when there is no such event.

    One of a kind that is not known here is left out.
    """
    parameters = {"center_id": center_id, "event_id": event_id, "limit": limit}
    facts = []
    for row in await connection.execute(_FACTS_OF_SUBJECT, parameters):
        try:
            event = decode_event(row.body)
        except (msgspec.DecodeError, UnicodeDecodeError):
            continue
        incarnation = as_told(row.incarnation)
        facts.append(Fact(event=event, device_id=str(row.device_id), incarnation=incarnation, seq=row.seq, hlc=row.hlc))
    return facts


async def stored_events(connection: Connection, center_id: str, event_ids: Sequence[str]) -> dict[str, StoredEvent]:
    """Give what is stored of these facts, by id."""
    rows = await connection.execute(_STORED_EVENTS, {"center_id": center_id, "event_ids": list(event_ids)})
    return {str(row.event_id): _stored_event(row) for row in rows}


async def entries(
    connection: Connection, center_id: str, own: Sequence[EntryKey], witnessed: Sequence[tuple[str, int]]
) -> list[StoredEntry]:
    """Give the entries at these places, and those by which a device (first) put back the fact of a version (second)."""
    parameters = {
        "center_id": center_id,
        "device_ids": [key.device_id for key in own],
        "incarnations": [key.incarnation for key in own],
        "seqs": [key.seq for key in own],
        "witness_ids": [device_id for device_id, _ in witnessed],
        "versions": [version for _, version in witnessed],
        "duplicate": int(Outcome.DUPLICATE),
        "limit": len(own) + len(witnessed),
    }
    return [_stored_entry(row) for row in await connection.execute(_ENTRIES, parameters)]


async def names_of(connection: Connection, center_id: str, ids: Iterable[str]) -> dict[str, str]:
    """Give the names of those ids that are people, rooms or devices of the centre."""
    wanted = sorted(set(ids) - {""})
    rows = await connection.execute(_NAMES, {"center_id": center_id, "ids": wanted})
    return {str(row.id): row.name for row in rows}


def _stored_event(row: Row[Any]) -> StoredEvent:
    try:
        record = None if row.record is None else _RECORD.decode(row.record)
    except (msgspec.DecodeError, UnicodeDecodeError):
        record = None
    return StoredEvent(str(row.event_id), row.body, row.version, row.received_at_us, record)


def _stored_entry(row: Row[Any]) -> StoredEntry:
    return StoredEntry(
        device_id=str(row.device_id),
        device_name=row.device_name or "",
        public_key=row.public_key,
        entry=entry_of(row),
        received_at_us=row.received_at_us,
        outcome=row.outcome,
        reason=row.reason,
        version=row.version,
        evidence=row.evidence,
        before_hash=row.before_hash,
        before_evidence=row.before_evidence,
    )


_RECORD: Final = msgspec.json.Decoder(EventRecord)
_FACTS_OF_SUBJECT: Final = text("""
    SELECT fact.body, fact.device_id, fact.incarnation, fact.seq, fact.hlc
    FROM attendance_event AS asked
    JOIN attendance_event AS fact ON fact.center_id = asked.center_id AND fact.child_id = asked.child_id
    WHERE asked.center_id = :center_id AND asked.event_id = :event_id
    ORDER BY greatest(fact.corrected_at - asked.corrected_at, asked.corrected_at - fact.corrected_at), fact.version
    LIMIT :limit
""")
_STORED_EVENTS: Final = text(f"""
    SELECT fact.event_id, fact.body, fact.version, {microseconds("fact.received_at")} AS received_at_us,
           record.body AS record
    FROM unnest(CAST(:event_ids AS uuid[])) AS line(event_id)
    JOIN attendance_event AS fact ON fact.center_id = :center_id AND fact.event_id = line.event_id
    LEFT JOIN current_record AS record ON record.center_id = fact.center_id AND record.entity = 'event'
      AND record.entity_id = CAST(fact.event_id AS text)
    ORDER BY fact.version
""")
# Few facts were put back by a witness; the journal of that device is read through for them, since no index leads
# from a version to its entry.
_ENTRIES: Final = text(f"""
    WITH place AS (
        SELECT own.device_id, own.incarnation, own.seq
        FROM unnest(CAST(:device_ids AS uuid[]), CAST(:incarnations AS text[]), CAST(:seqs AS bigint[]))
             AS own(device_id, incarnation, seq)
        UNION
        SELECT entry.device_id, entry.incarnation, entry.seq
        FROM unnest(CAST(:witness_ids AS uuid[]), CAST(:versions AS bigint[])) AS line(device_id, version)
        JOIN journal_entry AS entry ON entry.center_id = :center_id AND entry.device_id = line.device_id
          AND entry.version = line.version AND entry.outcome <> :duplicate
    )
    SELECT entry.device_id, entry.incarnation, entry.seq, entry.event_id, entry.kind, entry.body, entry.hlc,
           entry.wall_ms, entry.monotonic_ms, entry.boot_id, entry.base_epoch, entry.base_version, entry.previous_hash,
           entry.hash, entry.signature, entry.outcome, entry.reason, entry.version, entry.evidence,
           {microseconds("entry.received_at")} AS received_at_us,
           before.hash AS before_hash, before.evidence AS before_evidence,
           device.name AS device_name, device.public_key
    FROM place JOIN journal_entry AS entry USING (device_id, incarnation, seq)
    LEFT JOIN journal_entry AS before ON before.center_id = entry.center_id AND before.device_id = entry.device_id
      AND before.incarnation = entry.incarnation AND before.seq = entry.seq - 1
    LEFT JOIN device ON device.center_id = entry.center_id AND device.id = entry.device_id
    WHERE entry.center_id = :center_id
    ORDER BY entry.received_at, entry.device_id, entry.incarnation, entry.seq LIMIT :limit
""")
_NAMES: Final = text("""
    SELECT id, concat_ws(' ', nullif(given_name, ''), nullif(family_name, '')) AS name
    FROM person WHERE center_id = :center_id AND id = ANY(CAST(:ids AS uuid[]))
    UNION ALL SELECT id, name FROM room WHERE center_id = :center_id AND id = ANY(CAST(:ids AS uuid[]))
    UNION ALL SELECT id, name FROM device WHERE center_id = :center_id AND id = ANY(CAST(:ids AS uuid[]))
    ORDER BY id
""")
