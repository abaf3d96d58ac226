"""The digest of a bucket: one number that two replicas share exactly when they hold the same records.

It is the sum modulo 2**256 of the SHA-256 of (entity, id, version, commitment) of each record: independent of order,
and changed by one addition and one subtraction when a record changes. Such a sum finds loss, staleness and mistakes;
against an adversary the hash chain of the change log is the guard.
"""

import hashlib
from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

from sync.limits import BUCKETS_MAX
from sync.messages import BucketDigest
from sync.records import DAY_BUCKET_PREFIX

MODULUS: Final = 2**256


class Held(NamedTuple):
    """A record that a replica, or the server, holds now."""

    bucket: str
    entity: str
    entity_id: str
    version: int
    commitment: bytes


def contribution(held: Held) -> int:
    """What one record adds to its bucket's digest."""
    material = f"{held.entity}\x00{held.entity_id}\x00{held.version}\x00".encode() + held.commitment
    return int.from_bytes(hashlib.sha256(material).digest(), "big")


def sums(records: Iterable[Held]) -> dict[str, int]:
    """The sum of each bucket that holds a record, by name of bucket."""
    found: dict[str, int] = {}
    for held in records:
        found[held.bucket] = (found.get(held.bucket, 0) + contribution(held)) % MODULUS
    return found


def digests(records: Iterable[Held]) -> dict[str, str]:
    """The digest of each bucket that holds a record, as 64 hexadecimal digits, by name of bucket."""
    return {bucket: f"{total:064x}" for bucket, total in sorted(sums(records).items())}


def wire_digests(totals: Mapping[str, int]) -> tuple[BucketDigest, ...]:
    """What one message can hold of these sums by bucket: what is no day first, then the newest days.

    A clock that is decades off makes days that nobody else has; their number has no bound, a message has one.
    """
    days = sorted((bucket for bucket in totals if bucket.startswith(DAY_BUCKET_PREFIX)), reverse=True)
    others = sorted(bucket for bucket in totals if not bucket.startswith(DAY_BUCKET_PREFIX))
    return tuple(BucketDigest(bucket, totals[bucket].to_bytes(32, "big")) for bucket in (*others, *days)[:BUCKETS_MAX])
