"""What the desk tells whoever shows it: small facts in the past tense; a newer one replaces an older one."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from sync.journal import Outcome, ParkReason

# Three days, over a weekend, to find somebody who connects a desk that will be locked.
LEASE_WARNING_MS: Final = 72 * 3_600_000


class Mark(StrEnum):
    """How sure a line is: three words that are never mixed, and none when nothing was recorded today."""

    NONE = ""
    RECORDED = "recorded here"
    CONFIRMED = "confirmed"
    NEEDS_REVIEW = "needs review"


class Presence(StrEnum):
    """Where a child is today, by everything this desk knows."""

    IN = "in"
    OUT = "out"
    NOT_ARRIVED = "not_arrived"


class LinkPhase(StrEnum):
    """How the link stands; NEEDS_PERSON means that trying again cannot help until somebody acts.

    PAUSED: a manager has suspended this desk; it records as ever, and tries again by itself.
    """

    ONLINE = "online"
    CONNECTING = "connecting"
    OFFLINE = "offline"
    PAUSED = "paused"
    NEEDS_PERSON = "needs_person"


@dataclass(frozen=True)
class DeskStatus:
    """Everything for the status line. Times are UTC milliseconds since 1970.

    `waiting` counts entries without an answer; `is_current`: the replica has everything the server told of.
    `lease_left_ms`: how long the desk may still go on without its server, None when nobody set an end; once that is
    over it is `locked` and shows no data. `revoked`: it was, and it holds nothing any more. `newer_version` is the
    server's, when it is newer than this program.
    """

    link: LinkPhase
    offline_since_ms: int | None
    waiting: int
    needs_review: int
    version: int
    head_version: int
    data_as_of_ms: int | None
    center_name: str
    device_name: str
    time_zone: str
    detail: str = ""
    is_current: bool = False
    locked: bool = False
    lease_left_ms: int | None = None
    revoked: bool = False
    newer_version: str = ""

    @property
    def lease_ends_soon(self) -> bool:
        """Whether somebody should connect this desk before it is locked."""
        return not self.locked and self.lease_left_ms is not None and self.lease_left_ms < LEASE_WARNING_MS


@dataclass(frozen=True)
class EntrySettled:
    """The server answered an entry of this desk; `answer` numbers the answers this desk ever got."""

    event_id: str
    kind: str
    child_id: str
    outcome: Outcome
    reason: ParkReason
    version: int
    mark: Mark
    answer: int = 0


@dataclass(frozen=True)
class ChildChanged:
    """An event became known and this is how the child stands now; `own`: this desk recorded it."""

    child_id: str
    event_id: str
    status: Presence
    since_ms: int | None
    device_name: str
    own: bool
    kind: str = ""
    occurred_at_ms: int | None = None
    mark: Mark = Mark.NONE


@dataclass(frozen=True)
class RosterChanged:
    """Reference data changed: names, rooms, alerts or who may collect."""


@dataclass(frozen=True)
class LinkChanged:
    """The link, the queue or the age of the data changed."""

    status: DeskStatus


@dataclass(frozen=True)
class SnapshotProgress:
    """Part `part` of `parts` of a snapshot is stored."""

    part: int
    parts: int


@dataclass(frozen=True)
class Resync:
    """Messages were dropped, or everything changed at once: ask for roster and status again."""

    dropped: int = field(default=0)


@dataclass(frozen=True)
class Quarantined:
    """The replica could not be trusted: it was moved aside and a new one is being filled.

    `settled` entries that the server has answered and `waiting` ones that it has not were saved; `lost` counts those
    that were not what their signatures say, or that are missing. The old file is in `folder`.
    """

    reason: str
    folder: str
    settled: int
    waiting: int
    lost: int


@dataclass(frozen=True)
class Revoked:
    """This desk was revoked: what it had recorded was handed over, and keys and replica are destroyed."""

    sentence: str


@dataclass(frozen=True)
class PrinterTrouble:
    """A label was not printed, or not as it should be.

    `child_ids`: whose label it is. `may_try_again`: it can be asked for once more.
    """

    sentence: str
    child_ids: tuple[str, ...] = ()
    may_try_again: bool = False

    def words(self, key: str) -> str:
        """The sentence, and by which key it is tried again; that differs from page to page."""
        return f"{self.sentence} {key} tries again." if self.may_try_again else self.sentence


DeskMessage = (
    EntrySettled
    | ChildChanged
    | RosterChanged
    | LinkChanged
    | SnapshotProgress
    | Resync
    | Quarantined
    | Revoked
    | PrinterTrouble
)
