"""Who was in when, as was known when: with desks that upload late."""

import itertools
import uuid
from collections.abc import AsyncIterator

import pytest

from sync.attendance import Correction, EventKind
from tests.contract.server_world import MINUTE_MS, new_id
from tests.support.api import Api, problem
from tests.support.clock import START_MS
from tests.support.late_office import HOUR, LateOffice, open_late_office
from tests.support.postgres import FreshDatabase

pytestmark = pytest.mark.postgres


@pytest.fixture
async def office(api: Api, database: FreshDatabase) -> AsyncIterator[LateOffice]:
    async with open_late_office(api, database) as opened:
        yield opened


# -- two axes of time


async def test_an_event_is_there_from_when_it_happened_and_from_when_it_arrived(office: LateOffice) -> None:
    ana, desk = await office.child("Ana"), await office.desk("Front desk")
    came = desk.check_in(ana, minute=8 * HOUR)
    await office.push(desk, came, at=12 * HOUR)
    office.wait_until(13 * HOUR)
    assert await office.children_in(9 * HOUR, 13 * HOUR) == ["Ana Silva"]
    assert await office.children_in(9 * HOUR, 12 * HOUR) == ["Ana Silva"]
    assert await office.children_in(9 * HOUR, 10 * HOUR) == []
    assert await office.children_in(9 * HOUR) == ["Ana Silva"]
    assert await office.children_in(7 * HOUR) == []
    (child,) = (await office.presence(9 * HOUR))["children"]
    assert (child["id"], child["event_ids"]) == (ana, [came.event_id])
    assert (child["disputed"], child["assumed"], child["until"], child["findings"]) == (False, False, None, [])
    assert child["since"] == "2026-09-21T23:13:20+01:00"


async def test_a_void_takes_somebody_away_from_when_it_arrived(office: LateOffice) -> None:
    ana, front, back = await office.child("Ana"), await office.desk("Front"), await office.desk("Back")
    came = front.check_in(ana, minute=0)
    await office.push(front, came, at=0)
    void = back.event(ana, EventKind.VOID, minute=1 * HOUR, supersedes=(came.event_id,))
    await office.push(back, void, at=5 * HOUR)
    assert await office.children_in(2 * HOUR, 4 * HOUR) == ["Ana Silva"]
    assert await office.children_in(2 * HOUR, 5 * HOUR) == []
    assert await office.children_in(0.5, 5 * HOUR) == []


async def test_a_correction_moves_what_was_the_case_from_when_it_arrived(office: LateOffice) -> None:
    ana, front, back = await office.child("Ana"), await office.desk("Front"), await office.desk("Back")
    came, left = front.check_in(ana, minute=0), front.check_out(ana, minute=3 * HOUR)
    await office.push(front, came, left, at=3 * HOUR)
    said = Correction(occurred_at_ms=START_MS + 1 * HOUR * MINUTE_MS)
    # Recorded a day later, at a desk that is linked once more another day later.
    fixed = back.event(ana, EventKind.CORRECT, minute=27 * HOUR, supersedes=(left.event_id,), corrected=said)
    await office.push(back, fixed, at=51 * HOUR)
    assert await office.children_in(2 * HOUR, 50 * HOUR) == ["Ana Silva"]
    assert await office.children_in(2 * HOUR, 51 * HOUR) == []
    (child,) = (await office.presence(0.5))["children"]
    assert child["event_ids"] == [came.event_id, left.event_id, fixed.event_id]
    assert child["until"] == "2026-09-21T16:13:20+01:00"


async def test_a_real_departure_that_arrives_late_replaces_the_assumed_one(office: LateOffice) -> None:
    ana, front, back = await office.child("Ana"), await office.desk("Front"), await office.desk("Back")
    came, closed = front.check_in(ana, minute=0), front.event(ana, EventKind.AUTO_CLOSE, minute=4 * HOUR)
    await office.push(front, came, closed, at=4 * HOUR)
    await office.push(back, back.check_out(ana, minute=5 * HOUR), at=20 * HOUR)
    before = await office.presence(3 * HOUR, 19 * HOUR)
    assert [(child["name"], child["assumed"]) for child in before["children"]] == [("Ana Silva", True)]
    assert await office.children_in(4.5 * HOUR, 19 * HOUR) == []
    after = await office.presence(4.5 * HOUR, 20 * HOUR)
    assert [(child["name"], child["assumed"]) for child in after["children"]] == [("Ana Silva", False)]
    assert await office.children_in(5 * HOUR) == []


async def test_stays_that_a_late_upload_cuts_are_disputed_from_when_it_arrived(office: LateOffice) -> None:
    ana, front, back = await office.child("Ana"), await office.desk("Front"), await office.desk("Back")
    await office.push(front, front.check_in(ana, minute=0), front.check_out(ana, minute=90), at=90)
    await office.push(back, back.check_in(ana, minute=60), at=10 * HOUR)
    assert await office.children_in(100, 9 * HOUR) == []
    (child,) = (await office.presence(100))["children"]
    assert (child["disputed"], child["findings"]) == (True, ["possible_missed_check_out", "overlapping_stays"])


async def test_staff_and_visitors_are_in_by_name_and_room_on_both_axes(office: LateOffice) -> None:
    desk, (ruth, bob) = await office.desk("Front desk"), (await office.staff("Ruth"), new_id())
    bees = (await office.presence(0))["rooms"][0]["room_id"]
    arrived = [
        desk.event("", EventKind.STAFF_IN, minute=0, person_id=ruth),
        desk.event("", EventKind.STAFF_MOVE, minute=30, person_id=ruth, to_room_id=bees),
        desk.event("", EventKind.VISITOR_IN, minute=10, person_id=bob, person_name="Bob Builder"),
        desk.event("", EventKind.VISITOR_OUT, minute=50, person_id=bob),
        desk.check_in(await office.child("Ana"), minute=0, room_id=bees),
        desk.check_in(new_id(), minute=20, room_id=bees, provisional_name="Mia New"),
    ]
    await office.push(desk, *arrived, at=2 * HOUR)
    assert (await office.presence(40, 1.9 * HOUR))["staff"] == []
    found = await office.presence(40)
    assert [(one["name"], one["room_name"]) for one in found["staff"]] == [("Ruth Appiah", "Bumblebees")]
    assert [(one["name"], one["room_id"]) for one in found["visitors"]] == [("Bob Builder", None)]
    assert found["rooms"] == [
        {"room_id": bees, "room_name": "Bumblebees", "children": 2, "staff": 1, "visitors": 0},
        {"room_id": None, "room_name": "", "children": 0, "staff": 0, "visitors": 1},
    ]
    children = {one["name"]: one["room_name"] for one in found["children"]}
    assert children == {"Ana Silva": "Bumblebees", "Mia New": "Bumblebees"}, "also who is not on file"
    assert (await office.presence(20))["staff"][0]["room_id"] is None
    assert (await office.presence(60))["visitors"] == []


async def test_who_left_and_was_not_seen_to_come_is_perhaps_in_and_not_counted(office: LateOffice) -> None:
    ana, desk = await office.child("Ana"), await office.desk("Front desk")
    await office.push(desk, desk.check_out(ana, minute=60), at=60)
    found = await office.presence(30)
    assert (found["children"], [one["name"] for one in found["perhaps"]]) == ([], ["Ana Silva"])
    assert [room["children"] for room in found["rooms"]] == [0]
    assert (await office.presence(30, 59))["perhaps"] == []


async def test_a_stay_of_days_is_found_and_one_of_weeks_is_not_read(office: LateOffice) -> None:
    ana, zoe, desk = await office.child("Ana"), await office.child("Zoë"), await office.desk("Front desk")
    await office.push(desk, desk.check_in(ana, minute=0), desk.check_in(zoe, minute=8 * 24 * HOUR), at=0)
    assert await office.children_in(10 * 24 * HOUR) == ["Ana Silva", "Zoë O'Neill-Ünal"]
    assert await office.children_in(20 * 24 * HOUR) == ["Zoë O'Neill-Ünal"]


# -- coverage


async def test_the_statement_says_which_desk_was_heard_until_when_and_what_it_may_hold(office: LateOffice) -> None:
    front, back, store = await office.desk("Front"), await office.desk("Back"), await office.desk("Store")
    await office.heartbeat(front, at=60)
    await office.heartbeat(back, at=30, waiting=2)
    office.wait_until(61)
    found = (await office.get("attendance/presence"))["coverage"]
    lines = [(desk["name"], desk["waiting"], desk["linked"], desk["gap"]) for desk in found["desks"]]
    assert lines == [
        ("Back", 2, False, "entries_wait"), ("Front", 0, False, "silent"), ("Store", None, False, "never_heard"),
    ]  # fmt: skip
    assert not found["complete"]
    assert found["desks"][1]["heard_until"] == "2026-09-21T16:13:20+01:00"
    await office.heartbeat(back, at=62)
    await office.heartbeat(store, at=62)
    office.wait_until(62.2)
    earlier = (await office.presence(59))["coverage"]
    assert (earlier["complete"], [desk["gap"] for desk in earlier["desks"]]) == (True, [None, None, None])
    assert [desk["linked"] for desk in earlier["desks"]] == [True, False, True]


async def test_a_revoked_desk_is_waited_for_by_nobody(office: LateOffice) -> None:
    desk = await office.desk("Lost")
    assert not (await office.presence(0))["coverage"]["complete"]
    path = f"/api/v1/devices/{desk.key.device_id}/revoke"
    (await office.api.client.post(path, headers=await office.headers("manager"))).raise_for_status()
    assert (await office.presence(0))["coverage"]["desks"] == []


async def test_what_was_known_earlier_is_stated_as_of_then_with_what_has_come_since(office: LateOffice) -> None:
    ana, zoe = await office.child("Ana"), await office.child("Zoë")
    front, back = await office.desk("Front"), await office.desk("Back")
    await office.push(front, front.check_in(ana, minute=0), at=1)
    await office.push(back, back.check_in(zoe, minute=0), back.check_in(zoe, minute=9 * HOUR), at=9 * HOUR)
    await office.heartbeat(front, at=9 * HOUR)
    await office.heartbeat(back, at=9 * HOUR)
    then = (await office.presence(30, 60))["coverage"]["desks"]
    assert [(desk["name"], desk["gap"], desk["arrived_later"]) for desk in then] == [
        ("Back", "never_heard", 1), ("Front", "queue_unknown", 0),
    ]  # fmt: skip
    assert then[1]["heard_until"] == "2026-09-21T15:14:20+01:00"
    now = (await office.presence(30))["coverage"]
    assert (now["complete"], [desk["arrived_later"] for desk in now["desks"]]) == (True, [0, 0])


# -- the door


NO_MOMENTS = (
    "2026-09-21T08:00:00",
    "2026-09-21",
    "1790000000",
    "2026-09-21T08:00+01:00",
    "2026-09-21T08:00:00 01:00",
    "2026-13-21T08:00:00Z",
    "2026-09-21T08:00:61Z",
    "1999-12-31T23:59:59.999Z",
    "2100-01-01T00:00:00Z",
    "0001-01-01T00:00:00+14:00",
    "9999-12-31T23:59:59-14:00",
    "now",
    "",
)


async def test_a_time_without_an_offset_or_of_another_century_is_refused_and_named(office: LateOffice) -> None:
    headers = await office.headers("staff")
    for name, value in itertools.product(("at", "known_at"), NO_MOMENTS):
        asked = {"center_id": office.api.centers["north"], name: value}
        answer = await office.api.client.get("/api/v1/attendance/presence", params=asked, headers=headers)
        assert problem(answer) == (422, "invalid_input"), value
        assert [one["pointer"] for one in answer.json()["errors"]] == [f"#query/{name}"], value


async def test_a_moment_is_answered_in_the_time_of_the_centre(office: LateOffice) -> None:
    for value in ("2026-09-21T14:13:20Z", "2026-09-21t16:13:20.000999+02:00", "2026-09-21 14:13:20.000z"):
        found = await office.get("attendance/presence", at=value, known_at="2099-12-31T23:59:59Z")
        assert found["at"] == "2026-09-21T15:13:20+01:00"
        assert found["known_at"] == found["at"], "what will be known is not known yet"
        assert found["version"] > 0


async def test_the_first_and_the_last_moment_are_answered(office: LateOffice) -> None:
    first = await office.get("attendance/presence", at="2000-01-01T00:00:00Z", known_at="2000-01-01T00:00:00Z")
    assert (first["at"], first["children"]) == ("2000-01-01T00:00:00Z", [])
    assert (await office.get("attendance/presence", at="2099-12-31T23:59:59Z"))["children"] == []


NO_QUESTIONS: tuple[tuple[str, dict[str, str], tuple[int, str]], ...] = (
    ("attendance/presence", {"center_id": "north"}, (422, "invalid_input")),
    ("attendance/presence", {"center_id": str(uuid.UUID(int=7))}, (404, "not_found")),
    ("rollcalls", {"day": "1970-01-01"}, (422, "invalid_input")),
    ("rollcalls", {"day": "21.09.2026"}, (422, "invalid_input")),
    ("rollcalls", {"center_id": str(uuid.UUID(int=7))}, (404, "not_found")),
    (f"rollcalls/{uuid.UUID(int=7)}", {}, (404, "not_found")),
    ("rollcalls/first", {}, (422, "invalid_input")),
    ("headcounts", {"day": "2100-01-01"}, (422, "invalid_input")),
    ("headcounts", {"center_id": str(uuid.UUID(int=7))}, (404, "not_found")),
)


async def test_a_question_that_makes_no_sense_is_refused(office: LateOffice) -> None:
    for path, params, expected in NO_QUESTIONS:
        assert await office.refused(path, **params) == expected, (path, params)


async def test_parents_and_strangers_are_told_nothing(office: LateOffice) -> None:
    for who, expected in (("parent", (403, "not_entitled")), ("stranger", (404, "not_found"))):
        headers = await office.api.sign_in(who)
        for path in ("attendance/presence", "rollcalls", f"rollcalls/{uuid.UUID(int=7)}", "headcounts"):
            params = {"center_id": office.api.centers["north"]}
            answer = await office.api.client.get(f"/api/v1/{path}", params=params, headers=headers)
            assert problem(answer) == expected
