"""Shipped desks without a screen: many in one process, each with its own encrypted file, thread and link.

They share the interpreter, its event loop and two cores with each other, which desks in a building do not: figures of
many desks are upper bounds.
"""

import asyncio
import contextlib
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, cast

from kiosk.clock import SystemClock, random_uuid
from kiosk.keys import DeviceKeys
from kiosk.link.device_store import DeviceStore, EntriesSettled, News, StoreEffect
from kiosk.link.runner import LinkRunner, LinkState
from kiosk.messages import LinkPhase
from kiosk.services.desk import Desk
from kiosk.services.recording import Wish, _draft
from kiosk.services.timekeeping import Moment
from kiosk.store.database import Database
from kiosk.store.pen import Pen
from kiosk.store.replica import Replica
from sync.attendance import EventKind
from sync.events import DeviceEvent
from tests.bench.stage import DEADLINE_S

QUEUE_TRANSACTION: Final = 500
DAY_MS: Final = 24 * 3_600_000
HOUR_MS: Final = 3_600_000


@dataclass(frozen=True)
class Performed:
    """A store effect of the link, what came of it, and when it began and ended (nanoseconds, monotonic)."""

    effect: StoreEffect
    event: DeviceEvent | None
    began_ns: int
    ended_ns: int


class _WatchedStore(DeviceStore):
    """The shipped store; looks at the clock before and after."""

    def __init__(self, inner: DeviceStore, performed: Callable[[Performed], None]) -> None:
        self._inner = inner
        self._performed = performed

    async def perform(self, effect: StoreEffect) -> DeviceEvent | None:  # type: ignore[override]
        began_ns = time.perf_counter_ns()
        event = await self._inner.perform(effect)
        self._performed(Performed(effect, event, began_ns, time.perf_counter_ns()))
        return event


class _WatchedDesk(Desk):
    """The shipped desk; tells when what became durable here, and what its link asked of the store."""

    on_news: Callable[[News, int], None] | None = None
    on_performed: Callable[[Performed], None] | None = None
    settled = 0

    def _store(self) -> DeviceStore:
        return _WatchedStore(super()._store(), self._note)

    def _note(self, performed: Performed) -> None:
        if self.on_performed is not None:
            self.on_performed(performed)

    async def _hear(self, news: News) -> None:
        if isinstance(news, EntriesSettled):
            self.settled += len(news.entries)
        if self.on_news is not None:
            self.on_news(news, time.perf_counter_ns())
        await super()._hear(news)


class Kiosk:
    """One desk, open; linked between `link` and `unlink`."""

    def __init__(self, desk: _WatchedDesk) -> None:
        self.desk = desk
        self._link: asyncio.Task[None] | None = None

    @classmethod
    async def open(cls, folder: Path) -> "Kiosk":
        """Open the folder of an enrolled desk."""
        return cls(cast("_WatchedDesk", await _WatchedDesk.open(folder)))

    def link(self) -> None:
        """Dial, and stay linked."""
        self._link = asyncio.create_task(self.desk.run_link())

    async def unlink(self) -> None:
        """End the link; the desk shows it as it does when a link is lost."""
        if self._link is not None:
            self._link.cancel()
            await asyncio.gather(self._link, return_exceptions=True)
            self.desk._following.link_changed(LinkState(LinkPhase.OFFLINE))

    async def until(self, holds: Callable[[], bool]) -> None:
        """Wait until something holds, looking at each message of the desk; at most `DEADLINE_S`."""
        messages = self.desk.subscribe()
        try:
            async with asyncio.timeout(DEADLINE_S):
                while not holds():
                    await anext(messages)
        except TimeoutError:
            raise AssertionError(f"not within {DEADLINE_S} s; the desk says {await self.desk.status()}") from None
        finally:
            messages.close()

    async def until_current(self) -> None:
        """Wait until the replica holds everything the server told of."""
        await self.until(lambda: self.desk.is_current and self.desk._following.knowledge.version > 0)

    async def until_settled(self, entries: int) -> None:
        """Wait until so many entries got their answers since this desk was opened, and the desk showed it."""
        await self.until(lambda: self.desk.settled >= entries)

    async def close(self) -> None:
        """End the link and close the files."""
        await self.unlink()
        await self.desk.close()

    async def queue(self, entries: int, *, first_day: int = 1) -> None:
        """Write so many entries into the journal as days without a network leave them there.

        Two a day for each child, `first_day` days ago and before; many in one transaction, to save time.
        """
        replica, opened = self.desk._replica, self.desk._opened
        children = sorted(self.desk._following.knowledge.children)
        now_ms = SystemClock().wall_ms()
        zone = self.desk._following.knowledge.center.time_zone

        def write(begin: int) -> None:
            with replica.database.transaction():
                for number in range(begin, min(begin + QUEUE_TRANSACTION, entries)):
                    days, kind, child_id = _plan(number, entries, children)
                    hours = 8 if kind is EventKind.CHECK_IN else 0
                    wall_ms = now_ms - (days + first_day) * DAY_MS - hours * HOUR_MS
                    wish = Wish(event_id=self.desk._recorder._ids.new(), kind=kind, child_id=child_id, time_zone=zone)
                    moment = Moment(wall_ms, number, opened.pen.boot_id)
                    replica.journal.append(
                        lambda progress, wish=wish, moment=moment: _draft(wish, moment, progress),  # type: ignore[misc]
                        opened.pen.sign,
                        child_id=child_id,
                    )

        for begin in range(0, entries, QUEUE_TRANSACTION):
            await replica.database.run(lambda begin=begin: write(begin))  # type: ignore[misc]
        await self.desk._following.load()


def _plan(number: int, entries: int, children: list[str]) -> tuple[int, EventKind, str]:
    """How many days ago, what, and of whom the entry with this number tells; the oldest day first."""
    a_day = 2 * len(children)
    days = (entries - 1) // a_day - number // a_day
    kind = EventKind.CHECK_IN if number % a_day < len(children) else EventKind.CHECK_OUT
    return days, kind, children[number % len(children)]


class Link:
    """Only the shipped link and replica of a kiosk, with nobody who looks at it: for thousands in one process."""

    def __init__(self, keys: DeviceKeys, file: Path | None = None) -> None:
        """Keep the replica in a file, or, where only the server is measured, in memory."""
        clock = SystemClock()
        self._database = Database.open(file, keys.replica_key) if file else Database.in_memory()
        replica = Replica(self._database)
        replica.prepare(
            device_id=keys.device_id, center_id=keys.center_id, incarnation=random_uuid(secrets.token_bytes)
        )
        pen = Pen(
            sign=keys.sign,
            new_id=lambda: random_uuid(secrets.token_bytes),
            monotonic_ms=clock.monotonic_ms,
            boot_id=clock.boot_id(),
        )
        store = DeviceStore(replica, _hear, clock.wall_ms, pen, lambda: None)
        self._runner = LinkRunner(keys, store, self._publish, clock=clock, luck=secrets.token_bytes)
        self._current = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def link(self) -> None:
        """Dial, and stay linked."""
        self._current.clear()
        self._task = asyncio.create_task(self._runner.run())

    async def until_current(self) -> None:
        """Wait until the replica holds everything the server told of."""
        async with asyncio.timeout(DEADLINE_S):
            await self._current.wait()

    async def unlink(self) -> None:
        """End the link."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def close(self) -> None:
        """End the link and close the replica."""
        await self.unlink()
        with contextlib.suppress(RuntimeError):
            await self._database.close()

    def _publish(self, state: LinkState) -> None:
        if state.is_current:
            self._current.set()


async def _hear(_news: News) -> None:
    """Nobody looks at this kiosk."""
