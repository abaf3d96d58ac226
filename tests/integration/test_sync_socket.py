"""The door of the devices, served by uvicorn on PostgreSQL and knocked at by a real WebSocket client."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from server.core.tokens import TokenPurpose
from sync.codec import decode_from_server, encode
from sync.errors import CloseCode
from sync.journal import Outcome
from sync.limits import FRAME_BYTES_MAX, SUBPROTOCOL
from sync.messages import (
    Advice,
    AdviceKind,
    ForkFound,
    Heartbeat,
    Page,
    Plan,
    Push,
    PushStored,
    SnapshotPart,
)
from tests.contract.server_world import Desk, make_desk
from tests.support.postgres import FreshDatabase
from tests.support.sync_door import (
    DEADLINE_S,
    Served,
    closed,
    follow,
    greet,
    hear,
    push,
    refused,
    say,
    serving,
)

pytestmark = pytest.mark.postgres


@pytest.fixture
async def door(database: FreshDatabase) -> AsyncIterator[Served]:
    async with serving(database) as served:
        yield served


@pytest.fixture
async def desk(door: Served) -> Desk:
    return await make_desk(door.world, await door.world.make_center())


# -- at the door


async def test_a_device_without_a_token_is_turned_away(door: Served) -> None:
    status, problem = await refused(door.knock({}))
    assert (status, problem["code"]) == (401, "unauthenticated")


@pytest.mark.parametrize("header", ["Bearer", "Bearer x.y.z", "Basic eA==", "Bearer \xff"])
async def test_a_bad_token_is_turned_away(door: Served, header: str) -> None:
    status, _ = await refused(door.knock({"Authorization": header}))
    assert status == 401


async def test_a_token_for_people_opens_no_link(door: Served, desk: Desk) -> None:
    token = door.tokens.issue(TokenPurpose.ACCESS, desk.key.device_id, lifetime_s=60, session_id=desk.key.device_id)
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


async def test_a_suspended_device_is_turned_away(door: Served, desk: Desk) -> None:
    await door.world.execute("UPDATE device SET state = 'suspended'")
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


async def test_a_forked_journal_is_named_and_the_link_goes_on(door: Served, desk: Desk) -> None:
    child = await door.world.make_child(desk.key.center_id)
    clone = Desk(desk.key, desk.private_key, desk.incarnation)
    async with door.link(desk) as link:
        await greet(link, desk)
        await hear(link, SnapshotPart)
        await push(link, desk.check_in(child))
        await say(link, Push((clone.check_in(child, minute=3),)))
        assert await hear(link, ForkFound) == ForkFound(desk.incarnation, 1)
        reborn = Desk(desk.key, desk.private_key)
        assert (await push(link, reborn.check_in(child, minute=3))).through_seq == 1


async def test_a_forked_journal_closes_the_link_of_an_older_kiosk(door: Served, desk: Desk) -> None:
    child = await door.world.make_child(desk.key.center_id)
    clone = Desk(desk.key, desk.private_key, desk.incarnation)
    async with door.link(desk) as link:
        await greet(link, desk, protocol=1)
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
