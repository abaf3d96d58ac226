"""What a session asks of the world, as imperatives, carried out in order.

Effects without a lane are carried out at once. An effect with a lane works on a store: it may take long, its outcome
comes back as an event, and a session never has two under way in one lane. Uploads and downloads have lanes of their
own, so neither ever waits for the other.
"""

from enum import Enum
from typing import ClassVar

import msgspec

from sync.errors import CloseCode
from sync.journal import Entry
from sync.messages import BucketDigest, JournalPosition, Page, Plan, PushStored, SnapshotPart, StagedSnapshot


class Lane(Enum):
    """Store effects in one lane follow each other; lanes do not wait for each other."""

    UPLOAD = "upload"
    DOWNLOAD = "download"
    RIGHTS = "rights"


class SendFrame(msgspec.Struct, frozen=True):
    """Both: send one binary frame."""

    lane: ClassVar[Lane | None] = None
    frame: bytes


class CloseLink(msgspec.Struct, frozen=True):
    """Both: close the WebSocket; always the last effect of a session."""

    lane: ClassVar[Lane | None] = None
    code: CloseCode
    reason: str


# -- the device's half


class ReadProgress(msgspec.Struct, frozen=True):
    """Device: read where replica and journal stand -> ProgressRead."""

    lane: ClassVar[Lane | None] = Lane.DOWNLOAD


class ReadEntries(msgspec.Struct, frozen=True):
    """Device: read at most `entries_max` entries (and one frame's bytes) of a journal behind one -> EntriesRead."""

    lane: ClassVar[Lane | None] = Lane.UPLOAD
    incarnation: str
    after_seq: int
    entries_max: int


class StoreOutcomes(msgspec.Struct, frozen=True):
    """Device: make the server's acknowledgement of entries of a journal durable -> OutcomesStored."""

    lane: ClassVar[Lane | None] = Lane.UPLOAD
    incarnation: str
    stored: PushStored


class ReopenEntries(msgspec.Struct, frozen=True):
    """Device: the server lost what it had stored after `after_seq`; take those outcomes back -> EntriesReopened."""

    lane: ClassVar[Lane | None] = Lane.UPLOAD
    incarnation: str
    after_seq: int


class BeginIncarnation(msgspec.Struct, frozen=True):
    """Device: this journal has forked -> IncarnationBegun.

    Every entry of it without an outcome is sealed again in a journal that nobody else writes, in one transaction: a new
    one, or the current one when the forked journal is an older one. An incident says that it happened.
    """

    lane: ClassVar[Lane | None] = Lane.UPLOAD
    incarnation: str


class DestroyReplica(msgspec.Struct, frozen=True):
    """Device: it was revoked and has nothing left to tell; destroy keys and replica -> ReplicaDestroyed.

    Whoever carries it out looks first: an entry that has no outcome by then is told before -> DestructionRefused.
    """

    lane: ClassVar[Lane | None] = Lane.UPLOAD


class StorePage(msgspec.Struct, frozen=True):
    """Device: check a page against the chain, apply it with the cursor in one transaction -> PageStored."""

    lane: ClassVar[Lane | None] = Lane.DOWNLOAD
    page: Page


class StoreSnapshotPart(msgspec.Struct, frozen=True):
    """Device: stage a part; with the last one, replace the replica in one transaction -> SnapshotPartStored.

    A part with a bucket replaces that bucket alone. With plan RECONCILE the facts of the old replica that the new one
    lacks become entries of the journal, in that same transaction.
    """

    lane: ClassVar[Lane | None] = Lane.DOWNLOAD
    part: SnapshotPart
    plan: Plan


class NoteClock(msgspec.Struct, frozen=True):
    """Device: keep what a round trip said of this device's clock, and the lease that came with it -> ClockNoted.

    `sent_wall_ms` is the device's wall clock when the round trip began; the shell adds its reading of now. `lease_ms`
    is how long the device may go on from now without the server; 0: this server grants none, nothing changes.
    """

    lane: ClassVar[Lane | None] = None
    sent_wall_ms: int
    round_trip_ms: int
    server_wall_ms: int
    lease_ms: int = 0


class SignChallenge(msgspec.Struct, frozen=True):
    """Device: sign the nonce with the device's key -> ChallengeSigned."""

    lane: ClassVar[Lane | None] = None
    nonce: bytes


class NotePhase(msgspec.Struct, frozen=True):
    """Device: tell the desk how the link stands; `is_current` once the replica has reached the head it was told."""

    lane: ClassVar[Lane | None] = None
    is_current: bool
    head_version: int
    snapshot_part: int = 0
    snapshot_parts: int = 0


class KeepAdvice(msgspec.Struct, frozen=True):
    """Device: the server asks to come back after `delay_ms`; the next dial obeys."""

    lane: ClassVar[Lane | None] = None
    delay_ms: int


# -- the server's half


class LoadDevice(msgspec.Struct, frozen=True, kw_only=True):
    """Server: load what is known of this device's journals and of its cursor -> DeviceLoaded."""

    lane: ClassVar[Lane | None] = Lane.DOWNLOAD
    incarnation: str
    epoch: str
    version: int
    hash: bytes
    journal_seq: int = 0
    journal_hash: bytes = b""
    older: tuple[JournalPosition, ...] = ()
    digests: tuple[BucketDigest, ...] = ()


class StoreBatch(msgspec.Struct, frozen=True):
    """Server: store, decide and log a push in one transaction -> BatchStored or BatchRefused."""

    lane: ClassVar[Lane | None] = Lane.UPLOAD
    entries: tuple[Entry, ...]


class LoadPage(msgspec.Struct, frozen=True):
    """Server: the next page after this version, not beyond `up_to_version` (0: the head) -> PageLoaded.

    A page that reaches the head holds the digests of the buckets it touches; with `all_digests`, of all buckets.
    """

    lane: ClassVar[Lane | None] = Lane.DOWNLOAD
    after_version: int
    up_to_version: int = 0
    all_digests: bool = False


class LoadSnapshot(msgspec.Struct, frozen=True):
    """Server: all records at one position, in parts; that of `staged`, if it is still at hand -> SnapshotLoaded."""

    lane: ClassVar[Lane | None] = Lane.DOWNLOAD
    staged: StagedSnapshot = StagedSnapshot()


class LoadBucket(msgspec.Struct, frozen=True):
    """Server: all records of one bucket at the head, in parts -> BucketLoaded."""

    lane: ClassVar[Lane | None] = Lane.DOWNLOAD
    bucket: str


class IssueChallenge(msgspec.Struct, frozen=True):
    """Server: make a nonce for this link -> ChallengeIssued."""

    lane: ClassVar[Lane | None] = None


class CheckProof(msgspec.Struct, frozen=True):
    """Server: check the signature, and that the device may still be here -> ProofChecked."""

    lane: ClassVar[Lane | None] = Lane.RIGHTS
    nonce: bytes
    signature: bytes


class RecordApplied(msgspec.Struct, frozen=True):
    """Server: note how far the device is, for people and for compaction; may be coalesced, never waited for."""

    lane: ClassVar[Lane | None] = None
    epoch: str
    version: int
    queue_depth: int


DeviceEffect = (
    SendFrame
    | CloseLink
    | ReadProgress
    | ReadEntries
    | StoreOutcomes
    | ReopenEntries
    | BeginIncarnation
    | DestroyReplica
    | StorePage
    | StoreSnapshotPart
    | NoteClock
    | SignChallenge
    | NotePhase
    | KeepAdvice
)
ServerEffect = (
    SendFrame
    | CloseLink
    | LoadDevice
    | StoreBatch
    | LoadPage
    | LoadSnapshot
    | LoadBucket
    | IssueChallenge
    | CheckProof
    | RecordApplied
)
