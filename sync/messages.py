"""What travels on a link: one struct for each message, written as a tagged MessagePack array.

Fields are only ever added at the end, with a default: an older peer ignores what it does not know, a newer peer
takes the default for what it is not told. docs/protocol.md lists every field with its unit and bound.
"""

from enum import IntEnum
from typing import Annotated

import msgspec

from sync.change_log import Change, RecordBody, Salt
from sync.journal import AnyInt64, Entry, EntryOutcome, Hash, Int64, Label, Signature
from sync.limits import (
    BUCKETS_MAX,
    JOURNALS_MAX,
    PAGE_CHANGES_MAX,
    PUSH_ENTRIES_MAX,
    SNAPSHOT_PART_RECORDS_MAX,
    SNAPSHOT_PARTS_MAX,
)

OptionalHash = Annotated[bytes, msgspec.Meta(max_length=32)]
PartNumber = Annotated[int, msgspec.Meta(ge=0, le=SNAPSHOT_PARTS_MAX)]
Count = Annotated[int, msgspec.Meta(ge=0, le=2**31 - 1)]


class Plan(IntEnum):
    """How the server will bring a device up to date."""

    UP_TO_DATE = 1
    RESUME = 2
    SNAPSHOT = 3
    RECONCILE = 4
    UPLOAD_ONLY = 5


class AdviceKind(IntEnum):
    """What the server asks of a device."""

    SLOW_DOWN = 1
    COME_BACK_LATER = 2


class BucketDigest(msgspec.Struct, frozen=True, array_like=True):
    """What the records of one bucket sum up to, at a position that the message names (see `sync.digest`)."""

    bucket: Label
    digest: Hash


class JournalPosition(msgspec.Struct, frozen=True, array_like=True):
    """The end of one journal: its last number (0 when empty) and the hash there."""

    incarnation: Label
    seq: Int64
    hash: OptionalHash


class StagedSnapshot(msgspec.Struct, frozen=True, array_like=True):
    """How far a snapshot has come: `part` of `parts` are durable, all of one position; 0 of 0: none is."""

    epoch: Label = ""
    version: Int64 = 0
    part: PartNumber = 0
    parts: PartNumber = 0


Digests = Annotated[tuple[BucketDigest, ...], msgspec.Meta(max_length=BUCKETS_MAX)]
Positions = Annotated[tuple[JournalPosition, ...], msgspec.Meta(max_length=JOURNALS_MAX)]


class Hello(msgspec.Struct, frozen=True, array_like=True, tag=1, kw_only=True):
    """Device: who speaks, what it can speak, and where it stands; always the first message."""

    protocol_min: Count
    protocol_max: Count
    app_version: Label
    schema_version: Count
    incarnation: Label
    epoch: Label
    version: Int64
    hash: OptionalHash
    journal_seq: Int64
    journal_hash: OptionalHash
    queue_depth: Count
    wall_ms: AnyInt64
    monotonic_ms: Int64
    older: Positions = ()
    digests: Digests = ()
    staged: StagedSnapshot = StagedSnapshot()


class Welcome(msgspec.Struct, frozen=True, array_like=True, tag=2, kw_only=True):
    """Server: the answer to Hello; after it both directions run on their own."""

    protocol: Count
    epoch: Label
    head_version: Int64
    plan: Plan
    stored_seq: Int64
    stored_hash: OptionalHash
    heartbeat_interval_ms: Count
    push_entries_max: Count
    server_wall_ms: AnyInt64
    echo_monotonic_ms: Int64
    older: Positions = ()
    lease_ms: Int64 = 0
    differing: Annotated[tuple[Label, ...], msgspec.Meta(max_length=BUCKETS_MAX)] = ()


class Push(msgspec.Struct, frozen=True, array_like=True, tag=3):
    """Device: a dense run of its journal; one push is under way at a time."""

    entries: Annotated[tuple[Entry, ...], msgspec.Meta(min_length=1, max_length=PUSH_ENTRIES_MAX)]


class PushStored(msgspec.Struct, frozen=True, array_like=True, tag=4, kw_only=True):
    """Server: everything up to `through_seq` is stored for ever, with one outcome for each entry of the push.

    Without outcomes it says where the server stands, and asks for the entries from there.
    """

    through_seq: Int64
    hash: OptionalHash
    outcomes: Annotated[tuple[EntryOutcome, ...], msgspec.Meta(max_length=PUSH_ENTRIES_MAX)] = ()


class SnapshotRecord(msgspec.Struct, gc=False, frozen=True, array_like=True):
    """A record as it stood at the snapshot's position, last changed at `version`."""

    bucket: Label
    entity: Label
    entity_id: Label
    version: Int64
    body: RecordBody
    salt: Salt
    commitment: OptionalHash = b""


class SnapshotPart(msgspec.Struct, frozen=True, array_like=True, tag=5, kw_only=True):
    """Server: part `part` (from 1) of `parts` of all records at one fixed position.

    With a `bucket` it is a repair: parts of that bucket alone, at the position that was sent last. The last part holds
    the digest of every bucket in it.
    """

    epoch: Label
    version: Int64
    hash: OptionalHash
    part: PartNumber
    parts: PartNumber
    records: Annotated[tuple[SnapshotRecord, ...], msgspec.Meta(max_length=SNAPSHOT_PART_RECORDS_MAX)]
    bucket: Label = ""
    digests: Digests = ()


class Page(msgspec.Struct, frozen=True, array_like=True, tag=6, kw_only=True):
    """Server: the changes after `after_version` up to `to_version`, in whole units, and the hash there.

    A page that reaches the head holds the digests of the buckets it touches.
    """

    epoch: Label
    after_version: Int64
    to_version: Int64
    to_hash: OptionalHash
    head_version: Int64
    changes: Annotated[tuple[Change, ...], msgspec.Meta(max_length=PAGE_CHANGES_MAX)]
    digests: Digests = ()


class Applied(msgspec.Struct, frozen=True, array_like=True, tag=7, kw_only=True):
    """Device: durable up to here. During a snapshot `snapshot_part` counts the parts that are durable."""

    epoch: Label
    version: Int64
    snapshot_part: PartNumber = 0
    queue_depth: Count = 0


class Heartbeat(msgspec.Struct, frozen=True, array_like=True, tag=8, kw_only=True):
    """Both: alive; `version` is the server's head, or what the device has applied.

    The other fields are a sample of the clocks: the sender's own, the last monotonic time that the other side sent,
    and for how long it was held here.
    """

    version: Int64
    queue_depth: Count = 0
    monotonic_ms: Int64 = 0
    wall_ms: AnyInt64 = 0
    echo_monotonic_ms: Int64 = 0
    held_ms: Int64 = 0


class Advice(msgspec.Struct, frozen=True, array_like=True, tag=9, kw_only=True):
    """Server: what to do, and after how many milliseconds."""

    kind: AdviceKind
    delay_ms: Count


class Challenge(msgspec.Struct, frozen=True, array_like=True, tag=10):
    """Server: prove again who you are; the token of this link runs out soon."""

    nonce: Hash


class Proof(msgspec.Struct, frozen=True, array_like=True, tag=11):
    """Device: the nonce, signed with the device's own key (see `proof_material`)."""

    nonce: Hash
    signature: Signature


class RepairRequest(msgspec.Struct, frozen=True, array_like=True, tag=12):
    """Device: this bucket is not what its digest says; send it again."""

    bucket: Label


class ForkFound(msgspec.Struct, frozen=True, array_like=True, tag=13):
    """Server: a push of this journal that began at `seq` contradicts what is stored; nothing of it was stored."""

    incarnation: Label
    seq: Int64


DeviceMessage = Hello | Push | Applied | Heartbeat | Proof | RepairRequest
ServerMessage = Welcome | PushStored | SnapshotPart | Page | Heartbeat | Advice | Challenge | ForkFound


def proof_material(device_id: str, nonce: bytes) -> bytes:
    """What a device signs to prove itself within a link: bound to its purpose, its id and this one nonce."""
    return f"rollcall-link-proof-v1\n{device_id}\n{nonce.hex()}".encode("ascii")
