"""The contract of a server store, kept by PostgreSQL as the role the server runs as, and what it does beside it."""

from collections.abc import AsyncIterator

import pytest

from server.core.database import create_engine
from sync.change_log import Head
from sync.records import RoomRecord
from tests.contract.postgres_world import PostgresWorld, make_world
from tests.contract.server_store import ServerStoreContract
from tests.contract.server_world import Desk, changes_after, greet, head_of, new_id, push, read_snapshot
from tests.support.postgres import FreshDatabase

pytestmark = pytest.mark.postgres


class TestPostgresServerStore(ServerStoreContract):
    @pytest.fixture
    async def world(self, database: FreshDatabase) -> AsyncIterator[PostgresWorld]:
        engine = create_engine(database.urls.app)
        try:
            yield make_world(engine)
        finally:
            await engine.dispose()

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

    async def test_the_beginning_of_the_log_matches_without_a_hash_too(self, world: PostgresWorld, desk: Desk) -> None:
        head = await head_of(world, desk)
        assert (await greet(world, desk, Head(head.epoch, 0, b""))).cursor_matches
