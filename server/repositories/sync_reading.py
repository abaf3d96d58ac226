"""The SQL with which devices are brought up to date: where logs, devices and journals stand, and what snapshots hold.

Nothing here writes to the log. What is read together is read in one snapshot of the database (`UnitsOfWork.read`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, TypeVar

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncConnection

from server.repositories.journals import escaped, unescaped
from sync.change_log import Head
from sync.limits import BUCKETS_MAX
from sync.messages import JournalPosition, SnapshotRecord
from sync.records import DAY_BUCKET_PREFIX, SNAPSHOT_PRIORITY

# Of more centres, devices or journals than this several statements ask.
ASKED_AT_ONCE_MAX: Final = 10_000
# A device offers at most BUCKETS_MAX digests, those of its newest days; days that only a wrong clock made follow them.
DIGESTS_MAX: Final = 2 * BUCKETS_MAX
_PRIORITY: Final = [str(entity) for entity in SNAPSHOT_PRIORITY]

JournalKey = tuple[str, str, str]
"""Centre, device and incarnation."""
Wanted = TypeVar("Wanted")


@dataclass(frozen=True, slots=True)
class CenterStanding:
    """Where the log of a centre stands. `has_digests`: the digests of its buckets are those at the head."""

    head: Head
    compacted_version: int
    has_digests: bool
    time_zone: str


@dataclass(frozen=True, slots=True)
class DeviceStanding:
    """Whether a device may speak for its centre; `state` is one of `DeviceState`, `public_key` 32 bytes of Ed25519."""

    center_id: str
    device_id: str
    state: str
    public_key: bytes


async def read_centers(connection: AsyncConnection, center_ids: Sequence[str]) -> dict[str, CenterStanding]:
    """Give where these centres' logs stand; those without a log are left out."""
    found: dict[str, CenterStanding] = {}
    for some in _portions(center_ids):
        for row in await connection.execute(_CENTERS, {"center_ids": list(some)}):
            found[str(row.center_id)] = CenterStanding(
                head=Head(str(row.epoch), row.version, bytes(row.hash)),
                compacted_version=row.compacted_version,
                has_digests=row.evidence_version == row.version,
                time_zone=row.time_zone,
            )
    return found


async def read_center(connection: AsyncConnection, center_id: str) -> CenterStanding | None:
    """Give where one centre's log stands; None when it has not begun."""
    return (await read_centers(connection, [center_id])).get(center_id)


async def read_devices(connection: AsyncConnection, device_ids: Sequence[str]) -> dict[str, DeviceStanding]:
    """Give those of the devices that are known here."""
    found: dict[str, DeviceStanding] = {}
    for some in _portions(device_ids):
        for row in await connection.execute(_DEVICES, {"device_ids": list(some)}):
            device_id = str(row.id)
            found[device_id] = DeviceStanding(str(row.center_id), device_id, row.state, bytes(row.public_key))
    return found


async def read_journals(connection: AsyncConnection, keys: Sequence[JournalKey]) -> dict[JournalKey, JournalPosition]:
    """Give where these journals end here; those of which nothing was ever stored are left out."""
    found: dict[JournalKey, JournalPosition] = {}
    for some in _portions(keys):
        for row in await connection.execute(_JOURNALS, _journal_columns(some)):
            incarnation = unescaped(row.incarnation)
            position = JournalPosition(incarnation, row.last_seq, bytes(row.last_hash))
            found[str(row.center_id), str(row.device_id), incarnation] = position
    return found


async def read_not_active(connection: AsyncConnection, device_ids: Sequence[str]) -> dict[str, str]:
    """Give the states of those of the devices that are not active; '' for one that is not there at all."""
    found: dict[str, str] = {}
    for some in _portions(device_ids):
        rows = await connection.execute(_NOT_ACTIVE, {"device_ids": list(some)})
        found |= {str(row.id): row.state for row in rows}
    return found


async def read_moved_journals(
    connection: AsyncConnection, ends: Mapping[JournalKey, int]
) -> dict[JournalKey, JournalPosition | None]:
    """Give those of these journals that do not end with these numbers; None for one of which nothing is stored."""
    found: dict[JournalKey, JournalPosition | None] = {}
    for some in _portions(list(ends)):
        parameters = _journal_columns(some) | {"seqs": [ends[key] for key in some]}
        for row in await connection.execute(_MOVED_JOURNALS, parameters):
            incarnation = unescaped(row.incarnation)
            is_there = row.last_seq is not None
            position = JournalPosition(incarnation, row.last_seq, bytes(row.last_hash)) if is_there else None
            found[str(row.center_id), str(row.device_id), incarnation] = position
    return found


async def read_totals(connection: AsyncConnection, oldest_days: Mapping[str, str]) -> dict[str, dict[str, int]]:
    """Give the sums of the newest buckets (`DIGESTS_MAX` at most) of each centre, from its oldest day bucket on."""
    found: dict[str, dict[str, int]] = {center_id: {} for center_id in oldest_days}
    for some in _portions(list(oldest_days)):
        parameters = {
            "center_ids": list(some),
            "oldest": [oldest_days[center_id] for center_id in some],
            "days": f"{DAY_BUCKET_PREFIX}%",
            "buckets_max": DIGESTS_MAX,
        }
        for row in await connection.execute(_NEWEST_TOTALS, parameters):
            found[str(row.center_id)][row.bucket] = int(row.total)
    return found


async def read_totals_of(connection: AsyncConnection, center_id: str, buckets: Sequence[str]) -> dict[str, int]:
    """Give the sums of these buckets; of one without a record 0."""
    rows = await connection.execute(_TOTALS_OF, {"center_id": center_id, "buckets": list(buckets)})
    return dict.fromkeys(buckets, 0) | {row.bucket: int(row.total) for row in rows}


async def read_records(connection: AsyncConnection, center_id: str, *, oldest_day_bucket: str) -> list[SnapshotRecord]:
    """Give every record that stands, what keeps children safe first, then days from the newest on."""
    parameters = {
        "center_id": center_id,
        "priority": _PRIORITY,
        "days": f"{DAY_BUCKET_PREFIX}%",
        "oldest": oldest_day_bucket,
    }
    return [_record(row) for row in await connection.execute(_RECORDS, parameters)]


async def read_bucket(connection: AsyncConnection, center_id: str, bucket: str) -> list[SnapshotRecord]:
    """Give every record of one bucket, in the order of a snapshot."""
    # No bucket has a NUL in its name, and PostgreSQL takes none; a device may still ask for one.
    if "\x00" in bucket:
        return []
    parameters = {"center_id": center_id, "priority": _PRIORITY, "bucket": bucket}
    return [_record(row) for row in await connection.execute(_BUCKET, parameters)]


async def note_seen(connection: AsyncConnection, seen: Mapping[str, datetime], *, step_s: int) -> None:
    """Note when devices were seen last, unless that is known to `step_s`.

    A device whose row is locked is left for the next time: nobody waits for anybody here.
    """
    parameters = {"device_ids": list(seen), "ats": list(seen.values()), "step_s": step_s}
    await connection.execute(_NOTE_SEEN, parameters)


def _journal_columns(keys: Sequence[JournalKey]) -> dict[str, object]:
    return {
        "center_ids": [center_id for center_id, _, _ in keys],
        "device_ids": [device_id for _, device_id, _ in keys],
        "incarnations": [escaped(incarnation) for _, _, incarnation in keys],
    }


def _record(row: Row[tuple[object, ...]]) -> SnapshotRecord:
    return SnapshotRecord(row.bucket, row.entity, row.entity_id, row.version, row.body, row.salt, row.commitment)


def _portions(wanted: Sequence[Wanted]) -> list[Sequence[Wanted]]:
    return [wanted[start : start + ASKED_AT_ONCE_MAX] for start in range(0, len(wanted), ASKED_AT_ONCE_MAX)]


_CENTERS: Final = text("""
    SELECT head.center_id, head.epoch, head.version, head.hash, head.evidence_version, head.compacted_version,
           center.time_zone
    FROM center_head AS head JOIN center ON center.id = head.center_id
    WHERE head.center_id = ANY(CAST(:center_ids AS uuid[]))
    ORDER BY head.center_id
""")
_DEVICES: Final = text("""
    SELECT id, center_id, state, public_key FROM device
    WHERE id = ANY(CAST(:device_ids AS uuid[]))
    ORDER BY id
""")
_JOURNALS: Final = text("""
    SELECT journal.center_id, journal.device_id, journal.incarnation, journal.last_seq, journal.last_hash
    FROM unnest(CAST(:center_ids AS uuid[]), CAST(:device_ids AS uuid[]), CAST(:incarnations AS text[]))
         AS line(center_id, device_id, incarnation)
    JOIN device_journal AS journal
      ON journal.center_id = line.center_id AND journal.device_id = line.device_id
     AND journal.incarnation = line.incarnation
    ORDER BY journal.device_id, journal.incarnation
""")
_NOT_ACTIVE: Final = text("""
    SELECT line.id, coalesce(device.state, '') AS state
    FROM unnest(CAST(:device_ids AS uuid[])) AS line(id) LEFT JOIN device ON device.id = line.id
    WHERE device.state IS DISTINCT FROM 'active'
    ORDER BY line.id
""")
_MOVED_JOURNALS: Final = text("""
    SELECT line.center_id, line.device_id, line.incarnation, journal.last_seq, journal.last_hash
    FROM unnest(CAST(:center_ids AS uuid[]), CAST(:device_ids AS uuid[]), CAST(:incarnations AS text[]),
                CAST(:seqs AS bigint[])) AS line(center_id, device_id, incarnation, seq)
    LEFT JOIN device_journal AS journal
      ON journal.center_id = line.center_id AND journal.device_id = line.device_id
     AND journal.incarnation = line.incarnation
    WHERE coalesce(journal.last_seq, 0) <> line.seq
    ORDER BY line.device_id, line.incarnation
""")
_NEWEST_TOTALS: Final = text("""
    SELECT line.center_id, newest.bucket, newest.total
    FROM unnest(CAST(:center_ids AS uuid[]), CAST(:oldest AS text[])) AS line(center_id, oldest)
    CROSS JOIN LATERAL (
        SELECT bucket, total FROM bucket_digest AS digest
        WHERE digest.center_id = line.center_id AND digest.records > 0
          AND (digest.bucket NOT LIKE :days OR digest.bucket COLLATE "C" >= line.oldest)
        ORDER BY digest.bucket LIKE :days, digest.bucket COLLATE "C" DESC
        LIMIT :buckets_max
    ) AS newest
    ORDER BY line.center_id, newest.bucket
""")
_TOTALS_OF: Final = text("""
    SELECT bucket, total FROM bucket_digest
    WHERE center_id = :center_id AND bucket = ANY(CAST(:buckets AS text[])) AND records > 0
    ORDER BY bucket
""")
_RECORDS: Final = text("""
    SELECT bucket, entity, entity_id, version, body, salt, commitment
    FROM current_record
    WHERE center_id = :center_id AND (bucket NOT LIKE :days OR bucket COLLATE "C" >= :oldest)
    ORDER BY array_position(CAST(:priority AS text[]), entity) NULLS LAST, bucket COLLATE "C" DESC, version
""")
_BUCKET: Final = text("""
    SELECT bucket, entity, entity_id, version, body, salt, commitment
    FROM current_record
    WHERE center_id = :center_id AND bucket = :bucket
    ORDER BY array_position(CAST(:priority AS text[]), entity) NULLS LAST, version
""")
_NOTE_SEEN: Final = text("""
    WITH line AS (
        SELECT * FROM unnest(CAST(:device_ids AS uuid[]), CAST(:ats AS timestamptz[])) AS line(id, at)
    ), stale AS (
        SELECT device.id, line.at FROM device JOIN line ON line.id = device.id
        WHERE device.last_seen_at IS NULL OR device.last_seen_at < line.at - CAST(:step_s AS integer) * interval '1 s'
        ORDER BY device.id
        FOR NO KEY UPDATE OF device SKIP LOCKED
    )
    UPDATE device SET last_seen_at = stale.at FROM stale WHERE device.id = stale.id
""")
