"""A child moves to another centre: off the desks of one, onto those of the other, and its past stays where it was."""

from collections.abc import AsyncIterator

import msgspec
import pytest

from server.core.errors import Conflict, NotFound
from server.models.accounts import Membership, UserAccount
from server.models.people import GuardianAccount
from server.repositories import change_log
from server.services.attendance import Attendance
from server.services.directory import Directory
from server.services.photos import WhoseKind
from server.services.scope import Move, Moved, Scope
from server.services.verification import Verification
from sync.change_log import Change, Operation
from sync.journal import Outcome
from sync.records import ChildRecord, Entity, PickupRecord
from tests.contract.server_world import outcomes, push
from tests.support.books import Books, books_on
from tests.support.postgres import FreshDatabase, PostgresServer

pytestmark = pytest.mark.postgres


@pytest.fixture
async def books(postgres_server: PostgresServer, database: FreshDatabase) -> AsyncIterator[Books]:
    async with books_on(postgres_server, database) as opened:
        await opened.take_in()
        yield opened


async def move(books: Books, child: str = "C-1", to: str = "oak", *, start: str = "", room: str = "") -> Moved:
    return await Scope(books.world.units, books.clock, books.new_id).move_child(Move(child, to, start, room))


async def changes(books: Books, code: str, after: int) -> list[Change]:
    async with books.units.read() as connection:
        rows = await change_log.read_after(connection, await books.center(code), after)
    return [row.change for row in rows]


async def version(books: Books, code: str) -> int:
    statement = "SELECT version FROM center_head WHERE center_id = :center_id"
    return int(await books.value(statement, center_id=await books.center(code)))


async def held(books: Books, code: str) -> set[tuple[str, str]]:
    """What the desks of a centre hold, by entity and id."""
    statement = "SELECT entity, entity_id FROM current_record WHERE center_id = :center_id AND bucket = 'reference'"
    return {(row.entity, row.entity_id) for row in await books.rows(statement, center_id=await books.center(code))}


async def wrong(books: Books) -> list[object]:
    verification = Verification(books.units)
    reports = [await verification.check(center_id) for center_id in await verification.center_ids()]
    return [found for report in reports for found in report.findings]


async def test_the_desks_of_the_old_centre_are_told_to_remove_it(books: Books) -> None:
    child, aunt = await books.person("C-1"), await books.person("G-2")
    before = await version(books, "elm")
    moved = await move(books)
    assert moved == Moved(child, "elm", "oak", adults=2, adults_removed=1)
    told = await changes(books, "elm", before)
    assert {change.operation for change in told} == {Operation.REMOVE}
    assert [change.entity for change in told] == [Entity.PICKUP, Entity.PICKUP, Entity.CHILD, Entity.ADULT]
    assert told[2].entity_id == child
    assert told[3].entity_id == aunt
    assert [change.transaction_last for change in told] == [False, False, False, True]
    assert await wrong(books) == []


async def test_the_desks_of_the_new_centre_get_all_that_keeps_it_safe(books: Books) -> None:
    child, mother, aunt = await books.person("C-1"), await books.person("G-1"), await books.person("G-2")
    before = await version(books, "oak")
    await move(books, room="FOXES")
    told = await changes(books, "oak", before)
    assert [change.entity for change in told] == [Entity.ADULT] * 2 + [Entity.CHILD] + [Entity.PICKUP] * 2
    assert [change.transaction_last for change in told] == [False] * 4 + [True]
    record = msgspec.json.decode(told[2].body, type=ChildRecord)
    room = str(await books.value("SELECT id FROM room WHERE external_id = 'FOXES'"))
    assert (told[2].entity_id, record.given_name, record.home_room_id) == (child, "Zoë", room)
    assert [alert.text for alert in record.alerts] == ["Peanuts", "No milk"]
    pickups = [msgspec.json.decode(change.body, type=PickupRecord) for change in told[3:]]
    assert {(one.adult_id, one.status, one.relationship) for one in pickups} == {
        (mother, "authorised", "mother"),
        (aunt, "not_authorised", "aunt"),
    }
    assert {one.child_id for one in pickups} == {child}


async def test_an_adult_whom_a_sibling_needs_stays_and_comes_along(books: Books) -> None:
    mother = await books.person("G-1")
    await move(books)
    assert ("adult", mother) in await held(books, "elm")
    assert ("adult", mother) in await held(books, "oak")
    second = await move(books, "C-2")
    assert second.adults_removed == 1
    assert ("adult", mother) not in await held(books, "elm")
    assert await wrong(books) == []


async def test_photos_come_along_and_leave_the_desks_where_nobody_needs_them(books: Books) -> None:
    child, mother = await books.person("C-1"), await books.person("G-1")
    await books.show("elm", child)
    await books.show("elm", mother, WhoseKind.ADULT)
    await books.give_card("elm", child)
    before = [key for key in await held(books, "elm") if key[0] == "picture"]
    assert sorted(before) == sorted([("picture", child), ("picture", mother)])
    await move(books)
    assert {("picture", child), ("picture", mother)} <= await held(books, "oak")
    assert ("picture", child) not in await held(books, "elm")
    both = {entity for code in ("elm", "oak") for entity, _ in await held(books, code)}
    assert "credential" not in both, "a card is sealed for one centre"
    assert ("picture", mother) in await held(books, "elm"), "a sibling needs her there"
    await move(books, "C-2")
    assert "picture" not in {entity for entity, _ in await held(books, "elm")}
    statement = "SELECT count(*) FROM photo WHERE center_id = :center_id"
    assert await books.value(statement, center_id=await books.center("elm")) == 0
    assert await books.value(statement, center_id=await books.center("oak")) == 2
    assert await wrong(books) == []


async def test_what_was_recorded_stays_where_it_happened(books: Books) -> None:
    await books.morning()
    events = "SELECT count(*) FROM attendance_event WHERE center_id = :center_id"
    elm, oak = await books.center("elm"), await books.center("oak")
    await move(books)
    assert await books.value(events, center_id=elm) == 2
    assert await books.value(events, center_id=oak) == 0
    kept = "SELECT count(*) FROM current_record WHERE center_id = :center_id AND entity = 'event'"
    assert await books.value(kept, center_id=elm) == 2
    assert await wrong(books) == []
    (center,) = await Directory(books.world.units).centers("elm")
    day = await Attendance(books.world.units, books.clock).of_day(center, None)
    (zoe,) = [child for child in day.children if child.child.given_name == "Zoë"]
    assert (len(zoe.stays), zoe.child.enrolled) == (1, False)


async def test_a_desk_that_was_offline_meanwhile_can_still_tell_what_it_saw(books: Books) -> None:
    child = await books.person("C-1")
    desk = await books.desk("elm")
    entries = [desk.check_in(child), desk.check_out(child, minute=30)]
    await move(books)
    assert outcomes(await push(books.world, desk, *entries)) == [Outcome.APPLIED] * 2
    there = await books.desk("oak")
    assert outcomes(await push(books.world, there, there.check_in(child, minute=60))) == [Outcome.APPLIED]
    assert await wrong(books) == []


async def test_a_child_can_come_back(books: Books) -> None:
    child = await books.person("C-1")
    elm, oak = await held(books, "elm"), await held(books, "oak")
    await move(books)
    await books.rename("oak", "C-1", "Renamed")
    await move(books, to="elm", room="BEES")
    assert await held(books, "elm") == elm
    assert await held(books, "oak") == oak
    assert await books.value("SELECT family_name FROM person WHERE id = :c AND center_id = :e", c=child,
                             e=await books.center("elm")) == "Renamed"  # fmt: skip
    assert await wrong(books) == []


async def test_an_adult_whom_the_new_centre_knows_is_taken_as_it_is_known_there(books: Books) -> None:
    await books.take_in("record,external_id,center,given_name,family_name,phone\nguardian,G-1,oak,Deniz,O'Neill,999\n")
    there = await books.person("G-1", "oak")
    await move(books)
    adults = [one for entity, one in await held(books, "oak") if entity == "adult"]
    assert there in adults
    assert await books.person("G-1", "elm") not in adults
    assert await wrong(books) == []


async def test_a_file_that_still_lists_the_child_puts_it_back(books: Books) -> None:
    """The importer takes a file at its word: the child is then in both centres, under one id."""
    child = await books.person("C-1")
    await move(books)
    await books.take_in()
    assert ("child", child) in await held(books, "elm")
    assert ("child", child) in await held(books, "oak")
    assert await wrong(books) == []


# -- refused, and nothing happened


async def refused(books: Books, expected: type[Exception], match: str, **asked: str) -> None:
    before = await version(books, "elm"), await version(books, "oak")
    with pytest.raises(expected, match=match):
        await move(books, **asked)
    assert (await version(books, "elm"), await version(books, "oak")) == before
    assert await wrong(books) == []


async def test_a_child_that_is_present_is_not_moved(books: Books) -> None:
    desk = await books.desk()
    await push(books.world, desk, desk.check_in(await books.person("C-1")))
    await refused(books, Conflict, "checked in at elm")


async def test_what_is_not_there_is_told(books: Books) -> None:
    await refused(books, NotFound, "No centre has a child C-9", child="C-9")
    await refused(books, NotFound, "no centre with the code ash", to="ash")
    await refused(books, NotFound, "oak has no room BEES", room="BEES")
    await refused(books, NotFound, "No centre has a child C-1", start="oak")


async def test_a_child_that_is_there_already_is_not_moved(books: Books) -> None:
    await refused(books, Conflict, "is at elm already", to="elm")


async def test_a_child_of_two_centres_is_moved_only_from_one_that_is_named(books: Books) -> None:
    await books.rename("oak", "C-1", "Namesake")
    await refused(books, Conflict, "More than one centre has a child C-1: elm, oak")
    await refused(books, Conflict, "oak knows another child by the id C-1", start="elm")


async def test_a_child_does_not_move_to_another_organisation(books: Books) -> None:
    await books.take_in("record,external_id,name,time_zone,organisation\ncenter,ash,Ash,Europe/Berlin,Lake\n")
    await refused(books, Conflict, "another organisation", to="ash")


async def test_rights_are_never_handed_to_somebody_else_with_the_same_id(books: Books) -> None:
    await books.take_in("record,external_id,center,given_name,family_name\nguardian,G-2,oak,Bad,Wolf\n")
    await refused(books, Conflict, "oak knows another adult by the id G-2")


async def test_an_alert_is_never_mixed_up_with_another(books: Books) -> None:
    await books.take_in("record,external_id,center,child,kind,severity,text\nalert,A-1,oak,C-3,note,info,Shy\n")
    await refused(books, Conflict, "oak knows another alert by the id A-1")


async def test_the_account_of_a_guardian_follows_the_child(books: Books) -> None:
    account, mother, aunt = books.new_id(), await books.person("G-1"), await books.person("G-2")
    async with books.world.units.begin() as unit:
        elm, now = await books.center("elm"), books.clock.now()
        organisation = await books.value("SELECT organisation_id FROM center WHERE code = 'elm'")
        people = [(account, mother, "mother@example.org"), (books.new_id(), aunt, "aunt@example.org")]
        for user_id, adult, email in people:
            unit.session.add(
                UserAccount(
                    id=user_id, organisation_id=str(organisation), email=email, display_name="Somebody",
                    password_hash="", created_at=now,
                )
            )  # fmt: skip
            await unit.session.flush()
            unit.session.add(Membership(id=books.new_id(), user_id=user_id, center_id=elm, role_id=1))
            unit.session.add(GuardianAccount(center_id=elm, adult_id=adult, user_id=user_id, linked_at=now))
    await move(books)
    rows = await books.rows(
        "SELECT center.code, link.adult_id, membership.role_id FROM guardian_account AS link "
        "JOIN center ON center.id = link.center_id "
        "JOIN membership ON membership.user_id = link.user_id AND membership.center_id = link.center_id "
        "ORDER BY center.code, link.adult_id"
    )
    # The aunt came for this child alone: nobody knows her at the old centre any more.
    found = [(row.code, str(row.adult_id), row.role_id) for row in rows]
    assert found == [("elm", mother, 1), *sorted([("oak", mother, 1), ("oak", aunt, 1)])]
    assert await wrong(books) == []
