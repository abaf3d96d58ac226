"""What the world tells a session, in the past tense. A session's `handle` sees each of them, one at a time."""

from enum import Enum

import msgspec

from sync.change_log import Head
from sync.effects import Lane
from sync.errors import CloseCode
from sync.journal import Entry, EntryOutcome
from sync.messages import BucketDigest, JournalPosition, StagedSnapshot


class LinkOpened(msgspec.Struct, frozen=True):
    """Both: the WebSocket is open and authenticated; for the server, for `good_for_ms` more (0: no end is known)."""

    good_for_ms: int = 0


class LinkClosed(msgspec.Struct, frozen=True):
    """Both: the WebSocket is gone, whoever closed it."""


class FrameReceived(msgspec.Struct, frozen=True):
    """Both: one binary frame from the peer, not yet validated."""

    frame: bytes


class TimerFired(msgspec.Struct, frozen=True):
    """Both: `session.deadline_ms` has come."""


class StoreFailed(msgspec.Struct, frozen=True):
    """Both: a store effect could not be carried out; whether it took effect is unknown."""

    lane: Lane
    reason: str


# -- the device's half


class JournalStanding(msgspec.Struct, frozen=True, kw_only=True):
    """Device: the end of a journal it keeps entries of, and the last entry such that all up to it have an outcome."""

    incarnation: str
    seq: int
    hash: bytes
    settled_seq: int


class ProgressRead(msgspec.Struct, frozen=True, kw_only=True):
    """Device: where its replica and its journals stand, read in one transaction; `older` holds the oldest first.

    `queue_depth` counts the entries of all journals that have no outcome; `digests` are of the replica at `version`.
    """

    journal: JournalStanding
    epoch: str
    version: int
    hash: bytes
    queue_depth: int
    wall_ms: int
    older: tuple[JournalStanding, ...] = ()
    digests: tuple[BucketDigest, ...] = ()
    staged: StagedSnapshot = StagedSnapshot()


class EntryRecorded(msgspec.Struct, frozen=True):
    """Device: the journal grew to `seq`, which is durable; `incarnation` says which journal is the current one."""

    seq: int
    incarnation: str


class EntriesRead(msgspec.Struct, frozen=True):
    """Device: what ReadEntries found, in order."""

    entries: tuple[Entry, ...]


class OutcomesStored(msgspec.Struct, frozen=True):
    """Device: the server's outcomes are durable here; `queue_depth` entries still wait."""

    through_seq: int
    queue_depth: int


class EntriesReopened(msgspec.Struct, frozen=True):
    """Device: the outcomes after `after_seq` of this journal are taken back; its entries wait again."""

    incarnation: str
    after_seq: int
    queue_depth: int


class IncarnationBegun(msgspec.Struct, frozen=True, kw_only=True):
    """Device: what a forked journal still had to send now stands in `journal`, the current one."""

    journal: JournalStanding
    queue_depth: int


class PageStored(msgspec.Struct, frozen=True):
    """Device: a page and the new cursor are durable, in one transaction; these buckets are not what was announced."""

    head: Head
    differing: tuple[str, ...] = ()


class SnapshotPartStored(msgspec.Struct, frozen=True):
    """Device: a part is durable; with the last one the replica (or the bucket) was replaced at once.

    `journal_seq` is the end of the journal `incarnation` after it, when entries were written in the same transaction;
    else 0.
    """

    part: int
    journal_seq: int = 0
    incarnation: str = ""


class ClockNoted(msgspec.Struct, frozen=True):
    """Device: a sample of the clocks was taken when this device's wall clock showed `wall_ms`."""

    wall_ms: int


class ChallengeSigned(msgspec.Struct, frozen=True):
    """Device: the nonce of a Challenge, signed."""

    nonce: bytes
    signature: bytes


class ReplicaDestroyed(msgspec.Struct, frozen=True):
    """Device: keys and replica are gone for good."""


class DestructionRefused(msgspec.Struct, frozen=True):
    """Device: an entry was recorded meanwhile, so nothing was destroyed; the journal ends at `seq` now."""

    seq: int
    incarnation: str


# -- the server's half


class Cursor(Enum):
    """What a device's cursor is to this log."""

    OURS = "ours"
    NONE = "none"
    FOREIGN = "foreign"
    COMPACTED = "compacted"


class DeviceLoaded(msgspec.Struct, frozen=True, kw_only=True):
    """Server: what it knows of the device that said Hello, and of the log it follows.

    `cursor`: OURS when the device's epoch is ours, its version is not beyond the head, and its hash is ours there; NONE
    for an empty replica; COMPACTED when the changes behind it are no longer kept; FOREIGN when it follows another life
    of the log. `differing` is known only when the cursor is at the head.
    """

    stored_seq: int
    stored_hash: bytes
    head: Head
    cursor: Cursor
    server_wall_ms: int
    is_entitled: bool = True
    older: tuple[JournalPosition, ...] = ()
    differing: tuple[str, ...] = ()
    lease_ms: int = 0


class BatchStored(msgspec.Struct, frozen=True, kw_only=True):
    """Server: a push is committed. The only event from which an acknowledgement is born."""

    through_seq: int
    hash: bytes
    outcomes: tuple[EntryOutcome, ...]


class BatchRefused(msgspec.Struct, frozen=True):
    """Server: a push broke the journal's rules and nothing of it was stored."""

    code: CloseCode
    reason: str


class PageLoaded(msgspec.Struct, frozen=True, kw_only=True):
    """Server: a page, encoded once for all who want it. `to_version == after_version` means nothing to send."""

    epoch: str
    after_version: int
    to_version: int
    head_version: int
    frame: bytes


class SnapshotLoaded(msgspec.Struct, frozen=True, kw_only=True):
    """Server: all parts of a snapshot at one position, encoded once for all who want it."""

    head: Head
    frames: tuple[bytes, ...]


class BucketLoaded(msgspec.Struct, frozen=True, kw_only=True):
    """Server: all parts of one bucket at one position, for a replica that stands exactly there."""

    head: Head
    frames: tuple[bytes, ...]


class ChallengeIssued(msgspec.Struct, frozen=True):
    """Server: the nonce of a Challenge; it is good once, on this link."""

    nonce: bytes


class ProofChecked(msgspec.Struct, frozen=True):
    """Server: the device proved itself for so many milliseconds more; 0: it did not."""

    good_for_ms: int


class Overloaded(msgspec.Struct, frozen=True):
    """Server: the store is behind; the device shall push again only after `delay_ms`."""

    delay_ms: int


class HeadMoved(msgspec.Struct, frozen=True):
    """Server: a hint that the centre's log has grown to `version` in this epoch."""

    epoch: str
    version: int


class RightsLost(msgspec.Struct, frozen=True):
    """Server: the token ran out, or the device may no longer be here; `code` says which."""

    code: CloseCode


class DrainRequested(msgspec.Struct, frozen=True):
    """Server: this process is going away; come back after `delay_ms`."""

    delay_ms: int


def newer_entry(known: EntryRecorded | None, told: EntryRecorded) -> EntryRecorded:
    """Of two words about the journal the one that counts: the later, unless it says less of the same journal.

    Whoever tells may be overtaken: of entries 31 and 32, the word of 32 may come first.
    """
    if known is None or known.incarnation != told.incarnation:
        return told
    return max(known, told, key=lambda each: each.seq)


def newer_head(known: HeadMoved | None, told: HeadMoved) -> HeadMoved:
    """As `newer_entry`, of two words about the head of a log."""
    if known is None or known.epoch != told.epoch:
        return told
    return max(known, told, key=lambda each: each.version)


DeviceEvent = (
    LinkOpened
    | LinkClosed
    | FrameReceived
    | TimerFired
    | StoreFailed
    | ProgressRead
    | EntryRecorded
    | EntriesRead
    | OutcomesStored
    | EntriesReopened
    | IncarnationBegun
    | PageStored
    | SnapshotPartStored
    | ClockNoted
    | ChallengeSigned
    | ReplicaDestroyed
    | DestructionRefused
)
ServerEvent = (
    LinkOpened
    | LinkClosed
    | FrameReceived
    | TimerFired
    | StoreFailed
    | DeviceLoaded
    | BatchStored
    | BatchRefused
    | PageLoaded
    | SnapshotLoaded
    | BucketLoaded
    | ChallengeIssued
    | ProofChecked
    | Overloaded
    | HeadMoved
    | RightsLost
    | DrainRequested
)
