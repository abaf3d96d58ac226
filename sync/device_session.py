"""The kiosk's half of one link: a state machine that is told what happened and says what to do.

Two things run side by side after Welcome and never wait for each other:

    upload     `sync.device_uploads`: what the server lacks of our journals, one push at a time
    download   `sync.device_downloads`: snapshot, part by part, or pages; repairs

The device offers its journal from whatever the server says it has stored, not from its own memory of it: so a lost
acknowledgement, and a server that was restored from an older backup, are healed by the same rule.
"""

from enum import Enum

from sync import effects as do
from sync import events as on
from sync.codec import decode_from_server, encode
from sync.device_downloads import DeviceDownloads
from sync.device_uploads import DeviceUploads
from sync.effects import DeviceEffect
from sync.errors import CloseCode, ImpossibleTransition, ProtocolViolation, demand, require
from sync.limits import CLOCK_NOTE_INTERVAL_MS, PROTOCOL_MIN, PROTOCOL_VERSION, WELCOME_DEADLINE_MS
from sync.liveness import Liveness
from sync.messages import (
    Advice,
    AdviceKind,
    DeviceMessage,
    ForkFound,
    Heartbeat,
    Hello,
    JournalPosition,
    Page,
    Plan,
    Proof,
    PushStored,
    ServerMessage,
    SnapshotPart,
    Welcome,
)

Effects = tuple[DeviceEffect, ...]


class State(Enum):
    """Where the link stands."""

    NEW = "new"
    READING_PROGRESS = "reading_progress"
    GREETING = "greeting"
    SNAPSHOT = "snapshot"
    FOLLOWING = "following"
    UPLOAD_ONLY = "upload_only"
    CLOSED = "closed"


class DeviceSession:
    """One link from open to close. `handle` sees every event; `deadline_ms` says when to fire the timer."""

    def __init__(self, *, app_version: str, schema_version: int, now_ms: int) -> None:
        """Begin before the link is open; `now_ms` is monotonic milliseconds, as everywhere here."""
        self._app_version = app_version
        self._schema_version = schema_version
        self._liveness = Liveness(now_ms)
        self._greeted_ms = now_ms
        self._noted_ms = now_ms
        self._is_open = False
        self._is_closed = False
        self._is_revoked = False
        self._progress: on.ProgressRead | None = None
        self._early: on.EntryRecorded | None = None
        self._lease_ms = 0
        self._nonce: bytes | None = None
        self._wall = (0, now_ms)
        self._uploads: DeviceUploads | None = None
        self._downloads: DeviceDownloads | None = None

    @property
    def state(self) -> State:
        """Where the link stands."""
        if self._is_closed:
            return State.CLOSED
        if self._downloads is not None:
            if self._is_revoked:
                return State.UPLOAD_ONLY
            return State.SNAPSHOT if self._downloads.in_snapshot else State.FOLLOWING
        if self._progress is not None:
            return State.GREETING
        return State.READING_PROGRESS if self._is_open else State.NEW

    @property
    def is_closed(self) -> bool:
        """Whether this session is over; another link needs another session."""
        return self._is_closed

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
            effects = self._handle(event, now_ms)
        except ProtocolViolation as violation:
            return self._close(violation.code, str(violation))
        if any(isinstance(effect, do.SendFrame) for effect in effects):
            self._liveness.sent(now_ms)
        return effects

    def _handle(self, event: on.DeviceEvent, now_ms: int) -> Effects:
        match event:
            case on.FrameReceived(frame):
                self._liveness.heard(now_ms)
                return self._receive(decode_from_server(frame), now_ms)
            case on.TimerFired():
                return self._timer_fired(now_ms)
            case on.StoreFailed(_, reason):
                return self._close(CloseCode.STORE_UNAVAILABLE, reason)
            case on.LinkClosed():
                self._is_closed = True
                return ()
            case on.LinkOpened():
                return self._link_opened(now_ms)
            case on.ProgressRead():
                return self._progress_read(event, now_ms)
            case on.ClockNoted(wall_ms):
                self._wall = (wall_ms, now_ms)
                return ()
            case on.ChallengeSigned(nonce, signature):
                require(nonce == self._nonce, "a nonce was signed that nobody asked for")
                self._nonce = None
                return self._send(Proof(nonce, signature))
            case on.EntryRecorded() if self._uploads is None:
                self._early = on.newer_entry(self._early, event)
                return ()
            case _:
                return self._stored(event, now_ms)

    # -- greeting

    def _link_opened(self, now_ms: int) -> Effects:
        require(not self._is_open, "the link opened twice")
        self._is_open = True
        self._liveness = Liveness(now_ms)
        return (do.ReadProgress(),)

    def _progress_read(self, progress: on.ProgressRead, now_ms: int) -> Effects:
        require(self.state is State.READING_PROGRESS, "progress was read out of turn")
        self._progress = progress
        self._greeted_ms = now_ms
        self._wall = (progress.wall_ms, now_ms)
        hello = Hello(
            protocol_min=PROTOCOL_MIN,
            protocol_max=PROTOCOL_VERSION,
            app_version=self._app_version,
            schema_version=self._schema_version,
            incarnation=progress.journal.incarnation,
            epoch=progress.epoch,
            version=progress.version,
            hash=progress.hash,
            journal_seq=progress.journal.seq,
            journal_hash=progress.journal.hash,
            queue_depth=progress.queue_depth,
            wall_ms=progress.wall_ms,
            monotonic_ms=now_ms,
            older=tuple(JournalPosition(one.incarnation, one.seq, one.hash) for one in progress.older),
            digests=progress.digests,
            staged=progress.staged,
        )
        return self._send(hello)

    def _welcomed(self, welcome: Welcome, now_ms: int) -> Effects:
        progress = self._progress
        if self.state is not State.GREETING or progress is None:
            raise ProtocolViolation("a second Welcome")
        demand(PROTOCOL_MIN <= welcome.protocol <= PROTOCOL_VERSION, "a protocol that was not offered")
        self._is_revoked = welcome.plan is Plan.UPLOAD_ONLY
        self._lease_ms = welcome.lease_ms
        self._noted_ms = now_ms
        self._uploads = uploads = DeviceUploads(progress, now_ms)
        self._downloads = downloads = DeviceDownloads(progress)
        clock = do.NoteClock(
            sent_wall_ms=progress.wall_ms,
            round_trip_ms=max(0, now_ms - self._greeted_ms),
            server_wall_ms=welcome.server_wall_ms,
            lease_ms=welcome.lease_ms,
        )
        asked = downloads.welcomed(welcome, now_ms)
        early = uploads.entry_recorded(self._early, now_ms) if self._early is not None else ()
        begun = uploads.welcomed(welcome, now_ms, is_revoked=self._is_revoked)
        if uploads.has_chores:
            downloads.hold()
        return (clock, self._phase(), *asked, *early, *begun)

    # -- frames

    def _receive(self, message: ServerMessage, now_ms: int) -> Effects:
        if isinstance(message, Welcome):
            return self._welcomed(message, now_ms)
        if isinstance(message, Advice):
            return self._advised(message, now_ms)
        uploads, downloads = self._uploads, self._downloads
        if uploads is None or downloads is None:
            raise ProtocolViolation(f"{type(message).__name__} before Welcome")
        match message:
            case PushStored():
                return uploads.acknowledged(message, now_ms)
            case ForkFound():
                return uploads.fork_found(message)
            case Page() | SnapshotPart():
                demand(not self._is_revoked, "data for a device that was revoked")
                return downloads.arrived(message, now_ms)
            case Heartbeat():
                return self._heard(message, downloads, now_ms)
            case _:
                self._nonce = message.nonce
                return (do.SignChallenge(message.nonce),)

    def _heard(self, heartbeat: Heartbeat, downloads: DeviceDownloads, now_ms: int) -> Effects:
        if not self._is_revoked:
            downloads.head_moved(heartbeat.version, now_ms)
        return (*self._clock_sample(heartbeat, now_ms), self._phase())

    def _clock_sample(self, heartbeat: Heartbeat, now_ms: int) -> Effects:
        """A round trip that began with a heartbeat of ours and was held by the server for a while, if one is due."""
        every_ms = min(CLOCK_NOTE_INTERVAL_MS, self._lease_ms // 4) if self._lease_ms else CLOCK_NOTE_INTERVAL_MS
        if not heartbeat.echo_monotonic_ms or now_ms - self._noted_ms < every_ms:
            return ()
        self._noted_ms = now_ms
        # Both sides round to whole milliseconds.
        round_trip_ms = max(0, now_ms - heartbeat.echo_monotonic_ms - heartbeat.held_ms)
        sent_ms = now_ms - round_trip_ms
        return (
            do.NoteClock(
                sent_wall_ms=self._wall_ms(sent_ms),
                round_trip_ms=round_trip_ms,
                server_wall_ms=heartbeat.wall_ms,
                lease_ms=self._lease_ms,
            ),
        )

    def _wall_ms(self, at_ms: int) -> int:
        """What this device's wall clock shows at a monotonic moment, if nobody sets it."""
        wall_ms, monotonic_ms = self._wall
        return wall_ms + at_ms - monotonic_ms

    def _advised(self, advice: Advice, now_ms: int) -> Effects:
        if advice.kind is AdviceKind.COME_BACK_LATER:
            return (do.KeepAdvice(advice.delay_ms),)
        if self._uploads is not None:
            self._uploads.slow_down(advice.delay_ms, now_ms)
        return ()

    # -- what the store says

    def _stored(self, event: on.DeviceEvent, now_ms: int) -> Effects:
        uploads, downloads = self._uploads, self._downloads
        if uploads is None or downloads is None:
            raise ImpossibleTransition(f"{type(event).__name__} before Welcome")
        match event:
            case on.EntryRecorded():
                return uploads.entry_recorded(event, now_ms)
            case on.EntriesRead(entries):
                return uploads.entries_read(entries, now_ms)
            case on.OutcomesStored():
                return (*uploads.outcomes_stored(event, now_ms), self._phase())
            case on.EntriesReopened() | on.IncarnationBegun():
                done = uploads.chore_done(event, now_ms)
                released = () if uploads.has_chores else downloads.release()
                return (*done, *released, self._phase())
            case on.DestructionRefused():
                return uploads.destruction_refused(event, now_ms)
            case on.ReplicaDestroyed():
                uploads.replica_destroyed()
                return self._close(CloseCode.NORMAL, "this device was revoked and has told everything")
            case on.PageStored():
                return (*downloads.page_stored(event, now_ms, uploads.queue_depth), self._phase())
            case on.SnapshotPartStored():
                done = downloads.part_stored(event, now_ms, uploads.queue_depth)
                if not event.journal_seq:
                    return (*done, self._phase())
                grown = on.EntryRecorded(event.journal_seq, event.incarnation)
                return (*done, *uploads.entry_recorded(grown, now_ms), self._phase())
            case _:
                raise ImpossibleTransition(f"{type(event).__name__} is no event of a device")

    # -- time

    def _deadlines(self) -> tuple[tuple[int, str], ...]:
        """What must have happened by when, beside heartbeats; without a reason it is only a time to go on."""
        if self._uploads is None or self._downloads is None:
            return ((self._greeted_ms + WELCOME_DEADLINE_MS, "no Welcome"),)
        download = None if self._is_revoked else self._downloads.deadline
        found = tuple(one for one in (self._uploads.deadline, download) if one is not None)
        return found or ((self._liveness.deadline_ms, ""),)

    def _timer_fired(self, now_ms: int) -> Effects:
        if self._liveness.is_silent(now_ms):
            return self._close(CloseCode.SILENT, "nothing heard from the server")
        for deadline_ms, reason in self._deadlines():
            if reason and now_ms >= deadline_ms:
                return self._close(CloseCode.STALLED, reason)
        if self._uploads is None or self._downloads is None:
            if self._liveness.heartbeat_due(now_ms):
                self._liveness.sent(now_ms)
            return ()
        going_on = self._uploads.go_on(now_ms)
        if not self._liveness.heartbeat_due(now_ms):
            return going_on
        heartbeat = Heartbeat(
            version=self._downloads.version,
            queue_depth=self._uploads.queue_depth,
            monotonic_ms=now_ms,
            wall_ms=self._wall_ms(now_ms),
        )
        return (*going_on, *self._send(heartbeat))

    # -- small things

    def _phase(self) -> do.NotePhase:
        downloads = self._downloads
        assert downloads is not None
        part, parts = downloads.progress
        return do.NotePhase(
            is_current=downloads.is_current and not self._is_revoked,
            head_version=downloads.head_version,
            snapshot_part=part,
            snapshot_parts=parts,
        )

    def _send(self, message: DeviceMessage) -> Effects:
        return (do.SendFrame(encode(message)),)

    def _close(self, code: CloseCode, reason: str) -> Effects:
        self._is_closed = True
        return (do.CloseLink(code, reason),)
