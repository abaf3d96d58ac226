"""The door of the devices, served by uvicorn on PostgreSQL, and what a real WebSocket client says and hears there."""

import asyncio
import json
import os
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import pytest
import uvicorn
from fastapi import FastAPI
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.typing import Subprotocol

from server.controllers.sync_socket import (
    ROUTE,
    SEND_DEADLINE_S,
    SyncParts,
    SyncSocket,
    router,
)
from server.core.clock import SystemClock
from server.core.database import create_engine
from server.core.tokens import TokenPurpose, Tokens
from server.repositories.heads import HeadListener
from server.services.followers import POLL_INTERVAL_S, Followers
from sync.codec import decode_from_server, encode
from sync.journal import Entry
from sync.limits import FRAME_BYTES_MAX, PROTOCOL_MIN, PROTOCOL_VERSION, SUBPROTOCOL
from sync.messages import (
    Applied,
    Challenge,
    Heartbeat,
    Hello,
    Push,
    PushStored,
    ServerMessage,
    SnapshotPart,
    Welcome,
)
from tests.contract.postgres_world import PostgresWorld, make_world
from tests.contract.server_world import Desk
from tests.support.postgres import FreshDatabase

DEADLINE_S = 60


@dataclass
class Served:
    """A door that is open, and what stands behind it."""

    url: str
    world: PostgresWorld
    tokens: Tokens
    followers: Followers

    def headers(self, desk: Desk, *, lifetime_s: int = 900) -> dict[str, str]:
        """The header that lets a desk in."""
        token = self.tokens.issue(TokenPurpose.DEVICE, desk.key.device_id, lifetime_s=lifetime_s)
        return {"Authorization": f"Bearer {token}"}

    def knock(self, headers: dict[str, str], *, subprotocol: str = SUBPROTOCOL, receive_buffer_bytes: int = 0) -> Any:
        """Open a link with these headers, on a socket that holds only so many unread bytes (0: as ever)."""
        return connect(
            self.url,
            additional_headers=headers,
            subprotocols=[Subprotocol(subprotocol)],
            proxy=None,
            max_size=None,
            sock=self._narrow_socket(receive_buffer_bytes) if receive_buffer_bytes else None,
        )

    def link(self, desk: Desk, *, lifetime_s: int = 900, receive_buffer_bytes: int = 0) -> Any:
        """Open a link as a desk."""
        return self.knock(self.headers(desk, lifetime_s=lifetime_s), receive_buffer_bytes=receive_buffer_bytes)

    def _narrow_socket(self, receive_buffer_bytes: int) -> socket.socket:
        place = urlsplit(self.url)
        narrow = socket.socket()
        narrow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer_bytes)
        narrow.connect((place.hostname, place.port))
        narrow.setblocking(False)
        return narrow


@asynccontextmanager
async def serving(
    database: FreshDatabase,
    *,
    sockets_max: int = 100,
    send_deadline_s: float = SEND_DEADLINE_S,
    poll_interval_s: float = POLL_INTERVAL_S,
    send_buffer_bytes: int = 0,
    change: Callable[[PostgresWorld], None] = lambda _world: None,
) -> AsyncIterator[Served]:
    """Serve the door on a port of this machine; `change` may put other parts into the world before.

    With `send_buffer_bytes` the kernel holds no more than about that for a client that does not read.
    """
    engine = create_engine(database.urls.app, lock_timeout_ms=300)
    world, clock = make_world(engine), SystemClock()
    change(world)
    tokens = Tokens("s" * 32, clock)
    standings = world.store.standings
    followers = Followers(world.units, HeadListener(engine), standings, world.clock, poll_interval_s=poll_interval_s)
    parts = SyncParts(tokens, world.store, followers, clock, os.urandom, sockets_max, send_deadline_s)
    app = FastAPI()
    app.include_router(router)
    app.state.sync_socket = SyncSocket(parts)
    # As shipped; and without pings of its own, so that what ends a link here is the protocol's doing.
    config = uvicorn.Config(
        app,
        host="127.0.0.1",
        port=0,
        lifespan="off",
        log_config=None,
        ws_max_size=FRAME_BYTES_MAX,
        ws_per_message_deflate=False,
        ws_ping_interval=None,
    )
    server = uvicorn.Server(config)
    listener = socket.create_server(("127.0.0.1", 0))
    if send_buffer_bytes:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, send_buffer_bytes)
    tasks = [asyncio.create_task(followers.run()), asyncio.create_task(server.serve(sockets=[listener]))]
    try:
        async with asyncio.timeout(DEADLINE_S):
            await followers.is_listening.wait()
            while not server.started:
                await asyncio.sleep(0.01)
        port = listener.getsockname()[1]
        yield Served(f"ws://127.0.0.1:{port}{ROUTE}", world, tokens, followers)
    finally:
        server.should_exit = True
        await asyncio.gather(tasks[1], return_exceptions=True)
        tasks[0].cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await engine.dispose()


async def refused(knock: Any) -> tuple[int, dict[str, Any]]:
    """What an upgrade that is turned away is told."""
    with pytest.raises(InvalidStatus) as turned_away:
        async with knock:
            pass
    response = turned_away.value.response
    assert response.headers["content-type"] == "application/problem+json"
    assert response.body is not None
    problem = json.loads(response.body)
    assert problem["status"] == response.status_code
    assert problem["type"] == f"/problems/{problem['code']}"
    return response.status_code, problem


async def say(link: ClientConnection, message: Any) -> None:
    await link.send(encode(message))


async def hear(link: ClientConnection, kind: type[ServerMessage]) -> Any:
    """The next message of a kind; heartbeats in between are passed over."""
    async with asyncio.timeout(DEADLINE_S):
        while True:
            frame = await link.recv()
            assert isinstance(frame, bytes)
            message = decode_from_server(frame)
            if isinstance(message, kind):
                return message
            assert isinstance(message, Heartbeat | Challenge), message


async def closed(link: ClientConnection) -> int:
    """The code with which the server closes the link."""
    with suppress(ConnectionClosed):
        async with asyncio.timeout(DEADLINE_S):
            while True:
                await link.recv()
    assert link.close_code is not None
    return link.close_code


async def greet(link: ClientConnection, desk: Desk, *, protocol: int = PROTOCOL_VERSION) -> Welcome:
    await say(link, hello_from(desk, protocol=protocol))
    welcome = await hear(link, Welcome)
    assert isinstance(welcome, Welcome)
    return welcome


def hello_from(desk: Desk, *, protocol: int = PROTOCOL_VERSION) -> Hello:
    """The first message of a desk with an empty replica."""
    return Hello(
        protocol_min=PROTOCOL_MIN,
        protocol_max=protocol,
        app_version="test",
        schema_version=1,
        incarnation=desk.incarnation,
        epoch="",
        version=0,
        hash=b"",
        journal_seq=desk.head.seq,
        journal_hash=desk.head.hash,
        queue_depth=0,
        wall_ms=0,
        monotonic_ms=5,
    )


async def received(link: ClientConnection) -> bytes:
    """The next frame as it is."""
    async with asyncio.timeout(DEADLINE_S):
        frame = await link.recv()
    assert isinstance(frame, bytes)
    return frame


async def challenged(link: ClientConnection) -> Challenge:
    """The challenge of the server; what comes before it is passed over."""
    while True:
        message = decode_from_server(await received(link))
        if isinstance(message, Challenge):
            return message


async def follow(link: ClientConnection, desk: Desk) -> Welcome:
    """Greet, take the snapshot (of one part), and follow the log from there."""
    welcome = await greet(link, desk)
    part = await hear(link, SnapshotPart)
    assert (part.part, part.parts) == (1, 1)
    await say(link, Applied(epoch=part.epoch, version=part.version))
    return welcome


async def push(link: ClientConnection, *entries: Entry) -> PushStored:
    await say(link, Push(entries))
    stored = await hear(link, PushStored)
    assert isinstance(stored, PushStored)
    return stored
