"""A stream of server-sent events, at the edge of ASGI: what is sent, and when it ends by itself."""

import asyncio
from collections.abc import Callable

import pytest
from starlette.types import Message

from server.controllers.event_stream import EventStream
from server.services.live_hub import Ending, Frame, LiveHub, Seat, Topic, Viewer
from tests.support.clock import START_MS, FakeClock

DEADLINE_S = 20
STILL = b": nothing new\n\nevent: still\ndata: {}\n\n"
HELLO = b": rollcall\nretry: 2000\n\n"


class NoHeads:
    """Nothing moves."""

    def watch(self, _center_id: str, _on_head: Callable[[str, int], None]) -> Callable[[], None]:
        return lambda: None


class Client:
    """The other end: takes messages, or none at all from some on, and may hang up."""

    def __init__(self, *, takes: int = 1_000) -> None:
        self.bodies: list[bytes] = []
        self.takes = takes
        self.hung_up = asyncio.Event()
        self.headers: dict[bytes, bytes] = {}
        self._took = asyncio.Event()

    async def receive(self) -> Message:
        await self.hung_up.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        if len(self.bodies) >= self.takes:
            await asyncio.Event().wait()
        if message["type"] == "http.response.start":
            self.headers = dict(message["headers"])
            return
        self.bodies.append(message["body"])
        self._took.set()

    async def until(self, body: bytes) -> None:
        async with asyncio.timeout(DEADLINE_S):
            while body not in self.bodies:
                self._took.clear()
                await self._took.wait()


class Room:
    """A hub with one viewer and one frame."""

    def __init__(self) -> None:
        self.hub = LiveHub(NoHeads(), dict.fromkeys, FakeClock())  # type: ignore[arg-type]
        self.viewer = self.hub.join(Topic("t", ("c",), self._compose), Seat("u", START_MS, bool))

    async def _compose(self) -> Frame:
        return Frame("e:1", b"data: 1\n\n", b"1")

    def stream(self, client: Client, **more: float) -> "asyncio.Task[None]":
        stream = EventStream(self.hub, self.viewer, **more)
        return asyncio.create_task(stream({"type": "http"}, client.receive, client.send))


async def _ended(task: "asyncio.Task[None]", room: Room) -> None:
    async with asyncio.timeout(DEADLINE_S):
        await task
    assert len(room.hub) == 0


async def test_a_stream_says_hello_shows_frames_and_says_good_bye() -> None:
    room, client = Room(), Client()
    task = room.stream(client)
    await client.until(b"data: 1\n\n")
    room.viewer.end(Ending.RIGHTS_LOST)
    await _ended(task, room)
    assert client.bodies == [HELLO, b"data: 1\n\n", b'event: bye\ndata: {"reason": "rights_lost"}\n\n', b""]
    assert client.headers[b"content-type"].startswith(b"text/event-stream")
    assert client.headers[b"cache-control"] == b"no-store, no-transform"


async def test_a_silent_stream_says_that_nothing_is_new_so_that_pages_hear_it() -> None:
    room, client = Room(), Client()
    task = room.stream(client, heartbeat_s=0.001)
    await client.until(STILL)
    room.viewer.end(Ending.DRAINING)
    await _ended(task, room)


@pytest.mark.parametrize("takes", [1, 2])
async def test_a_client_that_hangs_up_is_a_viewer_less(takes: int) -> None:
    room, client = Room(), Client(takes=takes)
    task = room.stream(client)
    await client.until(HELLO)
    client.hung_up.set()
    await _ended(task, room)


async def test_a_client_that_does_not_read_is_given_up() -> None:
    room, client = Room(), Client(takes=1)
    await _ended(room.stream(client, send_deadline_s=0.001), room)


async def test_one_that_does_not_take_its_good_bye_is_cut() -> None:
    room, client = Room(), Client(takes=2)
    task = room.stream(client, ending_s=0)
    await client.until(b"data: 1\n\n")
    room.viewer.end(Ending.DRAINING)
    await _ended(task, room)
    assert client.bodies == [HELLO, b"data: 1\n\n"]


async def test_what_is_broken_is_not_hidden() -> None:
    room, client = Room(), Client()

    async def broken(_message: Message) -> None:
        raise ZeroDivisionError

    stream = EventStream(room.hub, room.viewer)
    with pytest.raises(ZeroDivisionError):
        await stream({"type": "http"}, client.receive, broken)
    assert len(room.hub) == 0


def test_a_viewer_that_is_woken_without_news_hears_that_nothing_is_new() -> None:
    viewer = Viewer(Seat("u", START_MS, bool))
    viewer.wake()
    assert asyncio.run(viewer.news()) is None


async def test_a_stream_that_shows_something_is_not_silent_and_one_that_is_says_so_again_and_again() -> None:
    room, client = Room(), Client()
    task = room.stream(client, heartbeat_s=0.001)
    async with asyncio.timeout(DEADLINE_S):
        while client.bodies.count(STILL) < 3:
            await asyncio.sleep(0)
    client.hung_up.set()
    await _ended(task, room)
    lively, other = Room(), Client()
    task = lively.stream(other, heartbeat_s=DEADLINE_S)
    await other.until(b"data: 1\n\n")
    other.hung_up.set()
    await _ended(task, lively)
    assert STILL not in other.bodies
