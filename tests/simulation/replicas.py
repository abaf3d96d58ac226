"""What a replica holds, and what of the log it must hold: everything but the old days that it dropped on purpose."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from sync.messages import SnapshotRecord
from sync.records import DAY_BUCKET_PREFIX

if TYPE_CHECKING:
    from tests.simulation.device import Device

Versions = dict[tuple[str, str], int]
"""The version of each record, by entity and id."""


def held_by(device: "Device", bucket: str = "") -> Versions:
    """What is in a replica, or in one bucket of it."""
    dropped_before = device.replica.progress.read().dropped_before
    rows = device.database.fetch_all("SELECT bucket, entity, entity_id, version FROM record")
    return {row[1:3]: row[3] for row in rows if bucket in {"", row[0]} and is_kept(row[0], dropped_before)}


def kept_of(device: "Device", records: Iterable[SnapshotRecord], bucket: str = "") -> Versions:
    """What a replica must hold of these records."""
    dropped_before = device.replica.progress.read().dropped_before
    return {
        (record.entity, record.entity_id): record.version
        for record in records
        if bucket in {"", record.bucket} and is_kept(record.bucket, dropped_before)
    }


def is_kept(bucket: str, dropped_before: str) -> bool:
    """Whether this is no day that was dropped; an event that comes late for such a day may be there or not."""
    return not bucket.startswith(DAY_BUCKET_PREFIX) or bucket >= dropped_before
