"""`sync.driver` without asyncio: the same inbox, hints, timer and lanes, in virtual time."""

from collections import deque
from collections.abc import Callable
from typing import Any

from sync.driver import INBOX_FRAMES_MAX, OVERDUE_EVENTS_MAX
from sync.effects import Lane
from sync.errors import SyncError
from sync.events import EntryRecorded, FrameReceived, HeadMoved, TimerFired, newer_entry, newer_head
from tests.simulation.timeline import Timeline
from tests.simulation.trace import Violated


class SessionLoop:
    """Drives one session. `carry_out(effect)` does what has no lane, `start(effect, done)` what has one."""

    def __init__(
        self,
        session: Any,
        timeline: Timeline,
        carry_out: Callable[[Any], None],
        start: Callable[[Any, Callable[[Any], None]], None],
    ) -> None:
        self.session = session
        self.is_running = True
        self.paused_until_ms = 0
        self.lanes_busy: set[Lane] = set()
        self.frames_max_seen = 0
        self.when_room: Callable[[], None] | None = None
        self.when_ended: Callable[[], None] | None = None
        self._timeline = timeline
        self._carry_out = carry_out
        self._start = start
        self._inbox: deque[Any] = deque()
        self._hints: dict[type, Any] = {}
        self._frames = 0
        self._overdue = 0
        self._wake_ms: int | None = None
        self._wakes = 0
        self._plan_wake()

    def stop(self) -> None:
        """The process died: nothing more is handled."""
        self.is_running = False

    def deliver(self, event: Any) -> None:
        """Put an event into the inbox."""
        if not self.is_running:
            return
        if isinstance(event, EntryRecorded):
            self._hints[EntryRecorded] = newer_entry(self._hints.get(EntryRecorded), event)
        elif isinstance(event, HeadMoved):
            self._hints[HeadMoved] = newer_head(self._hints.get(HeadMoved), event)
        else:
            self._inbox.append(event)
        self._plan_wake()

    def offer_frame(self, frame: bytes) -> bool:
        """Put a frame into the inbox; False when there is no room, and `when_room` is called once there is."""
        if not self.is_running:
            return True
        if self._frames >= INBOX_FRAMES_MAX:
            return False
        self._frames += 1
        self.frames_max_seen = max(self.frames_max_seen, self._frames)
        self.deliver(FrameReceived(frame))
        return True

    def _plan_wake(self) -> None:
        now_ms = self._timeline.now_ms
        due_ms = now_ms if self._inbox or self._hints else self.session.deadline_ms
        if due_ms is None:
            return
        due_ms = max(due_ms, now_ms, self.paused_until_ms)
        if self._wake_ms is not None and self._wake_ms == due_ms:
            return
        self._wake_ms = due_ms
        self._wakes += 1
        wake = self._wakes
        self._timeline.at(due_ms, lambda: self._wake(wake))

    def _wake(self, wake: int) -> None:
        if not self.is_running or wake != self._wakes:
            return
        self._wake_ms = None
        if self._timeline.now_ms < self.paused_until_ms:
            self._plan_wake()
            return
        event = self._next()
        if event is not None:
            self._handle(event)
        if self.session.is_closed:
            self._end()
        elif self.is_running:
            self._plan_wake()

    def _handle(self, event: Any) -> None:
        try:
            effects = self.session.handle(event, self._timeline.now_ms)
        except SyncError as error:
            raise Violated("no_defect_in_a_session", f"{type(error).__name__}: {error}") from error
        for effect in effects:
            if not self.is_running:
                return
            if effect.lane is None:
                self._carry_out(effect)
            else:
                self._begin(effect, effect.lane)

    def _begin(self, effect: Any, lane: Lane) -> None:
        if lane in self.lanes_busy:
            raise Violated("no_defect_in_a_session", f"two store effects in the {lane.value} lane")
        self.lanes_busy.add(lane)

        def done(event: Any) -> None:
            self.lanes_busy.discard(lane)
            if event is not None:
                self.deliver(event)

        self._start(effect, done)

    def _next(self) -> Any:
        """As `Driver._next`: what arrived, then hints, the timer when it is due."""
        now_ms = self._timeline.now_ms
        deadline_ms = self.session.deadline_ms
        is_due = deadline_ms is not None and deadline_ms <= now_ms
        if not (self._inbox or self._hints):
            return TimerFired() if is_due else None
        self._overdue = self._overdue + 1 if is_due else 0
        if self._overdue > OVERDUE_EVENTS_MAX:
            self._overdue = 0
            return TimerFired()
        if not self._inbox:
            return self._hints.pop(next(iter(self._hints)))
        event = self._inbox.popleft()
        if isinstance(event, FrameReceived):
            self._frames -= 1
            if self.when_room is not None:
                self._timeline.after(0, self.when_room)
        return event

    def _end(self) -> None:
        self.is_running = False
        if self.when_ended is not None:
            self.when_ended()
