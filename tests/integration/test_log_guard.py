"""A write that forgets the change log fails, whoever makes it and in whatever way; PostgreSQL itself sees to it."""

from collections.abc import Awaitable, Callable

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlmodel import select

from server.core.database import sqlstate_of
from server.models.people import Alert, ChildProfile, Person, PickupAuthorisation, Relationship, StaffProfile
from server.models.rooms import Room
from server.repositories.unit_of_work import UnitOfWork
from sync.records import Entity, RoomRecord
from tests.contract.postgres_world import PostgresWorld
from tests.contract.server_world import make_desk, new_id, push

pytestmark = pytest.mark.postgres

OBJECT_NOT_IN_PREREQUISITE_STATE = "55000"


@pytest.fixture
async def center(world: PostgresWorld) -> str:
    """A centre with a room, two people and everything that can hang on them; devices know of none of it."""
    center_id = await world.make_center()
    child, adult, staff = new_id(), new_id(), new_id()
    async with world.units.begin() as unit:
        await unit.lock_head(center_id)
        unit.session.add(Room(center_id=center_id, id=new_id(), external_id="1", name="Sun"))
        for person_id, kind in ((child, "child"), (adult, "adult"), (staff, "staff")):
            unit.session.add(_person(center_id, person_id, kind))
        await unit.session.flush()
        unit.session.add_all(
            [
                ChildProfile(center_id=center_id, child_id=child),
                StaffProfile(center_id=center_id, person_id=staff, role="educator"),
                Relationship(center_id=center_id, child_id=child, adult_id=adult),
                PickupAuthorisation(
                    center_id=center_id, id=new_id(), child_id=child, adult_id=adult, status="authorised"
                ),
                Alert(
                    center_id=center_id, id=new_id(), external_id="1", child_id=child, kind="note", severity="info",
                    text="-",
                ),
            ]
        )  # fmt: skip
        unit.remove(center_id, Entity.CHILD, child)
    return center_id


def _person(center_id: str, person_id: str, kind: str) -> Person:
    return Person(
        center_id=center_id, id=person_id, kind=kind, external_id=person_id, given_name="Mia", family_name="Example"
    )


def forgot_the_log(error: pytest.ExceptionInfo[BaseException]) -> bool:
    return sqlstate_of(error.value) == OBJECT_NOT_IN_PREREQUISITE_STATE


async def work_on(world: PostgresWorld, *centers: str, write: Callable[[UnitOfWork], Awaitable[None]]) -> None:
    """A unit of work that holds the heads of these centres and does what `write` does."""
    async with world.units.begin() as unit:
        await unit.lock_heads(centers)
        await write(unit)


async def test_a_new_row_that_no_device_is_told_of_cannot_be_committed(world: PostgresWorld, center: str) -> None:
    async def add(unit: UnitOfWork) -> None:
        unit.session.add(Room(center_id=center, id=new_id(), external_id="2", name="Moon"))

    with pytest.raises(DBAPIError, match="without its change log") as error:
        await work_on(world, center, write=add)
    assert forgot_the_log(error)


async def test_a_changed_object_that_no_device_is_told_of_cannot_be_committed(
    world: PostgresWorld, center: str
) -> None:
    async def change(unit: UnitOfWork) -> None:
        (room,) = await unit.session.exec(select(Room))
        room.name = "Moon"

    with pytest.raises(DBAPIError) as error:
        await work_on(world, write=change)
    assert forgot_the_log(error)


async def test_what_one_centre_is_told_does_not_excuse_another(world: PostgresWorld, center: str) -> None:
    other = await world.make_center()

    async def mistake(unit: UnitOfWork) -> None:
        unit.put(other, Entity.ROOM, new_id(), RoomRecord(name="Moon"))
        unit.session.add(Room(center_id=center, id=new_id(), external_id="2", name="Moon"))

    with pytest.raises(DBAPIError) as error:
        await work_on(world, center, other, write=mistake)
    assert forgot_the_log(error)
    assert await world.rows(other) == set()


async def test_a_row_that_is_logged_in_the_same_transaction_is_committed(world: PostgresWorld, center: str) -> None:
    async with world.units.begin() as unit:
        room = Room(center_id=center, id=new_id(), external_id="2", name="Moon")
        unit.session.add(room)
        unit.put(center, Entity.ROOM, room.id, RoomRecord(name=room.name))
    assert {row[2] for row in await world.rows(center)} == {room.id}


async def test_a_change_that_devices_do_not_see_is_committed_when_the_log_was_asked(
    world: PostgresWorld, center: str
) -> None:
    async with world.units.begin() as unit:
        await unit.connection.execute(text("UPDATE room SET external_id = '9'"))
        unit.remove(center, Entity.ROOM, new_id())
    assert await world.rows(center) == set()


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO room SELECT center_id, gen_random_uuid(), '2', 'Moon', 0, 0 FROM room",
        "INSERT INTO person SELECT center_id, gen_random_uuid(), 'adult', '2', '', '', '', NULL, '', '' FROM room",
        "UPDATE center SET name = 'Moon'",
        "UPDATE room SET name = 'Moon'",
        "UPDATE person SET given_name = 'Moon' WHERE kind = 'staff'",
        "UPDATE child_profile SET enrolled = false",
        "UPDATE alert SET text = 'Moon'",
        "UPDATE relationship SET legal_guardian = true",
        "UPDATE pickup_authorisation SET status = 'not_authorised'",
        "UPDATE staff_profile SET counts_in_ratio = false",
        "INSERT INTO center_ratio_rules SELECT center_id, '2026-01-01', '', now() FROM room",
        "DELETE FROM alert",
        "DELETE FROM pickup_authorisation",
        "DELETE FROM relationship",
        "DELETE FROM staff_profile",
        "DELETE FROM child_profile",
        "DELETE FROM room",
        "WITH gone AS (DELETE FROM alert RETURNING center_id) SELECT center_id FROM gone",
    ],
)
async def test_raw_sql_that_forgets_the_log_fails_at_commit(world: PostgresWorld, center: str, statement: str) -> None:
    async with world.engine.connect() as connection:
        await connection.execute(text(statement))
        with pytest.raises(DBAPIError) as error:
            await connection.commit()
    assert forgot_the_log(error)
    assert await world.rows(center) == set()


async def test_a_fact_that_is_not_logged_cannot_be_committed(world: PostgresWorld, center: str) -> None:
    child = await world.make_child(center)
    desk = await make_desk(world, center)
    await push(world, desk, desk.check_in(child))
    async with world.engine.connect() as connection:
        await connection.execute(
            text("""
                INSERT INTO attendance_event
                SELECT center_id, gen_random_uuid(), child_id, kind, occurred_at, corrected_at, recorded_at,
                       received_at, device_id, incarnation, seq, hlc, version, body
                FROM attendance_event
            """)
        )
        with pytest.raises(DBAPIError) as error:
            await connection.commit()
    assert forgot_the_log(error)


async def test_a_row_of_a_centre_without_a_log_fails_at_once(world: PostgresWorld) -> None:
    center = await world.make_center()
    with pytest.raises(DBAPIError, match="for a centre without a log") as error:
        await world.execute(
            "INSERT INTO room (center_id, id, external_id, name, capacity, sort) VALUES (:c, :c, '', '', 0, 0)",
            c=center,
        )
    assert forgot_the_log(error)


async def test_a_statement_that_writes_no_row_needs_no_log(world: PostgresWorld, center: str) -> None:
    await world.execute("UPDATE room SET name = 'Moon' WHERE center_id = :c", c=new_id())
    await world.execute("DELETE FROM alert WHERE center_id = :c", c=new_id())


async def test_a_transaction_that_is_undone_to_a_savepoint_is_judged_by_what_is_left(
    world: PostgresWorld, center: str
) -> None:
    async with world.engine.connect() as connection:
        savepoint = await connection.begin_nested()
        await connection.execute(text("UPDATE room SET name = 'Moon'"))
        await savepoint.rollback()
        await connection.commit()
        async with connection.begin_nested():
            await connection.execute(text("UPDATE room SET name = 'Moon'"))
        with pytest.raises(DBAPIError) as error:
            await connection.commit()
    assert forgot_the_log(error)
