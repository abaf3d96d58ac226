"""The seal of a bucket: its digest as this desk last knew it, moved in the transaction of every change.

A page of an encrypted file proves that it was written by us, and not that it is the newest of its place. The seal does:
records that vanish, or come back from an older copy of a page, no longer sum up to it.
"""

from collections import Counter
from collections.abc import Iterable
from typing import Final, NamedTuple

import msgspec

from kiosk.store.database import Database
from sync.digest import MODULUS, Held, contribution
from sync.digest import sums as sums_of
from sync.limits import HASH_BYTES

_HELD = "SELECT bucket, entity, entity_id, version, commitment"
# The changes of a bucket between two readings of it, where it holds few records: one page of a busy minute.
_CHANGES_UNREAD_MIN: Final = 100

RecordKey = tuple[str, str]
"""Entity and id."""


def sums(database: Database) -> dict[str, int]:
    """What the records of each bucket sum up to, from the records themselves."""
    return sums_of(map(Held._make, database.fetch_each(f"{_HELD} FROM record")))


def sealed_buckets(database: Database) -> list[str]:
    """The buckets that hold records here by their seal, whether or not the records are there."""
    rows = database.fetch_all("SELECT bucket FROM bucket_seal WHERE total <> zeroblob(32) ORDER BY bucket")
    return [name for (name,) in rows]


def bucket_sum(database: Database, bucket: str) -> int:
    """The same of one bucket; 0 when nothing is in it."""
    return read_back(database, bucket).total


class ReadBack(NamedTuple):
    """What the records of one bucket sum up to, and how many there are."""

    total: int
    records: int


def read_back(database: Database, bucket: str) -> ReadBack:
    """Read one bucket, record by record."""
    rows = database.fetch_all(f"{_HELD} FROM record WHERE bucket = ?", (bucket,))
    return ReadBack(sums_of(map(Held._make, rows)).get(bucket, 0), len(rows))


def held_at(database: Database, keys: Iterable[RecordKey]) -> list[Held]:
    """What those of these records that are here add to their buckets now."""
    rows = database.fetch_all(_HELD_AT, (msgspec.json.encode(list(keys)).decode(),))
    return [Held._make(row) for row in rows]


def move_seals(database: Database, *, gone: Iterable[Held], come: Iterable[Held]) -> dict[str, int]:
    """Records went and came: move the seals of their buckets, in the transaction that moves the records.

    Returns the new seals of these buckets.
    """
    moved: Counter[str] = Counter()
    for held in gone:
        moved[held.bucket] -= contribution(held)
    for held in come:
        moved[held.bucket] += contribution(held)
    before = seals_of(database, moved)
    totals = {bucket: (before[bucket] + difference) % MODULUS for bucket, difference in moved.items()}
    database.execute_many(
        "INSERT INTO bucket_seal (bucket, total) VALUES (?, ?)"
        " ON CONFLICT (bucket) DO UPDATE SET total = excluded.total",
        _rows(totals),
    )
    return totals


def seals_of(database: Database, buckets: Iterable[str]) -> dict[str, int]:
    """The seal of each of these buckets; 0 of one that never held anything."""
    found = dict.fromkeys(buckets, 0)
    rows = database.fetch_all(_SEALS_OF, (msgspec.json.encode(list(found)).decode(),))
    return found | {bucket: int.from_bytes(total, "big") for bucket, total in rows}


class ReadingPlan:
    """When a bucket is read back, record by record, to see whether its seal still tells the truth.

    The first time in this run of the program, and then whenever as many changes came to it as it held records: so
    reading costs no more for each change than applying it does, however long a day becomes.
    """

    def __init__(self) -> None:
        self._left: dict[str, int] = {}

    def is_due(self, bucket: str) -> bool:
        """Whether the bucket should be read back now."""
        return self._left.get(bucket, 0) <= 0

    def changed(self, buckets: Iterable[str]) -> None:
        """A change came to each of these; a bucket may be named more than once."""
        for bucket in buckets:
            if bucket in self._left:
                self._left[bucket] -= 1

    def was_read(self, bucket: str, records: int) -> None:
        """The bucket was read back, and held so many records."""
        self._left[bucket] = max(records, _CHANGES_UNREAD_MIN)


def seal_bucket(database: Database, bucket: str) -> None:
    """Seal one bucket anew, as its records stand."""
    database.execute("DELETE FROM bucket_seal WHERE bucket = ?", (bucket,))
    _write(database, {bucket: bucket_sum(database, bucket)})


def seal_everything(database: Database) -> None:
    """Seal every bucket anew, as the records stand."""
    seal_as(database, sums(database))


def seal_as(database: Database, totals: dict[str, int]) -> None:
    """Seal every bucket anew, with what the records that replaced all others are known to sum up to."""
    database.execute("DELETE FROM bucket_seal")
    _write(database, totals)


def _write(database: Database, totals: dict[str, int]) -> None:
    database.execute_many("INSERT INTO bucket_seal (bucket, total) VALUES (?, ?)", _rows(totals))


def _rows(totals: dict[str, int]) -> list[tuple[str, bytes]]:
    return [(bucket, total.to_bytes(HASH_BYTES, "big")) for bucket, total in totals.items()]


def broken_seals(database: Database) -> list[str]:
    """The buckets whose records do not sum up to their seal."""
    rows = database.fetch_all("SELECT bucket, total FROM bucket_seal")
    sealed = {bucket: int.from_bytes(total, "big") for bucket, total in rows}
    found = sums(database)
    return sorted(bucket for bucket in sealed.keys() | found.keys() if sealed.get(bucket, 0) != found.get(bucket, 0))


_HELD_AT: Final = (
    "SELECT record.bucket, record.entity, record.entity_id, record.version, record.commitment"
    " FROM json_each(?) AS key CROSS JOIN record"
    " ON record.entity = key.value ->> 0 AND record.entity_id = key.value ->> 1"
)
_SEALS_OF: Final = "SELECT bucket, total FROM bucket_seal WHERE bucket IN (SELECT value FROM json_each(?))"
