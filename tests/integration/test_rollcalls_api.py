"""Roll-calls and headcounts of several desks that upload late."""

from collections.abc import AsyncIterator

import pytest

from sync.attendance import EventKind
from tests.contract.server_world import new_id
from tests.support.api import Api, problem
from tests.support.late_office import HOUR, LateOffice, open_late_office
from tests.support.postgres import FreshDatabase

pytestmark = pytest.mark.postgres


@pytest.fixture
async def office(api: Api, database: FreshDatabase) -> AsyncIterator[LateOffice]:
    async with open_late_office(api, database) as opened:
        yield opened


async def test_a_roll_call_of_two_desks_is_one_and_says_who_was_not_marked(office: LateOffice) -> None:
    ana, zoe, front, back = (
        await office.child("Ana"), await office.child("Zoë"), await office.desk("Front"), await office.desk("Back"),
    )  # fmt: skip
    roll, bob = new_id(), new_id()
    in_building = [
        front.check_in(ana, minute=0),
        front.check_in(zoe, minute=0),
        front.event("", EventKind.VISITOR_IN, minute=0, person_id=bob, person_name="Bob Builder"),
    ]
    started = front.event("", EventKind.ROLLCALL_START, minute=60, rollcall_id=roll)
    seen = front.event(ana, EventKind.ROLLCALL_MARK, minute=61, rollcall_id=roll, mark="present")
    await office.push(front, *in_building, started, seen, at=62)
    also = back.event("", EventKind.ROLLCALL_START, minute=62, rollcall_id=roll)
    missed = back.event(ana, EventKind.ROLLCALL_MARK, minute=63, rollcall_id=roll, mark="missing")
    stranger = back.event(new_id(), EventKind.ROLLCALL_MARK, minute=63, rollcall_id=roll, mark="elsewhere")
    await office.push(back, also, missed, stranger, at=90)
    found = await office.get(f"rollcalls/{roll}")
    assert (found["present"], found["missing"], found["elsewhere"]) == (0, 1, 1)
    marks = {one["id"]: one for one in found["marks"]}
    assert (marks[ana]["name"], marks[ana]["mark"], marks[ana]["disagreed"], marks[ana]["expected"]) == (
        "Ana Silva", "missing", True, True,
    )  # fmt: skip
    assert [(word["device_name"], word["mark"]) for word in marks[ana]["words"]] == [
        ("Front", "present"), ("Back", "missing"),
    ]  # fmt: skip
    assert [one["expected"] for one in found["marks"] if one["id"] != ana] == [False]
    assert {one["name"] for one in found["unmarked"]} == {"Zoë O'Neill-Ünal", "Bob Builder"}
    assert [one["device_name"] for one in found["starts"]] == ["Front", "Back"]
    assert (found["ended_at"], found["begun_at"]) == (None, "2026-09-21T16:13:20+01:00")
    assert found["coverage"]["complete"] is False
    end = front.event("", EventKind.ROLLCALL_END, minute=95, rollcall_id=roll)
    await office.push(front, end, at=96)
    await office.heartbeat(front, at=96)
    await office.heartbeat(back, at=96)
    office.wait_until(24 * HOUR)
    (listed,) = (await office.get("rollcalls", day="2026-09-21"))["items"]
    assert listed == await office.get(f"rollcalls/{roll}")
    assert (listed["ended_at"], listed["coverage"]["complete"]) == ("2026-09-21T16:48:20+01:00", True)
    assert (await office.get("rollcalls"))["items"] == []


async def test_a_child_whose_arrival_is_uploaded_late_is_expected_after_all(office: LateOffice) -> None:
    ana, front, back = await office.child("Ana"), await office.desk("Front"), await office.desk("Back")
    roll = new_id()
    await office.push(front, front.event("", EventKind.ROLLCALL_START, minute=60, rollcall_id=roll), at=61)
    assert (await office.get(f"rollcalls/{roll}"))["unmarked"] == []
    await office.push(back, back.check_in(ana, minute=0), at=120)
    assert [one["name"] for one in (await office.get(f"rollcalls/{roll}"))["unmarked"]] == ["Ana Silva"]


async def test_a_roll_call_of_a_room_expects_who_was_in_that_room(office: LateOffice) -> None:
    ana, zoe, desk = await office.child("Ana"), await office.child("Zoë"), await office.desk("Front desk")
    bees, roll = (await office.presence(0))["rooms"][0]["room_id"], new_id()
    came = (desk.check_in(ana, minute=0, room_id=bees), desk.check_in(zoe, minute=0))
    await office.push(
        desk, *came, desk.event("", EventKind.ROLLCALL_START, minute=5, rollcall_id=roll, room_id=bees), at=5
    )
    found = await office.get(f"rollcalls/{roll}")
    assert (found["room_name"], [one["id"] for one in found["unmarked"]]) == ("Bumblebees", [ana])


async def test_a_voided_roll_call_is_none(office: LateOffice) -> None:
    desk, roll = await office.desk("Front desk"), new_id()
    start = desk.event("", EventKind.ROLLCALL_START, minute=5, rollcall_id=roll)
    void = desk.event("", EventKind.VOID, minute=9, rollcall_id=roll, supersedes=(start.event_id,))
    await office.push(desk, start, at=6)
    assert len((await office.get("rollcalls"))["items"]) == 1
    await office.push(desk, void, at=10)
    assert (await office.get("rollcalls"))["items"] == []
    assert await office.refused(f"rollcalls/{roll}") == (404, "not_found")


async def test_of_the_headcounts_of_a_day_the_last_of_each_room_counts(office: LateOffice) -> None:
    front, back = await office.desk("Front"), await office.desk("Back")
    bees = (await office.presence(0))["rooms"][0]["room_id"]
    later = back.event("", EventKind.HEADCOUNT, minute=20, room_id=bees, headcount=0)
    whole = back.event("", EventKind.HEADCOUNT, minute=25, headcount=12)
    await office.push(back, later, whole, at=30)
    earlier = front.event("", EventKind.HEADCOUNT, minute=10, room_id=bees, headcount=7)
    tomorrow = front.event("", EventKind.HEADCOUNT, minute=20 * HOUR, room_id=bees, headcount=5)
    await office.push(front, earlier, tomorrow, at=40)
    found = await office.get("headcounts", day="2026-09-21")
    shown = {room["room_name"]: (room["latest"]["headcount"], room["latest"]["device_name"]) for room in found["rooms"]}
    assert shown == {"Bumblebees": (0, "Back"), "": (12, "Back")}
    assert [[one["headcount"] for one in room["earlier"]] for room in found["rooms"]] == [[], [7]]
    assert [desk["name"] for desk in found["coverage"]["desks"]] == ["Back", "Front"]
    assert (await office.get("headcounts", day="2026-09-20"))["rooms"] == []
    voided = front.event("", EventKind.VOID, minute=30 * HOUR, room_id=bees, supersedes=(later.event_id,))
    await office.push(front, voided, at=31 * HOUR)
    found = await office.get("headcounts", day="2026-09-21")
    assert [room["latest"]["headcount"] for room in found["rooms"]] == [12, 7]


async def test_a_roll_call_of_another_centre_is_not_found(office: LateOffice) -> None:
    desk, roll = await office.desk("Front desk"), new_id()
    await office.push(desk, desk.event("", EventKind.ROLLCALL_START, minute=5, rollcall_id=roll), at=6)
    headers = await office.api.sign_in("stranger")
    asked = {"center_id": office.api.centers["south"]}
    answer = await office.api.client.get(f"/api/v1/rollcalls/{roll}", params=asked, headers=headers)
    assert problem(answer) == (404, "not_found")
