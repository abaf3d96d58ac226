"""What a reconnect costs, and when memory is not believed: two processes of the server on one PostgreSQL."""

from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass

import msgspec
import pytest
from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncEngine

from server.core.database import create_engine
from server.repositories.heads import HeadListener
from server.services.followers import Followers
from server.services.standings import KEPT_MS, TRUSTED_MS
from sync.change_log import Head
from sync.effects import CheckProof, LoadDevice
from sync.events import Cursor, DeviceLoaded
from sync.journal import JournalHead
from sync.messages import BucketDigest, JournalPosition, proof_material
from sync.records import RoomRecord
from tests.contract.postgres_world import PostgresWorld, make_world
from tests.contract.server_world import Desk, head_of, hello_of, make_desk, new_id, push, read_snapshot, wire_sums
from tests.support.postgres import FreshDatabase

pytestmark = pytest.mark.postgres


@dataclass
class Node:
    """One process of the server; its polls happen when a test says so."""

    world: PostgresWorld
    followers: Followers

    @property
    def engine(self) -> AsyncEngine:
        return self.world.engine

    @contextmanager
    def statements(self) -> Iterator[list[str]]:
        """Every statement that this process sends to the database within the block."""
        sent: list[str] = []

        def note(_connection: object, _cursor: object, statement: str, *_: object) -> None:
            sent.append(statement)

        event.listen(self.engine.sync_engine, "before_cursor_execute", note)
        try:
            yield sent
        finally:
            event.remove(self.engine.sync_engine, "before_cursor_execute", note)

    async def reconnect(self, desk: Desk, hello: LoadDevice) -> tuple[DeviceLoaded, int]:
        """Let a desk in and load it; gives the answer and how many statements it cost."""
        with self.statements() as sent:
            admitted = await self.world.store.admit(desk.key.device_id)
            assert admitted.key == desk.key
            loaded = await self.world.store.load_device(desk.key, hello)
        return loaded, len(sent)


@pytest.fixture
async def nodes(database: FreshDatabase) -> AsyncIterator[tuple[Node, Node]]:
    async with AsyncExitStack() as stack:
        made = []
        for _ in range(2):
            engine = create_engine(database.urls.app)
            stack.push_async_callback(engine.dispose)
            world = make_world(engine)
            listener = HeadListener(engine)
            followers = Followers(world.units, listener, world.store.standings, world.clock, poll_interval_s=3600)
            made.append(Node(world, followers))
        yield made[0], made[1]


@pytest.fixture
def node(nodes: tuple[Node, Node]) -> Node:
    return nodes[0]


@pytest.fixture
def other(nodes: tuple[Node, Node]) -> Node:
    return nodes[1]


@pytest.fixture
async def desk(node: Node) -> Desk:
    """A desk that has sent an entry, and whose replica stands at the head."""
    desk = await make_desk(node.world, await node.world.make_center())
    await node.world.put_together(desk.key.center_id, [(new_id(), RoomRecord(name="A"))])
    await push(node.world, desk, desk.check_in(await node.world.make_child(desk.key.center_id)))
    return desk


async def current_hello(node: Node, desk: Desk) -> LoadDevice:
    """What a desk says that has everything."""
    _, records = await read_snapshot(node.world, desk)
    digests = [BucketDigest(bucket, digest) for bucket, digest in wire_sums(records).items()]
    return hello_of(desk, await head_of(node.world, desk), digests=digests)


@pytest.fixture
async def hello(node: Node, desk: Desk) -> LoadDevice:
    """The same, said once already: from then on the process remembers."""
    hello = await current_hello(node, desk)
    loaded, cost = await node.reconnect(desk, hello)
    assert cost > 0
    assert (loaded.cursor, loaded.differing) == (Cursor.OURS, ())
    return hello


async def pass_time(nodes: tuple[Node, Node], step_ms: int) -> None:
    """Let both processes' clocks go on, so that a later reading is a later one."""
    for node in nodes:
        node.world.clock.advance_ms(step_ms)


async def test_a_device_that_is_current_costs_no_statement(node: Node, desk: Desk, hello: LoadDevice) -> None:
    expected = await node.world.store.load_device(desk.key, hello)
    for _ in range(20):
        assert await node.reconnect(desk, hello) == (expected, 0)
    assert expected.stored_seq == 1
    assert expected.head == Head(hello.epoch, hello.version, hello.hash)


async def test_what_memory_says_is_what_the_database_says(node: Node, desk: Desk, hello: LoadDevice) -> None:
    remembered, cost = await node.reconnect(desk, hello)
    node.world.clock.advance_ms(TRUSTED_MS + 1)
    read, cost_read = await node.reconnect(desk, hello)
    assert (cost, cost_read > 0) == (0, True)
    assert msgspec.structs.replace(remembered, server_wall_ms=0) == msgspec.structs.replace(read, server_wall_ms=0)


async def test_many_devices_of_many_centres_cost_no_statement(node: Node) -> None:
    hellos = []
    for _ in range(5):
        center = await node.world.make_center()
        await node.world.put_together(center, [(new_id(), RoomRecord(name="A"))])
        for _ in range(4):
            desk = await make_desk(node.world, center)
            hellos.append((desk, await current_hello(node, desk)))
    for desk, hello in hellos:
        await node.reconnect(desk, hello)
    assert sum([(await node.reconnect(desk, hello))[1] for desk, hello in hellos]) == 0


async def test_a_poll_confirms_what_is_remembered(
    nodes: tuple[Node, Node], node: Node, desk: Desk, hello: LoadDevice
) -> None:
    for _ in range(5):
        await pass_time(nodes, TRUSTED_MS - 1_000)
        await node.followers.poll()
    assert (await node.reconnect(desk, hello))[1] == 0
    await pass_time(nodes, TRUSTED_MS + 1)
    assert (await node.reconnect(desk, hello))[1] > 0


async def test_a_proof_is_checked_without_a_statement(node: Node, desk: Desk, hello: LoadDevice) -> None:
    nonce = b"n" * 32
    signature = desk.private_key.sign(proof_material(desk.key.device_id, nonce))
    with node.statements() as sent:
        good = await node.world.store.check_proof(desk.key, CheckProof(nonce, signature))
        replayed = await node.world.store.check_proof(desk.key, CheckProof(b"m" * 32, signature))
        wrong = await node.world.store.check_proof(desk.key, CheckProof(nonce, bytes(64)))
    assert (good.good_for_ms, replayed.good_for_ms, wrong.good_for_ms) == (900_000, 0, 0)
    assert sent == []


async def test_the_proof_of_a_revoked_device_is_refused(
    nodes: tuple[Node, Node], node: Node, other: Node, desk: Desk, hello: LoadDevice
) -> None:
    nonce = b"n" * 32
    proof = CheckProof(nonce, desk.private_key.sign(proof_material(desk.key.device_id, nonce)))
    assert (await other.world.store.check_proof(desk.key, proof)).good_for_ms == 900_000
    await other.world.revoke(desk.key)
    assert (await other.world.store.check_proof(desk.key, proof)).good_for_ms == 0
    await pass_time(nodes, 1)
    await node.followers.poll()
    assert (await node.world.store.check_proof(desk.key, proof)).good_for_ms == 0


@pytest.mark.parametrize("change", ["journal_seq", "journal_hash", "incarnation", "version", "hash", "epoch", "older"])
async def test_anything_but_an_exact_match_is_asked_of_the_database(
    node: Node, desk: Desk, hello: LoadDevice, change: str
) -> None:
    values: dict[str, object] = {
        "journal_seq": hello.journal_seq + 1,
        "journal_hash": bytes(32),
        "incarnation": new_id(),
        "version": hello.version - 1,
        "hash": bytes(32),
        "epoch": new_id(),
        "older": (JournalPosition(new_id(), 1, bytes(32)),),
    }
    _, cost = await node.reconnect(desk, msgspec.structs.replace(hello, **{change: values[change]}))
    assert cost > 0


async def test_a_bucket_that_differs_is_asked_of_the_database(node: Node, desk: Desk, hello: LoadDevice) -> None:
    wrong = BucketDigest(hello.digests[0].bucket, bytes(32))
    broken = msgspec.structs.replace(hello, digests=(wrong, *hello.digests[1:]))
    loaded, cost = await node.reconnect(desk, broken)
    assert (cost > 0, loaded.differing) == (True, (wrong.bucket,))


async def test_older_journals_are_remembered_too(node: Node, desk: Desk, hello: LoadDevice) -> None:
    reborn = Desk(desk.key, desk.private_key)
    older = JournalPosition(desk.incarnation, desk.head.seq, desk.head.hash)
    again = msgspec.structs.replace(
        hello, incarnation=reborn.incarnation, journal_seq=0, journal_hash=reborn.head.hash, older=(older,)
    )
    await node.reconnect(reborn, again)
    loaded, cost = await node.reconnect(reborn, again)
    assert (cost, loaded.older, loaded.stored_seq) == (0, (older,), 0)


async def test_another_life_of_the_log_is_seen_by_the_poll(
    nodes: tuple[Node, Node], node: Node, other: Node, desk: Desk, hello: LoadDevice
) -> None:
    await other.world.execute("UPDATE center_head SET epoch = :epoch", epoch=new_id())
    await pass_time(nodes, 1)
    await node.followers.poll()
    loaded, cost = await node.reconnect(desk, hello)
    assert (cost > 0, loaded.cursor) == (True, Cursor.FOREIGN)
    assert loaded.head.epoch != hello.epoch


async def test_another_life_of_the_log_is_believed_as_a_hint_at_once(
    node: Node, other: Node, desk: Desk, hello: LoadDevice
) -> None:
    epoch = new_id()
    await other.world.execute("UPDATE center_head SET epoch = :epoch", epoch=epoch)
    node.world.store.standings.head_moved(desk.key.center_id, epoch, hello.version)
    loaded, cost = await node.reconnect(desk, hello)
    assert (cost > 0, loaded.cursor) == (True, Cursor.FOREIGN)


async def test_a_journal_that_a_restore_cut_short_is_asked_for_again(
    nodes: tuple[Node, Node], node: Node, other: Node, desk: Desk, hello: LoadDevice
) -> None:
    await other.world.execute("UPDATE center_head SET epoch = :epoch", epoch=(epoch := new_id()))
    await other.world.execute("DELETE FROM device_journal")
    await pass_time(nodes, 1)
    await node.followers.poll()
    loaded, _ = await node.reconnect(desk, msgspec.structs.replace(hello, epoch=epoch))
    assert (loaded.cursor, loaded.stored_seq) == (Cursor.OURS, 0)


async def test_journals_of_another_life_are_not_believed_when_somebody_else_brought_the_new_one(
    nodes: tuple[Node, Node], node: Node, other: Node, desk: Desk, hello: LoadDevice
) -> None:
    colleague = await make_desk(node.world, desk.key.center_id)
    await other.world.execute("UPDATE center_head SET epoch = :epoch", epoch=(epoch := new_id()))
    await other.world.execute("DELETE FROM device_journal")
    await pass_time(nodes, 1)
    node.world.store.standings.head_moved(desk.key.center_id, epoch, hello.version)
    await pass_time(nodes, 1)
    await node.reconnect(colleague, hello_of(colleague, Head(epoch, hello.version, hello.hash), digests=hello.digests))
    loaded, cost = await node.reconnect(desk, msgspec.structs.replace(hello, epoch=epoch))
    assert (cost > 0, loaded.stored_seq) == (True, 0)


async def test_a_revoked_device_is_known_by_the_poll_and_at_the_latest_when_trust_ends(
    nodes: tuple[Node, Node], node: Node, other: Node, desk: Desk, hello: LoadDevice
) -> None:
    await other.world.revoke(desk.key)
    await pass_time(nodes, TRUSTED_MS + 1)
    assert not (await node.world.store.admit(desk.key.device_id)).is_entitled
    loaded, cost = await node.reconnect(desk, hello)
    assert (cost > 0, loaded.is_entitled) == (True, False)


async def test_a_device_that_the_poll_finds_revoked_is_welcome_for_uploads_only(
    nodes: tuple[Node, Node], node: Node, other: Node, desk: Desk, hello: LoadDevice
) -> None:
    await other.world.revoke(desk.key)
    await pass_time(nodes, 1)
    await node.followers.poll()
    assert not (await node.world.store.admit(desk.key.device_id)).is_entitled
    assert not (await node.reconnect(desk, hello))[0].is_entitled


async def test_entries_that_another_process_stored_are_counted(
    nodes: tuple[Node, Node], node: Node, other: Node, desk: Desk, hello: LoadDevice
) -> None:
    before = desk.head
    await push(other.world, desk, desk.write(new_id(), "unknown", b"{}"))
    grown = msgspec.structs.replace(hello, journal_seq=desk.head.seq, journal_hash=desk.head.hash)
    loaded, cost = await node.reconnect(desk, grown)
    assert (cost > 0, loaded.stored_seq) == (True, 2)
    # A copy of the desk from before that push is told of it, too.
    await pass_time(nodes, 1)
    await node.followers.poll()
    loaded, cost = await node.reconnect(desk, _with_journal(hello, before))
    assert (cost > 0, loaded.stored_seq, loaded.stored_hash) == (True, 2, desk.head.hash)


async def test_the_poll_alone_brings_entries_of_another_process(
    nodes: tuple[Node, Node], node: Node, other: Node, desk: Desk, hello: LoadDevice
) -> None:
    await push(other.world, desk, desk.write(new_id(), "unknown", b"{}"))
    await pass_time(nodes, 1)
    await node.followers.poll()
    assert (await node.reconnect(desk, _with_journal(hello, desk.head)))[1] == 0
    loaded, cost = await node.reconnect(desk, hello)
    assert (cost > 0, loaded.stored_seq) == (True, 2)


async def test_entries_that_this_process_stored_are_remembered(node: Node, desk: Desk, hello: LoadDevice) -> None:
    await push(node.world, desk, desk.write(new_id(), "unknown", b"{}"))
    loaded, cost = await node.reconnect(desk, _with_journal(hello, desk.head))
    assert (cost, loaded.stored_seq) == (0, 2)
    loaded, cost = await node.reconnect(desk, hello)
    assert (cost > 0, loaded.stored_seq) == (True, 2)


async def test_a_fork_makes_the_process_forget_the_device(node: Node, desk: Desk, hello: LoadDevice) -> None:
    clone = Desk(desk.key, desk.private_key, desk.incarnation)
    forked = clone.write(new_id(), "unknown", b"{}")
    await node.world.store.store_batch(clone.key, (forked,))
    assert (await node.reconnect(desk, hello))[1] > 0


async def test_a_head_that_another_process_moved_is_heard_or_polled(
    nodes: tuple[Node, Node], node: Node, other: Node, desk: Desk, hello: LoadDevice
) -> None:
    center = desk.key.center_id
    await other.world.put_together(center, [(new_id(), RoomRecord(name="B"))])
    node.world.store.standings.head_moved(center, hello.epoch, hello.version + 1)
    loaded, cost = await node.reconnect(desk, hello)
    assert (cost > 0, loaded.cursor, loaded.head.version) == (True, Cursor.OURS, hello.version + 1)
    await other.world.put_together(center, [(new_id(), RoomRecord(name="C"))])
    await pass_time(nodes, 1)
    await node.followers.poll()
    loaded, cost = await node.reconnect(desk, hello)
    assert (cost > 0, loaded.cursor, loaded.head.version) == (True, Cursor.OURS, hello.version + 2)


async def test_the_poll_brings_a_head_with_its_digests(
    nodes: tuple[Node, Node], node: Node, other: Node, desk: Desk, hello: LoadDevice
) -> None:
    await other.world.put_together(desk.key.center_id, [(new_id(), RoomRecord(name="B"))])
    await pass_time(nodes, 1)
    await node.followers.poll()
    assert await node.reconnect(desk, await current_hello(other, desk)) == (
        await node.world.store.load_device(desk.key, await current_hello(other, desk)),
        0,
    )


async def test_who_is_gone_for_long_is_neither_remembered_nor_polled(
    nodes: tuple[Node, Node], node: Node, desk: Desk, hello: LoadDevice
) -> None:
    await pass_time(nodes, KEPT_MS - 1)
    with node.statements() as sent:
        await node.followers.poll()
    assert sent
    await pass_time(nodes, 2)
    with node.statements() as sent:
        await node.followers.poll()
    assert sent == []
    assert (await node.reconnect(desk, hello))[1] > 0


async def test_who_follows_stays_remembered(
    nodes: tuple[Node, Node], node: Node, desk: Desk, hello: LoadDevice
) -> None:
    leave = node.followers.join(desk.key, lambda _event: None)
    for _ in range(3):
        await pass_time(nodes, KEPT_MS - 1)
        await node.followers.poll()
    leave()
    assert (await node.reconnect(desk, hello))[1] == 0


def _with_journal(hello: LoadDevice, head: JournalHead) -> LoadDevice:
    return msgspec.structs.replace(hello, journal_seq=head.seq, journal_hash=head.hash)
