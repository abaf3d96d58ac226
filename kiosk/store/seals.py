"""The seal of a bucket: its digest as this desk last knew it, moved in the transaction of every change.

A page of an encrypted file proves that it was written by us, and not that it is the newest of its place. The seal does:
records that vanish, or come back from an older copy of a page, no longer sum up to it.
"""

from collections.abc import Iterable

from kiosk.store.database import Database
from sync.digest import MODULUS, Held, contribution
from sync.digest import sums as sums_of
from sync.limits import HASH_BYTES

_HELD = "SELECT bucket, entity, entity_id, version, commitment"


def sums(database: Database) -> dict[str, int]:
    """What the records of each bucket sum up to, from the records themselves."""
    return _sums(database, f"{_HELD} FROM record")


def sealed_buckets(database: Database) -> list[str]:
    """The buckets that hold records here by their seal, whether or not the records are there."""
    rows = database.fetch_all("SELECT bucket FROM bucket_seal WHERE total <> zeroblob(32) ORDER BY bucket")
    return [name for (name,) in rows]


def bucket_sum(database: Database, bucket: str) -> int:
    """The same of one bucket; 0 when nothing is in it."""
    return _sums(database, f"{_HELD} FROM record WHERE bucket = ?", bucket).get(bucket, 0)


def staged_sums(database: Database) -> dict[str, int]:
    """The same of what is staged."""
    return _sums(database, f"{_HELD} FROM staged_record")


def _sums(database: Database, query: str, *parameters: object) -> dict[str, int]:
    return sums_of(Held(*row) for row in database.fetch_each(query, parameters))


def standing(database: Database, entity: str, entity_id: str) -> Held | None:
    """What a record adds to its bucket now; None when it is not here."""
    row = database.fetch_one(f"{_HELD} FROM record WHERE entity = ? AND entity_id = ?", (entity, entity_id))
    return None if row is None else Held(*row)


def move_seals(database: Database, *, gone: Iterable[Held], come: Iterable[Held]) -> None:
    """Records went and came: move the seals of their buckets, in the transaction that moves the records."""
    moved: dict[str, int] = {}
    for held in gone:
        moved[held.bucket] = moved.get(held.bucket, 0) - contribution(held)
    for held in come:
        moved[held.bucket] = moved.get(held.bucket, 0) + contribution(held)
    for bucket, difference in moved.items():
        row = database.fetch_one("SELECT total FROM bucket_seal WHERE bucket = ?", (bucket,))
        total = (int.from_bytes(row[0] if row else b"", "big") + difference) % MODULUS
        database.execute(
            "INSERT INTO bucket_seal (bucket, total) VALUES (?, ?)"
            " ON CONFLICT (bucket) DO UPDATE SET total = excluded.total",
            (bucket, total.to_bytes(HASH_BYTES, "big")),
        )


def seal_bucket(database: Database, bucket: str) -> None:
    """Seal one bucket anew, as its records stand."""
    database.execute("DELETE FROM bucket_seal WHERE bucket = ?", (bucket,))
    _write(database, {bucket: bucket_sum(database, bucket)})


def seal_everything(database: Database) -> None:
    """Seal every bucket anew, as the records stand."""
    database.execute("DELETE FROM bucket_seal")
    _write(database, sums(database))


def _write(database: Database, totals: dict[str, int]) -> None:
    rows = [(bucket, total.to_bytes(HASH_BYTES, "big")) for bucket, total in totals.items()]
    database.execute_many("INSERT INTO bucket_seal (bucket, total) VALUES (?, ?)", rows)


def broken_seals(database: Database) -> list[str]:
    """The buckets whose records do not sum up to their seal."""
    rows = database.fetch_all("SELECT bucket, total FROM bucket_seal")
    sealed = {bucket: int.from_bytes(total, "big") for bucket, total in rows}
    found = sums(database)
    return sorted(bucket for bucket in sealed.keys() | found.keys() if sealed.get(bucket, 0) != found.get(bucket, 0))
