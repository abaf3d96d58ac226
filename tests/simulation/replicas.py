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
    rows = device.database.fetch_all("SELECT bucket, entity, entity_id, version FROM record")
    left_out = _left_out(device, {row[0] for row in rows}, bucket)
    return {(row[1], row[2]): row[3] for row in rows if row[0] not in left_out}


def kept_of(device: "Device", records: Iterable[SnapshotRecord], bucket: str = "") -> Versions:
    """What a replica must hold of these records."""
    wanted = list(records)
    left_out = _left_out(device, {record.bucket for record in wanted}, bucket)
    return {(record.entity, record.entity_id): record.version for record in wanted if record.bucket not in left_out}


def _left_out(device: "Device", buckets: set[str], wanted: str) -> set[str]:
    """The buckets that are not looked at: days that were dropped, and with one wanted all the others."""
    dropped_before = device.replica.progress.read().dropped_before
    return {name for name in buckets if not is_kept(name, dropped_before) or (wanted and name != wanted)}


def is_kept(bucket: str, dropped_before: str) -> bool:
    """Whether this is no day that was dropped; an event that comes late for such a day may be there or not."""
    return not bucket.startswith(DAY_BUCKET_PREFIX) or bucket >= dropped_before
