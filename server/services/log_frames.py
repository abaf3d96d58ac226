"""Pages and parts of snapshots as frames: encoded once, sent to all who want them."""

from collections.abc import Iterator, Sequence

from sync.change_log import CHANGE_OVERHEAD_BYTES, Change, Head
from sync.codec import encode
from sync.digest import Held, sums, wire_digests
from sync.events import PageLoaded
from sync.limits import PAYLOAD_BYTES_MAX, SNAPSHOT_PART_RECORDS_MAX
from sync.messages import BucketDigest, Page, SnapshotPart, SnapshotRecord


def no_page(head: Head | None, after_version: int) -> PageLoaded:
    """Say that nothing follows."""
    return PageLoaded(
        epoch=head.epoch if head else "",
        after_version=after_version,
        to_version=after_version,
        head_version=head.version if head else 0,
        frame=b"",
    )


def page_of(
    head: Head, after_version: int, changes: Sequence[Change], to_hash: bytes, digests: tuple[BucketDigest, ...]
) -> PageLoaded:
    """Encode changes that follow a version; `digests` are known only of the head."""
    page = Page(
        epoch=head.epoch,
        after_version=after_version,
        to_version=changes[-1].version,
        to_hash=to_hash,
        head_version=head.version,
        changes=tuple(changes),
        digests=digests,
    )
    return PageLoaded(
        epoch=head.epoch,
        after_version=after_version,
        to_version=page.to_version,
        head_version=head.version,
        frame=encode(page),
    )


def snapshot_frames(head: Head, records: Sequence[SnapshotRecord], bucket: str = "") -> tuple[bytes, ...]:
    """Encode all records at a position, or those of one bucket; none at all give one empty part.

    The last part says what the records in it and before it sum up to. It is counted here, from what is sent, so that
    a replica can always be made; whether the books of the server agree is for its verification to find.
    """
    totals = {bucket: 0} if bucket else {}
    totals |= sums(Held(one.bucket, one.entity, one.entity_id, one.version, one.commitment) for one in records)
    digests = wire_digests(totals)
    parts = list(_parts(records)) or [()]
    return tuple(
        encode(
            SnapshotPart(
                epoch=head.epoch,
                version=head.version,
                hash=head.hash,
                part=number,
                parts=len(parts),
                records=part,
                bucket=bucket,
                digests=digests if number == len(parts) else (),
            )
        )
        for number, part in enumerate(parts, start=1)
    )


def _parts(records: Sequence[SnapshotRecord]) -> Iterator[tuple[SnapshotRecord, ...]]:
    start = size = 0
    for index, record in enumerate(records):
        weight = len(record.body) + CHANGE_OVERHEAD_BYTES
        if index > start and (size + weight > PAYLOAD_BYTES_MAX or index - start >= SNAPSHOT_PART_RECORDS_MAX):
            yield tuple(records[start:index])
            start, size = index, 0
        size += weight
    if start < len(records):
        yield tuple(records[start:])
