"""The SQL that reads the change log of a centre: where it ends, and the rows behind a version."""

from typing import Final

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncConnection

from sync.change_log import CHANGE_OVERHEAD_BYTES, Change, Head, Numbered, Operation
from sync.limits import PAGE_CHANGES_MAX, UNIT_BYTES_MAX
from sync.records import REFERENCE_BUCKET

HEADS_CHANNEL: Final = "rollcall_heads"


async def read_head(connection: AsyncConnection, center_id: str) -> Head | None:
    """Give the head as it stands; None when the centre has none."""
    row = (await connection.execute(_READ_HEAD, {"center_id": center_id})).one_or_none()
    return None if row is None else Head(str(row.epoch), row.version, row.hash)


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


async def has_reference_between(connection: AsyncConnection, center_id: str, *, after: int, through: int) -> bool:
    """Whether anything that is not a fact changed after one version, up to another and with it."""
    parameters = {"center_id": center_id, "after": after, "through": through, "bucket": REFERENCE_BUCKET}
    return bool(await connection.scalar(_HAS_REFERENCE, parameters))


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
# The running sum keeps large bodies from being read only to be cut off: it needs their lengths and no more.
_READ_AFTER: Final = text("""
    SELECT version, bucket, entity, entity_id, operation, body, salt, commitment, hash, transaction_last
    FROM (SELECT *, sum(octet_length(body) + CAST(:overhead AS integer)) OVER (ORDER BY version) AS weight
          FROM (SELECT * FROM change_log WHERE center_id = :center_id AND version > :after
                ORDER BY version LIMIT :rows_max) AS following) AS weighed
    WHERE weight <= CAST(:bytes_max AS bigint)
    ORDER BY version
""")
_HAS_REFERENCE: Final = text("""
    SELECT EXISTS (SELECT 1 FROM change_log WHERE center_id = :center_id AND version > :after AND version <= :through
                   AND bucket = :bucket)
""")
_HASH_AT: Final = text("SELECT hash FROM change_log WHERE center_id = :center_id AND version = :version")
