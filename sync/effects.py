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
from sync.messages import Page, PushStored, SnapshotPart


class Lane(Enum):
    """Store effects in one lane follow each other; lanes do not wait for each other."""

    UPLOAD = "upload"
    DOWNLOAD = "download"


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
    """Device: read at most `entries_max` entries (and one frame's bytes) after `after_seq` -> EntriesRead."""

    lane: ClassVar[Lane | None] = Lane.UPLOAD
    after_seq: int
    entries_max: int


class StoreOutcomes(msgspec.Struct, frozen=True):
    """Device: make the server's acknowledgement durable -> OutcomesStored."""

    lane: ClassVar[Lane | None] = Lane.UPLOAD
    stored: PushStored


class StorePage(msgspec.Struct, frozen=True):
    """Device: check a page against the chain, apply it with the cursor in one transaction -> PageStored."""

    lane: ClassVar[Lane | None] = Lane.DOWNLOAD
    page: Page


class StoreSnapshotPart(msgspec.Struct, frozen=True):
    """Device: stage a part; with the last one, replace the replica in one transaction -> SnapshotPartStored."""

    lane: ClassVar[Lane | None] = Lane.DOWNLOAD
    part: SnapshotPart


class NoteClock(msgspec.Struct, frozen=True):
    """Device: keep what the round trip said of this device's clock.

    `sent_wall_ms` is the device's wall clock when Hello left; the shell adds its reading of now.
    """

    lane: ClassVar[Lane | None] = None
    sent_wall_ms: int
    round_trip_ms: int
    server_wall_ms: int


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


class LoadDevice(msgspec.Struct, frozen=True):
    """Server: load what is known of this device's journal and of its cursor -> DeviceLoaded."""

    lane: ClassVar[Lane | None] = Lane.DOWNLOAD
    incarnation: str
    epoch: str
    version: int
    hash: bytes


class StoreBatch(msgspec.Struct, frozen=True):
    """Server: store, decide and log a push in one transaction -> BatchStored or BatchRefused."""

    lane: ClassVar[Lane | None] = Lane.UPLOAD
    entries: tuple[Entry, ...]


class LoadPage(msgspec.Struct, frozen=True):
    """Server: the next page after this version -> PageLoaded."""

    lane: ClassVar[Lane | None] = Lane.DOWNLOAD
    after_version: int


class LoadSnapshot(msgspec.Struct, frozen=True):
    """Server: all records at one position, in parts -> SnapshotLoaded."""

    lane: ClassVar[Lane | None] = Lane.DOWNLOAD


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
    | StorePage
    | StoreSnapshotPart
    | NoteClock
    | NotePhase
    | KeepAdvice
)
ServerEffect = SendFrame | CloseLink | LoadDevice | StoreBatch | LoadPage | LoadSnapshot | RecordApplied
