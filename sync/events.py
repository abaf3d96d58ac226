"""What the world tells a session, in the past tense. A session's `handle` sees each of them, one at a time."""

import msgspec

from sync.change_log import Head
from sync.effects import Lane
from sync.errors import CloseCode
from sync.journal import Entry, EntryOutcome


class LinkOpened(msgspec.Struct, frozen=True):
    """Both: the WebSocket is open and authenticated."""


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


class ProgressRead(msgspec.Struct, frozen=True, kw_only=True):
    """Device: where its replica and its journal stand, read in one transaction."""

    incarnation: str
    epoch: str
    version: int
    hash: bytes
    journal_seq: int
    journal_hash: bytes
    queue_depth: int
    wall_ms: int


class EntryRecorded(msgspec.Struct, frozen=True):
    """Device: the journal grew to `seq`, which is durable."""

    seq: int


class EntriesRead(msgspec.Struct, frozen=True):
    """Device: what ReadEntries found, in order."""

    entries: tuple[Entry, ...]


class OutcomesStored(msgspec.Struct, frozen=True):
    """Device: the server's outcomes are durable here; `queue_depth` entries still wait."""

    through_seq: int
    queue_depth: int


class PageStored(msgspec.Struct, frozen=True):
    """Device: a page and the new cursor are durable, in one transaction."""

    head: Head


class SnapshotPartStored(msgspec.Struct, frozen=True):
    """Device: a part is durable; with the last one the replica and its cursor were replaced at once."""

    part: int


# -- the server's half


class DeviceLoaded(msgspec.Struct, frozen=True, kw_only=True):
    """Server: what it knows of the device that said Hello, and of the log it follows.

    `cursor_matches`: the device's epoch is ours, its version is not beyond the head, and its hash is ours there.
    """

    stored_seq: int
    stored_hash: bytes
    head: Head
    cursor_matches: bool
    server_wall_ms: int


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
    | PageStored
    | SnapshotPartStored
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
    | HeadMoved
    | RightsLost
    | DrainRequested
)
