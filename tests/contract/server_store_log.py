"""The part of a server store's contract about the change log, its pages and snapshots."""

import asyncio
import itertools

import pytest

from sync.change_log import check_changes
from sync.change_log import genesis as log_genesis
from sync.effects import LoadBucket, LoadSnapshot, RecordApplied
from sync.messages import BucketDigest, StagedSnapshot
from sync.records import REFERENCE_BUCKET, Entity, RoomRecord
from tests.contract.server_world import (
    Desk,
    World,
    apply,
    as_rows,
    changes_after,
    greet,
    head_of,
    make_desk,
    new_id,
    push,
    read_bucket,
    read_page,
    read_snapshot,
    staged_of,
    wire_sums,
)


class LogContract:
    """Versions are dense, pages hold whole units, and a snapshot with what follows is what the tables hold."""

    async def test_pushes_of_many_desks_at_once_give_dense_versions_and_one_chain(
        self, world: World, center: str, child: str
    ) -> None:
        desks = [await make_desk(world, center) for _ in range(4)]

        async def work(desk: Desk) -> list[int]:
            versions = []
            for minute in range(5):
                answer = await push(
                    world, desk, desk.check_in(child, minute=minute), desk.check_in(child, minute=minute)
                )
                versions += [outcome.version for outcome in answer.outcomes]
            return versions

        given = await asyncio.gather(*map(work, desks))
        assert sorted(itertools.chain(*given)) == list(range(1, 41))
        assert all(versions == sorted(versions) for versions in given)
        head = await head_of(world, desks[0])
        changes = await changes_after(world, desks[0], 0)
        assert check_changes(log_genesis(center, head.epoch), changes) == head

    async def test_pages_follow_each_other_and_end_at_the_head(
        self, world: World, center: str, desk: Desk, child: str
    ) -> None:
        for start in range(0, 600, 100):
            await push(world, desk, *(desk.check_in(child, minute=start + minute) for minute in range(100)))
        head = await head_of(world, desk)
        first = await read_page(world, desk, 0)
        assert first is not None
        assert 0 < first.to_version < head.version == first.head_version
        after_first = check_changes(log_genesis(center, head.epoch), first.changes)
        assert after_first.hash == first.to_hash
        rest = await changes_after(world, desk, first.to_version)
        assert check_changes(after_first, rest) == head
        assert await read_page(world, desk, head.version) is None

    async def test_a_page_grows_with_the_log(self, world: World, desk: Desk, child: str) -> None:
        for minute in range(3):
            await push(world, desk, desk.check_in(child, minute=minute))
            page = await read_page(world, desk, 0)
            assert page is not None
            assert page.to_version == page.head_version == minute + 1

    async def test_a_page_never_holds_half_a_unit(self, world: World, center: str, desk: Desk) -> None:
        for size in (300, 300, 1):
            await world.put_together(center, [(new_id(), RoomRecord(name="A" * 200)) for _ in range(size)])
        ends = []
        version = 0
        while (page := await read_page(world, desk, version)) is not None:
            assert page.changes[-1].transaction_last
            ends.append(version := page.to_version)
        assert ends[-1] == 601
        assert set(ends) <= {300, 600, 601}

    async def test_snapshot_and_pages_give_what_the_tables_hold(
        self, world: World, center: str, desk: Desk, child: str
    ) -> None:
        room_ids = [new_id() for _ in range(3)]
        await world.put_together(center, [(room_id, RoomRecord(name="A")) for room_id in room_ids])
        await push(world, desk, desk.check_in(child))
        head, records = await read_snapshot(world, desk)
        assert as_rows(records) == await world.rows(center)
        assert head == await head_of(world, desk)
        await world.remove_room(center, room_ids[0])
        await world.put_together(center, [(room_ids[1], RoomRecord(name="B"))])
        await push(world, desk, desk.check_out(child, minute=30))
        changes = await changes_after(world, desk, head.version)
        assert check_changes(head, changes) == await head_of(world, desk)
        rows = await world.rows(center)
        assert apply(as_rows(records), changes) == rows
        assert apply(set(), await changes_after(world, desk, 0)) == rows

    async def test_a_snapshot_says_first_what_keeps_children_safe(
        self, world: World, center: str, desk: Desk, child: str
    ) -> None:
        await push(world, desk, desk.check_in(child))
        await world.put_together(center, [(new_id(), RoomRecord(name="A"))])
        _, records = await read_snapshot(world, desk)
        assert [record.entity for record in records] == [Entity.ROOM, Entity.EVENT]

    async def test_the_snapshot_of_an_empty_centre_is_one_empty_part(self, world: World, desk: Desk) -> None:
        await greet(world, desk)
        loaded = await world.store.load_snapshot(desk.key, LoadSnapshot())
        assert len(loaded.frames) == 1
        assert await read_snapshot(world, desk) == (await head_of(world, desk), ())

    async def test_a_large_snapshot_comes_in_parts_that_fit_a_frame(
        self, world: World, center: str, desk: Desk
    ) -> None:
        for _ in range(3):
            await world.put_together(center, [(new_id(), RoomRecord(name="A" * 200)) for _ in range(400)])
        assert len((await world.store.load_snapshot(desk.key, LoadSnapshot())).frames) > 2
        _, records = await read_snapshot(world, desk)
        assert as_rows(records) == await world.rows(center)

    async def test_a_snapshot_that_a_desk_has_begun_to_take_is_served_again(
        self, world: World, center: str, desk: Desk
    ) -> None:
        for _ in range(3):
            await world.put_together(center, [(new_id(), RoomRecord(name="A" * 200)) for _ in range(400)])
        staged = await staged_of(world, desk, part=1)
        begun = await world.store.load_snapshot(desk.key, LoadSnapshot())
        await world.put_together(center, [(new_id(), RoomRecord(name="B")) for _ in range(450)])
        await world.put_together(center, [(new_id(), RoomRecord(name="B")) for _ in range(450)])
        assert (await world.store.load_snapshot(desk.key, LoadSnapshot())).head.version == 2_100
        assert await world.store.load_snapshot(desk.key, LoadSnapshot(staged)) == begun
        elsewhere = [
            StagedSnapshot(new_id(), staged.version, 1, staged.parts),
            StagedSnapshot(staged.epoch, staged.version - 1, 1, staged.parts),
        ]
        for other in elsewhere:
            assert (await world.store.load_snapshot(desk.key, LoadSnapshot(other))).head.version == 2_100

    async def test_a_bucket_comes_whole_and_alone(self, world: World, center: str, desk: Desk, child: str) -> None:
        await push(world, desk, desk.check_in(child))
        for _ in range(3):
            await world.put_together(center, [(new_id(), RoomRecord(name="A" * 200)) for _ in range(400)])
        head, records = await read_bucket(world, desk, REFERENCE_BUCKET)
        assert head == await head_of(world, desk)
        assert as_rows(records) == {row for row in await world.rows(center) if row[0] == REFERENCE_BUCKET}
        assert len((await world.store.load_bucket(desk.key, LoadBucket(REFERENCE_BUCKET))).frames) > 2

    @pytest.mark.parametrize("bucket", ["day:2001-01-01", "nothing", "a\x00b", "%"])
    async def test_a_bucket_without_records_is_one_empty_part(
        self, world: World, desk: Desk, child: str, bucket: str
    ) -> None:
        await push(world, desk, desk.check_in(child))
        head, records = await read_bucket(world, desk, bucket)
        assert (head, records) == (await head_of(world, desk), ())

    async def test_a_page_that_reaches_the_head_says_what_the_buckets_it_touches_sum_up_to(
        self, world: World, center: str, desk: Desk, child: str
    ) -> None:
        room = new_id()
        await world.put_together(center, [(room, RoomRecord(name="A")), (new_id(), RoomRecord(name="B"))])
        await push(world, desk, desk.check_in(child))
        await world.remove_room(center, room)
        held = wire_sums((await read_snapshot(world, desk))[1])
        for after, touched in ((0, set(held)), (2, set(held)), (3, {REFERENCE_BUCKET})):
            page = await read_page(world, desk, after)
            assert page is not None
            assert {one.bucket: one.digest for one in page.digests} == {bucket: held[bucket] for bucket in touched}
        for room_id in [row[2] for row in await world.rows(center) if row[0] == REFERENCE_BUCKET]:
            await world.remove_room(center, room_id)
        page = await read_page(world, desk, 4)
        assert page is not None
        assert page.digests == (BucketDigest(REFERENCE_BUCKET, bytes(32)),)

    async def test_a_page_that_is_asked_for_all_digests_tells_also_of_buckets_that_it_does_not_touch(
        self, world: World, center: str, desk: Desk, child: str
    ) -> None:
        await push(world, desk, desk.check_in(child))
        await world.put_together(center, [(new_id(), RoomRecord(name="A"))])
        held = wire_sums((await read_snapshot(world, desk))[1])
        assert len(held) == 2
        for all_digests, told in ((False, {REFERENCE_BUCKET}), (True, set(held)), (False, {REFERENCE_BUCKET})):
            page = await read_page(world, desk, 1, all_digests=all_digests)
            assert page is not None
            assert {one.bucket: one.digest for one in page.digests} == {bucket: held[bucket] for bucket in told}

    async def test_a_page_that_does_not_reach_the_head_has_no_digests(
        self, world: World, center: str, desk: Desk
    ) -> None:
        for _ in range(3):
            await world.put_together(center, [(new_id(), RoomRecord(name="A")) for _ in range(300)])
        page = await read_page(world, desk, 0)
        assert page is not None
        assert (page.to_version < page.head_version, page.digests) == (True, ())

    async def test_a_page_stops_where_it_is_told_to(self, world: World, center: str, desk: Desk) -> None:
        for _ in range(5):
            await world.put_together(center, [(new_id(), RoomRecord(name="A"))])
        ends = []
        for after, up_to in ((0, 3), (1, 3), (2, 5), (2, 0)):
            page = await read_page(world, desk, after, up_to)
            assert page is not None
            ends.append(page.to_version)
            assert bool(page.digests) == (page.to_version == 5)
        assert ends == [3, 3, 5, 5]
        assert await read_page(world, desk, 3, 3) is None
        assert (await read_page(world, desk, 3)) is not None

    async def test_nothing_of_one_centre_reaches_another(self, world: World, desk: Desk, child: str) -> None:
        await push(world, desk, desk.check_in(child))
        other = await make_desk(world, await world.make_center())
        assert (await head_of(world, other)).version == 0
        assert await changes_after(world, other, 0) == ()
        assert (await read_snapshot(world, other))[1] == ()

    async def test_a_position_is_taken_without_waiting(self, world: World, desk: Desk) -> None:
        head = await head_of(world, desk)
        world.store.record_applied(desk.key, RecordApplied(head.epoch, head.version, 3))
