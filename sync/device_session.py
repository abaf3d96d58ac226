"""The kiosk's half of one link: a state machine that is told what happened and says what to do.

Two things run side by side after Welcome and never wait for each other:

    upload     idle -> reading -> awaiting the acknowledgement -> storing the outcomes -> idle
    download   snapshot, part by part, or pages; one store effect under way, the rest in a bounded queue

The device offers its journal from whatever the server says it has stored, not from its own memory of it: so a lost
acknowledgement, and a server that was restored from an older backup, are healed by the same rule.
"""

from collections import deque
from enum import Enum

from sync import effects as do
from sync import events as on
from sync.codec import decode_from_server, encode
from sync.effects import DeviceEffect
from sync.errors import CloseCode, ProtocolViolation, demand, require
from sync.journal import Entry
from sync.limits import (
    ACKNOWLEDGEMENT_DEADLINE_MS,
    PAGE_DEADLINE_MS,
    PAGES_IN_FLIGHT_MAX,
    PROTOCOL_VERSION,
    SNAPSHOT_PART_DEADLINE_MS,
    WELCOME_DEADLINE_MS,
)
from sync.liveness import Liveness
from sync.messages import (
    Advice,
    AdviceKind,
    Applied,
    DeviceMessage,
    Heartbeat,
    Hello,
    Page,
    Plan,
    Push,
    PushStored,
    ServerMessage,
    SnapshotPart,
    Welcome,
)
from sync.push_size import PushSize

Effects = tuple[DeviceEffect, ...]


class State(Enum):
    """Where the link stands."""

    NEW = "new"
    READING_PROGRESS = "reading_progress"
    GREETING = "greeting"
    SNAPSHOT = "snapshot"
    FOLLOWING = "following"
    CLOSED = "closed"


class Upload(Enum):
    """Where the upload stands; only after Welcome anything but IDLE."""

    IDLE = "idle"
    READING = "reading"
    AWAITING_ACKNOWLEDGEMENT = "awaiting_acknowledgement"
    STORING_OUTCOMES = "storing_outcomes"


class DeviceSession:
    """One link from open to close. `handle` sees every event; `deadline_ms` says when to fire the timer."""

    def __init__(self, *, app_version: str, schema_version: int, now_ms: int) -> None:
        """Begin before the link is open; `now_ms` is monotonic milliseconds, as everywhere here."""
        self.state = State.NEW
        self._app_version = app_version
        self._schema_version = schema_version
        self._liveness = Liveness(now_ms)
        self._progress: on.ProgressRead | None = None
        self._greeted_ms = now_ms
        self._upload = Upload.IDLE
        self._journal_seq = 0
        self._stored_seq = 0
        self._settled_seq = 0
        self._pushed: tuple[Entry, ...] = ()
        self._push_size = PushSize()
        self._pushed_ms = now_ms
        self._queue_depth = 0
        self._epoch = ""
        self._version = 0
        self._head_version = 0
        self._waiting: deque[Page | SnapshotPart] = deque()
        self._is_storing = False
        self._snapshot_parts = (0, 0)
        self._expected_part: tuple[str, int, bytes, int, int] | None = None
        self._moved_ms = now_ms

    @property
    def is_closed(self) -> bool:
        """Whether this session is over; another link needs another session."""
        return self.state is State.CLOSED

    @property
    def deadline_ms(self) -> int | None:
        """When `TimerFired` must be delivered at the latest; None once closed."""
        if self.is_closed:
            return None
        return min(self._liveness.deadline_ms, *(ms for ms, _ in self._deadlines()))

    def handle(self, event: on.DeviceEvent, now_ms: int) -> Effects:
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

    def _handle(self, event: on.DeviceEvent, now_ms: int) -> Effects:
        match event:
            case on.FrameReceived(frame):
                self._liveness.heard(now_ms)
                return self._receive(decode_from_server(frame), now_ms)
            case on.EntryRecorded(seq):
                return self._entry_recorded(seq)
            case on.EntriesRead(entries):
                return self._entries_read(entries, now_ms)
            case on.OutcomesStored():
                return self._outcomes_stored(event)
            case on.PageStored(head):
                self._epoch, self._version = head.epoch, head.version
                self._moved_ms = now_ms
                return self._downloaded(now_ms)
            case on.SnapshotPartStored(part):
                return self._snapshot_part_stored(part, now_ms)
            case on.TimerFired():
                return self._timer_fired(now_ms)
            case on.StoreFailed(_, reason):
                return self._close(CloseCode.STORE_UNAVAILABLE, reason)
            case on.LinkClosed():
                self.state = State.CLOSED
                return ()
            case on.LinkOpened():
                return self._link_opened(now_ms)
            case on.ProgressRead():
                return self._progress_read(event, now_ms)

    # -- greeting

    def _link_opened(self, now_ms: int) -> Effects:
        require(self.state is State.NEW, "the link opened twice")
        self.state = State.READING_PROGRESS
        self._liveness = Liveness(now_ms)
        return (do.ReadProgress(),)

    def _progress_read(self, progress: on.ProgressRead, now_ms: int) -> Effects:
        require(self.state is State.READING_PROGRESS, "progress was read out of turn")
        self.state = State.GREETING
        self._progress = progress
        self._greeted_ms = now_ms
        self._epoch, self._version = progress.epoch, progress.version
        self._journal_seq = max(self._journal_seq, progress.journal_seq)
        self._queue_depth = progress.queue_depth
        # Stored by the server is not settled here: when its answer was lost, the entries are offered once more.
        self._settled_seq = progress.journal_seq - progress.queue_depth
        hello = Hello(
            protocol_min=PROTOCOL_VERSION,
            protocol_max=PROTOCOL_VERSION,
            app_version=self._app_version,
            schema_version=self._schema_version,
            incarnation=progress.incarnation,
            epoch=progress.epoch,
            version=progress.version,
            hash=progress.hash,
            journal_seq=progress.journal_seq,
            journal_hash=progress.journal_hash,
            queue_depth=progress.queue_depth,
            wall_ms=progress.wall_ms,
            monotonic_ms=now_ms,
        )
        return (self._send(hello, now_ms),)

    def _welcomed(self, welcome: Welcome, now_ms: int) -> Effects:
        progress = self._progress
        if self.state is not State.GREETING or progress is None:
            raise ProtocolViolation("a second Welcome")
        demand(welcome.protocol == PROTOCOL_VERSION, "a protocol that was not offered")
        if welcome.stored_seq > self._journal_seq:
            # The server holds entries of this journal that are not here: an older copy of the replica came back.
            return self._close(CloseCode.FORK, "the server has stored more than this journal holds")
        if welcome.stored_seq == progress.journal_seq and welcome.stored_hash != progress.journal_hash:
            return self._close(CloseCode.FORK, "the server has stored another journal of this length")
        self._stored_seq = min(welcome.stored_seq, self._settled_seq)
        self._push_size.bound(welcome.push_entries_max)
        self._head_version = welcome.head_version
        self._moved_ms = now_ms
        self.state = State.SNAPSHOT if welcome.plan is Plan.SNAPSHOT else State.FOLLOWING
        clock = do.NoteClock(
            sent_wall_ms=progress.wall_ms,
            round_trip_ms=max(0, now_ms - self._greeted_ms),
            server_wall_ms=welcome.server_wall_ms,
        )
        return (clock, self._phase(), *self._maybe_upload())

    # -- frames

    def _receive(self, message: ServerMessage, now_ms: int) -> Effects:
        if isinstance(message, Welcome):
            return self._welcomed(message, now_ms)
        if isinstance(message, Advice):
            return self._advised(message)
        greeted = self.state in (State.SNAPSHOT, State.FOLLOWING)
        demand(greeted, f"{type(message).__name__} before Welcome")
        match message:
            case PushStored():
                return self._acknowledged(message, now_ms)
            case Page() | SnapshotPart():
                return self._enqueue(message, now_ms)
            case Heartbeat(version=version):
                if self._version >= self._head_version:
                    self._moved_ms = now_ms
                self._head_version = max(self._head_version, version)
                return (self._phase(),)

    def _advised(self, advice: Advice) -> Effects:
        if advice.kind is AdviceKind.SLOW_DOWN:
            self._push_size.slow_down()
            return ()
        return (do.KeepAdvice(advice.delay_ms),)

    # -- upload

    def _entry_recorded(self, seq: int) -> Effects:
        if seq > self._journal_seq:
            self._queue_depth += seq - self._journal_seq
            self._journal_seq = seq
        return self._maybe_upload()

    def _maybe_upload(self) -> Effects:
        greeted = self.state in (State.SNAPSHOT, State.FOLLOWING)
        if not greeted or self._upload is not Upload.IDLE or self._journal_seq <= self._stored_seq:
            return ()
        self._upload = Upload.READING
        return (do.ReadEntries(self._stored_seq, self._push_size.entries),)

    def _entries_read(self, entries: tuple[Entry, ...], now_ms: int) -> Effects:
        require(self._upload is Upload.READING, "entries were read out of turn")
        if not entries or entries[0].seq != self._stored_seq + 1:
            # Entries that the server wants are no longer kept here; only a person can say what that means.
            return self._close(CloseCode.JOURNAL_INVALID, f"entry {self._stored_seq + 1} is not in the journal")
        self._upload = Upload.AWAITING_ACKNOWLEDGEMENT
        self._pushed, self._pushed_ms = entries, now_ms
        return (self._send(Push(entries), now_ms),)

    def _acknowledged(self, stored: PushStored, now_ms: int) -> Effects:
        demand(self._upload is Upload.AWAITING_ACKNOWLEDGEMENT, "PushStored without a push")
        if not stored.outcomes:
            return self._asked_to_resend(stored)
        last = self._pushed[-1]
        answered = tuple((outcome.seq, outcome.event_id) for outcome in stored.outcomes)
        demand(answered == tuple((e.seq, e.event_id) for e in self._pushed), "outcomes of other entries")
        demand(stored.through_seq == last.seq and stored.hash == last.hash, "another entry was stored")
        self._upload = Upload.STORING_OUTCOMES
        self._push_size.answered(now_ms - self._pushed_ms)
        self._pushed = ()
        return (do.StoreOutcomes(stored),)

    def _asked_to_resend(self, stored: PushStored) -> Effects:
        first = self._pushed[0].seq
        demand(stored.through_seq < first - 1, "a resend from where we were")
        self._upload, self._pushed = Upload.IDLE, ()
        self._stored_seq = stored.through_seq
        return self._maybe_upload()

    def _outcomes_stored(self, stored: on.OutcomesStored) -> Effects:
        require(self._upload is Upload.STORING_OUTCOMES, "outcomes were stored out of turn")
        self._upload = Upload.IDLE
        self._stored_seq = stored.through_seq
        self._queue_depth = stored.queue_depth
        return (self._phase(), *self._maybe_upload())

    # -- download

    def _enqueue(self, message: Page | SnapshotPart, now_ms: int) -> Effects:
        in_snapshot = self.state is State.SNAPSHOT
        demand(isinstance(message, SnapshotPart) == in_snapshot, "a page or part out of turn")
        demand(len(self._waiting) + self._is_storing < PAGES_IN_FLIGHT_MAX, "more in flight than agreed")
        self._moved_ms = now_ms
        if isinstance(message, Page):
            self._head_version = max(self._head_version, message.head_version)
        else:
            self._check_part(message)
        self._waiting.append(message)
        return self._maybe_store()

    def _check_part(self, part: SnapshotPart) -> None:
        """Parts come in order, all of one position."""
        expected = self._expected_part or (part.epoch, part.version, part.hash, part.parts, 1)
        found = (part.epoch, part.version, part.hash, part.parts, part.part)
        demand(found == expected and part.part <= part.parts, "a snapshot part out of order")
        self._expected_part = (*found[:4], part.part + 1)

    def _maybe_store(self) -> Effects:
        if self._is_storing or not self._waiting:
            return ()
        self._is_storing = True
        message = self._waiting.popleft()
        if isinstance(message, Page):
            return (do.StorePage(message),)
        self._snapshot_parts = (message.part, message.parts)
        if message.part == message.parts:
            self._epoch, self._version = message.epoch, message.version
        return (do.StoreSnapshotPart(message),)

    def _snapshot_part_stored(self, part: int, now_ms: int) -> Effects:
        require(self.state is State.SNAPSHOT, "a snapshot part was stored out of turn")
        self._moved_ms = now_ms
        if part == self._snapshot_parts[1]:
            self.state = State.FOLLOWING
            self._head_version = max(self._head_version, self._version)
            return self._downloaded(now_ms)
        return self._downloaded(now_ms, snapshot_part=part)

    def _downloaded(self, now_ms: int, snapshot_part: int = 0) -> Effects:
        require(self._is_storing, "something was stored that was not asked for")
        self._is_storing = False
        applied = Applied(
            epoch=self._epoch,
            version=0 if snapshot_part else self._version,
            snapshot_part=snapshot_part,
            queue_depth=self._queue_depth,
        )
        return (self._send(applied, now_ms), self._phase(), *self._maybe_store())

    # -- time

    def _deadlines(self) -> tuple[tuple[int, str], ...]:
        """What must have happened by when, beside heartbeats."""
        found = []
        if self.state in (State.NEW, State.READING_PROGRESS, State.GREETING):
            found.append((self._greeted_ms + WELCOME_DEADLINE_MS, "no Welcome"))
        if self._upload is Upload.AWAITING_ACKNOWLEDGEMENT:
            found.append((self._pushed_ms + ACKNOWLEDGEMENT_DEADLINE_MS, "a push was not acknowledged"))
        if self.state is State.SNAPSHOT:
            found.append((self._moved_ms + SNAPSHOT_PART_DEADLINE_MS, "the snapshot does not go on"))
        if self.state is State.FOLLOWING and self._version < self._head_version:
            found.append((self._moved_ms + PAGE_DEADLINE_MS, "there is more in the log and no page comes"))
        return tuple(found) or ((self._liveness.deadline_ms, ""),)

    def _timer_fired(self, now_ms: int) -> Effects:
        if self._liveness.is_silent(now_ms):
            return self._close(CloseCode.SILENT, "nothing heard from the server")
        for deadline_ms, reason in self._deadlines():
            if reason and now_ms >= deadline_ms:
                return self._close(CloseCode.STALLED, reason)
        if not self._liveness.heartbeat_due(now_ms):
            return ()
        if self.state not in (State.SNAPSHOT, State.FOLLOWING):
            self._liveness.sent(now_ms)
            return ()
        return (self._send(Heartbeat(version=self._version, queue_depth=self._queue_depth), now_ms),)

    # -- small things

    def _phase(self) -> do.NotePhase:
        part, parts = self._snapshot_parts
        in_snapshot = self.state is State.SNAPSHOT
        return do.NotePhase(
            is_current=self.state is State.FOLLOWING and self._version >= self._head_version,
            head_version=self._head_version,
            snapshot_part=part if in_snapshot else 0,
            snapshot_parts=parts if in_snapshot else 0,
        )

    def _send(self, message: DeviceMessage, now_ms: int) -> do.SendFrame:
        self._liveness.sent(now_ms)
        return do.SendFrame(encode(message))

    def _close(self, code: CloseCode, reason: str) -> Effects:
        self.state = State.CLOSED
        return (do.CloseLink(code, reason),)
