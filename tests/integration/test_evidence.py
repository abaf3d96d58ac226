"""Evidence, digests and lives of logs: what an upgrade finds out, and what every transaction carries on."""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest
from alembic import command
from sqlalchemy import Connection, Row, text

from server.core.clock import datetime_of
from server.core.database import create_engine, parts_of
from server.core.migrate import AppRole, alembic_config, migrate
from server.core.postgres_cluster import APP_ROLE
from server.repositories import evidence_gaps
from server.repositories.log_rows import microseconds
from sync.change_log import ChangeDraft, Head, Operation, genesis, number
from sync.digest import Held, sums
from sync.evidence import journal_evidence, log_evidence
from sync.journal import Outcome
from sync.records import REFERENCE_BUCKET, Entity, RoomRecord, encode_record
from tests.contract.postgres_world import PostgresWorld, make_world
from tests.contract.server_world import NOW_MS, Desk, make_desk, new_id, outcomes, push
from tests.support.postgres import FreshDatabase

pytestmark = pytest.mark.postgres

AT = datetime_of(NOW_MS)


async def read(world: PostgresWorld, statement: str, **parameters: object) -> Sequence[Row[Any]]:
    async with world.engine.connect() as connection:
        return (await connection.execute(text(statement), parameters)).all()


async def check_everything(world: PostgresWorld) -> None:
    """Compute every chain and every digest anew from the rows, and compare."""
    for head in await read(world, "SELECT * FROM center_head"):
        assert head.evidence_version == head.version
        assert head.evidence == await evidence_of_log(world, head.center_id)
        assert await digests_of(world, head.center_id) == await counted(world, head.center_id)
        (first,) = await read(world, "SELECT * FROM log_epoch WHERE center_id = :c", c=head.center_id)
        assert (first.epoch, first.from_version, first.reason) == (head.origin_epoch, 0, "begun")
    for journal in await read(world, "SELECT * FROM device_journal"):
        assert journal.evidence_seq == journal.last_seq
        assert journal.evidence == await evidence_of_journal(world, journal)


async def evidence_of_log(world: PostgresWorld, center_id: object) -> bytes:
    evidence = b""
    for row in await read(world, "SELECT * FROM change_log WHERE center_id = :c ORDER BY version", c=center_id):
        evidence = log_evidence(
            evidence,
            row.hash,
            bucket=row.bucket,
            transaction_last=row.transaction_last,
            at_us=microseconds(row.at),
            actor=row.actor,
            origin=row.origin,
        )
        assert row.evidence in (evidence, b"")
    return evidence


async def evidence_of_journal(world: PostgresWorld, journal: Row[Any]) -> bytes:
    evidence = b""
    statement = "SELECT * FROM journal_entry WHERE device_id = :d AND incarnation = :i ORDER BY seq"
    for row in await read(world, statement, d=journal.device_id, i=journal.incarnation):
        evidence = journal_evidence(
            evidence,
            row.hash,
            row.signature,
            outcome=row.outcome,
            reason=row.reason,
            version=row.version,
            received_at_us=microseconds(row.received_at),
        )
        assert row.evidence in (evidence, b"")
    return evidence


async def digests_of(world: PostgresWorld, center_id: object) -> dict[str, int]:
    rows = await read(world, "SELECT * FROM bucket_digest WHERE center_id = :c AND records > 0", c=center_id)
    return {row.bucket: int(row.total) for row in rows}


async def counted(world: PostgresWorld, center_id: object) -> dict[str, int]:
    rows = await read(world, "SELECT * FROM current_record WHERE center_id = :c", c=center_id)
    return sums(Held(row.bucket, row.entity, row.entity_id, row.version, row.commitment) for row in rows)


# -- what every transaction carries on


async def test_evidence_and_digests_follow_whatever_is_written(
    world: PostgresWorld, center: str, desk: Desk, child: str
) -> None:
    rooms = [new_id() for _ in range(5)]
    await world.put_together(center, [(room, RoomRecord(name="A")) for room in rooms])
    await push(world, desk, desk.check_in(child), desk.write("x", "moon", b"{}"), desk.check_out(child, minute=9))
    await world.put_together(center, [(rooms[0], RoomRecord(name="B")), (rooms[1], RoomRecord(name="A"))])
    await world.remove_room(center, rooms[2])
    async with world.units.begin(actor="someone", origin="test") as unit:
        unit.remove(center, Entity.ROOM, rooms[3])
        unit.put(center, Entity.ROOM, rooms[3], RoomRecord(name="C"))
        unit.put(center, Entity.ROOM, rooms[4], RoomRecord(name="D"), bucket="day:2026-01-01")
        unit.put(center, Entity.ROOM, rooms[4], RoomRecord(name="E"))
        unit.put(center, Entity.ROOM, new_id(), RoomRecord(name="F"))
        unit.remove(center, Entity.ROOM, rooms[0])
    await push(world, desk, desk.check_in(child, minute=60))
    await check_everything(world)
    assert len(await counted(world, center)) == 2
    assert all(row.evidence for row in await read(world, "SELECT evidence FROM change_log"))
    assert all(row.evidence for row in await read(world, "SELECT evidence FROM journal_entry"))


async def test_evidence_and_digests_hold_under_many_writers_at_once(world: PostgresWorld) -> None:
    processes = [make_world(world.engine) for _ in range(3)]
    centers = [await world.make_center() for _ in range(3)]
    rooms = {center: [new_id() for _ in range(4)] for center in centers}
    children = {center: await world.make_child(center) for center in centers}
    desks = [await make_desk(world, center) for center in centers for _ in range(4)]

    async def work(number: int, desk: Desk) -> None:
        center = desk.key.center_id
        for turn in range(4):
            process = processes[(number + turn) % 3]
            child = children[center]
            await push(process, desk, desk.check_in(child, minute=turn), desk.check_out(child, minute=turn))
            await process.put_together(center, [(rooms[center][turn], RoomRecord(name=f"{number} {turn}"))])
            await process.remove_room(center, rooms[center][number % 4])

    await asyncio.gather(*(work(number, desk) for number, desk in enumerate(desks)))
    await check_everything(world)
    for center in centers:
        rows = await read(world, "SELECT version FROM change_log WHERE center_id = :c ORDER BY version", c=center)
        assert [row.version for row in rows] == list(range(1, len(rows) + 1))


async def test_the_actor_of_a_pushed_fact_is_its_device(world: PostgresWorld, desk: Desk, child: str) -> None:
    await push(world, desk, desk.check_in(child))
    (row,) = await read(world, "SELECT actor, origin FROM change_log")
    assert (row.actor, row.origin) == (desk.key.device_id, "device")


async def test_a_bucket_that_is_empty_again_counts_nothing(world: PostgresWorld, center: str) -> None:
    room = new_id()
    await world.put_together(center, [(room, RoomRecord(name="A"))])
    await world.remove_room(center, room)
    (row,) = await read(world, "SELECT total, records FROM bucket_digest")
    assert (int(row.total), row.records) == (0, 0)


# -- a server of the release before, which knows of none of this, beside one of this release


async def older_server_appends(world: PostgresWorld, center: str, rooms: Sequence[str]) -> None:
    """Append to the log as release 0.1 did."""
    async with world.engine.begin() as connection:
        found = await connection.execute(
            text("SELECT epoch, version, hash FROM center_head WHERE center_id = :c FOR UPDATE"), {"c": center}
        )
        row = found.one_or_none()
        head = Head(str(row.epoch), row.version, row.hash) if row else genesis(center, new_id())
        if row is None:
            await connection.execute(
                text("INSERT INTO center_head (center_id, epoch, version, hash) VALUES (:c, :e, :v, :h)"),
                {"c": center, "e": head.epoch, "v": head.version, "h": head.hash},
            )
        await append_as_before(connection, center, head, rooms)


async def append_as_before(connection: Any, center: str, head: Head, rooms: Sequence[str]) -> None:
    drafts = [
        ChangeDraft(
            bucket=REFERENCE_BUCKET,
            entity=Entity.ROOM,
            entity_id=room,
            operation=Operation.PUT,
            body=encode_record(RoomRecord(name="Old")),
            ends_unit=True,
        )
        for room in rooms
    ]
    moved, numbered = number(head, drafts, [b"0123456789abcdef"] * len(rooms))
    for line in numbered:
        change = line.change
        shared = {
            "c": center, "v": change.version, "b": change.bucket, "e": change.entity, "i": change.entity_id,
            "body": change.body, "s": change.salt, "k": change.commitment,
        }  # fmt: skip
        await connection.execute(
            text("""
                INSERT INTO change_log (center_id, version, bucket, entity, entity_id, operation, body, salt,
                                        commitment, hash, transaction_last, at, actor, origin)
                VALUES (:c, :v, :b, :e, :i, 1, :body, :s, :k, :h, true, :at, 'a', 'import')
            """),
            shared | {"h": line.hash, "at": AT},
        )
        await connection.execute(
            text("""
                INSERT INTO current_record (center_id, entity, entity_id, bucket, version, body, salt, commitment)
                VALUES (:c, :e, :i, :b, :v, :body, :s, :k)
                ON CONFLICT (center_id, entity, entity_id) DO UPDATE
                SET version = excluded.version, body = excluded.body, salt = excluded.salt,
                    commitment = excluded.commitment
            """),
            shared,
        )
    await connection.execute(
        text("UPDATE center_head SET version = :v, hash = :h WHERE center_id = :c"),
        {"c": center, "v": moved.version, "h": moved.hash},
    )


async def test_what_an_older_server_appended_gets_its_evidence_from_the_next_append(
    world: PostgresWorld, center: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(evidence_gaps, "BATCH_ROWS", 2)
    rooms = [new_id() for _ in range(3)]
    await older_server_appends(world, center, rooms)
    await world.put_together(center, [(rooms[0], RoomRecord(name="New"))])
    await check_everything(world)
    await older_server_appends(world, center, rooms[:2])
    (head,) = await read(world, "SELECT version, evidence_version FROM center_head")
    assert (head.version, head.evidence_version) == (6, 4)
    await world.remove_room(center, rooms[0])
    await check_everything(world)


async def test_what_an_older_server_stored_of_a_journal_gets_its_evidence_from_the_next_push(
    world: PostgresWorld, desk: Desk, child: str
) -> None:
    first = desk.check_in(child)
    await push(world, desk, first)
    await world.execute("UPDATE device_journal SET evidence = '', evidence_seq = 0")
    assert outcomes(await push(world, desk, first, desk.check_out(child, minute=9))) == [Outcome.APPLIED] * 2
    await check_everything(world)


async def test_an_older_server_passes_the_guard_with_what_it_logs(world: PostgresWorld, center: str) -> None:
    room = new_id()
    await older_server_appends(world, center, [])
    async with world.engine.begin() as connection:
        row = (await connection.execute(text("SELECT epoch, version, hash FROM center_head FOR UPDATE"))).one()
        await connection.execute(text("INSERT INTO room VALUES (:c, :r, '1', 'Old', 0, 0)"), {"c": center, "r": room})
        await append_as_before(connection, center, Head(str(row.epoch), row.version, row.hash), [room])
    assert len(await world.rows(center)) == 1


# -- the upgrade itself


def downgrade(connection: Connection, revision: str) -> None:
    config = alembic_config()
    config.attributes["connection"] = connection
    command.downgrade(config, revision)


async def test_an_upgrade_finds_the_evidence_of_all_that_stands_and_can_be_taken_back(
    database: FreshDatabase,
) -> None:
    app, owner = create_engine(database.urls.app), create_engine(database.urls.owner)
    world = make_world(app)
    try:
        await fill(world)
        before = await read(world, "SELECT center_id, evidence, version FROM center_head ORDER BY 1")
        assert [row.version for row in before] == [21, 21]
        async with owner.begin() as connection:
            await connection.run_sync(downgrade, "0002")
        assert not await read(world, "SELECT 1 FROM pg_trigger WHERE tgname LIKE 'guard%'")
        await app.dispose()
        assert parts_of(database.urls.app).role == APP_ROLE
        await migrate(database.urls.owner, AppRole(APP_ROLE))
        assert await read(world, "SELECT center_id, evidence, version FROM center_head ORDER BY 1") == before
        await check_everything(world)
        await fill(world)
        await check_everything(world)
    finally:
        await app.dispose()
        await owner.dispose()


async def fill(world: PostgresWorld) -> None:
    for _ in range(2):
        center = await world.make_center()
        desk, child = await make_desk(world, center), await world.make_child(center)
        rooms = [new_id() for _ in range(10)]
        await world.put_together(center, [(room, RoomRecord(name="A")) for room in rooms])
        await push(world, desk, *(desk.check_in(child, minute=minute * 700) for minute in range(10)))
        await world.remove_room(center, rooms[0])
        odd = Desk(desk.key, desk.private_key, "a\x00\\")
        assert outcomes(await push(world, odd, odd.write("\x00", "\x00", b"\x00"))) == [Outcome.PARKED]
