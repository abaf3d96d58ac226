"""The device's half of downloading: a snapshot part by part, pages, and the repair of a bucket.

One store effect is under way at a time; what arrives meanwhile waits in a queue that the flow control bounds.
"""

from collections import deque

from sync import effects as do
from sync import events as on
from sync.codec import encode
from sync.effects import DeviceEffect
from sync.errors import ImpossibleTransition, demand, require
from sync.limits import PAGE_DEADLINE_MS, PAGES_IN_FLIGHT_MAX, SNAPSHOT_PART_DEADLINE_MS
from sync.messages import Applied, Page, Plan, RepairRequest, SnapshotPart, StagedSnapshot, Welcome

Effects = tuple[DeviceEffect, ...]

# A bucket that differs again after this many repairs will not be healed by another one.
REPAIRS_MAX = 3

_Expected = tuple[str, int, int, int]
"""Epoch, version, number of parts, and the next part."""


class DeviceDownloads:
    """Owned by one `DeviceSession`, which hands it pages, parts, and word of what is stored."""

    def __init__(self, progress: on.ProgressRead) -> None:
        """Begin where the replica stands; nothing may come before `welcomed`."""
        self.epoch, self.version = progress.epoch, progress.version
        self.head_version = 0
        self.in_snapshot = False
        self._staged = progress.staged
        self._plan = Plan.UP_TO_DATE
        self._waiting: deque[Page | SnapshotPart] = deque()
        self._storing: Page | SnapshotPart | None = None
        self._snapshot_parts = (0, 0)
        self._expected: _Expected | None = None
        self._moved_ms = 0
        self._may_replace = True
        self._repairs: dict[str, int] = {}
        self._repairing: deque[str] = deque()

    def welcomed(self, welcome: Welcome, now_ms: int) -> Effects:
        """Take the plan; ask for the buckets that differ."""
        self.head_version = welcome.head_version
        self._moved_ms = now_ms
        self._plan = welcome.plan
        self.in_snapshot = welcome.plan in (Plan.SNAPSHOT, Plan.RECONCILE)
        return () if self.in_snapshot else self._repair(welcome.differing)

    @property
    def is_current(self) -> bool:
        """Whether the replica has reached the head it was told of."""
        return not self.in_snapshot and self.version >= self.head_version

    @property
    def progress(self) -> tuple[int, int]:
        """How many parts of how many of a snapshot are durable or being stored; 0 of 0 outside one."""
        return self._snapshot_parts if self.in_snapshot else (0, 0)

    @property
    def deadline(self) -> tuple[int, str] | None:
        """By when something must have moved, and what to say if it has not."""
        if self.in_snapshot:
            return (self._moved_ms + SNAPSHOT_PART_DEADLINE_MS, "the snapshot does not go on")
        if self._repairing:
            return (self._moved_ms + SNAPSHOT_PART_DEADLINE_MS, "the repair of a bucket does not go on")
        if self.version < self.head_version:
            return (self._moved_ms + PAGE_DEADLINE_MS, "there is more in the log and no page comes")
        return None

    def head_moved(self, version: int, now_ms: int) -> None:
        """The server says where its head is."""
        if self.is_current:
            self._moved_ms = now_ms
        self.head_version = max(self.head_version, version)

    # -- what arrives

    def arrived(self, message: Page | SnapshotPart, now_ms: int) -> Effects:
        """Queue a page or a part, and store it once nothing else is being stored."""
        under_way = len(self._waiting) + (self._storing is not None)
        demand(under_way < PAGES_IN_FLIGHT_MAX, "more in flight than agreed")
        if isinstance(message, Page):
            demand(not self.in_snapshot, "a page within a snapshot")
            self.head_version = max(self.head_version, message.head_version)
        else:
            self._check_part(message)
        self._moved_ms = now_ms
        self._waiting.append(message)
        return self._maybe_store()

    def _check_part(self, part: SnapshotPart) -> None:
        """Parts come in order, all of one position: from the first, or from where a staged snapshot goes on."""
        if part.bucket:
            demand(not self.in_snapshot and part.bucket in self._repairing, "a repair that was not asked for")
        else:
            demand(self.in_snapshot, "a snapshot part out of turn")
        found = (part.epoch, part.version, part.parts, part.part)
        allowed = {self._expected} if self._expected else self._first_parts(part)
        demand(found in allowed and part.part <= part.parts, "a snapshot part out of order")
        is_last = part.part == part.parts
        self._expected = None if is_last else (part.epoch, part.version, part.parts, part.part + 1)

    def _first_parts(self, part: SnapshotPart) -> set[_Expected]:
        first = (part.epoch, part.version, part.parts, 1)
        staged = self._staged
        if part.bucket or staged == StagedSnapshot():
            return {first}
        return {first, (staged.epoch, staged.version, staged.parts, staged.part + 1)}

    def _maybe_store(self) -> Effects:
        if self._storing is not None or not self._waiting or self._is_held(self._waiting[0]):
            return ()
        message = self._storing = self._waiting.popleft()
        if isinstance(message, Page):
            return (do.StorePage(message),)
        if not message.bucket:
            self._snapshot_parts = (message.part, message.parts)
        return (do.StoreSnapshotPart(message, self._plan),)

    def hold(self) -> None:
        """Do not replace the replica before the journals are ready for the other life; `release` ends it."""
        self._may_replace = False

    def release(self) -> Effects:
        """The journals are ready."""
        self._may_replace = True
        return self._maybe_store()

    def _is_held(self, message: Page | SnapshotPart) -> bool:
        return not self._may_replace and isinstance(message, SnapshotPart) and message.part == message.parts

    # -- what is stored

    def page_stored(self, stored: on.PageStored, now_ms: int, queue_depth: int) -> Effects:
        """The page and the cursor are durable."""
        require(isinstance(self._storing, Page), "a page was stored that was not asked for")
        self.epoch, self.version = stored.head.epoch, stored.head.version
        return (*self._applied(now_ms, queue_depth), *self._repair(stored.differing), *self._maybe_store())

    def part_stored(self, stored: on.SnapshotPartStored, now_ms: int, queue_depth: int) -> Effects:
        """A part is durable; with the last one the replica, or the bucket, is new."""
        part = self._storing
        if not isinstance(part, SnapshotPart) or part.part != stored.part:
            raise ImpossibleTransition("a part was stored that was not asked for")
        is_last = part.part == part.parts
        if is_last and part.bucket:
            self._repairing.remove(part.bucket)
        elif is_last:
            self.in_snapshot = False
            self.epoch, self.version = part.epoch, part.version
            self.head_version = max(self.head_version, self.version)
        return (*self._applied(now_ms, queue_depth, 0 if is_last else part.part), *self._maybe_store())

    def _applied(self, now_ms: int, queue_depth: int, snapshot_part: int = 0) -> Effects:
        self._storing = None
        self._moved_ms = now_ms
        applied = Applied(
            epoch=self.epoch,
            version=0 if snapshot_part else self.version,
            snapshot_part=snapshot_part,
            queue_depth=queue_depth,
        )
        return (do.SendFrame(encode(applied)),)

    def _repair(self, buckets: tuple[str, ...]) -> Effects:
        """Ask for buckets that are not what they should be, a few times at most."""
        asked = []
        for bucket in buckets:
            tries = self._repairs.get(bucket, 0)
            if bucket not in self._repairing and tries < REPAIRS_MAX:
                self._repairs[bucket] = tries + 1
                self._repairing.append(bucket)
                asked.append(do.SendFrame(encode(RepairRequest(bucket))))
        return tuple(asked)
