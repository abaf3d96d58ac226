"""The contract of a server store, kept by PostgreSQL as the role the server runs as, and what it does beside it."""

from collections.abc import AsyncIterator

import pytest

from server.core.errors import Unavailable
from server.services.standings import TRUSTED_MS
from sync.change_log import Head
from sync.effects import LoadSnapshot
from sync.events import Cursor
from sync.messages import BucketDigest
from sync.records import REFERENCE_BUCKET, RoomRecord
from tests.contract.postgres_world import PostgresWorld, world_on
from tests.contract.server_store import ServerStoreContract
from tests.contract.server_world import (
    Desk,
    changes_after,
    greet,
    head_of,
    hello_of,
    new_id,
    push,
    read_page,
    read_snapshot,
    staged_of,
    wire_sums,
)
from tests.support.postgres import FreshDatabase

pytestmark = pytest.mark.postgres


class TestPostgresServerStore(ServerStoreContract):
    @pytest.fixture
    async def world(self, database: FreshDatabase) -> AsyncIterator[PostgresWorld]:
        async with world_on(database.urls.app) as world:
            yield world

    async def test_a_record_that_did_not_change_gets_no_version(
        self, world: PostgresWorld, center: str, desk: Desk
    ) -> None:
        rooms = [(new_id(), RoomRecord(name="Sun")), (new_id(), RoomRecord(name="Moon"))]
        await world.put_together(center, rooms)
        await world.put_together(center, [rooms[0], (rooms[1][0], RoomRecord(name="Star")), rooms[0]])
        changes = await changes_after(world, desk, 0)
        assert [(change.version, change.transaction_last) for change in changes] == [
            (1, False),
            (2, True),
            (3, True),
        ]
        await world.put_together(center, [rooms[0]])
        assert (await head_of(world, desk)).version == 3

    async def test_a_snapshot_leaves_out_days_that_no_desk_keeps(
        self, world: PostgresWorld, desk: Desk, child: str
    ) -> None:
        old, new = desk.check_in(child, minute=-30 * 1440), desk.check_in(child, minute=-1440)
        await push(world, desk, old, new)
        head, records = await read_snapshot(world, desk)
        assert [record.entity_id for record in records] == [new.event_id]
        assert head.version == 2

    async def test_a_day_that_no_desk_keeps_is_no_difference(
        self, world: PostgresWorld, desk: Desk, child: str
    ) -> None:
        await push(world, desk, desk.check_in(child, minute=-30 * 1440), desk.check_in(child))
        days = [row[0] for row in sorted(await world.rows(desk.key.center_id))]
        hello = hello_of(desk, await head_of(world, desk), digests=[BucketDigest(day, bytes(32)) for day in days])
        assert (await world.store.load_device(desk.key, hello)).differing == (days[1],)

    async def test_the_reference_bucket_is_never_left_out(
        self, world: PostgresWorld, center: str, desk: Desk, child: str
    ) -> None:
        await push(world, desk, desk.check_in(child))
        _, records = await read_snapshot(world, desk)
        told = [BucketDigest(bucket, digest) for bucket, digest in wire_sums(records).items()]
        await world.put_together(center, [(new_id(), RoomRecord(name="A"))])
        hello = hello_of(desk, await head_of(world, desk), digests=told)
        assert (await world.store.load_device(desk.key, hello)).differing == (REFERENCE_BUCKET,)

    async def test_digests_that_an_older_server_left_behind_are_not_told(
        self, world: PostgresWorld, desk: Desk, child: str
    ) -> None:
        await push(world, desk, desk.check_in(child))
        head = await head_of(world, desk)
        await world.execute("UPDATE center_head SET evidence_version = evidence_version - 1")
        page = await read_page(world, desk, 0)
        assert page is not None
        assert page.digests == ()
        hello = hello_of(desk, head, digests=[BucketDigest(REFERENCE_BUCKET, b"1" * 32)])
        assert (await world.store.load_device(desk.key, hello)).differing == ()

    async def test_what_is_no_longer_kept_is_not_paged(self, world: PostgresWorld, desk: Desk, child: str) -> None:
        await push(world, desk, *(desk.check_in(child, minute=minute) for minute in range(3)))
        first = await read_page(world, desk, 0, 1)
        assert first is not None
        await world.execute("UPDATE center_head SET compacted_version = 2")
        world.clock.advance_ms(TRUSTED_MS + 1)
        assert (await greet(world, desk, Head(first.epoch, 1, first.to_hash))).cursor is Cursor.COMPACTED
        with pytest.raises(Unavailable):
            await read_page(world, desk, 1)
        assert (await read_page(world, desk, 2)) is not None

    async def test_a_snapshot_whose_pages_are_no_longer_kept_is_made_anew(
        self, world: PostgresWorld, desk: Desk, child: str
    ) -> None:
        await push(world, desk, desk.check_in(child))
        staged = await staged_of(world, desk, part=0)
        await push(world, desk, desk.check_in(child, minute=1))
        await world.execute("UPDATE center_head SET compacted_version = 2")
        for effect in (LoadSnapshot(), LoadSnapshot(staged)):
            assert (await world.store.load_snapshot(desk.key, effect)).head.version == 2
