"""The SQL that writes the change logs of centres, any number of them in one statement each.

Heads are locked in the order of their ids, and after rows of `device`: whoever keeps to that waits for nobody who
waits for them. Under the lock on its head nobody else numbers, decides, or moves a journal of that centre.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from server.repositories.change_log import HEADS_CHANNEL
from sync.change_log import Head, Numbered, Operation
from sync.digest import MODULUS


@dataclass(frozen=True, slots=True)
class LockedHead:
    """The end of a log whose row is locked; evidence and digests reach to `evidence_version`."""

    head: Head
    evidence: bytes
    evidence_version: int


@dataclass(frozen=True, slots=True)
class Stamp:
    """What the rows of one transaction share: when they were logged, and where they came in."""

    at: datetime
    origin: str


@dataclass(frozen=True, slots=True)
class Standing:
    """A record as it stands before a change."""

    bucket: str
    version: int
    commitment: bytes
    body: bytes


Share = tuple[int, int]
"""What a transaction adds to the sum of a bucket's digest, and to its count of records."""


@dataclass(frozen=True, slots=True)
class Row:
    """A numbered row with what stays on the server: who did it, and the evidence chain at it."""

    numbered: Numbered
    actor: str
    evidence: bytes


@dataclass(frozen=True, slots=True)
class Append:
    """What one transaction does to one log: its rows, where they end, and what they do to digests.

    Without rows it says that the log was asked and had nothing to add.
    """

    center_id: str
    rows: tuple[Row, ...]
    head: Head
    evidence: bytes
    shares: Mapping[str, Share]


async def lock_heads(connection: AsyncConnection, center_ids: Iterable[str]) -> dict[str, LockedHead]:
    """Lock the heads of those of the centres that have a log, in order, waiting for each."""
    return await _locked(connection, _LOCK_HEADS, center_ids)


async def lock_free_heads(connection: AsyncConnection, center_ids: Iterable[str]) -> dict[str, LockedHead]:
    """Lock those heads that nobody holds; the others are left out."""
    return await _locked(connection, _LOCK_FREE_HEADS, center_ids)


async def begin_logs(connection: AsyncConnection, heads: Mapping[str, Head], at: datetime) -> None:
    """Begin the logs of centres, except where somebody else did."""
    ordered = sorted(heads)
    parameters = {
        "center_ids": ordered,
        "epochs": [heads[center_id].epoch for center_id in ordered],
        "hashes": [heads[center_id].hash for center_id in ordered],
        "at": at,
    }
    await connection.execute(_BEGIN_LOGS, parameters)


async def standing_records(
    connection: AsyncConnection, keys: Sequence[tuple[str, str, str]]
) -> dict[tuple[str, str, str], Standing]:
    """Give those of the records (centre, entity, id) that stand."""
    rows = await connection.execute(_STANDING, _key_columns(keys))
    return {
        (str(row.center_id), row.entity, row.entity_id): Standing(row.bucket, row.version, row.commitment, row.body)
        for row in rows
    }


async def store(connection: AsyncConnection, appends: Sequence[Append], stamp: Stamp) -> None:
    """Write rows, what they do to the fold and to the digests, and the heads, which must be locked."""
    lines = [(append.center_id, row) for append in appends for row in append.rows]
    shares = _share_columns([(append.center_id, append.shares) for append in appends])
    parameters = {
        **_row_columns(lines),
        **{f"share_{name}": column for name, column in shares.items()},
        **_head_columns(appends),
        "at": stamp.at,
        "origin": stamp.origin,
    }
    await connection.execute(_STORE, parameters)
    final = {(center_id, row.numbered.change.entity, row.numbered.change.entity_id): row for center_id, row in lines}
    removed = [key for key, row in final.items() if row.numbered.change.operation is Operation.REMOVE]
    if removed:
        await connection.execute(_REMOVE_CURRENT, _key_columns(removed))


async def replace_digests(connection: AsyncConnection, center_id: str, shares: Mapping[str, Share]) -> None:
    """Put counted digests in the place of all that a centre has."""
    await connection.execute(_FORGET_DIGESTS, {"center_id": center_id})
    columns = _share_columns([(center_id, shares)])
    await connection.execute(_REPLACE_SHARES, {f"share_{name}": column for name, column in columns.items()})


async def _locked(connection: AsyncConnection, statement: object, center_ids: Iterable[str]) -> dict[str, LockedHead]:
    parameters = {"center_ids": list(center_ids)}
    rows = await connection.execute(statement, parameters)  # type: ignore[call-overload]
    return {
        str(row.center_id): LockedHead(Head(str(row.epoch), row.version, row.hash), row.evidence, row.evidence_version)
        for row in rows
    }


def _row_columns(lines: Sequence[tuple[str, Row]]) -> dict[str, object]:
    changes = [row.numbered.change for _, row in lines]
    return {
        "center_ids": [center_id for center_id, _ in lines],
        "versions": [change.version for change in changes],
        "buckets": [change.bucket for change in changes],
        "entities": [str(change.entity) for change in changes],
        "entity_ids": [change.entity_id for change in changes],
        "operations": [int(change.operation) for change in changes],
        "bodies": [change.body for change in changes],
        "salts": [change.salt for change in changes],
        "commitments": [change.commitment for change in changes],
        "hashes": [row.numbered.hash for _, row in lines],
        "lasts": [change.transaction_last for change in changes],
        "actors": [row.actor for _, row in lines],
        "evidences": [row.evidence for _, row in lines],
    }


def _head_columns(appends: Sequence[Append]) -> dict[str, object]:
    return {
        "head_center_ids": [append.center_id for append in appends],
        "head_versions": [append.head.version for append in appends],
        "head_hashes": [append.head.hash for append in appends],
        "head_evidences": [append.evidence for append in appends],
        "head_moves": [bool(append.rows) for append in appends],
        "channel": HEADS_CHANNEL,
    }


def _key_columns(keys: Iterable[tuple[str, str, str]]) -> dict[str, object]:
    listed = list(keys)
    return {
        "center_ids": [center_id for center_id, _, _ in listed],
        "entities": [str(entity) for _, entity, _ in listed],
        "entity_ids": [entity_id for _, _, entity_id in listed],
    }


def _share_columns(shares: Sequence[tuple[str, Mapping[str, Share]]]) -> dict[str, object]:
    lines = [(center_id, bucket, share) for center_id, of_center in shares for bucket, share in of_center.items()]
    return {
        "center_ids": [center_id for center_id, _, _ in lines],
        "buckets": [bucket for _, bucket, _ in lines],
        "totals": [str(total) for _, _, (total, _) in lines],
        "counts": [count for _, _, (_, count) in lines],
    }


_HEAD_COLUMNS: Final = "center_id, epoch, version, hash, evidence, evidence_version"
_LOCK_HEADS: Final = text(
    f"SELECT {_HEAD_COLUMNS} FROM center_head WHERE center_id = ANY(CAST(:center_ids AS uuid[])) "
    "ORDER BY center_id FOR UPDATE"
)
_LOCK_FREE_HEADS: Final = text(
    f"SELECT {_HEAD_COLUMNS} FROM center_head WHERE center_id = ANY(CAST(:center_ids AS uuid[])) "
    "ORDER BY center_id FOR UPDATE SKIP LOCKED"
)
_BEGIN_LOGS: Final = text("""
    WITH begun AS (
        INSERT INTO center_head (center_id, epoch, version, hash, origin_epoch)
        SELECT line.center_id, line.epoch, 0, line.hash, line.epoch
        FROM unnest(CAST(:center_ids AS uuid[]), CAST(:epochs AS uuid[]), CAST(:hashes AS bytea[]))
             AS line(center_id, epoch, hash)
        ON CONFLICT (center_id) DO NOTHING
        RETURNING center_id, epoch
    )
    INSERT INTO log_epoch (center_id, epoch, from_version, began_at, reason)
    SELECT center_id, epoch, 0, CAST(:at AS timestamptz), 'begun' FROM begun
""")
_STANDING: Final = text("""
    SELECT record.center_id, record.entity, record.entity_id, record.bucket, record.version, record.commitment,
           record.body
    FROM current_record AS record
    JOIN unnest(CAST(:center_ids AS uuid[]), CAST(:entities AS text[]), CAST(:entity_ids AS text[]))
         AS line(center_id, entity, entity_id)
      ON record.center_id = line.center_id AND record.entity = line.entity AND record.entity_id = line.entity_id
    ORDER BY record.center_id, record.entity, record.entity_id
""")
# Shares are sums modulo 2**256, so that what leaves a bucket is added as its complement.
_ADD_SHARES: Final = f"""
    INSERT INTO bucket_digest (center_id, bucket, total, records)
    SELECT line.center_id, line.bucket, CAST(line.total AS numeric), line.count
    FROM unnest(CAST(:share_center_ids AS uuid[]), CAST(:share_buckets AS text[]), CAST(:share_totals AS text[]),
                CAST(:share_counts AS bigint[])) AS line(center_id, bucket, total, count)
    ON CONFLICT (center_id, bucket) DO UPDATE
    SET total = mod(bucket_digest.total + excluded.total, {MODULUS}),
        records = bucket_digest.records + excluded.records
"""
# The fold takes the last row of each record that stands afterwards; what is removed goes by a statement of its own.
_STORE: Final = text(f"""
    WITH appended AS (
        INSERT INTO change_log (center_id, version, bucket, entity, entity_id, operation, body, salt, commitment,
                                hash, transaction_last, at, actor, origin, evidence)
        SELECT line.center_id, line.version, line.bucket, line.entity, line.entity_id, line.operation,
               line.body, line.salt, line.commitment, line.hash, line.last,
               CAST(:at AS timestamptz), line.actor, CAST(:origin AS text), line.evidence
        FROM unnest(CAST(:center_ids AS uuid[]), CAST(:versions AS bigint[]), CAST(:buckets AS text[]),
                    CAST(:entities AS text[]), CAST(:entity_ids AS text[]), CAST(:operations AS smallint[]),
                    CAST(:bodies AS bytea[]), CAST(:salts AS bytea[]), CAST(:commitments AS bytea[]),
                    CAST(:hashes AS bytea[]), CAST(:lasts AS boolean[]), CAST(:actors AS text[]),
                    CAST(:evidences AS bytea[]))
             AS line(center_id, version, bucket, entity, entity_id, operation, body, salt, commitment, hash, last,
                     actor, evidence)
        RETURNING center_id, entity, entity_id, operation, bucket, version, body, salt, commitment
    ), folded AS (
        INSERT INTO current_record (center_id, entity, entity_id, bucket, version, body, salt, commitment)
        SELECT DISTINCT ON (center_id, entity, entity_id)
               center_id, entity, entity_id, bucket, version, body, salt, commitment
        FROM appended WHERE operation = {int(Operation.PUT)}
        ORDER BY center_id, entity, entity_id, version DESC
        ON CONFLICT (center_id, entity, entity_id) DO UPDATE
        SET bucket = excluded.bucket, version = excluded.version, body = excluded.body, salt = excluded.salt,
            commitment = excluded.commitment
    ), counted AS ({_ADD_SHARES}), moved AS (
        UPDATE center_head AS head
        SET version = line.version, hash = line.hash, evidence = line.evidence, evidence_version = line.version,
            logged_xact = CAST(CAST(pg_current_xact_id() AS text) AS bigint)
        FROM unnest(CAST(:head_center_ids AS uuid[]), CAST(:head_versions AS bigint[]),
                    CAST(:head_hashes AS bytea[]), CAST(:head_evidences AS bytea[]), CAST(:head_moves AS boolean[]))
             AS line(center_id, version, hash, evidence, has_moved)
        WHERE head.center_id = line.center_id
        RETURNING head.center_id, head.epoch, head.version, line.has_moved
    )
    SELECT pg_notify(CAST(:channel AS text), concat_ws(' ', center_id, epoch, version)) FROM moved WHERE has_moved
""")
_REMOVE_CURRENT: Final = text("""
    DELETE FROM current_record AS record
    USING unnest(CAST(:center_ids AS uuid[]), CAST(:entities AS text[]), CAST(:entity_ids AS text[]))
          AS line(center_id, entity, entity_id)
    WHERE record.center_id = line.center_id AND record.entity = line.entity AND record.entity_id = line.entity_id
""")
_FORGET_DIGESTS: Final = text("DELETE FROM bucket_digest WHERE center_id = :center_id")
_REPLACE_SHARES: Final = text(_ADD_SHARES)
