"""The SQL of devices and their journals: who a device is, where its journal ends, its entries, its position.

An entry is never refused for what it says, and PostgreSQL's text holds no NUL: texts that a device chose are
kept in the form of `escaped`, which leaves ordinary ones as they are and can be undone exactly.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from sync.journal import Entry, EntryOutcome, JournalHead, Outcome, ParkReason


@dataclass(frozen=True, slots=True)
class DeviceRow:
    """What the intake must know of a device and its centre; `public_key` is 32 bytes of raw Ed25519."""

    name: str
    is_active: bool
    public_key: bytes
    time_zone: str


@dataclass(frozen=True, slots=True)
class StoredEntry:
    """The hash of an entry that is stored, and what became of it."""

    hash: bytes
    outcome: EntryOutcome


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
    return value.encode("unicode_escape").decode("ascii")


def unescaped(value: str) -> str:
    """Undo `escaped`."""
    return value.encode("ascii").decode("unicode_escape")


async def lock_device(connection: AsyncConnection, center_id: str, device_id: str) -> DeviceRow | None:
    """Give a device of this centre and keep its state from changing until the end of the transaction."""
    row = (await connection.execute(_LOCK_DEVICE, {"center_id": center_id, "device_id": device_id})).one_or_none()
    if row is None:
        return None
    return DeviceRow(row.name, row.state == "active", bytes(row.public_key), row.time_zone)


async def center_of_device(connection: AsyncConnection, device_id: str) -> tuple[str, bool] | None:
    """Give the centre of a device, and whether the device is active; None when there is no such device."""
    row = (await connection.execute(_CENTER_OF_DEVICE, {"device_id": device_id})).one_or_none()
    return None if row is None else (str(row.center_id), row.state == "active")


async def active_devices(connection: AsyncConnection, device_ids: Sequence[str]) -> frozenset[str]:
    """Give those of the devices that may speak for their centre now."""
    rows = await connection.scalars(_ACTIVE_DEVICES, {"device_ids": list(device_ids)})
    return frozenset(str(device_id) for device_id in rows)


async def read_time_zone(connection: AsyncConnection, center_id: str) -> str | None:
    """Give the IANA time zone of a centre; None when there is no such centre."""
    found = await connection.scalar(_TIME_ZONE, {"center_id": center_id})
    return None if found is None else str(found)


async def read_journal_head(
    connection: AsyncConnection, center_id: str, device_id: str, incarnation: str
) -> JournalHead | None:
    """Give the end of a journal; None when nothing of it was ever stored."""
    parameters = _journal_key(center_id, device_id, incarnation)
    row = (await connection.execute(_READ_JOURNAL, parameters)).one_or_none()
    return None if row is None else JournalHead(incarnation, row.last_seq, row.last_hash)


async def store_journal_head(connection: AsyncConnection, center_id: str, device_id: str, head: JournalHead) -> None:
    """Move the end of a journal; the caller holds the lock on the centre's head."""
    parameters = _journal_key(center_id, device_id, head.incarnation) | {"seq": head.seq, "hash": head.hash}
    await connection.execute(_STORE_JOURNAL, parameters)


async def read_entries(
    connection: AsyncConnection, center_id: str, device_id: str, incarnation: str, *, seqs: range
) -> dict[int, StoredEntry]:
    """Give what is stored of a run of one journal, by number."""
    if not seqs:
        return {}
    parameters = _journal_key(center_id, device_id, incarnation) | {"first": seqs[0], "last": seqs[-1]}
    rows = await connection.execute(_READ_ENTRIES, parameters)
    return {row.seq: StoredEntry(row.hash, _outcome(row)) for row in rows}


async def append_entries(
    connection: AsyncConnection,
    key: tuple[str, str],
    entries: Sequence[Entry],
    outcomes: Sequence[EntryOutcome],
    received_at: datetime,
) -> None:
    """Store new entries of one journal of the device `key` (centre, device), each with its outcome."""
    center_id, device_id = key
    parameters = {
        **_journal_key(center_id, device_id, entries[0].incarnation),
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
    }
    await connection.execute(_APPEND_ENTRIES, parameters)


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


def _journal_key(center_id: str, device_id: str, incarnation: str) -> dict[str, object]:
    return {"center_id": center_id, "device_id": device_id, "incarnation": escaped(incarnation)}


def _outcome(row: object) -> EntryOutcome:
    seq, event_id, outcome, reason, version = (
        getattr(row, name) for name in ("seq", "event_id", "outcome", "reason", "version")
    )
    return EntryOutcome(seq, unescaped(event_id), Outcome(outcome), ParkReason(reason), version)


# The weakest lock that keeps out an UPDATE of the state.
_LOCK_DEVICE: Final = text("""
    SELECT device.name, device.state, device.public_key, center.time_zone
    FROM device JOIN center ON center.id = device.center_id
    WHERE device.center_id = :center_id AND device.id = :device_id
    FOR SHARE OF device
""")
_CENTER_OF_DEVICE: Final = text("SELECT center_id, state FROM device WHERE id = :device_id")
_ACTIVE_DEVICES: Final = text(
    "SELECT id FROM device WHERE id = ANY(CAST(:device_ids AS uuid[])) AND state = 'active' ORDER BY id"
)
_TIME_ZONE: Final = text("SELECT time_zone FROM center WHERE id = :center_id")
_READ_JOURNAL: Final = text("""
    SELECT last_seq, last_hash FROM device_journal
    WHERE center_id = :center_id AND device_id = :device_id AND incarnation = :incarnation
""")
_STORE_JOURNAL: Final = text("""
    INSERT INTO device_journal (center_id, device_id, incarnation, last_seq, last_hash)
    VALUES (:center_id, :device_id, :incarnation, :seq, :hash)
    ON CONFLICT (center_id, device_id, incarnation) DO UPDATE
    SET last_seq = excluded.last_seq, last_hash = excluded.last_hash
""")
_READ_ENTRIES: Final = text("""
    SELECT seq, hash, event_id, outcome, reason, version FROM journal_entry
    WHERE center_id = :center_id AND device_id = :device_id AND incarnation = :incarnation
      AND seq BETWEEN :first AND :last
    ORDER BY seq
""")
_APPEND_ENTRIES: Final = text("""
    INSERT INTO journal_entry (center_id, device_id, incarnation, received_at, seq, event_id, kind, body, hlc,
                               wall_ms, monotonic_ms, boot_id, base_epoch, base_version, previous_hash, hash,
                               signature, outcome, reason, version)
    SELECT CAST(:center_id AS uuid), CAST(:device_id AS uuid), CAST(:incarnation AS text),
           CAST(:received_at AS timestamptz), line.*
    FROM unnest(CAST(:seqs AS bigint[]), CAST(:event_ids AS text[]), CAST(:kinds AS text[]),
                CAST(:bodies AS bytea[]), CAST(:hlcs AS bigint[]), CAST(:walls AS bigint[]),
                CAST(:monotonics AS bigint[]), CAST(:boot_ids AS text[]), CAST(:base_epochs AS text[]),
                CAST(:base_versions AS bigint[]), CAST(:previous_hashes AS bytea[]), CAST(:hashes AS bytea[]),
                CAST(:signatures AS bytea[]), CAST(:outcomes AS smallint[]), CAST(:reasons AS smallint[]),
                CAST(:versions AS bigint[])) AS line
""")
_STORE_POSITIONS: Final = text("""
    INSERT INTO device_position (center_id, device_id, epoch, version, queue_depth, at)
    SELECT line.*
    FROM unnest(CAST(:center_ids AS uuid[]), CAST(:device_ids AS uuid[]), CAST(:epochs AS text[]),
                CAST(:versions AS bigint[]), CAST(:depths AS bigint[]), CAST(:ats AS timestamptz[])) AS line
    ON CONFLICT (center_id, device_id) DO UPDATE
    SET epoch = excluded.epoch, version = excluded.version, queue_depth = excluded.queue_depth,
        at = excluded.at
""")
