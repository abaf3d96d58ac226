"""Wakes the sockets of this process when the log of their centre grows, or their device loses its right.

A notification is a hint that makes it fast. The truth is asked of the database every `POLL_INTERVAL_S`: a
hint that was lost costs a follower that long, and a revoked device is away within it. What the poll reads is also
what the process remembers (`server.services.standings`), of links that are open and of those that ended lately.
Whoever is no device watches a centre's head beside them (`server.services.live_hub`), and is told of nothing else.
"""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable
from typing import Final, Protocol

import structlog

from server.core.clock import Clock
from server.core.errors import Unavailable
from server.models.devices import DeviceState
from server.repositories import sync_reading
from server.repositories.unit_of_work import UnitsOfWork
from server.services.journal_intake import DeviceKey
from server.services.standings import Polled, Readings, Standings
from sync.errors import CloseCode
from sync.events import DrainRequested, HeadMoved, RightsLost

# Right is lost within 5 s: a poll that just missed it, the next one, and a second for the database.
POLL_INTERVAL_S: Final = 2.0
LISTEN_AGAIN_FIRST_S: Final = 0.5
LISTEN_AGAIN_MAX_S: Final = 30.0

_log = structlog.get_logger(__name__)

Deliver = Callable[[object], None]
"""Puts an event into the inbox of one session's driver: never waits, keeps only the newest `HeadMoved`."""


OnHead = Callable[[str, int], None]
"""Hears epoch and version of a head, which may be one that was told before: never waits."""


class Listener(Protocol):
    """Whatever tells that heads have moved: PostgreSQL's NOTIFY, or another bus."""

    def listen(self, on_head: Callable[[str, str, int], None], on_listening: Callable[[], None]) -> Awaitable[None]:
        """Hand on centre, epoch and version of every head that moves, until it raises Unavailable."""


class Followers:
    """The sockets of this process by centre. `run` is a task of the composition root."""

    def __init__(
        self,
        units: UnitsOfWork,
        listener: Listener,
        standings: Standings,
        clock: Clock,
        *,
        poll_interval_s: float = POLL_INTERVAL_S,
    ) -> None:
        """Ask the truth of `units` every `poll_interval_s`, take hints from `listener`, tell `standings` of both."""
        self._poll_interval_s = poll_interval_s
        self._units = units
        self._listener = listener
        self._standings = standings
        self._clock = clock
        self._of_center: defaultdict[str, dict[object, tuple[DeviceKey, Deliver]]] = defaultdict(dict)
        self._watching: defaultdict[str, dict[object, OnHead]] = defaultdict(dict)
        self._count = 0
        self.is_listening = asyncio.Event()
        self.is_draining = False

    def __len__(self) -> int:
        """How many sockets follow."""
        return self._count

    def join(self, device: DeviceKey, deliver: Deliver) -> Callable[[], None]:
        """Follow the device's centre from now on; returns what ends it.

        Join before the device's cursor is loaded, so that no move of the head falls in between.
        """
        ticket = object()
        self._standings.followed(device.center_id, device.device_id)
        self._of_center[device.center_id][ticket] = (device, deliver)
        self._count += 1

        def leave() -> None:
            followers = self._of_center.get(device.center_id, {})
            if followers.pop(ticket, None) is not None:
                self._count -= 1
            if not followers:
                self._of_center.pop(device.center_id, None)

        return leave

    def watch(self, center_id: str, on_head: OnHead) -> Callable[[], None]:
        """Hear of a centre's head from now on, without being a device; returns what ends it.

        Watch before the log is read, so that no move of the head falls in between.
        """
        ticket = object()
        self._watching[center_id][ticket] = on_head

        def leave() -> None:
            watching = self._watching.get(center_id, {})
            watching.pop(ticket, None)
            if not watching:
                self._watching.pop(center_id, None)

        return leave

    def drain(self, delay_ms: int) -> None:
        """Ask every device to come back after `delay_ms`, and let no other in; this process is going away."""
        self.is_draining = True
        for followers in list(self._of_center.values()):
            for _, deliver in list(followers.values()):
                deliver(DrainRequested(delay_ms))

    async def run(self) -> None:
        """Listen and poll until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._keep_listening())
            tasks.create_task(self._keep_polling())

    async def poll(self) -> None:
        """Tell every follower where its centre's head is, and send away those whose device is not active.

        Raises:
            DatabaseUnavailable: nothing was told; the next poll will.

        """
        everyone = self._everyone()
        for center_id, device, _ in everyone:
            self._standings.followed(center_id, device.device_id)
        polled = self._standings.polled()
        centers = frozenset(self._of_center).union(self._watching)
        if not centers and not polled.center_ids:
            return
        followed = frozenset(device.device_id for _, device, _ in everyone)
        read = await self._read(polled, centers, followed)
        self._standings.confirm(read)
        for center_id, standing in read.centers.items():
            self._tell_head(center_id, standing.head.epoch, standing.head.version)
        self._tell_rights(followed, read)

    async def _read(self, polled: Polled, centers: frozenset[str], devices: frozenset[str]) -> Readings:
        """Read in one snapshot what is remembered and what is followed."""
        begun_ms = self._standings.now_ms()
        async with self._units.read() as connection:
            found = await sync_reading.read_centers(connection, sorted(centers.union(polled.center_ids)))
            oldest_days = self._standings.oldest_days(found, self._clock.now())
            return Readings(
                begun_ms=begun_ms,
                asked=polled,
                centers=found,
                totals=await sync_reading.read_totals(connection, oldest_days),
                not_active=await sync_reading.read_not_active(connection, sorted(devices.union(polled.device_ids))),
                moved=await sync_reading.read_moved_journals(connection, polled.journals),
            )

    def _tell_rights(self, asked: frozenset[str], read: Readings) -> None:
        """Tell those whose device is not active; one that came after the reading is not judged by it.

        Only what was revoked for good is called so: a device that hears it forgets everything.
        """
        for _, device, deliver in self._everyone():
            state = read.not_active.get(device.device_id)
            if state is not None and device.device_id in asked:
                is_revoked = state == DeviceState.REVOKED
                deliver(RightsLost(CloseCode.REVOKED if is_revoked else CloseCode.UNAUTHENTICATED))

    def _everyone(self) -> list[tuple[str, DeviceKey, Deliver]]:
        return [
            (center_id, device, deliver)
            for center_id, followers in self._of_center.items()
            for device, deliver in followers.values()
        ]

    def _head_moved(self, center_id: str, epoch: str, version: int) -> None:
        """A hint: what is remembered of the centre is stale until it is read again."""
        self._standings.head_moved(center_id, epoch, version)
        self._tell_head(center_id, epoch, version)

    def _tell_head(self, center_id: str, epoch: str, version: int) -> None:
        for _, deliver in list(self._of_center.get(center_id, {}).values()):
            deliver(HeadMoved(epoch, version))
        for on_head in list(self._watching.get(center_id, {}).values()):
            on_head(epoch, version)

    async def _keep_polling(self) -> None:
        while True:
            await asyncio.sleep(self._poll_interval_s)
            try:
                await self.poll()
            except Unavailable:
                _log.warning("heads_not_polled", followers=len(self))

    async def _keep_listening(self) -> None:
        delay_s = LISTEN_AGAIN_FIRST_S
        while True:
            try:
                await self._listener.listen(self._head_moved, self.is_listening.set)
            except Unavailable:
                if self.is_listening.is_set():
                    delay_s = LISTEN_AGAIN_FIRST_S
                self.is_listening.clear()
                _log.warning("heads_not_heard", again_in_s=delay_s)
            await asyncio.sleep(delay_s)
            delay_s = min(delay_s * 2, LISTEN_AGAIN_MAX_S)
