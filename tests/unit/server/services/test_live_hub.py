"""The hub of what is watched live: worked out once, the newest for everybody, and nobody stays without the right."""

import asyncio
import tracemalloc
from collections.abc import AsyncIterator, Callable, Collection
from contextlib import asynccontextmanager, suppress

import pytest

from server.core.errors import DatabaseUnavailable, RateLimited, Unavailable
from server.services.access import Grant, LogIn, RoleId, User
from server.services.live_hub import (
    COMPOSED_PER_S,
    VIEWERS_OF_TOPIC_MAX,
    VIEWERS_OF_USER_MAX,
    Ending,
    Frame,
    LiveHub,
    Seat,
    Topic,
    Turns,
    Viewer,
)
from tests.support.clock import START_MS, FakeClock

DEADLINE_S = 20
LONG_S = 3600.0
CENTER = "c1"


class Heads:
    """Tells of heads when the test says so."""

    def __init__(self) -> None:
        self.watching: list[tuple[str, Callable[[str, int], None]]] = []

    def watch(self, center_id: str, on_head: Callable[[str, int], None]) -> Callable[[], None]:
        self.watching.append((center_id, on_head))
        return lambda: self.watching.remove((center_id, on_head))

    def tell(self, version: int, center_id: str = CENTER) -> None:
        for watched, on_head in self.watching:
            if watched == center_id:
                on_head("e", version)


class Screen:
    """What is watched: its text and version, and how often it was worked out."""

    def __init__(self) -> None:
        self.version, self.text = 1, "calm"
        self.composed = 0
        self.failing: list[Exception] = []
        self._done = asyncio.Event()

    @property
    def topic(self) -> Topic:
        return Topic("screen", (CENTER,), self.compose)

    async def compose(self) -> Frame:
        self.composed += 1
        self._done.set()
        if self.failing:
            raise self.failing.pop()
        return Frame(f"e:{self.version}", f"{self.text} {self.composed}".encode(), self.text.encode())

    async def until(self, composed: int) -> None:
        async with asyncio.timeout(DEADLINE_S):
            while self.composed < composed:
                self._done.clear()
                await self._done.wait()


class World:
    """A hub, and what is around it."""

    def __init__(self, *, refresh_s: float = LONG_S) -> None:
        self.heads, self.screen, self.clock = Heads(), Screen(), FakeClock()
        self.users = {name: _user(name) for name in ("ruth", "bob")}
        self.is_away = False
        self.hub = LiveHub(
            self.heads, self._read, self.clock, refresh_s=refresh_s, rights_interval_s=LONG_S, again_s=0.001
        )

    async def _read(self, log_ins: Collection[LogIn]) -> dict[LogIn, User]:
        if self.is_away:
            raise DatabaseUnavailable
        return {one: self.users[one[0]] for one in log_ins if one[0] in self.users}

    def join(self, user_id: str = "ruth", *, seen: str = "", good_for_ms: int = 900_000) -> Viewer:
        seat = Seat(user_id, START_MS + good_for_ms, lambda user: bool(user.grants), seen)
        return self.hub.join(self.screen.topic, seat)

    def change(self, text: str) -> None:
        self.screen.version, self.screen.text = self.screen.version + 1, text
        self.heads.tell(self.screen.version)


def _user(name: str, *, active: bool = True, grants: tuple[Grant, ...] = (Grant(RoleId.STAFF, CENTER),)) -> User:
    return User(name, "o", f"{name}@example.org", name, active, grants)


@pytest.fixture
async def world() -> AsyncIterator[World]:
    async with running(World()) as found:
        yield found


@asynccontextmanager
async def running(world: World) -> AsyncIterator[World]:
    task = asyncio.create_task(world.hub.run())
    await asyncio.sleep(0)
    yield world
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert not world.heads.watching, "nobody watches any more"


async def news_of(viewer: Viewer, within_s: float = 0) -> Frame | Ending | None:
    """What there is to hear now, or so many seconds later; None when there is nothing."""
    with suppress(TimeoutError):
        async with asyncio.timeout(within_s):
            return await viewer.news()
    return None


async def shown(viewer: Viewer) -> Frame:
    """The next frame; what has nothing new is passed over."""
    async with asyncio.timeout(DEADLINE_S):
        while (news := await viewer.news()) is None:
            pass
    assert isinstance(news, Frame), news
    return news


async def test_one_frame_is_worked_out_and_all_get_the_same_bytes(world: World) -> None:
    first, second = world.join(), world.join("bob")
    frames = [await shown(first), await shown(second)]
    assert frames[0].data is frames[1].data
    assert world.screen.composed == 1
    world.change("busy")
    frames = [await shown(first), await shown(second), await shown(world.join())]
    assert [frame.event_id for frame in frames] == ["e:2"] * 3
    assert frames[0].data is frames[1].data is frames[2].data
    assert world.screen.composed == 2


async def test_a_head_that_is_told_again_moves_nothing(world: World) -> None:
    viewer = world.join()
    await shown(viewer)
    world.change("busy")
    await shown(viewer)
    for _ in range(3):
        world.heads.tell(2)
    world.change("calm")
    assert (await shown(viewer)).content == b"calm"
    assert world.screen.composed == 3


async def test_a_slow_viewer_gets_the_newest_and_delays_nobody(world: World) -> None:
    slow, quick = world.join("bob"), world.join()
    await shown(quick)
    for text in ("one", "two", "three"):
        world.change(text)
        assert (await shown(quick)).content == text.encode()
    assert (await shown(slow)).content == b"three"
    assert await news_of(slow) is None


async def test_two_hundred_viewers_that_never_read_cost_one_board_and_delay_nobody(world: World) -> None:
    world.users |= {name: _user(name) for name in map(str, range(10))}
    never = [world.join(name) for name in map(str, range(10)) for _ in range(20)]
    quick = world.join()
    await shown(quick)
    text, bytes_before = "b" * 100_000, 0
    tracemalloc.start()
    try:
        for number in range(30):
            world.change(f"{text}{number}")
            assert (await shown(quick)).content.endswith(str(number).encode())
            bytes_before = bytes_before or tracemalloc.get_traced_memory()[0]
        assert tracemalloc.get_traced_memory()[0] - bytes_before < 10 * len(text), "200 times 29 boards would be 580 MB"
    finally:
        tracemalloc.stop()
    kept = [await shown(viewer) for viewer in never]
    assert len({id(frame.data) for frame in kept}) == 1
    assert kept[0].content.endswith(b"29")


async def test_who_has_the_current_frame_gets_a_comment_and_then_what_time_has_changed() -> None:
    async with running(World(refresh_s=0.01)) as world:
        resumed, older = world.join(seen="e:1"), world.join(seen="e:0")
        assert await resumed.news() is None
        assert (await shown(older)).event_id == "e:1"
        assert (await shown(resumed)).content == b"calm", "its own may be older than the last refresh"
        late = world.join("bob", seen="e:1")
        assert await late.news() is None
        assert (await shown(late)).content == b"calm"


async def test_time_alone_shows_what_changed_and_nothing_else() -> None:
    async with running(World(refresh_s=0.005)) as world:
        viewer = world.join()
        await shown(viewer)
        await world.screen.until(world.screen.composed + 3)
        assert await news_of(viewer) is None
        world.screen.text = "late"
        assert (await shown(viewer)).content == b"late"


async def test_many_moves_are_few_frames(world: World) -> None:
    viewer, loop = world.join(), asyncio.get_running_loop()
    await shown(viewer)
    began_s = loop.time()
    while world.screen.composed <= COMPOSED_PER_S + 1:
        world.change(f"move {world.screen.version}")
        await shown(viewer)
    assert loop.time() - began_s >= 0.95


async def test_viewers_are_bounded_and_leaving_makes_room(world: World) -> None:
    mine = [world.join() for _ in range(VIEWERS_OF_USER_MAX)]
    with pytest.raises(RateLimited):
        world.join()
    world.hub.leave(mine[0])
    world.hub.leave(mine[0])
    mine[0] = world.join()
    others = [world.join(f"user {number}") for number in range(VIEWERS_OF_TOPIC_MAX - len(mine))]
    assert len(world.hub) == VIEWERS_OF_TOPIC_MAX
    with pytest.raises(Unavailable):
        world.join("bob")
    for viewer in (*mine, *others):
        world.hub.leave(viewer)
    assert len(world.hub) == 0
    assert not world.heads.watching
    assert isinstance(await shown(world.join("bob")), Frame)


async def test_who_lost_the_right_is_told_so_and_shown_nothing_more(world: World) -> None:
    stays, gone, off, expired = world.join(), world.join("bob"), world.join("ann"), world.join(good_for_ms=60_000)
    world.users["ann"] = _user("ann")
    await shown(stays)
    await world.hub.check_rights()
    assert [viewer.ending for viewer in (stays, gone, off, expired)] == [None] * 4
    world.users["bob"] = _user("bob", grants=())
    world.users["ann"] = _user("ann", active=False)
    world.clock.advance_ms(60_000)
    await world.hub.check_rights()
    assert [await news_of(viewer) for viewer in (gone, off)] == [Ending.RIGHTS_LOST] * 2
    assert await news_of(expired) is Ending.TOKEN_EXPIRED
    world.change("secret")
    assert (await shown(stays)).content == b"secret"
    assert await news_of(gone) is None
    del world.users["ruth"]
    await world.hub.check_rights()
    assert await news_of(stays) is Ending.RIGHTS_LOST


async def test_a_family_follows_all_its_centres_and_rights_that_no_log_tells_of(world: World) -> None:
    topic = Topic("family", (CENTER, "c2"), world.screen.compose, follows_rights=True)
    viewer = world.hub.join(topic, Seat("ruth", START_MS + 900_000, bool))
    await shown(viewer)
    for text, center_id in (("here", CENTER), ("there", "c2")):
        world.screen.text = text
        world.heads.tell(1, center_id)
        assert (await shown(viewer)).content == text.encode(), "one version of two logs is not one version"
    world.screen.text = "less"
    await world.hub.check_rights()
    assert (await shown(viewer)).content == b"less"
    world.hub.leave(viewer)
    board = world.join()
    await shown(board)
    composed = world.screen.composed
    await world.hub.check_rights()
    assert await news_of(board, 0.05) is None
    assert world.screen.composed == composed, "a board has no such rights"


async def test_without_a_database_tokens_still_run_out_and_nobody_else_is_sent_away(world: World) -> None:
    stays, expired = world.join(), world.join(good_for_ms=0)
    world.is_away = True
    await world.hub.check_rights()
    assert (stays.ending, expired.ending) == (None, Ending.TOKEN_EXPIRED)


async def test_what_could_not_be_worked_out_is_tried_again(world: World) -> None:
    world.screen.failing = [DatabaseUnavailable(), DatabaseUnavailable()]
    assert (await shown(world.join())).content == b"calm"
    assert world.screen.composed == 3


async def test_a_defect_ends_the_streams_and_the_next_viewer_begins_anew(world: World) -> None:
    viewer = world.join()
    await shown(viewer)
    world.screen.failing = [ZeroDivisionError()]
    world.change("broken")
    assert await viewer.news() is Ending.FAILED
    again = world.join()
    assert (await shown(again)).content == b"broken"
    world.hub.leave(viewer)
    world.change("well")
    assert (await shown(again)).content == b"well"
    world.hub.leave(again)
    assert len(world.hub) == 0


async def test_a_server_that_goes_away_says_so_and_lets_nobody_in(world: World) -> None:
    viewers = [world.join(), world.join("bob")]
    world.hub.drain()
    assert [await news_of(viewer) for viewer in viewers] == [Ending.DRAINING] * 2
    with pytest.raises(Unavailable):
        world.join()


def test_a_turn_that_came_late_makes_no_later_one_late() -> None:
    turns, interval_s = Turns(), 1 / COMPOSED_PER_S
    # Changes at the highest rate for a minute: each is late by what itself was late, and not by what others were.
    for number in range(60 * COMPOSED_PER_S):
        came_s = number * interval_s + (0.004 if number % 7 == 0 else 0.0)
        assert turns.take(came_s) <= number * interval_s + 0.004 + 1e-6
    # A second with twice as many holds up itself and the next one.
    found = [turns.take(60 + number * interval_s / 2) for number in range(2 * COMPOSED_PER_S)]
    assert found[-1] - found[0] >= 1
    assert turns.take(63.0) == 63.0
