"""One hub for all who watch something live: what they watch is worked out and encoded once, and each gets those bytes.

A topic is what is watched, such as the board of a centre; it is worked out anew when the head of its centre moves, at
most `COMPOSED_PER_S` times a second, and every `REFRESH_S` because time alone may change it. A viewer holds only the
newest frame: whoever is slow skips, delays nobody and costs no more memory. A parent's children are another topic.
"""

import asyncio
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from typing import Final, Protocol

import structlog

from server.core.asking import Asking, asks, within
from server.core.clock import Clock
from server.core.errors import RateLimited, Unavailable
from server.core.failures import facts_of
from server.services.access import LogIn, User

# Twice what a busy door makes: at its own rate each change would wait for its turn behind those of the second before,
# and what one of them was late by, all that follow would be late by, too.
COMPOSED_PER_S: Final = 20
REFRESH_S: Final = 15.0
# A proxy gives a silent stream up after 60 s and more; three of these are lost before.
HEARTBEAT_S: Final = 15.0
# Rights are lost within 5 s: one that was just missed, the next, and a second for the database.
RIGHTS_INTERVAL_S: Final = 2.0
AGAIN_S: Final = 1.0
# Every desk, phone and wall of a large centre, at 100 KiB each 50 MiB.
VIEWERS_OF_TOPIC_MAX: Final = 500
# Tabs and wall displays of one log-in.
VIEWERS_OF_USER_MAX: Final = 20
# 200 MiB at 100 KiB each.
VIEWERS_MAX: Final = 2_000

_log = structlog.get_logger(__name__)


class Ending(StrEnum):
    """Why a stream ends; the code of its last event."""

    DRAINING = "draining"
    RIGHTS_LOST = "rights_lost"
    TOKEN_EXPIRED = "token_expired"  # noqa: S105 - a code, and no password
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Frame:
    """What every viewer gets: the id of what it shows, and its bytes.

    `content` is what matters of it: two frames with the same content say the same, whenever they were made.
    """

    event_id: str
    data: bytes
    content: bytes


@dataclass(frozen=True, slots=True)
class Topic:
    """What is watched: its name within this process, the centres whose logs move it, and how a frame of it is made.

    `follows_rights`: what it shows depends on rights that no log tells of, so each look at rights works it out.
    """

    name: str
    center_ids: tuple[str, ...]
    compose: Callable[[], Awaitable[Frame]]
    follows_rights: bool = False


@dataclass(frozen=True, slots=True)
class Seat:
    """Who watches: until when the token is good (UTC milliseconds), and whether today's rights let the user stay.

    `seen` is the id of the frame that the viewer has already; empty: none.
    """

    user_id: str
    good_until_ms: int
    may_stay: Callable[[User], bool]
    seen: str = ""
    session_id: str = ""

    @property
    def log_in(self) -> LogIn:
        """Whose rights are asked for again and again, and the session that must go on."""
        return self.user_id, self.session_id


class Heads(Protocol):
    """Whatever tells that the head of a centre's log has moved, such as `server.services.followers`."""

    def watch(self, center_id: str, on_head: Callable[[str, int], None]) -> Callable[[], None]:
        """Tell epoch and version of every head, the same one more than once; returns what ends it."""


class Viewer:
    """One stream: the newest frame that it has not taken, or how it ends."""

    def __init__(self, seat: Seat) -> None:
        """Wait for the first frame."""
        self.seat: Final = seat
        self.ending: Ending | None = None
        self.has_ended = asyncio.Event()
        self._has_news = False
        self._waiting: asyncio.Future[None] | None = None
        self._frame: Frame | None = None
        self._seen = seat.seen
        self._is_first = True

    async def news(self) -> Frame | Ending | None:
        """Wait for the newest frame, or the ending; None when nothing is new and the viewer is to hear that.

        No timer of its own: with hundreds of viewers and many boards a second these would cost more than the sending.
        """
        if not self._has_news:
            self._waiting = asyncio.get_running_loop().create_future()
            await self._waiting
        self._has_news = False
        if self.ending is not None:
            return self.ending
        frame, self._frame = self._frame, None
        return frame

    def show(self, frame: Frame, *, anew: bool) -> None:
        """Put a frame in the place of one that was not taken.

        The first one is passed over when the viewer has it; then, whoever came with that id may still lack what only
        time has changed, and gets the next that is worked out, `anew` or not.
        """
        if self.ending is not None:
            return
        is_first, self._is_first = self._is_first, False
        if is_first and frame.event_id == self._seen:
            self.wake()
        elif is_first or anew or self._seen:
            self._seen = ""
            self._frame = frame
            self.wake()

    def wake(self) -> None:
        """Let `news` go on, with nothing when nothing came."""
        self._has_news = True
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(None)

    def end(self, ending: Ending) -> None:
        """Say how it ends; a frame that was not taken is not shown any more."""
        if self.ending is None:
            self.ending, self._frame = ending, None
            self.wake()
            self.has_ended.set()


class _Room:
    """The viewers of one topic, and its newest frame."""

    def __init__(self, topic: Topic) -> None:
        self.topic = topic
        self.viewers: dict[Viewer, None] = {}
        self.moved = asyncio.Event()
        self.newest: Frame | None = None
        self.task: asyncio.Task[None] | None = None
        self._heads: dict[str, tuple[str, int]] = {}
        self._leaving: list[Callable[[], None]] = []

    def watch(self, heads: Heads) -> None:
        for center_id in self.topic.center_ids:
            self._leaving.append(heads.watch(center_id, partial(self._on_head, center_id)))

    def leave(self) -> None:
        for leave in self._leaving:
            leave()

    def _on_head(self, center_id: str, epoch: str, version: int) -> None:
        if self._heads.get(center_id) != (epoch, version):
            self._heads[center_id] = (epoch, version)
            self.moved.set()

    def show(self, frame: Frame) -> None:
        is_new = self.newest is None or self.newest.content != frame.content
        self.newest = frame
        for viewer in list(self.viewers):
            viewer.show(frame, anew=is_new)

    def end(self, ending: Ending) -> None:
        for viewer in list(self.viewers):
            viewer.end(ending)


class LiveHub:
    """The topics that somebody of this process watches. `run` is a task of the composition root."""

    def __init__(
        self,
        heads: Heads,
        users: Callable[[Collection[LogIn]], Awaitable[Mapping[LogIn, User]]],
        clock: Clock,
        *,
        refresh_s: float = REFRESH_S,
        rights_interval_s: float = RIGHTS_INTERVAL_S,
        again_s: float = AGAIN_S,
    ) -> None:
        """Hear of `heads`, ask `users` for rights every `rights_interval_s`, refresh after `refresh_s` (seconds).

        After `again_s` a frame is tried again that could not be made because the database was away.
        """
        self._heads = heads
        self._users = users
        self._clock = clock
        self._refresh_s = refresh_s
        self._rights_interval_s = rights_interval_s
        self._again_s = again_s
        self._rooms: dict[str, _Room] = {}
        self._room_of: dict[Viewer, _Room] = {}
        self._of_user: Counter[str] = Counter()
        self.is_draining = False

    def __len__(self) -> int:
        """How many watch."""
        return len(self._room_of)

    def join(self, topic: Topic, seat: Seat) -> Viewer:
        """Watch a topic from now on, until `leave`.

        Raises:
            Unavailable: this server goes away, or has no room for another viewer.
            RateLimited: the user has as many streams open as one may have.

        """
        if self.is_draining:
            raise Unavailable("This server is about to stop; come back in a moment")
        room = self._rooms.get(topic.name)
        if self._of_user[seat.user_id] >= VIEWERS_OF_USER_MAX:
            raise RateLimited(f"You have {VIEWERS_OF_USER_MAX} live views open; close one", retry_after_s=30)
        if len(self) >= VIEWERS_MAX or (room is not None and len(room.viewers) >= VIEWERS_OF_TOPIC_MAX):
            raise Unavailable("This server has no room for another live view; ask for the board now and then instead")
        if room is None:
            room = self._open(topic)
        viewer = Viewer(seat)
        room.viewers[viewer] = None
        self._room_of[viewer] = room
        self._of_user[seat.user_id] += 1
        if room.newest is not None:
            viewer.show(room.newest, anew=True)
        return viewer

    def leave(self, viewer: Viewer) -> None:
        """Watch no longer; with its last viewer a topic ends."""
        room = self._room_of.pop(viewer, None)
        if room is None:
            return
        del room.viewers[viewer]
        self._of_user[viewer.seat.user_id] -= 1
        if not self._of_user[viewer.seat.user_id]:
            del self._of_user[viewer.seat.user_id]
        if not room.viewers:
            self._close(room)

    def drain(self) -> None:
        """End every stream with a word, and let nobody in any more; this process is going away."""
        self.is_draining = True
        for room in list(self._rooms.values()):
            room.end(Ending.DRAINING)

    async def run(self) -> None:
        """Look after everybody's rights until cancelled; then nothing is worked out any more."""
        try:
            while True:
                await asyncio.sleep(self._rights_interval_s)
                await self._check_whatever_happens()
        finally:
            self.drain()
            tasks = [room.task for room in self._rooms.values() if room.task is not None]
            for room in list(self._rooms.values()):
                self._close(room)
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _check_whatever_happens(self) -> None:
        """A defect must not leave anybody watching whose rights nobody looks after any more."""
        try:
            await self.check_rights()
        except Exception as error:  # noqa: BLE001 - the same
            _log.error("live_rights_failed", **facts_of(error))
            for viewer in list(self._room_of):
                viewer.end(Ending.FAILED)

    async def check_rights(self) -> None:
        """End the streams of those whose token ran out, or who may not stay by today's rights.

        While the database is away nobody's rights are known, and nothing new is shown to anybody either.
        """
        viewers = list(self._room_of)
        now_ms = self._clock.wall_ms()
        for viewer in viewers:
            if viewer.seat.good_until_ms <= now_ms:
                viewer.end(Ending.TOKEN_EXPIRED)
        asked = [viewer for viewer in viewers if viewer.ending is None]
        try:
            users = await self._users({viewer.seat.log_in for viewer in asked})
        except Unavailable:
            _log.warning("live_rights_not_checked", viewers=len(asked))
            return
        for viewer in asked:
            if not _may_stay(viewer.seat, users.get(viewer.seat.log_in)):
                viewer.end(Ending.RIGHTS_LOST)
        for room in list(self._rooms.values()):
            if room.topic.follows_rights:
                room.moved.set()

    def _open(self, topic: Topic) -> _Room:
        room = _Room(topic)
        self._rooms[topic.name] = room
        # Watched before anything is read, so that no move of the head falls in between.
        room.watch(self._heads)
        # It outlives the viewer who came first, and is for all who see this.
        with asks(Asking(within(topic.center_ids))):
            room.task = asyncio.create_task(self._keep(room), name=f"live {topic.name}")
        return room

    def _close(self, room: _Room) -> None:
        self._forget(room)
        if room.task is not None:
            room.task.cancel()

    def _forget(self, room: _Room) -> None:
        """Once: whoever comes next begins the topic anew, while the last viewers of this one still leave."""
        if self._rooms.get(room.topic.name) is room:
            del self._rooms[room.topic.name]
            room.leave()

    async def _keep(self, room: _Room) -> None:
        """Work the topic out again and again; a defect ends its streams, which come back, and no others."""
        try:
            while True:
                await self._compose_while_possible(room)
        except Exception as error:  # noqa: BLE001 - whatever the defect, nobody may go on looking at what is old
            _log.error("live_topic_failed", topic=room.topic.name, **facts_of(error))
            room.end(Ending.FAILED)
            self._forget(room)

    async def _compose_while_possible(self, room: _Room) -> None:
        loop, turns = asyncio.get_running_loop(), Turns()
        while True:
            await asyncio.sleep(turns.take(loop.time()) - loop.time())
            room.moved.clear()
            try:
                room.show(await room.topic.compose())
            except Unavailable:
                _log.warning("live_topic_not_composed", topic=room.topic.name, again_in_s=self._again_s)
                await asyncio.sleep(self._again_s)
                continue
            try:
                async with asyncio.timeout(self._refresh_s):
                    await room.moved.wait()
            except TimeoutError:
                continue


class Turns:
    """Turns at work that is done at most `COMPOSED_PER_S` times a second, whenever it is asked for."""

    def __init__(self) -> None:
        """None was taken yet."""
        self._taken_s = deque[float](maxlen=COMPOSED_PER_S)

    def take(self, now_s: float) -> float:
        """Take the next turn and give when it is (seconds): now, or when there are few enough in the second before it.

        It counts from when it was, and not from when a sleep that lasted longer let somebody go on: that would add up.
        """
        is_free = len(self._taken_s) < COMPOSED_PER_S
        self._taken_s.append(now_s if is_free else max(now_s, self._taken_s[0] + 1))
        return self._taken_s[-1]


def _may_stay(seat: Seat, user: User | None) -> bool:
    return user is not None and user.is_active and seat.may_stay(user)
