"""What every store behind server sessions keeps to: one suite for PostgreSQL and for the simulator's model.

A suite of a store is a subclass of `ServerStoreContract` with a fixture `world` that gives a `World`.
"""

from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from sync.attendance import EventKind
from sync.change_log import Head
from sync.change_log import genesis as log_genesis
from sync.errors import CloseCode
from sync.events import Cursor
from sync.journal import JournalHead, Outcome, genesis
from sync.limits import LEASE_MS
from sync.messages import BucketDigest, JournalPosition
from sync.records import Entity, EventRecord, RoomRecord
from tests.contract.server_store_log import LogContract
from tests.contract.server_store_parking import ParkingContract
from tests.contract.server_store_testimony import TestimonyContract
from tests.contract.server_world import (
    STORE_NOW_MS,
    Desk,
    World,
    changes_after,
    greet,
    head_of,
    hello_of,
    make_desk,
    new_id,
    outcomes,
    push,
    read_snapshot,
    refusal,
    wire_sums,
)


class ServerStoreContract(ParkingContract, TestimonyContract, LogContract):
    """The tests; `world` comes from the subclass."""

    @pytest.fixture
    def world(self) -> Iterator[World]:
        raise NotImplementedError

    @pytest.fixture
    async def center(self, world: World) -> str:
        return await world.make_center()

    @pytest.fixture
    async def desk(self, world: World, center: str) -> Desk:
        return await make_desk(world, center)

    @pytest.fixture
    async def child(self, world: World, center: str) -> str:
        return await world.make_child(center)

    # -- a device says Hello

    async def test_a_new_device_starts_at_the_genesis_of_its_journal(self, world: World, desk: Desk) -> None:
        loaded = await greet(world, desk)
        assert JournalHead(desk.incarnation, loaded.stored_seq, loaded.stored_hash) == genesis(
            desk.key.device_id, desk.incarnation
        )
        assert loaded.server_wall_ms == STORE_NOW_MS
        assert loaded.cursor is Cursor.NONE
        assert loaded.is_entitled
        assert loaded.lease_ms == LEASE_MS

    async def test_the_log_of_a_new_centre_is_empty_and_keeps_its_epoch(
        self, world: World, desk: Desk, center: str
    ) -> None:
        first, second = await head_of(world, desk), await head_of(world, desk)
        assert first == second == log_genesis(center, first.epoch)

    async def test_two_centres_have_different_epochs(self, world: World, desk: Desk) -> None:
        other = await make_desk(world, await world.make_center())
        assert (await head_of(world, desk)).epoch != (await head_of(world, other)).epoch

    async def test_a_cursor_in_the_log_is_ours_and_any_other_is_foreign(
        self, world: World, desk: Desk, child: str
    ) -> None:
        await push(world, desk, desk.check_in(child))
        middle = await head_of(world, desk)
        await push(world, desk, desk.check_out(child, minute=30))
        head = await head_of(world, desk)
        for cursor in (middle, head):
            assert (await greet(world, desk, cursor)).cursor is Cursor.OURS
        foreign = (
            Head(head.epoch, head.version, middle.hash),
            Head(head.epoch, head.version + 1, head.hash),
            Head(new_id(), head.version, head.hash),
            Head(new_id(), 0, b""),
        )
        for cursor in foreign:
            assert (await greet(world, desk, cursor)).cursor is Cursor.FOREIGN

    async def test_an_empty_replica_has_no_cursor(self, world: World, desk: Desk, child: str) -> None:
        await push(world, desk, desk.check_in(child))
        head = await head_of(world, desk)
        for cursor in (Head("", 0, b""), Head(head.epoch, 0, b""), Head(head.epoch, 0, bytes(32))):
            assert (await greet(world, desk, cursor)).cursor is Cursor.NONE

    async def test_older_journals_are_answered_in_their_order(self, world: World, desk: Desk, child: str) -> None:
        await push(world, desk, desk.check_in(child))
        reborn, unknown = Desk(desk.key, desk.private_key), Desk(desk.key, desk.private_key, "\x00 \\")
        offered = [JournalPosition(one.incarnation, 7, bytes(32)) for one in (unknown, desk)]
        loaded = await world.store.load_device(reborn.key, hello_of(reborn, older=offered))
        assert loaded.stored_seq == 0
        assert loaded.older == (
            JournalPosition(unknown.incarnation, 0, unknown.head.hash),
            JournalPosition(desk.incarnation, 1, desk.head.hash),
        )

    async def test_a_bucket_that_is_not_what_it_should_be_is_named_at_the_head(
        self, world: World, center: str, desk: Desk, child: str
    ) -> None:
        await push(world, desk, desk.check_in(child))
        middle = await head_of(world, desk)
        await world.put_together(center, [(new_id(), RoomRecord(name="A"))])
        head, records = await read_snapshot(world, desk)
        right = [BucketDigest(bucket, digest) for bucket, digest in wire_sums(records).items()]
        wrong = [BucketDigest(one.bucket, bytes(32)) for one in right]
        assert len(right) == 2

        async def differing(cursor: Head, digests: list[BucketDigest]) -> set[str]:
            hello = hello_of(desk, cursor, digests=digests)
            return set((await world.store.load_device(desk.key, hello)).differing)

        assert await differing(head, right) == set()
        assert await differing(head, [*right, BucketDigest("day:2030-01-01", bytes(32))]) == set()
        assert await differing(head, wrong) == {one.bucket for one in right}
        assert await differing(head, [right[0], wrong[1]]) == {right[1].bucket}
        assert await differing(head, [right[0], BucketDigest("day:2030-01-01", b"1" * 32)]) == {"day:2030-01-01"}
        assert await differing(middle, wrong) == set()
        assert await differing(head, []) == set()

    # -- pushes

    async def test_a_pushed_entry_becomes_a_fact_in_the_log(self, world: World, desk: Desk, child: str) -> None:
        entry = desk.check_in(child)
        answer = await push(world, desk, entry)
        assert (answer.through_seq, answer.hash) == (1, entry.hash)
        (outcome,) = answer.outcomes
        assert (outcome.seq, outcome.event_id) == (1, entry.event_id)
        assert (outcome.outcome, outcome.version) == (Outcome.APPLIED, 1)
        (change,) = await changes_after(world, desk, 0)
        record = msgspec.json.decode(change.body, type=EventRecord)
        assert (change.entity, change.entity_id) == (Entity.EVENT, entry.event_id)
        assert bytes(record.event) == entry.body
        assert (record.device_id, record.seq) == (desk.key.device_id, 1)
        assert (record.received_at_ms, record.outcome) == (STORE_NOW_MS, "applied")

    async def test_what_was_stored_is_where_the_device_goes_on(self, world: World, desk: Desk, child: str) -> None:
        last = [desk.check_in(child), desk.check_out(child, minute=20)]
        await push(world, desk, *last)
        loaded = await greet(world, desk)
        assert (loaded.stored_seq, loaded.stored_hash) == (2, last[-1].hash)

    async def test_a_repeated_push_gets_its_first_outcomes_and_is_stored_once(
        self, world: World, desk: Desk, child: str
    ) -> None:
        entries = [desk.check_in(child), desk.write("x", "unknown", b"{}"), desk.check_out(child, minute=9)]
        first = await push(world, desk, *entries)
        head = await head_of(world, desk)
        assert await push(world, desk, *entries) == first
        assert await head_of(world, desk) == head

    async def test_after_a_lost_acknowledgement_repeat_and_new_entries_come_together(
        self, world: World, desk: Desk, child: str
    ) -> None:
        one, two = desk.check_in(child), desk.check_out(child, minute=15)
        first = await push(world, desk, one, two)
        three = desk.check_in(child, minute=60)
        again = await push(world, desk, two, three)
        assert again.outcomes[0] == first.outcomes[1]
        assert (again.outcomes[1].outcome, again.outcomes[1].version) == (Outcome.APPLIED, 3)
        assert (again.through_seq, again.hash) == (3, three.hash)

    async def test_a_repeat_of_the_front_is_acknowledged_up_to_what_was_pushed(
        self, world: World, desk: Desk, child: str
    ) -> None:
        entries = [desk.check_in(child, minute=minute) for minute in range(3)]
        stored = await push(world, desk, *entries)
        again = await push(world, desk, *entries[:2])
        assert (again.through_seq, again.hash) == (2, entries[1].hash)
        assert again.outcomes == stored.outcomes[:2]

    async def test_a_hole_is_answered_with_where_the_server_stands(self, world: World, desk: Desk, child: str) -> None:
        one = desk.check_in(child)
        await push(world, desk, one)
        desk.check_in(child, minute=1)
        late = desk.check_in(child, minute=2)
        answer = await push(world, desk, late)
        assert (answer.through_seq, answer.hash, answer.outcomes) == (1, one.hash, ())
        assert (await head_of(world, desk)).version == 1

    async def test_a_hole_in_an_unknown_journal_asks_for_it_from_its_genesis(
        self, world: World, desk: Desk, child: str
    ) -> None:
        start = desk.head
        desk.check_in(child)
        answer = await push(world, desk, desk.check_in(child, minute=1))
        assert (answer.through_seq, answer.hash, answer.outcomes) == (0, start.hash, ())

    async def test_a_fork_is_refused_and_nothing_of_it_is_stored(self, world: World, desk: Desk, child: str) -> None:
        clone = Desk(desk.key, desk.private_key, desk.incarnation)
        await push(world, desk, desk.check_in(child), desk.check_in(child, minute=1))
        forked = clone.check_in(child, minute=2)
        assert (await refusal(world, desk, forked)).code is CloseCode.FORK
        beyond = [clone.check_in(child, minute=minute) for minute in range(3, 5)]
        assert (await refusal(world, desk, *beyond)).code is CloseCode.FORK
        assert (await greet(world, desk)).stored_hash == desk.head.hash
        assert (await head_of(world, desk)).version == 2

    async def test_a_new_incarnation_is_another_journal(self, world: World, desk: Desk, child: str) -> None:
        await push(world, desk, desk.check_in(child))
        reborn = Desk(desk.key, desk.private_key)
        answer = await push(world, reborn, reborn.check_out(child, minute=40))
        assert outcomes(answer) == [Outcome.APPLIED]
        assert (await greet(world, desk)).stored_seq == (await greet(world, reborn)).stored_seq == 1

    async def test_a_run_whose_chain_is_broken_is_refused(self, world: World, desk: Desk, child: str) -> None:
        good, follower = desk.check_in(child), desk.check_in(child, minute=1)
        changed = msgspec.structs.replace(good, wall_ms=good.wall_ms + 1)
        assert (await refusal(world, desk, changed, follower)).code is CloseCode.JOURNAL_INVALID
        assert (await head_of(world, desk)).version == 0
        assert outcomes(await push(world, desk, good, follower))

    async def test_a_run_that_another_key_signed_is_refused(self, world: World, desk: Desk, child: str) -> None:
        thief = Desk(desk.key, Ed25519PrivateKey.generate(), desk.incarnation)
        assert (await refusal(world, desk, thief.check_in(child))).code is CloseCode.JOURNAL_INVALID
        loaded = await greet(world, desk)
        assert (loaded.stored_seq, loaded.head.version) == (0, 0)

    async def test_an_event_that_another_desk_sent_too_is_a_duplicate(
        self, world: World, center: str, desk: Desk, child: str
    ) -> None:
        other = await make_desk(world, center)
        entry = desk.check_in(child)
        await push(world, desk, entry)
        answer = await push(world, other, other.check_in(child, event_id=entry.event_id))
        assert outcomes(answer) == [Outcome.DUPLICATE]
        assert answer.outcomes[0].version == 1
        assert (await head_of(world, desk)).version == 1

    async def test_an_event_that_comes_twice_in_one_push_is_a_duplicate(
        self, world: World, desk: Desk, child: str
    ) -> None:
        entry = desk.check_in(child)
        twice = desk.check_in(child, event_id=entry.event_id)
        assert outcomes(await push(world, desk, entry, twice)) == [Outcome.APPLIED, Outcome.DUPLICATE]

    async def test_a_contradiction_with_an_earlier_push_stands_and_is_told(
        self, world: World, center: str, desk: Desk, child: str
    ) -> None:
        other = await make_desk(world, center)
        await push(world, desk, desk.check_in(child))
        answer = await push(world, other, other.check_in(child, minute=30))
        assert outcomes(answer) == [Outcome.CONFLICT]
        assert answer.outcomes[0].version == 2

    async def test_an_earlier_push_is_remembered_of_every_subject(
        self, world: World, center: str, desk: Desk, child: str
    ) -> None:
        other, member, stranger = await make_desk(world, center), new_id(), new_id()
        staff: dict[str, Any] = {"person_id": member}
        named: dict[str, Any] = {"provisional_name": "Tim"}
        came = desk.check_in(child)
        await push(world, desk, came, desk.event("", EventKind.STAFF_IN, **staff), desk.check_in(stranger, **named))
        answer = await push(
            world,
            other,
            other.event("", EventKind.STAFF_IN, minute=30, **staff),
            other.check_out(stranger, minute=60, **named),
            other.event(child, EventKind.VOID, minute=30, supersedes=(came.event_id,)),
            other.check_in(child, minute=40),
            other.event("", EventKind.HEADCOUNT, headcount=0),
        )
        found = [Outcome.CONFLICT, Outcome.CONFLICT, Outcome.APPLIED, Outcome.APPLIED, Outcome.APPLIED]
        assert outcomes(answer) == found
