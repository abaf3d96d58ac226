"""The SQL of the change log: heads, rows, and the fold of the rows in `current_record`."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncConnection

from sync.change_log import CHANGE_OVERHEAD_BYTES, Change, Head, Numbered, Operation
from sync.limits import PAGE_CHANGES_MAX, UNIT_BYTES_MAX
from sync.messages import SnapshotRecord
from sync.records import DAY_BUCKET_PREFIX, SNAPSHOT_PRIORITY

HEADS_CHANNEL: Final = "rollcall_heads"
# More centres in one process than this are asked about in several statements.
HEADS_ASKED_MAX: Final = 10_000


@dataclass(frozen=True, slots=True)
class Stamp:
    """What a row keeps beside its content: when it was logged, by whom, and where it came in."""

    at: datetime
    actor: str
    origin: str


State = tuple[str, bytes] | None
"""Bucket and body of a record that stands; None for one that does not."""


async def lock_head(connection: AsyncConnection, center_id: str) -> Head | None:
    """Lock the row of the head until the end of the transaction; None when the centre has none."""
    return await _head(connection, center_id, _LOCK_HEAD)


async def read_head(connection: AsyncConnection, center_id: str) -> Head | None:
    """Give the head as it stands; None when the centre has none."""
    return await _head(connection, center_id, _READ_HEAD)


async def create_head(connection: AsyncConnection, center_id: str, head: Head) -> None:
    """Begin the log of a centre, unless somebody else did."""
    await connection.execute(_CREATE_HEAD, _head_parameters(center_id, head))


async def store_head(connection: AsyncConnection, center_id: str, head: Head) -> None:
    """Move the head, whose row is locked."""
    await connection.execute(_STORE_HEAD, _head_parameters(center_id, head))


async def notify(connection: AsyncConnection, center_id: str, head: Head) -> None:
    """Wake the followers of the centre when the transaction commits."""
    payload = f"{center_id} {head.epoch} {head.version}"
    await connection.execute(_NOTIFY, {"channel": HEADS_CHANNEL, "payload": payload})


async def read_heads(connection: AsyncConnection, center_ids: Sequence[str]) -> dict[str, Head]:
    """Give the heads of these centres (at most `HEADS_ASKED_MAX`); those without a log are left out."""
    rows = await connection.execute(_READ_HEADS, {"center_ids": list(center_ids[:HEADS_ASKED_MAX])})
    return {str(row.center_id): Head(str(row.epoch), row.version, row.hash) for row in rows}


async def append(connection: AsyncConnection, center_id: str, rows: Sequence[Numbered], stamp: Stamp) -> None:
    """Write numbered rows to the log, and what they do to the fold."""
    changes = [row.change for row in rows]
    columns = _columns(changes) | {
        "operations": [int(change.operation) for change in changes],
        "hashes": [row.hash for row in rows],
        "lasts": [change.transaction_last for change in changes],
    }
    shared = {"center_id": center_id, "at": stamp.at, "actor": stamp.actor, "origin": stamp.origin}
    await connection.execute(_APPEND, shared | columns)
    final = list({(change.entity, change.entity_id): change for change in changes}.values())
    await _put_current(connection, center_id, [one for one in final if one.operation is Operation.PUT])
    await _remove_current(connection, center_id, [one for one in final if one.operation is Operation.REMOVE])


async def current_states(
    connection: AsyncConnection, center_id: str, keys: Sequence[tuple[str, str]]
) -> dict[tuple[str, str], State]:
    """Give bucket and body of those of the records `(entity, id)` that stand."""
    parameters = {
        "center_id": center_id,
        "entities": [entity for entity, _ in keys],
        "entity_ids": [entity_id for _, entity_id in keys],
    }
    rows = await connection.execute(_CURRENT_STATES, parameters)
    return {(row.entity, row.entity_id): (row.bucket, row.body) for row in rows}


async def read_after(connection: AsyncConnection, center_id: str, after_version: int) -> list[Numbered]:
    """Give the rows that follow a version, in order: as many as one page can hold, and never much more."""
    parameters = {
        "center_id": center_id,
        "after": after_version,
        "rows_max": PAGE_CHANGES_MAX,
        "overhead": CHANGE_OVERHEAD_BYTES,
        "bytes_max": UNIT_BYTES_MAX,
    }
    rows = await connection.execute(_READ_AFTER, parameters)
    return [Numbered(_change(row), row.hash) for row in rows]


async def hash_at(connection: AsyncConnection, center_id: str, version: int) -> bytes | None:
    """Give the hash of the chain at a version; None when there is no such row."""
    parameters = {"center_id": center_id, "version": version}
    found = await connection.scalar(_HASH_AT, parameters)
    return None if found is None else bytes(found)


async def read_current(connection: AsyncConnection, center_id: str, *, oldest_day_bucket: str) -> list[SnapshotRecord]:
    """Give every record that stands, what keeps children safe first, then days from the newest on."""
    parameters = {
        "center_id": center_id,
        "priority": [str(entity) for entity in SNAPSHOT_PRIORITY],
        "days": f"{DAY_BUCKET_PREFIX}%",
        "oldest": oldest_day_bucket,
    }
    rows = await connection.execute(_READ_CURRENT, parameters)
    return [SnapshotRecord(row.bucket, row.entity, row.entity_id, row.version, row.body, row.salt) for row in rows]


async def _head(connection: AsyncConnection, center_id: str, statement: object) -> Head | None:
    row = (await connection.execute(statement, {"center_id": center_id})).one_or_none()  # type: ignore[call-overload]
    return None if row is None else Head(str(row.epoch), row.version, row.hash)


def _head_parameters(center_id: str, head: Head) -> dict[str, object]:
    return {"center_id": center_id, "epoch": head.epoch, "version": head.version, "hash": head.hash}


def _columns(changes: Iterable[Change]) -> dict[str, object]:
    listed = list(changes)
    return {
        "versions": [change.version for change in listed],
        "buckets": [change.bucket for change in listed],
        "entities": [str(change.entity) for change in listed],
        "entity_ids": [change.entity_id for change in listed],
        "bodies": [change.body for change in listed],
        "salts": [change.salt for change in listed],
        "commitments": [change.commitment for change in listed],
    }


async def _put_current(connection: AsyncConnection, center_id: str, changes: Sequence[Change]) -> None:
    if changes:
        await connection.execute(_PUT_CURRENT, {"center_id": center_id} | _columns(changes))


async def _remove_current(connection: AsyncConnection, center_id: str, changes: Sequence[Change]) -> None:
    if changes:
        keys = {
            "entities": [str(change.entity) for change in changes],
            "entity_ids": [change.entity_id for change in changes],
        }
        await connection.execute(_REMOVE_CURRENT, {"center_id": center_id} | keys)


def _change(row: Row[tuple[object, ...]]) -> Change:
    return Change(
        version=row.version,
        bucket=row.bucket,
        entity=row.entity,
        entity_id=row.entity_id,
        operation=Operation(row.operation),
        body=row.body,
        salt=row.salt,
        commitment=row.commitment,
        transaction_last=row.transaction_last,
    )


_READ_HEAD: Final = text("SELECT epoch, version, hash FROM center_head WHERE center_id = :center_id")
_LOCK_HEAD: Final = text("SELECT epoch, version, hash FROM center_head WHERE center_id = :center_id FOR UPDATE")
_READ_HEADS: Final = text("""
    SELECT center_id, epoch, version, hash FROM center_head
    WHERE center_id = ANY(CAST(:center_ids AS uuid[]))
    ORDER BY center_id
""")
_CREATE_HEAD: Final = text(
    "INSERT INTO center_head (center_id, epoch, version, hash) VALUES (:center_id, :epoch, :version, :hash) "
    "ON CONFLICT (center_id) DO NOTHING"
)
_STORE_HEAD: Final = text(
    "UPDATE center_head SET epoch = :epoch, version = :version, hash = :hash WHERE center_id = :center_id"
)
_NOTIFY: Final = text("SELECT pg_notify(:channel, :payload)")

_APPEND: Final = text("""
    INSERT INTO change_log (center_id, version, bucket, entity, entity_id, operation, body, salt, commitment,
                            hash, transaction_last, at, actor, origin)
    SELECT CAST(:center_id AS uuid), line.version, line.bucket, line.entity, line.entity_id, line.operation,
           line.body, line.salt, line.commitment, line.hash, line.last,
           CAST(:at AS timestamptz), CAST(:actor AS text), CAST(:origin AS text)
    FROM unnest(CAST(:versions AS bigint[]), CAST(:buckets AS text[]), CAST(:entities AS text[]),
                CAST(:entity_ids AS text[]), CAST(:operations AS smallint[]), CAST(:bodies AS bytea[]),
                CAST(:salts AS bytea[]), CAST(:commitments AS bytea[]), CAST(:hashes AS bytea[]),
                CAST(:lasts AS boolean[]))
         AS line(version, bucket, entity, entity_id, operation, body, salt, commitment, hash, last)
""")
_PUT_CURRENT: Final = text("""
    INSERT INTO current_record (center_id, entity, entity_id, bucket, version, body, salt, commitment)
    SELECT CAST(:center_id AS uuid), line.*
    FROM unnest(CAST(:entities AS text[]), CAST(:entity_ids AS text[]), CAST(:buckets AS text[]),
                CAST(:versions AS bigint[]), CAST(:bodies AS bytea[]), CAST(:salts AS bytea[]),
                CAST(:commitments AS bytea[])) AS line
    ON CONFLICT (center_id, entity, entity_id) DO UPDATE
    SET bucket = excluded.bucket, version = excluded.version, body = excluded.body, salt = excluded.salt,
        commitment = excluded.commitment
""")
_REMOVE_CURRENT: Final = text("""
    DELETE FROM current_record AS record
    USING unnest(CAST(:entities AS text[]), CAST(:entity_ids AS text[])) AS line(entity, entity_id)
    WHERE record.center_id = :center_id AND record.entity = line.entity AND record.entity_id = line.entity_id
""")
_CURRENT_STATES: Final = text("""
    SELECT record.entity, record.entity_id, record.bucket, record.body
    FROM current_record AS record
    JOIN unnest(CAST(:entities AS text[]), CAST(:entity_ids AS text[])) AS line(entity, entity_id)
      ON record.entity = line.entity AND record.entity_id = line.entity_id
    WHERE record.center_id = :center_id
    ORDER BY record.entity, record.entity_id
""")
# The running sum keeps large bodies from being read only to be cut off: it needs their lengths and no more.
_READ_AFTER: Final = text("""
    SELECT version, bucket, entity, entity_id, operation, body, salt, commitment, hash, transaction_last
    FROM (SELECT *, sum(octet_length(body) + CAST(:overhead AS integer)) OVER (ORDER BY version) AS weight
          FROM (SELECT * FROM change_log WHERE center_id = :center_id AND version > :after
                ORDER BY version LIMIT :rows_max) AS following) AS weighed
    WHERE weight <= CAST(:bytes_max AS bigint)
    ORDER BY version
""")
_HASH_AT: Final = text("SELECT hash FROM change_log WHERE center_id = :center_id AND version = :version")
_READ_CURRENT: Final = text("""
    SELECT bucket, entity, entity_id, version, body, salt
    FROM current_record
    WHERE center_id = :center_id AND (bucket NOT LIKE :days OR bucket COLLATE "C" >= :oldest)
    ORDER BY array_position(CAST(:priority AS text[]), entity) NULLS LAST, bucket COLLATE "C" DESC, version
""")
