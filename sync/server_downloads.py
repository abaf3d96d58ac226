"""The server's half of downloading: which page, part or bucket a device gets next, and how much may be on its way.

A bucket is repaired at exactly the position that the device has reached: pages stop there, the parts follow, and only
then do pages go on. So a replica never mixes two positions.
"""

from collections import deque

from sync import effects as do
from sync import events as on
from sync.effects import ServerEffect
from sync.errors import CloseCode, ProtocolViolation, demand, require
from sync.limits import BUCKETS_MAX, PAGES_IN_FLIGHT_MAX
from sync.messages import Applied, Plan, StagedSnapshot

Effects = tuple[ServerEffect, ...]

# Buckets that no page touches are compared too: when a device has caught up, and once in so many pages after that.
ALL_DIGESTS_EVERY_PAGES = 100


class _Parts:
    """Parts that are being sent: of a snapshot, or of one bucket."""

    def __init__(self, frames: tuple[bytes, ...], version: int, *, durable: int = 0) -> None:
        self.frames = frames
        self.version = version
        self.sent = self.applied = durable

    def next_frames(self) -> tuple[bytes, ...]:
        """Those that may go now."""
        may_send = min(len(self.frames), self.applied + PAGES_IN_FLIGHT_MAX)
        frames = self.frames[self.sent : may_send]
        self.sent = max(self.sent, may_send)
        return frames

    @property
    def all_sent(self) -> bool:
        """Whether only its acknowledgement is missing."""
        return self.sent == len(self.frames)


class ServerDownloads:
    """Owned by one `ServerSession`, which hands it what is loaded and what is applied."""

    def __init__(self, *, plan: Plan, epoch: str, version: int, head_version: int, staged: StagedSnapshot) -> None:
        """Begin at the device's cursor, or with a snapshot."""
        self.epoch = epoch
        self.head_version = head_version
        self.in_snapshot = plan in (Plan.SNAPSHOT, Plan.RECONCILE)
        self._staged = staged
        self._sent_version = self._applied_version = 0 if self.in_snapshot else version
        self._loading: type[ServerEffect] | None = None
        self._pages_in_flight: deque[int] = deque()
        self._parts: _Parts | None = None
        self._wanted_buckets: deque[str] = deque()
        self._bucket: on.BucketLoaded | None = None
        # A device at the head was compared when it said Hello, and a snapshot when it was whole.
        self._pages_until_all_digests = 0 if plan is Plan.RESUME else ALL_DIGESTS_EVERY_PAGES

    @property
    def applied_version(self) -> int:
        """What the device said is durable there."""
        return self._applied_version

    def begin(self) -> Effects:
        """The first thing to load."""
        if not self.in_snapshot:
            return self._go_on()
        return self._load(do.LoadSnapshot(self._staged))

    def _load(self, effect: do.LoadSnapshot | do.LoadBucket | do.LoadPage) -> Effects:
        self._loading = type(effect)
        return (effect,)

    def _loaded(self, kind: type[ServerEffect]) -> None:
        require(self._loading is kind, f"the answer to a {kind.__name__} that nobody asked for")
        self._loading = None

    # -- what moves it

    def head_moved(self, version: int) -> Effects:
        """The log has grown, or it is said so."""
        self.head_version = max(self.head_version, version)
        return self._go_on()

    def repair_wanted(self, bucket: str) -> Effects:
        """The device finds that a bucket is not what it should be."""
        demand(not self.in_snapshot, "a repair within a snapshot")
        demand(len(self._wanted_buckets) < BUCKETS_MAX, "more repairs than there are buckets")
        if bucket not in self._wanted_buckets:
            self._wanted_buckets.append(bucket)
        return self._go_on()

    def _go_on(self) -> Effects:
        """Load what comes next, if nothing is being loaded and the device has room for it."""
        if self.in_snapshot or self._loading is not None or self._parts is not None:
            return ()
        if self._bucket is None and self._wanted_buckets:
            return self._load(do.LoadBucket(self._wanted_buckets[0]))
        target = self.head_version if self._bucket is None else self._bucket.head.version
        if self._bucket is not None and self._sent_version == target:
            return self._send_bucket(self._bucket)
        if self._sent_version >= target or len(self._pages_in_flight) >= PAGES_IN_FLIGHT_MAX:
            return ()
        up_to_version = 0 if self._bucket is None else target
        all_digests = self._pages_until_all_digests <= 0
        return self._load(do.LoadPage(self._sent_version, up_to_version, all_digests=all_digests))

    def _send_bucket(self, bucket: on.BucketLoaded) -> Effects:
        """Pages end where the bucket stands: once they are applied, its parts may go."""
        if self._pages_in_flight:
            return ()
        self._parts = _Parts(bucket.frames, bucket.head.version)
        return self._send_parts(self._parts)

    def _send_parts(self, parts: _Parts) -> Effects:
        return tuple(do.SendFrame(frame) for frame in parts.next_frames())

    # -- what was loaded

    def page_loaded(self, page: on.PageLoaded) -> Effects:
        """Send a page; one without changes means that a hint ran ahead of what this reader may see."""
        self._loaded(do.LoadPage)
        require(page.after_version == self._sent_version, "a page that begins somewhere else")
        self._check_epoch(page.epoch)
        if page.to_version == page.after_version:
            self.head_version = page.head_version
            return ()
        self.head_version = max(self.head_version, page.head_version)
        self._sent_version = page.to_version
        self._pages_in_flight.append(page.to_version)
        self._pages_until_all_digests -= 1
        if self._pages_until_all_digests < 0 and page.to_version == page.head_version:
            self._pages_until_all_digests = ALL_DIGESTS_EVERY_PAGES
        return (do.SendFrame(page.frame), *self._go_on())

    def snapshot_loaded(self, snapshot: on.SnapshotLoaded) -> Effects:
        """Send the parts that the device does not have yet."""
        self._loaded(do.LoadSnapshot)
        self._check_epoch(snapshot.head.epoch)
        require(bool(snapshot.frames), "a snapshot without a part")
        self.head_version = max(self.head_version, snapshot.head.version)
        staged, head = self._staged, snapshot.head
        goes_on = (staged.epoch, staged.version, staged.parts) == (head.epoch, head.version, len(snapshot.frames))
        durable = staged.part if goes_on and staged.part < staged.parts else 0
        self._parts = _Parts(snapshot.frames, head.version, durable=durable)
        return self._send_parts(self._parts)

    def bucket_loaded(self, bucket: on.BucketLoaded) -> Effects:
        """Hold the bucket until the device stands where it does."""
        self._loaded(do.LoadBucket)
        self._check_epoch(bucket.head.epoch)
        require(bool(bucket.frames), "a bucket without a part")
        require(bucket.head.version >= self._sent_version, "a bucket from before what was sent")
        self._bucket = bucket
        self.head_version = max(self.head_version, bucket.head.version)
        return self._go_on()

    # -- what was applied

    def applied(self, applied: Applied) -> tuple[bool, Effects]:
        """Take the device's word; says whether it names a position worth to be noted."""
        if self._parts is not None:
            return self._part_applied(applied, self._parts)
        demand(not self.in_snapshot, "a snapshot that was not sent")
        demand(applied.epoch == self.epoch and not applied.snapshot_part, "a position in another epoch")
        demand(applied.version <= self._sent_version, "a position that was never sent")
        demand(applied.version >= self._applied_version, "a cursor that falls")
        self._applied_version = applied.version
        while self._pages_in_flight and self._pages_in_flight[0] <= applied.version:
            self._pages_in_flight.popleft()
        return True, self._go_on()

    def _part_applied(self, applied: Applied, parts: _Parts) -> tuple[bool, Effects]:
        if applied.snapshot_part:
            demand(applied.snapshot_part <= parts.sent, "a part that was never sent")
            parts.applied = max(parts.applied, applied.snapshot_part)
            return False, self._send_parts(parts)
        at_its_position = applied.epoch == self.epoch and applied.version == parts.version
        demand(parts.all_sent and at_its_position, "a snapshot that is not whole")
        self._parts = None
        if self.in_snapshot:
            self.in_snapshot = False
        else:
            self._bucket = None
            self._wanted_buckets.popleft()
        self._sent_version = self._applied_version = applied.version
        return True, self._go_on()

    def _check_epoch(self, epoch: str) -> None:
        if epoch != self.epoch:
            raise ProtocolViolation("the log began a new life", CloseCode.COME_BACK_LATER)
