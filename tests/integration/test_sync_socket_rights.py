"""Who may stay at the door of the devices and for how long: proofs, revoked devices, and what is bounded."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from server.controllers.sync_socket import (
    REVOKED_PUSH_INTERVAL_MS,
)
from server.services.journal_intake import JournalIntake
from server.services.sync_store import ServerStore
from sync.codec import decode_from_server, encode
from sync.errors import CloseCode
from sync.journal import Outcome, ParkReason
from sync.limits import SILENCE_MAX_MS
from sync.messages import (
    Advice,
    AdviceKind,
    Applied,
    Heartbeat,
    Page,
    Plan,
    Proof,
    Push,
    PushStored,
    RepairRequest,
    SnapshotPart,
    Welcome,
    proof_material,
)
from sync.records import RoomRecord
from tests.contract.postgres_world import PostgresWorld
from tests.contract.server_world import Desk, head_of, make_desk, new_id
from tests.support.postgres import FreshDatabase
from tests.support.sync_door import (
    DEADLINE_S,
    Served,
    challenged,
    closed,
    follow,
    greet,
    hear,
    hello_from,
    push,
    received,
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


# -- proofs


@pytest.mark.parametrize("protocol", [1, 2])
async def test_the_link_ends_with_its_token(door: Served, desk: Desk, protocol: int) -> None:
    async with door.link(desk, lifetime_s=2) as link:
        await greet(link, desk, protocol=protocol)
        assert await closed(link) == CloseCode.UNAUTHENTICATED


async def test_a_device_that_proves_itself_stays_beyond_its_token(door: Served, desk: Desk) -> None:
    async with door.link(desk, lifetime_s=2) as link:
        await greet(link, desk)
        challenge = await challenged(link)
        await say(
            link, Proof(challenge.nonce, desk.private_key.sign(proof_material(desk.key.device_id, challenge.nonce)))
        )
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(4):
                await link.wait_closed()


async def test_a_proof_of_another_key_ends_the_link(door: Served, desk: Desk) -> None:
    other = await make_desk(door.world, desk.key.center_id)
    nonces = set()
    for signer, device_id in ((other, desk.key.device_id), (desk, other.key.device_id)):
        async with door.link(desk, lifetime_s=4) as link:
            await greet(link, desk)
            nonce = (await challenged(link)).nonce
            nonces.add(nonce)
            await say(link, Proof(nonce, signer.private_key.sign(proof_material(device_id, nonce))))
            assert await closed(link) == CloseCode.UNAUTHENTICATED
    assert len(nonces) == 2


# -- a revoked device


async def test_a_revoked_device_hands_over_its_journal_and_learns_nothing(database: FreshDatabase) -> None:
    async with serving(database, poll_interval_s=0.2) as door:
        desk = await make_desk(door.world, await door.world.make_center())
        center, child = desk.key.center_id, await door.world.make_child(desk.key.center_id)
        colleague = await make_desk(door.world, center)
        room = RoomRecord(name="Sunflower room")
        await door.world.put_together(center, [(new_id(), room)])
        entry = desk.check_in(child)
        await door.world.revoke(desk.key)
        frames: list[bytes] = []
        async with door.link(colleague) as other, door.link(desk) as link:
            await follow(other, colleague)
            await link.send(encode(hello_from(desk)))
            frames.append(await received(link))
            welcome = decode_from_server(frames[0])
            assert isinstance(welcome, Welcome)
            assert (welcome.plan, welcome.epoch, welcome.head_version) == (Plan.UPLOAD_ONLY, "", 0)
            await say(link, Push((entry,)))
            # While it is here the log grows, and several polls find it revoked.
            await push(other, colleague.check_in(child, minute=1))
            frames += [await received(link) for _ in range(2)]
            messages = [decode_from_server(frame) for frame in frames]
            (stored,) = (one for one in messages if isinstance(one, PushStored))
            assert [(one.outcome, one.reason, one.version) for one in stored.outcomes] == [
                (Outcome.PARKED, ParkReason.DEVICE_NOT_ENTITLED, 0)
            ]
            assert {type(one) for one in messages} <= {Welcome, PushStored, Heartbeat}
            await say(link, RepairRequest("reference"))
            assert await closed(link) == CloseCode.PROTOCOL_VIOLATION
        head = await head_of(door.world, colleague)
        secrets = [head.epoch, center, child, "Sunflower", colleague.key.device_id]
        assert not [secret for secret in secrets for frame in frames if secret.encode() in frame]
        assert not [frame for frame in frames if head.hash in frame]


async def test_a_revoked_device_pushes_at_a_bounded_rate_on_one_link(door: Served, desk: Desk) -> None:
    await door.world.revoke(desk.key)
    async with door.link(desk) as link:
        assert (await greet(link, desk)).plan is Plan.UPLOAD_ONLY
        status, problem = await refused(door.link(desk))
        assert (status, problem["code"]) == (503, "unavailable")
        began_s = asyncio.get_running_loop().time()
        for _ in range(3):
            await push(link, desk.write(new_id(), "unknown", b"{}"))
        took_ms = (asyncio.get_running_loop().time() - began_s) * 1000
        assert took_ms >= 2 * REVOKED_PUSH_INTERVAL_MS
    async with asyncio.timeout(DEADLINE_S):
        while len(door.followers):
            await asyncio.sleep(0.01)
    async with door.link(desk) as link:
        assert (await greet(link, desk)).stored_seq == 3


async def test_an_older_kiosk_that_was_revoked_is_told_so(door: Served, desk: Desk) -> None:
    await door.world.revoke(desk.key)
    async with door.link(desk) as link:
        await say(link, hello_from(desk, protocol=1))
        assert await closed(link) == CloseCode.REVOKED


async def test_a_device_that_is_suspended_after_it_was_let_in_is_sent_away(door: Served, desk: Desk) -> None:
    async with door.link(desk) as link:
        await door.world.execute("UPDATE device SET state = 'suspended'")
        await say(link, hello_from(desk))
        assert await closed(link) == CloseCode.UNAUTHENTICATED


async def test_the_link_ends_within_five_seconds_of_the_devices_right(door: Served, desk: Desk) -> None:
    async with door.link(desk) as link:
        await follow(link, desk)
        await door.world.revoke(desk.key)
        async with asyncio.timeout(5):
            assert await closed(link) == CloseCode.REVOKED


# -- bounds


class BusyIntake(JournalIntake):
    """An intake that stores everything, and says that it is behind."""

    def slow_down_ms(self) -> int:
        return 1_234


async def test_a_store_that_is_behind_asks_devices_to_slow_down(database: FreshDatabase) -> None:
    def change(world: PostgresWorld) -> None:
        world.store = ServerStore(world.units, BusyIntake(world.units, world.clock), world.clock)

    async with serving(database, change=change) as door:
        desk = await make_desk(door.world, await door.world.make_center())
        async with door.link(desk) as link:
            await follow(link, desk)
            await say(link, Push((desk.write(new_id(), "unknown", b"{}"),)))
            assert await hear(link, Advice) == Advice(kind=AdviceKind.SLOW_DOWN, delay_ms=1_234)
            assert (await hear(link, PushStored)).through_seq == 1


async def test_a_bucket_is_repaired_at_the_position_of_the_device(door: Served, desk: Desk) -> None:
    child = await door.world.make_child(desk.key.center_id)
    async with door.link(desk) as link:
        await follow(link, desk)
        entry = desk.check_in(child)
        await say(link, Push((entry,)))
        heard = [decode_from_server(await received(link)) for _ in range(2)]
        (page,) = (one for one in heard if isinstance(one, Page))
        (digest,) = page.digests
        await say(link, Applied(epoch=page.epoch, version=page.to_version))
        await say(link, RepairRequest(digest.bucket))
        part = await hear(link, SnapshotPart)
        assert (part.bucket, part.version, part.digests) == (digest.bucket, page.to_version, (digest,))
        assert [record.entity_id for record in part.records] == [entry.event_id]


async def test_a_client_that_never_reads_is_dropped_and_others_do_not_notice(database: FreshDatabase) -> None:
    async with serving(database, send_deadline_s=1, send_buffer_bytes=16_384) as door:
        desk = await make_desk(door.world, await door.world.make_center())
        colleague = await make_desk(door.world, desk.key.center_id)
        for _ in range(4):
            # Four parts of a snapshot may be on their way; they do not fit into these buffers.
            rooms = [(new_id(), RoomRecord(name="A" * 200)) for _ in range(400)]
            await door.world.put_together(desk.key.center_id, rooms)
        async with door.link(colleague) as link, door.link(desk, receive_buffer_bytes=4_096) as deaf:
            await greet(link, colleague)
            deaf.transport.pause_reading()
            await say(deaf, hello_from(desk))
            began_s, slowest_s = asyncio.get_running_loop().time(), 0.0
            async with asyncio.timeout(DEADLINE_S):
                while len(door.followers) == 2:
                    sent_s = asyncio.get_running_loop().time()
                    await say(link, Push((colleague.write(new_id(), "unknown", b"{}"),)))
                    while not isinstance(decode_from_server(await received(link)), PushStored):
                        pass
                    slowest_s = max(slowest_s, asyncio.get_running_loop().time() - sent_s)
            took_s = asyncio.get_running_loop().time() - began_s
            print(f"dropped after {took_s:.1f} s; slowest acknowledgement of the other link {slowest_s:.3f} s")
            # Nobody waited for the deaf one: it was being waited for much longer than any acknowledgement took.
            assert 1 < took_s < SILENCE_MAX_MS / 1000
            assert slowest_s < took_s
            deaf.transport.abort()
