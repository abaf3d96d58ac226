"""The server's half of one link: a state machine that is told what happened and says what to do.

An acknowledgement is born from `BatchStored` and from nothing else. Uploads and downloads share nothing but the link.
"""

from collections import deque
from enum import Enum

from sync import effects as do
from sync import events as on
from sync.codec import decode_from_device, encode
from sync.effects import ServerEffect
from sync.errors import CloseCode, ImpossibleTransition, ProtocolViolation, demand, require
from sync.limits import (
    HEARTBEAT_INTERVAL_MS,
    HELLO_DEADLINE_MS,
    PAGES_IN_FLIGHT_MAX,
    PROTOCOL_VERSION,
    PUSH_ENTRIES_MAX,
)
from sync.liveness import Liveness
from sync.messages import (
    Advice,
    AdviceKind,
    Applied,
    DeviceMessage,
    Heartbeat,
    Hello,
    Plan,
    Push,
    PushStored,
    ServerMessage,
    Welcome,
)

Effects = tuple[ServerEffect, ...]

STORE_RETRY_MS = 2_000


class State(Enum):
    """Where the link stands."""

    NEW = "new"
    AWAITING_HELLO = "awaiting_hello"
    LOADING_DEVICE = "loading_device"
    SNAPSHOT = "snapshot"
    FOLLOWING = "following"
    CLOSED = "closed"


class ServerSession:
    """One device's link from open to close. `handle` sees every event; `deadline_ms` says when to fire the timer."""

    def __init__(self, *, now_ms: int) -> None:
        """Begin before the link is open; `now_ms` is monotonic milliseconds, as everywhere here."""
        self.state = State.NEW
        self._liveness = Liveness(now_ms)
        self._opened_ms = now_ms
        self._hello: Hello | None = None
        self._is_storing = False
        self._epoch = ""
        self._head_version = 0
        self._early_hint: on.HeadMoved | None = None
        self._sent_version = 0
        self._applied_version = 0
        self._is_loading = False
        self._pages_in_flight: deque[int] = deque()
        self._snapshot_version = 0
        self._parts: tuple[bytes, ...] = ()
        self._parts_sent = 0
        self._parts_applied = 0

    @property
    def is_closed(self) -> bool:
        """Whether this session is over; another link needs another session."""
        return self.state is State.CLOSED

    @property
    def deadline_ms(self) -> int | None:
        """When `TimerFired` must be delivered at the latest; None once closed."""
        if self.is_closed:
            return None
        if self.state in (State.NEW, State.AWAITING_HELLO):
            return self._opened_ms + HELLO_DEADLINE_MS
        return self._liveness.deadline_ms

    def handle(self, event: on.ServerEvent, now_ms: int) -> Effects:
        """Take one event and answer with what to do, in order.

        Raises:
            ImpossibleTransition: our own shell delivered what cannot happen now.

        """
        if self.is_closed:
            return ()
        try:
            return self._handle(event, now_ms)
        except ProtocolViolation as violation:
            return self._close(violation.code, str(violation))

    def _handle(self, event: on.ServerEvent, now_ms: int) -> Effects:  # noqa: PLR0911 - one line for each event
        match event:
            case on.FrameReceived(frame):
                self._liveness.heard(now_ms)
                return self._receive(decode_from_device(frame), now_ms)
            case on.HeadMoved(epoch, version):
                return self._head_moved(epoch, version)
            case on.BatchStored():
                return self._batch_stored(event, now_ms)
            case on.BatchRefused(code, reason):
                return self._close(code, reason)
            case on.PageLoaded():
                return self._page_loaded(event, now_ms)
            case on.SnapshotLoaded():
                return self._snapshot_loaded(event, now_ms)
            case on.DeviceLoaded():
                return self._device_loaded(event, now_ms)
            case on.TimerFired():
                return self._timer_fired(now_ms)
            case on.LinkOpened():
                return self._link_opened(now_ms)
            case on.LinkClosed():
                self.state = State.CLOSED
                return ()
            case on.RightsLost(code):
                return self._close(code, "this device may no longer be here")
            case on.DrainRequested(delay_ms):
                return self._send_away(delay_ms, CloseCode.GOING_AWAY, "this server is going away", now_ms)
            case on.StoreFailed():
                code = CloseCode.STORE_UNAVAILABLE
                return self._send_away(STORE_RETRY_MS, code, "the store is not available", now_ms)

    # -- greeting

    def _link_opened(self, now_ms: int) -> Effects:
        require(self.state is State.NEW, "the link opened twice")
        self.state = State.AWAITING_HELLO
        self._opened_ms = now_ms
        self._liveness = Liveness(now_ms)
        return ()

    def _hello_received(self, hello: Hello) -> Effects:
        demand(self.state is State.AWAITING_HELLO, "a second Hello")
        if not hello.protocol_min <= PROTOCOL_VERSION <= hello.protocol_max:
            return self._close(CloseCode.UPGRADE_NEEDED, f"this server speaks protocol {PROTOCOL_VERSION}")
        self.state = State.LOADING_DEVICE
        self._hello = hello
        return (do.LoadDevice(hello.incarnation, hello.epoch, hello.version, hello.hash),)

    def _device_loaded(self, device: on.DeviceLoaded, now_ms: int) -> Effects:
        hello = self._hello
        if self.state is not State.LOADING_DEVICE or hello is None:
            text = "a device was loaded out of turn"
            raise ImpossibleTransition(text)
        plan = _plan_for(hello, device)
        self._epoch, self._head_version = device.head.epoch, device.head.version
        if self._early_hint is not None and self._early_hint.epoch == self._epoch:
            self._head_version = max(self._head_version, self._early_hint.version)
        welcome = Welcome(
            protocol=PROTOCOL_VERSION,
            epoch=device.head.epoch,
            head_version=self._head_version,
            plan=plan,
            stored_seq=device.stored_seq,
            stored_hash=device.stored_hash,
            heartbeat_interval_ms=HEARTBEAT_INTERVAL_MS,
            push_entries_max=PUSH_ENTRIES_MAX,
            server_wall_ms=device.server_wall_ms,
            echo_monotonic_ms=hello.monotonic_ms,
        )
        sent = self._send(welcome, now_ms)
        if plan is Plan.SNAPSHOT:
            self.state = State.SNAPSHOT
            self._is_loading = True
            return (sent, do.LoadSnapshot())
        self.state = State.FOLLOWING
        self._sent_version = self._applied_version = hello.version
        return (sent, *self._maybe_load())

    # -- frames

    def _receive(self, message: DeviceMessage, now_ms: int) -> Effects:
        if isinstance(message, Hello):
            return self._hello_received(message)
        greeted = self.state in (State.SNAPSHOT, State.FOLLOWING)
        demand(greeted, f"{type(message).__name__} before Welcome")
        match message:
            case Push(entries):
                demand(not self._is_storing, "a second push under way")
                self._is_storing = True
                return (do.StoreBatch(entries),)
            case Applied():
                return self._applied(message, now_ms)
            case Heartbeat(version=version, queue_depth=queue_depth):
                return (do.RecordApplied(self._epoch, min(version, self._applied_version), queue_depth),)

    # -- upload

    def _batch_stored(self, stored: on.BatchStored, now_ms: int) -> Effects:
        require(self._is_storing, "a batch was stored that was not pushed")
        self._is_storing = False
        message = PushStored(through_seq=stored.through_seq, hash=stored.hash, outcomes=stored.outcomes)
        return (self._send(message, now_ms),)

    # -- download

    def _head_moved(self, epoch: str, version: int) -> Effects:
        if not self._epoch:
            self._early_hint = on.HeadMoved(epoch, version)
            return ()
        if epoch != self._epoch:
            return self._close(CloseCode.COME_BACK_LATER, "the log began a new life")
        self._head_version = max(self._head_version, version)
        return self._maybe_load()

    def _maybe_load(self) -> Effects:
        has_room = len(self._pages_in_flight) < PAGES_IN_FLIGHT_MAX
        behind = self._sent_version < self._head_version
        if self.state is not State.FOLLOWING or self._is_loading or not has_room or not behind:
            return ()
        self._is_loading = True
        return (do.LoadPage(self._sent_version),)

    def _page_loaded(self, page: on.PageLoaded, now_ms: int) -> Effects:
        require(self._is_loading and page.after_version == self._sent_version, "a page out of turn")
        self._is_loading = False
        if page.epoch != self._epoch:
            return self._close(CloseCode.COME_BACK_LATER, "the log began a new life")
        if page.to_version == page.after_version:
            # Nothing there: a hint ran ahead of what this reader may see. The next hint or poll asks again.
            self._head_version = page.head_version
            return ()
        self._head_version = max(self._head_version, page.head_version)
        self._sent_version = page.to_version
        self._pages_in_flight.append(page.to_version)
        return (self._send_frame(page.frame, now_ms), *self._maybe_load())

    def _snapshot_loaded(self, snapshot: on.SnapshotLoaded, now_ms: int) -> Effects:
        require(self.state is State.SNAPSHOT and self._is_loading, "a snapshot out of turn")
        self._is_loading = False
        if snapshot.head.epoch != self._epoch:
            return self._close(CloseCode.COME_BACK_LATER, "the log began a new life")
        require(bool(snapshot.frames), "a snapshot without a part")
        self._parts = snapshot.frames
        self._snapshot_version = snapshot.head.version
        self._head_version = max(self._head_version, snapshot.head.version)
        return self._send_parts(now_ms)

    def _send_parts(self, now_ms: int) -> Effects:
        may_send = min(len(self._parts), self._parts_applied + PAGES_IN_FLIGHT_MAX)
        frames = self._parts[self._parts_sent : may_send]
        self._parts_sent = max(self._parts_sent, may_send)
        return tuple(self._send_frame(frame, now_ms) for frame in frames)

    def _applied(self, applied: Applied, now_ms: int) -> Effects:
        if self.state is State.SNAPSHOT:
            return self._snapshot_applied(applied, now_ms)
        demand(applied.epoch == self._epoch and not applied.snapshot_part, "a position in another epoch")
        demand(applied.version <= self._sent_version, "a position that was never sent")
        demand(applied.version >= self._applied_version, "a cursor that falls")
        self._applied_version = applied.version
        while self._pages_in_flight and self._pages_in_flight[0] <= applied.version:
            self._pages_in_flight.popleft()
        return (self._record(applied), *self._maybe_load())

    def _snapshot_applied(self, applied: Applied, now_ms: int) -> Effects:
        if applied.snapshot_part:
            demand(applied.snapshot_part <= self._parts_sent, "a part that was never sent")
            self._parts_applied = max(self._parts_applied, applied.snapshot_part)
            return self._send_parts(now_ms)
        whole = bool(self._parts) and self._parts_sent == len(self._parts)
        at_its_position = applied.epoch == self._epoch and applied.version == self._snapshot_version
        demand(whole and at_its_position, "a snapshot that is not whole")
        self.state = State.FOLLOWING
        self._parts = ()
        self._sent_version = self._applied_version = applied.version
        return (self._record(applied), *self._maybe_load())

    def _record(self, applied: Applied) -> do.RecordApplied:
        return do.RecordApplied(applied.epoch, applied.version, applied.queue_depth)

    # -- time, and the end

    def _timer_fired(self, now_ms: int) -> Effects:
        if self.state in (State.NEW, State.AWAITING_HELLO):
            late = now_ms >= self._opened_ms + HELLO_DEADLINE_MS
            return self._close(CloseCode.SILENT, "no Hello") if late else ()
        if self._liveness.is_silent(now_ms):
            return self._close(CloseCode.SILENT, "nothing heard from the device")
        if not self._liveness.heartbeat_due(now_ms):
            return ()
        if self.state is State.LOADING_DEVICE:
            self._liveness.sent(now_ms)
            return ()
        return (self._send(Heartbeat(version=self._head_version), now_ms),)

    def _send_away(self, delay_ms: int, code: CloseCode, reason: str, now_ms: int) -> Effects:
        advice = self._send(Advice(kind=AdviceKind.COME_BACK_LATER, delay_ms=delay_ms), now_ms)
        return (advice, *self._close(code, reason))

    def _send(self, message: ServerMessage, now_ms: int) -> do.SendFrame:
        return self._send_frame(encode(message), now_ms)

    def _send_frame(self, frame: bytes, now_ms: int) -> do.SendFrame:
        self._liveness.sent(now_ms)
        return do.SendFrame(frame)

    def _close(self, code: CloseCode, reason: str) -> Effects:
        self.state = State.CLOSED
        return (do.CloseLink(code, reason),)


def _plan_for(hello: Hello, device: on.DeviceLoaded) -> Plan:
    """A cursor that is ours is resumed, any other is replaced; an empty replica always takes the snapshot."""
    if not device.cursor_matches or hello.version == 0:
        return Plan.SNAPSHOT
    return Plan.UP_TO_DATE if hello.version == device.head.version else Plan.RESUME
