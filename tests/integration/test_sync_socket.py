"""The door of the devices, served by uvicorn on PostgreSQL and knocked at by a real WebSocket client."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any

import pytest
import uvicorn
from fastapi import FastAPI
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.typing import Subprotocol

from server.controllers.sync_socket import ROUTE, SyncParts, SyncSocket
from server.core.clock import SystemClock
from server.core.database import create_engine
from server.core.tokens import TokenPurpose, Tokens
from server.repositories.heads import HeadListener
from server.services.followers import Followers
from sync.codec import decode_from_server, encode
from sync.errors import CloseCode
from sync.journal import Entry, Outcome
from sync.limits import FRAME_BYTES_MAX, PROTOCOL_VERSION, SUBPROTOCOL
from sync.messages import (
    Advice,
    AdviceKind,
    Applied,
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
from tests.contract.postgres_world import PostgresWorld, make_world
from tests.contract.server_world import Desk, make_desk
from tests.support.postgres import FreshDatabase

pytestmark = pytest.mark.postgres

DEADLINE_S = 20


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

    def knock(self, headers: dict[str, str], *, subprotocol: str = SUBPROTOCOL) -> Any:
        """Open a link with these headers."""
        return connect(
            self.url, additional_headers=headers, subprotocols=[Subprotocol(subprotocol)], proxy=None, max_size=None
        )

    def link(self, desk: Desk, *, lifetime_s: int = 900) -> Any:
        """Open a link as a desk."""
        return self.knock(self.headers(desk, lifetime_s=lifetime_s))


@asynccontextmanager
async def serving(database: FreshDatabase, *, sockets_max: int = 100) -> AsyncIterator[Served]:
    """Serve the door on a port of this machine."""
    engine = create_engine(database.urls.app, lock_timeout_ms=300)
    world, clock = make_world(engine), SystemClock()
    tokens = Tokens("s" * 32, clock)
    followers = Followers(world.units, HeadListener(engine))
    app = FastAPI()
    app.include_router(SyncSocket(SyncParts(tokens, world.store, followers, clock, sockets_max)).router())
    config = uvicorn.Config(app, host="127.0.0.1", port=0, lifespan="off", log_config=None, ws_max_size=FRAME_BYTES_MAX)
    server = uvicorn.Server(config)
    tasks = [asyncio.create_task(followers.run()), asyncio.create_task(server.serve())]
    try:
        async with asyncio.timeout(DEADLINE_S):
            await followers.is_listening.wait()
            while not server.started:
                await asyncio.sleep(0.01)
        port = server.servers[0].sockets[0].getsockname()[1]
        yield Served(f"ws://127.0.0.1:{port}{ROUTE}", world, tokens, followers)
    finally:
        server.should_exit = True
        await asyncio.gather(tasks[1], return_exceptions=True)
        tasks[0].cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await engine.dispose()


@pytest.fixture
async def door(database: FreshDatabase) -> AsyncIterator[Served]:
    async with serving(database) as served:
        yield served


@pytest.fixture
async def desk(door: Served) -> Desk:
    return await make_desk(door.world, await door.world.make_center())


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
            assert isinstance(message, Heartbeat), message


async def closed(link: ClientConnection) -> int:
    """The code with which the server closes the link."""
    with suppress(ConnectionClosed):
        async with asyncio.timeout(DEADLINE_S):
            while True:
                await link.recv()
    assert link.close_code is not None
    return link.close_code


async def greet(link: ClientConnection, desk: Desk) -> Welcome:
    hello = Hello(
        protocol_min=PROTOCOL_VERSION,
        protocol_max=PROTOCOL_VERSION,
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
    await say(link, hello)
    welcome = await hear(link, Welcome)
    assert isinstance(welcome, Welcome)
    return welcome


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


# -- at the door


async def test_a_device_without_a_token_is_turned_away(door: Served) -> None:
    status, problem = await refused(door.knock({}))
    assert (status, problem["code"]) == (401, "unauthenticated")


@pytest.mark.parametrize("header", ["Bearer", "Bearer x.y.z", "Basic eA==", "Bearer \xff"])
async def test_a_bad_token_is_turned_away(door: Served, header: str) -> None:
    status, _ = await refused(door.knock({"Authorization": header}))
    assert status == 401


async def test_a_token_for_people_opens_no_link(door: Served, desk: Desk) -> None:
    token = door.tokens.issue(TokenPurpose.ACCESS, desk.key.device_id, lifetime_s=60)
    status, _ = await refused(door.knock({"Authorization": f"Bearer {token}"}))
    assert status == 401


async def test_a_device_nobody_knows_is_turned_away(door: Served, desk: Desk) -> None:
    token = door.tokens.issue(TokenPurpose.DEVICE, desk.key.center_id, lifetime_s=60)
    status, _ = await refused(door.knock({"Authorization": f"Bearer {token}"}))
    assert status == 401


async def test_a_token_whose_subject_is_no_id_is_turned_away(door: Served) -> None:
    token = door.tokens.issue(TokenPurpose.DEVICE, "somebody", lifetime_s=60)
    status, _ = await refused(door.knock({"Authorization": f"Bearer {token}"}))
    assert status == 401


async def test_a_revoked_device_is_turned_away(door: Served, desk: Desk) -> None:
    await door.world.revoke(desk.key)
    status, problem = await refused(door.link(desk))
    assert (status, problem["code"]) == (403, "not_entitled")


async def test_a_client_of_another_protocol_is_told_which_one(door: Served, desk: Desk) -> None:
    status, problem = await refused(door.knock(door.headers(desk), subprotocol="rollcall.sync.v0"))
    assert status == 400
    assert SUBPROTOCOL in problem["detail"]


async def test_a_full_server_asks_to_come_back(database: FreshDatabase) -> None:
    async with serving(database, sockets_max=1) as door:
        desk = await make_desk(door.world, await door.world.make_center())
        async with door.link(desk) as link:
            assert link.subprotocol == SUBPROTOCOL
            status, problem = await refused(door.link(desk))
            assert (status, problem["code"]) == (503, "unavailable")


# -- on the link


async def test_a_push_is_acknowledged_and_reaches_the_other_desk(door: Served, desk: Desk) -> None:
    child = await door.world.make_child(desk.key.center_id)
    other = await make_desk(door.world, desk.key.center_id)
    async with door.link(desk) as link, door.link(other) as other_link:
        welcome = await follow(link, desk)
        assert (welcome.plan, welcome.stored_seq, welcome.echo_monotonic_ms) == (Plan.SNAPSHOT, 0, 5)
        await follow(other_link, other)
        entry = desk.check_in(child)
        await say(link, Push((entry,)))
        page = await hear(other_link, Page)
        assert [change.entity_id for change in page.changes] == [entry.event_id]
        async with asyncio.timeout(DEADLINE_S):
            answers = [decode_from_server(await link.recv()) for _ in range(2)]
        (stored,) = (answer for answer in answers if isinstance(answer, PushStored))
        assert (stored.through_seq, stored.hash) == (1, entry.hash)
        assert [outcome.outcome for outcome in stored.outcomes] == [Outcome.APPLIED]
        assert [answer.changes for answer in answers if isinstance(answer, Page)] == [page.changes]


async def test_a_device_that_comes_back_goes_on_where_the_server_stands(door: Served, desk: Desk) -> None:
    child = await door.world.make_child(desk.key.center_id)
    entry = desk.check_in(child)
    async with door.link(desk) as link:
        await greet(link, desk)
        await hear(link, SnapshotPart)
        first = await push(link, entry)
    async with door.link(desk) as link:
        welcome = await greet(link, desk)
        assert (welcome.stored_seq, welcome.stored_hash, welcome.head_version) == (1, entry.hash, 1)
        await hear(link, SnapshotPart)
        assert await push(link, entry) == first


async def test_a_forked_journal_closes_the_link_with_its_own_code(door: Served, desk: Desk) -> None:
    child = await door.world.make_child(desk.key.center_id)
    clone = Desk(desk.key, desk.private_key, desk.incarnation)
    async with door.link(desk) as link:
        await greet(link, desk)
        await hear(link, SnapshotPart)
        await push(link, desk.check_in(child))
        await say(link, Push((clone.check_in(child, minute=3),)))
        assert await closed(link) == CloseCode.FORK


@pytest.mark.parametrize(
    ("frame", "code"),
    [
        ("text", CloseCode.UNDECODABLE),
        (b"", CloseCode.UNDECODABLE),
        (b"\xc1garbage", CloseCode.UNDECODABLE),
        (b"\x91" * 10_000, CloseCode.UNDECODABLE),
        (bytes(FRAME_BYTES_MAX + 1), CloseCode.TOO_BIG),
        (encode(Heartbeat(version=0)), CloseCode.PROTOCOL_VIOLATION),
    ],
    ids=["text", "empty", "garbage", "deep", "large", "before Hello"],
)
async def test_what_is_no_message_closes_the_link_with_its_code(
    door: Served, desk: Desk, frame: str | bytes, code: CloseCode
) -> None:
    async with door.link(desk) as link:
        await link.send(frame)
        assert await closed(link) == code


async def test_the_link_ends_with_its_token(door: Served, desk: Desk) -> None:
    async with door.link(desk, lifetime_s=2) as link:
        await follow(link, desk)
        assert await closed(link) == CloseCode.UNAUTHENTICATED


async def test_the_link_ends_within_five_seconds_of_the_devices_right(door: Served, desk: Desk) -> None:
    async with door.link(desk) as link:
        await follow(link, desk)
        await door.world.revoke(desk.key)
        async with asyncio.timeout(5):
            assert await closed(link) == CloseCode.REVOKED


async def test_a_server_that_goes_away_says_when_to_come_back(door: Served, desk: Desk) -> None:
    async with door.link(desk) as link:
        await follow(link, desk)
        door.followers.drain(1_500)
        assert await hear(link, Advice) == Advice(kind=AdviceKind.COME_BACK_LATER, delay_ms=1_500)
        assert await closed(link) == CloseCode.GOING_AWAY
    status, _ = await refused(door.link(desk))
    assert status == 503


async def test_a_store_that_is_away_closes_the_link_and_the_push_can_be_sent_again(door: Served, desk: Desk) -> None:
    center = desk.key.center_id
    entry = desk.check_in(await door.world.make_child(center))
    async with door.link(desk) as link:
        await follow(link, desk)
        async with door.world.units.begin() as unit:
            await unit.lock_head(center)
            await say(link, Push((entry,)))
            advice = await hear(link, Advice)
            assert advice.kind is AdviceKind.COME_BACK_LATER
            assert await closed(link) == CloseCode.STORE_UNAVAILABLE
    async with door.link(desk) as link:
        assert (await greet(link, desk)).stored_seq == 0
        await hear(link, SnapshotPart)
        assert (await push(link, entry)).through_seq == 1


async def test_links_that_are_gone_are_forgotten(door: Served, desk: Desk) -> None:
    async with door.link(desk) as link:
        await follow(link, desk)
        assert len(door.followers) == 1
    async with asyncio.timeout(DEADLINE_S):
        while len(door.followers):
            await asyncio.sleep(0.01)
