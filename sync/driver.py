"""The one async loop of both sides: events in, effects out; it decides nothing.

Effects without a lane are awaited one after the other. A store effect runs as a task of its lane, so that a long
upload never keeps a page waiting; its outcome comes back through the same inbox as everything else.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final, Generic, Protocol, TypeVar

from sync.effects import Lane
from sync.errors import ImpossibleTransition, SyncError
from sync.events import (
    EntryRecorded,
    FrameReceived,
    HeadMoved,
    LinkClosed,
    StoreFailed,
    TimerFired,
    newer_entry,
    newer_head,
)

# Frames read from the socket and not yet handled; beyond it the reader waits, and TCP with it.
INBOX_FRAMES_MAX: Final = 16
# Events that are still handled once the timer is overdue.
OVERDUE_EVENTS_MAX: Final = 2 * INBOX_FRAMES_MAX
# How long a store effect may still run once its link is gone. Its transaction is harmless either way.
LANE_DRAIN_S: Final = 5.0


class LinkLost(SyncError):
    """A performer could not send: the link is gone."""


class StoreUnavailable(SyncError):
    """A performer could not carry out a store effect now; whether it took effect is unknown."""


class Effect(Protocol):
    """Any effect."""

    @property
    def lane(self) -> Lane | None:
        """The lane it belongs to, or None."""


EffectT = TypeVar("EffectT", bound=Effect)
EffectT_co = TypeVar("EffectT_co", bound=Effect, covariant=True)


class Session(Protocol[EffectT_co]):
    """What both sessions are to the loop."""

    @property
    def is_closed(self) -> bool:
        """Whether it is over."""

    @property
    def deadline_ms(self) -> int | None:
        """When to deliver TimerFired."""

    def handle(self, event: Any, now_ms: int) -> Sequence[EffectT_co]:
        """Take an event, say what to do."""


class Driver(Generic[EffectT]):
    """Runs one session until it is closed.

    `perform(effect)` carries out one effect and returns the event it leads to, or None. It may raise `LinkLost` or
    `StoreUnavailable`; anything else it raises is a defect, which `run` raises; the caller closes the link.
    """

    def __init__(
        self,
        session: Session[EffectT],
        perform: Callable[[EffectT], Awaitable[object | None]],
        monotonic_ms: Callable[[], int],
    ) -> None:
        """Wire a session to a performer and a clock."""
        self._session = session
        self._perform = perform
        self._monotonic_ms = monotonic_ms
        self._inbox: deque[object] = deque()
        # Each says "the end has moved to here": only the furthest counts, and there is never more than one of each.
        self._entry_hint: EntryRecorded | None = None
        self._head_hint: HeadMoved | None = None
        self._frames = 0
        self._overdue = 0
        self._arrived = asyncio.Event()
        self._room = asyncio.Event()
        self._room.set()
        self._lanes: dict[Lane, asyncio.Task[None]] = {}
        self._defect: Exception | None = None

    def deliver(self, event: object) -> None:
        """Put an event into the inbox; must be called on the loop's own thread."""
        if isinstance(event, EntryRecorded):
            self._entry_hint = newer_entry(self._entry_hint, event)
        elif isinstance(event, HeadMoved):
            self._head_hint = newer_head(self._head_hint, event)
        else:
            self._inbox.append(event)
        self._arrived.set()

    async def deliver_frame(self, frame: bytes) -> None:
        """Put a frame into the inbox, and wait while it is full."""
        await self._room.wait()
        self._frames += 1
        if self._frames >= INBOX_FRAMES_MAX:
            self._room.clear()
        self.deliver(FrameReceived(frame))

    async def run(self) -> None:
        """Drive the session to its end.

        Raises:
            Exception: whatever defect a performer or the session raised; the caller closes the link.

        """
        try:
            while not self._session.is_closed:
                event = await self._next()
                for effect in self._session.handle(event, self._monotonic_ms()):
                    await self._carry_out(effect)
        finally:
            self._room.set()
            await self._drain_lanes()
        if self._defect is not None:
            raise self._defect

    async def _next(self) -> object:
        """The next event: results and frames in order of arrival, then hints; the timer when it is due.

        What already arrived is heard before an overdue timer (a machine that slept must not mistake its own nap for
        the peer's silence), but only `OVERDUE_EVENTS_MAX` of it, so that a busy link cannot starve the watchdog.
        """
        while not self._has_something:
            self._arrived.clear()
            wait_ms = self._wait_ms()
            if wait_ms is not None and wait_ms <= 0:
                return TimerFired()
            try:
                async with asyncio.timeout(None if wait_ms is None else wait_ms / 1000):
                    await self._arrived.wait()
            except TimeoutError:
                return TimerFired()
        if self._is_starved():
            return TimerFired()
        if not self._inbox:
            return self._take_hint()
        event = self._inbox.popleft()
        if isinstance(event, FrameReceived):
            self._frames -= 1
            self._room.set()
        return event

    @property
    def _has_something(self) -> bool:
        return bool(self._inbox) or self._entry_hint is not None or self._head_hint is not None

    def _take_hint(self) -> EntryRecorded | HeadMoved | None:
        """One half of a link hears of one kind of hint only."""
        entry, self._entry_hint = self._entry_hint, None
        if entry is not None:
            return entry
        head, self._head_hint = self._head_hint, None
        return head

    def _wait_ms(self) -> int | None:
        deadline_ms = self._session.deadline_ms
        return None if deadline_ms is None else deadline_ms - self._monotonic_ms()

    def _is_starved(self) -> bool:
        wait_ms = self._wait_ms()
        self._overdue = self._overdue + 1 if wait_ms is not None and wait_ms <= 0 else 0
        if self._overdue <= OVERDUE_EVENTS_MAX:
            return False
        self._overdue = 0
        return True

    async def _carry_out(self, effect: EffectT) -> None:
        if effect.lane is not None:
            self._start(effect, effect.lane)
            return
        try:
            event = await self._perform(effect)
        except LinkLost:
            self.deliver(LinkClosed())
            return
        if event is not None:
            self.deliver(event)

    def _start(self, effect: EffectT, lane: Lane) -> None:
        running = self._lanes.get(lane)
        if running is not None and not running.done():
            message = f"two store effects in the {lane.value} lane"
            raise ImpossibleTransition(message)
        self._lanes[lane] = asyncio.create_task(self._work(effect, lane))

    async def _work(self, effect: EffectT, lane: Lane) -> None:
        try:
            event = await self._perform(effect)
        except StoreUnavailable as error:
            event = StoreFailed(lane, str(error))
        except Exception as error:  # noqa: BLE001 - a defect must end the link, not hang it
            self._defect = error
            event = StoreFailed(lane, "internal error")
        if event is not None:
            self.deliver(event)

    async def _drain_lanes(self) -> None:
        tasks = [task for task in self._lanes.values() if not task.done()]
        if not tasks:
            return
        _, late = await asyncio.wait(tasks, timeout=LANE_DRAIN_S)
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)
