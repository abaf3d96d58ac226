"""The records that a log comes to, as the model of the server keeps them, and what they add to their buckets."""

from collections.abc import Iterable

import msgspec

from sync.attendance import Fact
from sync.change_log import Change, Numbered, Operation
from sync.digest import MODULUS, Held, contribution
from sync.intake import fact_of_record
from sync.messages import SnapshotRecord
from sync.records import Entity, EventRecord

RecordKey = tuple[str, str]


def held_of(record: SnapshotRecord) -> Held:
    """What a record adds to the digest of its bucket."""
    return Held(record.bucket, record.entity, record.entity_id, record.version, record.commitment)


def apply(records: dict[RecordKey, SnapshotRecord], change: Change) -> None:
    """Let a change take effect."""
    key = (change.entity, change.entity_id)
    if change.operation is Operation.REMOVE:
        records.pop(key, None)
        return
    records[key] = SnapshotRecord(
        change.bucket, change.entity, change.entity_id, change.version, change.body, change.salt, change.commitment
    )


def move_total(totals: dict[str, int], record: SnapshotRecord | None, sign: int) -> None:
    """A record came (1) or went (-1); a bucket without any is in no total."""
    if record is None:
        return
    total = (totals.get(record.bucket, 0) + sign * contribution(held_of(record))) % MODULUS
    totals[record.bucket] = total
    if not total:
        totals.pop(record.bucket)


def fold_of_log(log: Iterable[Numbered]) -> dict[RecordKey, SnapshotRecord]:
    """The records that a run of the log from its beginning comes to."""
    records: dict[RecordKey, SnapshotRecord] = {}
    for row in log:
        apply(records, row.change)
    return records


def facts_of_records(records: Iterable[SnapshotRecord]) -> list[Fact]:
    """The facts behind the event records among these."""
    return [
        fact_of_record(msgspec.json.decode(record.body, type=EventRecord))
        for record in records
        if record.entity == Entity.EVENT
    ]
