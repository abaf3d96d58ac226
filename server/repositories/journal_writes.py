"""The SQL that takes journals in: devices and ends of journals of many pushes at once, entries with their outcomes.

A journal has one writer at a time: whoever holds the lock on the head of its centre.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, NamedTuple

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from server.repositories.journals import escaped, unescaped
from sync.journal import Entry, EntryOutcome, JournalHead, Outcome, ParkReason, genesis


class JournalKey(NamedTuple):
    """Whose journal, and which of them."""

    center_id: str
    device_id: str
    incarnation: str


@dataclass(frozen=True, slots=True)
class DeviceRow:
    """What the intake must know of a device and its centre; `public_key` is 32 bytes of raw Ed25519."""

    center_id: str
    name: str
    is_active: bool
    public_key: bytes
    time_zone: str


@dataclass(frozen=True, slots=True)
class JournalEnd:
    """The end of a journal; its evidence reaches to `evidence_seq`."""

    head: JournalHead
    evidence: bytes
    evidence_seq: int


@dataclass(frozen=True, slots=True)
class StoredEntry:
    """The hash of an entry that is stored, and what became of it."""

    hash: bytes
    outcome: EntryOutcome


@dataclass(frozen=True, slots=True)
class NewEntry:
    """An entry of a journal with what became of it, and the evidence chain at it."""

    key: JournalKey
    entry: Entry
    outcome: EntryOutcome
    evidence: bytes


async def lock_devices(connection: AsyncConnection, device_ids: Iterable[str]) -> dict[str, DeviceRow]:
    """Give those of the devices that exist and keep their state from changing, waiting for each in order."""
    return await _devices(connection, _LOCK_DEVICES, device_ids)


async def lock_free_devices(connection: AsyncConnection, device_ids: Iterable[str]) -> dict[str, DeviceRow]:
    """Give those that nobody is changing; the others are left out."""
    return await _devices(connection, _LOCK_FREE_DEVICES, device_ids)


async def journal_ends(connection: AsyncConnection, keys: Iterable[JournalKey]) -> dict[JournalKey, JournalEnd]:
    """Give the end of each journal; one of which nothing was ever stored is at its genesis."""
    wanted = list(keys)
    rows = await connection.execute(_READ_ENDS, _key_columns(wanted))
    found = {key: JournalEnd(genesis(key.device_id, key.incarnation), b"", 0) for key in wanted}
    for row in rows:
        key = _key(row)
        found[key] = JournalEnd(
            JournalHead(key.incarnation, row.last_seq, row.last_hash), row.evidence, row.evidence_seq
        )
    return found


async def stored_entries(
    connection: AsyncConnection, spans: Iterable[tuple[JournalKey, range]]
) -> dict[JournalKey, dict[int, StoredEntry]]:
    """Give what is stored of a run of each journal, by number."""
    wanted = [(key, seqs) for key, seqs in spans if seqs]
    found: dict[JournalKey, dict[int, StoredEntry]] = {key: {} for key, _ in wanted}
    if not wanted:
        return found
    columns = _key_columns([key for key, _ in wanted])
    columns |= {"firsts": [seqs[0] for _, seqs in wanted], "lasts": [seqs[-1] for _, seqs in wanted]}
    for row in await connection.execute(_READ_ENTRIES, columns):
        outcome = EntryOutcome(
            row.seq, unescaped(row.event_id), Outcome(row.outcome), ParkReason(row.reason), row.version
        )
        found[_key(row)][row.seq] = StoredEntry(row.hash, outcome)
    return found


async def append_entries(connection: AsyncConnection, lines: Sequence[NewEntry], received_at: datetime) -> None:
    """Store new entries, those of each journal in order, and move the ends of the journals to them."""
    lasts = list({line.key: line for line in lines}.values())
    entries = [line.entry for line in lines]
    outcomes = [line.outcome for line in lines]
    parameters = {
        **_key_columns([line.key for line in lines]),
        "received_at": received_at,
        "seqs": [entry.seq for entry in entries],
        "event_ids": [escaped(entry.event_id) for entry in entries],
        "kinds": [escaped(entry.kind) for entry in entries],
        "bodies": [entry.body for entry in entries],
        "hlcs": [entry.hlc for entry in entries],
        "walls": [entry.wall_ms for entry in entries],
        "monotonics": [entry.monotonic_ms for entry in entries],
        "boot_ids": [escaped(entry.boot_id) for entry in entries],
        "base_epochs": [escaped(entry.base_epoch) for entry in entries],
        "base_versions": [entry.base_version for entry in entries],
        "previous_hashes": [entry.previous_hash for entry in entries],
        "hashes": [entry.hash for entry in entries],
        "signatures": [entry.signature for entry in entries],
        "outcomes": [int(outcome.outcome) for outcome in outcomes],
        "reasons": [int(outcome.reason) for outcome in outcomes],
        "versions": [outcome.version for outcome in outcomes],
        "evidences": [line.evidence for line in lines],
        **{f"last_{name}": column for name, column in _key_columns([line.key for line in lasts]).items()},
        "last_seqs": [line.entry.seq for line in lasts],
        "last_hashes": [line.entry.hash for line in lasts],
        "last_evidences": [line.evidence for line in lasts],
    }
    await connection.execute(_APPEND_ENTRIES, parameters)


async def _devices(connection: AsyncConnection, statement: object, device_ids: Iterable[str]) -> dict[str, DeviceRow]:
    parameters = {"device_ids": list(device_ids)}
    rows = await connection.execute(statement, parameters)  # type: ignore[call-overload]
    return {
        str(row.id): DeviceRow(
            str(row.center_id), row.name, row.state == "active", bytes(row.public_key), row.time_zone
        )
        for row in rows
    }


def _key(row: object) -> JournalKey:
    center_id, device_id, incarnation = (getattr(row, name) for name in JournalKey._fields)
    return JournalKey(str(center_id), str(device_id), unescaped(incarnation))


def _key_columns(keys: Sequence[JournalKey]) -> dict[str, object]:
    return {
        "center_ids": [key.center_id for key in keys],
        "device_ids": [key.device_id for key in keys],
        "incarnations": [escaped(key.incarnation) for key in keys],
    }


_KEYS: Final = (
    "unnest(CAST(:center_ids AS uuid[]), CAST(:device_ids AS uuid[]), CAST(:incarnations AS text[])) "
    "AS line(center_id, device_id, incarnation)"
)
_DEVICES: Final = """
    SELECT device.id, device.center_id, device.name, device.state, device.public_key, center.time_zone
    FROM device JOIN center ON center.id = device.center_id
    WHERE device.id = ANY(CAST(:device_ids AS uuid[]))
    ORDER BY device.id
    FOR SHARE OF device
"""
# The weakest lock that keeps out an UPDATE of the state.
_LOCK_DEVICES: Final = text(_DEVICES)
_LOCK_FREE_DEVICES: Final = text(f"{_DEVICES} SKIP LOCKED")
_READ_ENDS: Final = text(f"""
    SELECT journal.center_id, journal.device_id, journal.incarnation, journal.last_seq, journal.last_hash,
           journal.evidence, journal.evidence_seq
    FROM device_journal AS journal JOIN {_KEYS} USING (center_id, device_id, incarnation)
    ORDER BY journal.center_id, journal.device_id, journal.incarnation
""")
_READ_ENTRIES: Final = text("""
    SELECT entry.center_id, entry.device_id, entry.incarnation, entry.seq, entry.hash, entry.event_id,
           entry.outcome, entry.reason, entry.version
    FROM unnest(CAST(:center_ids AS uuid[]), CAST(:device_ids AS uuid[]), CAST(:incarnations AS text[]),
                CAST(:firsts AS bigint[]), CAST(:lasts AS bigint[]))
         AS line(center_id, device_id, incarnation, first, last)
    JOIN journal_entry AS entry
      ON entry.center_id = line.center_id AND entry.device_id = line.device_id
     AND entry.incarnation = line.incarnation AND entry.seq BETWEEN line.first AND line.last
    ORDER BY entry.center_id, entry.device_id, entry.incarnation, entry.seq
""")
_APPEND_ENTRIES: Final = text("""
    WITH appended AS (
    INSERT INTO journal_entry (received_at, center_id, device_id, incarnation, seq, event_id, kind, body, hlc,
                               wall_ms, monotonic_ms, boot_id, base_epoch, base_version, previous_hash, hash,
                               signature, outcome, reason, version, evidence)
    SELECT CAST(:received_at AS timestamptz), line.*
    FROM unnest(CAST(:center_ids AS uuid[]), CAST(:device_ids AS uuid[]), CAST(:incarnations AS text[]),
                CAST(:seqs AS bigint[]), CAST(:event_ids AS text[]), CAST(:kinds AS text[]),
                CAST(:bodies AS bytea[]), CAST(:hlcs AS bigint[]), CAST(:walls AS bigint[]),
                CAST(:monotonics AS bigint[]), CAST(:boot_ids AS text[]), CAST(:base_epochs AS text[]),
                CAST(:base_versions AS bigint[]), CAST(:previous_hashes AS bytea[]), CAST(:hashes AS bytea[]),
                CAST(:signatures AS bytea[]), CAST(:outcomes AS smallint[]), CAST(:reasons AS smallint[]),
                CAST(:versions AS bigint[]), CAST(:evidences AS bytea[])) AS line
    )
    INSERT INTO device_journal (center_id, device_id, incarnation, last_seq, last_hash, evidence, evidence_seq)
    SELECT line.center_id, line.device_id, line.incarnation, line.seq, line.hash, line.evidence, line.seq
    FROM unnest(CAST(:last_center_ids AS uuid[]), CAST(:last_device_ids AS uuid[]),
                CAST(:last_incarnations AS text[]), CAST(:last_seqs AS bigint[]), CAST(:last_hashes AS bytea[]),
                CAST(:last_evidences AS bytea[]))
         AS line(center_id, device_id, incarnation, seq, hash, evidence)
    ON CONFLICT (center_id, device_id, incarnation) DO UPDATE
    SET last_seq = excluded.last_seq, last_hash = excluded.last_hash, evidence = excluded.evidence,
        evidence_seq = excluded.evidence_seq
""")
