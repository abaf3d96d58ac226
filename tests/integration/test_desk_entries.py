"""What managers enter through the API: late arrivals and departures, voids, corrections, what a guardian says."""

from typing import Any

import pytest

from server.services.verification import Verification
from tests.contract.server_world import new_id
from tests.support.api import problem
from tests.support.inbox import Inbox

pytestmark = pytest.mark.postgres


async def enter(inbox: Inbox, kind: str, *, who: str = "manager", **more: object) -> Any:
    return await inbox.api.client.post(
        "/api/v1/attendance/events",
        params={"center_id": inbox.api.centers["north"]},
        json={"kind": kind, **more},
        headers=await inbox.who(who),
    )


async def day(inbox: Inbox, child: str) -> dict[str, Any]:
    """The child's day as the API tells it."""
    params = {"center_id": inbox.api.centers["north"], "child_id": child}
    answer = await inbox.api.client.get("/api/v1/attendance", params=params, headers=inbox.headers)
    return dict(answer.json()["children"][0])


async def test_a_forgotten_departure_ends_the_stay_at_its_time_and_is_visible_as_late(inbox: Inbox) -> None:
    child, desk = await inbox.person("C-2"), await inbox.desk()
    await inbox.push(desk, desk.check_in(child, minute=-120))
    left = await enter(inbox, "check_out", child_id=child, occurred_at="2026-09-21T14:30:00+01:00", adult_name="Ann")
    assert left.status_code == 201, left.text
    found = await day(inbox, child)
    assert (found["status"], found["stays"][0]["ended_at"]) == ("out", "2026-09-21T14:30:00+01:00")
    event = next(one for one in found["events"] if one["kind"] == "check_out")
    assert event["occurred_at"] != event["recorded_at"]
    assert event["device_name"] == "Server"


async def test_a_correction_and_a_void_count_and_the_first_word_stays_in_the_log(inbox: Inbox) -> None:
    child, desk = await inbox.person("C-2"), await inbox.desk()
    came, left = desk.check_in(child, minute=-120), desk.check_out(child, minute=-60)
    await inbox.push(desk, came, left)
    moved = await enter(
        inbox, "correct", named=[came.event_id], right_time="2026-09-21T12:00:00+01:00", reason="Typed the wrong hour"
    )
    assert moved.status_code == 201, moved.text
    assert (await day(inbox, child))["stays"][0]["started_at"] == "2026-09-21T12:00:00+01:00"
    assert (await enter(inbox, "void", named=[left.event_id], reason_code="wrong_child")).status_code == 201
    found = await day(inbox, child)
    assert found["status"] == "in"
    assert len(found["events"]) == 4
    assert (await Verification(inbox.units).check(inbox.api.centers["north"])).findings == []


async def test_a_dispute_is_a_finding_and_a_confirmation_is_none(inbox: Inbox) -> None:
    child, desk, adult = await inbox.person("C-1"), await inbox.desk(), await inbox.person("G-1")
    came = desk.check_in(child, minute=-60)
    await inbox.push(desk, came)
    assert (await enter(inbox, "confirm", named=[came.event_id], adult_id=adult)).status_code == 201
    assert await inbox.listed() == []
    disputed = await enter(inbox, "confirm", named=[came.event_id], adult_id=adult, disputes=True, reason="At home")
    assert disputed.json()["needs_review"] is True
    (found,) = await inbox.listed()
    assert (found["kind"], found["evidence"][1]["reason"]) == ("disputed_by_guardian", "At home")
    assert found["evidence"][1]["author"] == "manager"


async def test_the_same_entry_twice_is_one_event_and_another_under_its_id_is_refused(inbox: Inbox) -> None:
    child, event_id = await inbox.person("C-2"), new_id()
    same: dict[str, Any] = {"event_id": event_id, "child_id": child, "occurred_at": "2026-09-21T14:00:00+01:00"}
    first, second = await enter(inbox, "check_in", **same), await enter(inbox, "check_in", **same)
    assert (first.status_code, first.json()) == (201, second.json())
    other = await enter(inbox, "check_in", **{**same, "occurred_at": "2026-09-21T13:00:00+01:00"})
    assert problem(other) == (409, "conflict")


@pytest.mark.parametrize(
    ("kind", "more"),
    [
        ("check_in", {"occurred_at": "2026-09-22T14:00:00+01:00"}),
        ("check_in", {"named": [new_id()]}),
        ("room_move", {}),
        ("void", {"reason": "no event named"}),
        ("correct", {"reason": "nothing said anew"}),
    ],
)
async def test_what_does_not_go_together_is_refused(inbox: Inbox, kind: str, more: dict[str, Any]) -> None:
    child, desk = await inbox.person("C-2"), await inbox.desk()
    came = desk.check_in(child, minute=-60)
    await inbox.push(desk, came)
    named = {"named": [came.event_id]} if kind == "correct" else {}
    answer = await enter(inbox, kind, **{"child_id": child, **named, **more})
    assert answer.status_code in {404, 422}, answer.text


async def test_a_void_needs_a_reason_and_events_of_one_child(inbox: Inbox) -> None:
    desk = await inbox.desk()
    one, other = desk.check_in(await inbox.person("C-1")), desk.check_in(await inbox.person("C-2"))
    await inbox.push(desk, one, other)
    assert problem(await enter(inbox, "void", named=[one.event_id])) == (422, "invalid_input")
    both = await enter(inbox, "void", named=[one.event_id, other.event_id], reason="both")
    assert problem(both) == (404, "not_found")
    assert problem(await enter(inbox, "void", named=[new_id()], reason="none")) == (404, "not_found")


async def test_only_managers_enter_and_only_at_their_centre(inbox: Inbox) -> None:
    child = await inbox.person("C-2")
    assert problem(await enter(inbox, "check_in", who="staff", child_id=child)) == (403, "not_entitled")
    assert problem(await enter(inbox, "check_in", who="parent", child_id=child)) == (403, "not_entitled")
    assert problem(await enter(inbox, "check_in", who="stranger", child_id=child)) == (404, "not_found")
    assert problem(await enter(inbox, "check_in", child_id=new_id())) == (404, "not_found")
