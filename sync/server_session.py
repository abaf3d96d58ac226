"""The server's half of one link: a state machine that is told what happened and says what to do.

An acknowledgement is born from `BatchStored` and from nothing else. Uploads and downloads share nothing but the link;
`sync.server_downloads` holds the second half, `sync.server_rights` how long the device may be here.
"""

from enum import Enum

import msgspec

from sync import effects as do
from sync import events as on
from sync.codec import decode_from_device, encode
from sync.effects import ServerEffect
from sync.errors import CloseCode, ImpossibleTransition, ProtocolViolation, demand, require
from sync.journal import PROTOCOL_1_REASON_LAST, EntryOutcome, ParkReason
from sync.limits import HEARTBEAT_INTERVAL_MS, HELLO_DEADLINE_MS, PROTOCOL_MIN, PROTOCOL_VERSION, PUSH_ENTRIES_MAX
from sync.liveness import Liveness
from sync.messages import (
    Advice,
    AdviceKind,
    Applied,
    DeviceMessage,
    ForkFound,
    Heartbeat,
    Hello,
    Plan,
    Proof,
    Push,
    PushStored,
    ServerMessage,
    Welcome,
)
from sync.server_downloads import ServerDownloads
from sync.server_rights import ServerRights

Effects = tuple[ServerEffect, ...]

STORE_RETRY_MS = 2_000


class State(Enum):
    """Where the link stands."""

    NEW = "new"
    AWAITING_HELLO = "awaiting_hello"
    LOADING_DEVICE = "loading_device"
    SNAPSHOT = "snapshot"
    FOLLOWING = "following"
    UPLOAD_ONLY = "upload_only"
    CLOSED = "closed"


class ServerSession:
    """One device's link from open to close. `handle` sees every event; `deadline_ms` says when to fire the timer."""

    def __init__(self, *, now_ms: int, protocol_min: int = PROTOCOL_MIN) -> None:
        """Begin before the link is open; `now_ms` is monotonic milliseconds, as everywhere here.

        A device that speaks nothing from `protocol_min` on may only hand over its journal.
        """
        self._liveness = Liveness(now_ms)
        self._opened_ms = now_ms
        self._protocol_min = protocol_min
        self._protocol = 0
        self._is_open = False
        self._is_closed = False
        self._hello: Hello | None = None
        self._welcomed = False
        self._pushing: tuple[str, int] | None = None
        self._upgrade_after_seq: int | None = None
        self._early_hint: on.HeadMoved | None = None
        self._downloads: ServerDownloads | None = None
        self._rights = ServerRights()
        self._sample: tuple[int, int] | None = None
        self._wall = (0, now_ms)

    @property
    def state(self) -> State:
        """Where the link stands."""
        if self._is_closed:
            return State.CLOSED
        if self._welcomed:
            if self._downloads is None:
                return State.UPLOAD_ONLY
            return State.SNAPSHOT if self._downloads.in_snapshot else State.FOLLOWING
        if self._hello is not None:
            return State.LOADING_DEVICE
        return State.AWAITING_HELLO if self._is_open else State.NEW

    @property
    def is_closed(self) -> bool:
        """Whether this session is over; another link needs another session."""
        return self._is_closed

    @property
    def deadline_ms(self) -> int | None:
        """When `TimerFired` must be delivered at the latest; None once closed."""
        if self.is_closed:
            return None
        if self.state in (State.NEW, State.AWAITING_HELLO):
            return self._opened_ms + HELLO_DEADLINE_MS
        rights_ms = self._rights.deadline_ms(may_challenge=self._may_challenge)
        return self._liveness.deadline_ms if rights_ms is None else min(self._liveness.deadline_ms, rights_ms)

    @property
    def _may_challenge(self) -> bool:
        return self._protocol >= PROTOCOL_VERSION and self._downloads is not None

    def handle(self, event: on.ServerEvent, now_ms: int) -> Effects:
        """Take one event and answer with what to do, in order.

        Raises:
            ImpossibleTransition: our own shell delivered what cannot happen now.

        """
        if self.is_closed:
            return ()
        try:
            effects = self._handle(event, now_ms)
        except ProtocolViolation as violation:
            return self._close(violation.code, str(violation))
        if any(isinstance(effect, do.SendFrame) for effect in effects):
            self._liveness.sent(now_ms)
        return effects

    def _handle(self, event: on.ServerEvent, now_ms: int) -> Effects:
        match event:
            case on.FrameReceived(frame):
                self._liveness.heard(now_ms)
                return self._receive(decode_from_device(frame), now_ms)
            case on.HeadMoved(epoch, version):
                return self._head_moved(epoch, version)
            case on.BatchStored():
                return self._batch_stored(event)
            case on.BatchRefused(code, reason):
                return self._batch_refused(code, reason)
            case on.PageLoaded() | on.SnapshotLoaded() | on.BucketLoaded():
                return self._loaded(event)
            case on.DeviceLoaded():
                return self._device_loaded(event, now_ms)
            case on.TimerFired():
                return self._timer_fired(now_ms)
            case on.LinkOpened(good_for_ms):
                return self._link_opened(good_for_ms, now_ms)
            case on.LinkClosed():
                self._is_closed = True
                return ()
            case on.Overloaded(delay_ms):
                slow_down = Advice(kind=AdviceKind.SLOW_DOWN, delay_ms=delay_ms)
                return self._send(slow_down) if self._welcomed else ()
            case _:
                return self._about_rights(event, now_ms)

    def _about_rights(self, event: on.ServerEvent, now_ms: int) -> Effects:
        match event:
            case on.ChallengeIssued(nonce):
                return self._send(self._rights.challenge(nonce))
            case on.ProofChecked(good_for_ms):
                self._rights.checked(good_for_ms, now_ms)
                return ()
            case on.RightsLost(code):
                # A revoked device is here only to hand over its journal, or will be told so by Welcome.
                self._rights.is_lost = self._downloads is None and code is CloseCode.REVOKED
                return () if self._rights.is_lost else self._close(code, "this device may no longer be here")
            case on.DrainRequested(delay_ms):
                return self._send_away(delay_ms, CloseCode.GOING_AWAY, "this server is going away")
            case on.StoreFailed():
                return self._send_away(STORE_RETRY_MS, CloseCode.STORE_UNAVAILABLE, "the store is not available")
            case _:
                raise ImpossibleTransition(f"{type(event).__name__} is no event of a server")

    # -- greeting

    def _link_opened(self, good_for_ms: int, now_ms: int) -> Effects:
        require(not self._is_open, "the link opened twice")
        self._is_open = True
        self._opened_ms = now_ms
        self._liveness = Liveness(now_ms)
        if good_for_ms:
            self._rights.trust_for(good_for_ms, now_ms)
        return ()

    def _hello_received(self, hello: Hello) -> Effects:
        demand(self.state is State.AWAITING_HELLO, "a second Hello")
        if hello.protocol_min > PROTOCOL_VERSION or hello.protocol_max < hello.protocol_min:
            return self._close(CloseCode.UPGRADE_NEEDED, f"this server speaks protocol {PROTOCOL_VERSION}")
        self._protocol = min(hello.protocol_max, PROTOCOL_VERSION)
        self._hello = hello
        load = do.LoadDevice(
            incarnation=hello.incarnation,
            epoch=hello.epoch,
            version=hello.version,
            hash=hello.hash,
            journal_seq=hello.journal_seq,
            journal_hash=hello.journal_hash,
            older=hello.older,
            digests=hello.digests,
        )
        return (load,)

    def _device_loaded(self, device: on.DeviceLoaded, now_ms: int) -> Effects:
        hello = self._hello
        if self.state is not State.LOADING_DEVICE or hello is None:
            raise ImpossibleTransition("a device was loaded out of turn")
        self._wall = (device.server_wall_ms, now_ms)
        if self._protocol < self._protocol_min:
            return self._let_upload_before_upgrade(hello, device)
        is_outdated = device.is_entitled and self._rights.is_lost  # it was read before the right was lost
        if is_outdated or (not device.is_entitled and self._protocol < PROTOCOL_VERSION):
            return self._close(CloseCode.REVOKED, "this device may no longer be here")
        plan = _plan_for(hello, device, protocol=self._protocol)
        head_version = device.head.version
        if self._early_hint is not None and self._early_hint.epoch == device.head.epoch:
            head_version = max(head_version, self._early_hint.version)
        self._welcomed = True
        welcome = self._welcome(hello, device, plan, head_version)
        if plan is Plan.UPLOAD_ONLY:
            return self._send(welcome)
        self._downloads = ServerDownloads(
            plan=plan,
            epoch=device.head.epoch,
            version=hello.version,
            head_version=head_version,
            staged=hello.staged,
        )
        return (*self._send(welcome), *self._downloads.begin())

    def _welcome(self, hello: Hello, device: on.DeviceLoaded, plan: Plan, head_version: int) -> Welcome:
        follows = plan is not Plan.UPLOAD_ONLY
        return Welcome(
            protocol=self._protocol,
            epoch=device.head.epoch if follows else "",
            head_version=head_version if follows else 0,
            plan=plan,
            stored_seq=device.stored_seq,
            stored_hash=device.stored_hash,
            heartbeat_interval_ms=HEARTBEAT_INTERVAL_MS,
            push_entries_max=PUSH_ENTRIES_MAX,
            server_wall_ms=device.server_wall_ms,
            echo_monotonic_ms=hello.monotonic_ms,
            older=device.older,
            lease_ms=device.lease_ms if follows else 0,
            differing=device.differing if follows else (),
        )

    def _let_upload_before_upgrade(self, hello: Hello, device: on.DeviceLoaded) -> Effects:
        """A program that is too old keeps its outbox no longer than it must: it may push, and nothing else."""
        if not hello.queue_depth:
            return self._upgrade_needed()
        self._welcomed = True
        self._upgrade_after_seq = hello.journal_seq
        welcome = msgspec.structs.replace(
            self._welcome(hello, device, Plan.UP_TO_DATE, hello.version), epoch=hello.epoch, lease_ms=0, differing=()
        )
        return self._send(welcome)

    def _upgrade_needed(self) -> Effects:
        return self._close(CloseCode.UPGRADE_NEEDED, f"this server speaks protocol {self._protocol_min} and newer")

    # -- frames

    def _receive(self, message: DeviceMessage, now_ms: int) -> Effects:
        if isinstance(message, Hello):
            return self._hello_received(message)
        demand(self._welcomed, f"{type(message).__name__} before Welcome")
        match message:
            case Push(entries):
                demand(self._pushing is None, "a second push under way")
                self._pushing = (entries[0].incarnation, entries[0].seq)
                return (do.StoreBatch(entries),)
            case Heartbeat():
                return self._heard(message, now_ms)
            case Proof(nonce, signature):
                return self._rights.answered(nonce, signature)
            case Applied():
                return self._applied(message)
            case _:
                return self._following().repair_wanted(message.bucket)

    def _following(self) -> ServerDownloads:
        if self._downloads is None:
            raise ProtocolViolation("this link is for uploads only")
        return self._downloads

    def _heard(self, heartbeat: Heartbeat, now_ms: int) -> Effects:
        if heartbeat.monotonic_ms:
            self._sample = (heartbeat.monotonic_ms, now_ms)
        if self._downloads is None:
            return ()
        version = min(heartbeat.version, self._downloads.applied_version)
        return (do.RecordApplied(self._downloads.epoch, version, heartbeat.queue_depth),)

    def _applied(self, applied: Applied) -> Effects:
        is_position, effects = self._following().applied(applied)
        if not is_position:
            return effects
        return (do.RecordApplied(applied.epoch, applied.version, applied.queue_depth), *effects)

    # -- upload

    def _batch_stored(self, stored: on.BatchStored) -> Effects:
        require(self._pushing is not None, "a batch was stored that was not pushed")
        self._pushing = None
        outcomes = tuple(self._as_known(outcome) for outcome in stored.outcomes)
        answer = self._send(PushStored(through_seq=stored.through_seq, hash=stored.hash, outcomes=outcomes))
        last_seq = self._upgrade_after_seq
        is_told = last_seq is not None and bool(outcomes) and stored.through_seq >= last_seq
        return (*answer, *self._upgrade_needed()) if is_told else answer

    def _as_known(self, outcome: EntryOutcome) -> EntryOutcome:
        """What the device's protocol has a number for."""
        if self._protocol >= PROTOCOL_VERSION or outcome.reason <= PROTOCOL_1_REASON_LAST:
            return outcome
        return msgspec.structs.replace(outcome, reason=ParkReason.DEVICE_NOT_ENTITLED)

    def _batch_refused(self, code: CloseCode, reason: str) -> Effects:
        pushing, self._pushing = self._pushing, None
        if pushing is None:
            raise ImpossibleTransition("a batch was refused that was not pushed")
        if code is CloseCode.FORK and self._protocol >= PROTOCOL_VERSION:
            return self._send(ForkFound(*pushing))
        return self._close(code, reason)

    # -- download

    def _head_moved(self, epoch: str, version: int) -> Effects:
        if not self._welcomed:
            self._early_hint = on.HeadMoved(epoch, version)
            return ()
        if self._downloads is None:
            return ()
        if epoch != self._downloads.epoch:
            return self._close(CloseCode.COME_BACK_LATER, "the log began a new life")
        return self._downloads.head_moved(version)

    def _loaded(self, event: on.PageLoaded | on.SnapshotLoaded | on.BucketLoaded) -> Effects:
        downloads = self._downloads
        if downloads is None:
            raise ImpossibleTransition("something was loaded that was not asked for")
        match event:
            case on.PageLoaded():
                return downloads.page_loaded(event)
            case on.SnapshotLoaded():
                return downloads.snapshot_loaded(event)
            case _:
                return downloads.bucket_loaded(event)

    # -- time, and the end

    def _timer_fired(self, now_ms: int) -> Effects:
        if self.state in (State.NEW, State.AWAITING_HELLO):
            late = now_ms >= self._opened_ms + HELLO_DEADLINE_MS
            return self._close(CloseCode.SILENT, "no Hello") if late else ()
        if self._liveness.is_silent(now_ms):
            return self._close(CloseCode.SILENT, "nothing heard from the device")
        about_rights = self._rights.timer_fired(now_ms, may_challenge=self._may_challenge)
        if not self._liveness.heartbeat_due(now_ms):
            return about_rights
        if not self._welcomed:
            self._liveness.sent(now_ms)
            return about_rights
        return (*about_rights, *self._send(self._heartbeat(now_ms)))

    def _heartbeat(self, now_ms: int) -> Heartbeat:
        sent_ms, received_ms = self._sample or (0, now_ms)
        wall_ms, noted_ms = self._wall
        return Heartbeat(
            version=0 if self._downloads is None else self._downloads.head_version,
            wall_ms=wall_ms + now_ms - noted_ms,
            echo_monotonic_ms=sent_ms,
            held_ms=now_ms - received_ms,
        )

    def _send_away(self, delay_ms: int, code: CloseCode, reason: str) -> Effects:
        advice = self._send(Advice(kind=AdviceKind.COME_BACK_LATER, delay_ms=delay_ms))
        return (*advice, *self._close(code, reason))

    def _send(self, message: ServerMessage) -> Effects:
        return (do.SendFrame(encode(message)),)

    def _close(self, code: CloseCode, reason: str) -> Effects:
        self._is_closed = True
        return (do.CloseLink(code, reason),)


def _plan_for(hello: Hello, device: on.DeviceLoaded, *, protocol: int) -> Plan:
    """A cursor that is ours is resumed, any other is replaced; an empty replica always takes the snapshot."""
    if not device.is_entitled:
        return Plan.UPLOAD_ONLY
    if device.cursor is on.Cursor.FOREIGN and protocol >= PROTOCOL_VERSION:
        return Plan.RECONCILE
    if device.cursor is not on.Cursor.OURS or hello.version == 0:
        return Plan.SNAPSHOT
    return Plan.UP_TO_DATE if hello.version == device.head.version else Plan.RESUME
