"""Schedules become bookings, closures are left out, and the day tells who should come."""

from collections.abc import AsyncIterator
from datetime import date, timedelta
from typing import Any

import pytest

from server.services.booking_upkeep import BookingUpkeep
from server.services.roster_file import SourceFile
from tests.support.api import problem
from tests.support.inbox import Inbox
from tests.support.planning_office import SESSION, TODAY, TOMORROW, Planning, fresh_id, planning_of, statuses

pytestmark = pytest.mark.postgres


@pytest.fixture
async def planning(inbox: Inbox) -> AsyncIterator[Planning]:
    async with planning_of(inbox) as opened:
        yield opened


def pattern(child: str, service: str, **more: Any) -> dict[str, Any]:
    body = {"id": fresh_id(), "child_id": child, "service_id": service, "weekdays": [1, 2, 3]}
    return {**body, "first_day": TODAY.isoformat(), **more}


async def closed(planning: Planning, day: date) -> str:
    body = {"first_day": day.isoformat(), "last_day": day.isoformat()}
    answer = await planning.ask("POST", "closures", json=body)
    return str(answer.json()["id"])


async def test_a_schedule_books_eight_weeks_and_goes_on_where_it_was_taken_back(planning: Planning) -> None:
    service = await planning.service(capacity=1)
    one, two = await planning.children(2)
    wednesday = TODAY + timedelta(days=2)
    closure = await closed(planning, wednesday)
    body = pattern(one, service)
    made = await planning.ask("POST", "schedules", json=body)
    assert made.status_code == 201, made.text
    # Eight weeks of Monday to Wednesday: today's has begun, a Wednesday is closed, and the Monday in eight weeks is in.
    assert made.json()["made"] == {"confirmed": 23, "waitlisted": 0, "closed": ["2026-09-23"], "booked_already": []}
    again = await planning.ask("POST", "schedules", json=body)
    assert (again.status_code, again.json()["made"]["confirmed"]) == (201, 0)
    other = await planning.ask("POST", "schedules", json={**body, "weekdays": [1]})
    assert problem(other) == (422, "invalid_input")
    # Over the end of summer time, 08:00 stays 08:00.
    listed = await planning.get("bookings", child_id=one, first_day="2026-10-20", last_day="2026-10-27")
    assert [item["starts_at"] for item in listed["items"]] == [
        "2026-10-20T08:00:00+01:00", "2026-10-21T08:00:00+01:00", "2026-10-26T08:00:00Z",
        "2026-10-27T08:00:00Z",
    ]  # fmt: skip
    # What a parent gave back is not booked again; a closure that is taken back is.
    gone = await planning.cancel(listed["items"][0]["id"], on_behalf_of="parent")
    assert (gone["source"], gone["schedule_id"]) == ("schedule", body["id"])
    later = await closed(planning, date(2026, 10, 21))
    assert await planning.status(listed["items"][1]["id"]) == "cancelled_by_centre"
    for each in (closure, later):
        await planning.ask("DELETE", f"closures/{each}")
    assert await planning.api.services.schedules.run() == 2
    assert await planning.api.services.schedules.run() == 0
    further = await planning.ask("POST", f"schedules/{body['id']}/bookings", json={"weeks": 10})
    assert further.json()["confirmed"] == 6
    # Another child of the same days has to wait, and gets the places when the first schedule ends.
    waiting = await planning.ask("POST", "schedules", json=pattern(two, service, weekdays=[2]))
    assert waiting.json()["made"] == {"confirmed": 1, "waitlisted": 7, "closed": [], "booked_already": []}
    ended = await planning.ask("POST", f"schedules/{body['id']}/end", json={"last_day": "2026-10-13"})
    assert (ended.status_code, ended.json()["schedule"]["last_day"]) == (200, "2026-10-13")
    theirs = await planning.get("bookings", child_id=two)
    assert statuses(theirs["items"]) == ["waitlisted"] * 4 + ["confirmed"] * 4
    assert len((await planning.get("schedules"))["items"]) == 2
    assert len((await planning.get("schedules", child_id=two))["items"]) == 1


async def test_what_makes_no_schedule_is_refused(planning: Planning) -> None:
    service = await planning.service(code="AM")
    hours = await planning.service(code="H", unit="hour", from_time="07:00", to_time="18:00")
    (child,) = await planning.children(1)
    for body, status in (
        (pattern(child, service, weekdays=[6]), 422),
        (pattern(child, service, weekdays=[1, 1]), 422),
        (pattern(child, service, first_day="2026-09-20"), 422),
        (pattern(child, service, first_day="9999-12-31"), 422),
        (pattern(child, service, last_day="2026-09-01"), 422),
        (pattern(child, service, from_time="09:00", to_time="10:00"), 422),
        (pattern(child, hours, from_time="06:00", to_time="10:00"), 422),
        (pattern(child, hours, from_time="09:00"), 422),
        (pattern(child, fresh_id()), 404),
        (pattern(fresh_id(), service), 404),
    ):
        answer = await planning.ask("POST", "schedules", json=body)
        assert answer.status_code == status, (body, answer.text)
    by_hour = await planning.ask("POST", "schedules", json=pattern(child, hours, from_time="09:00", to_time="10:30"))
    assert by_hour.json()["schedule"]["to_time"] == "10:30"
    (first, *_) = (await planning.get("bookings", service_id=hours))["items"]
    assert (first["starts_at"][11:16], first["ends_at"][11:16]) == ("09:00", "10:30")
    for day in ("1999-12-31", "0001-01-01", "9999-12-31", "2028-01-01"):
        refused = await planning.ask("POST", "bookings", json=planning.wish(child, service, date.fromisoformat(day)))
        assert problem(refused) == (422, "invalid_input")
        ranged = await planning.ask("GET", f"services/{service}/availability", first_day=day, last_day="2000-01-01")
        assert problem(ranged) == (422, "invalid_input")
    wrong: tuple[dict[str, Any], ...] = (
        {"capacity": -1}, {"weekdays": []}, {"from_time": "8:00"}, {"currency": "eur"}, {"unit": "year"},
        {"name": "a\tb"}, {"room_id": fresh_id()}, {"colour": "red"},
    )  # fmt: skip
    for changes in wrong:
        answer = await planning.ask("PUT", f"services/{fresh_id()}", json={**SESSION, "code": "X", **changes})
        assert problem(answer) == (422, "invalid_input"), changes
    assert problem(await planning.ask("PUT", f"services/{fresh_id()}", json=SESSION)) == (409, "conflict")
    for terms in ({"price": "1.005"}, {"price": 1}, {"price": "1", "no_show_percent": 101}, {"price": "-1"}):
        answer = await planning.ask("PUT", f"services/{service}/terms/2026-02-01", json=terms, tag="*")
        assert problem(answer) == (422, "invalid_input"), terms


async def test_the_day_tells_who_should_come_and_a_child_that_left_is_not_expected(planning: Planning) -> None:
    service = await planning.service(code="AM", capacity=1)
    one, two = await planning.children(2)
    booked, waits = await planning.book(one, service), await planning.book(two, service)
    far = TODAY + timedelta(weeks=20)
    made = await planning.ask("POST", "schedules", json=pattern(one, service, weekdays=[1]))
    assert made.json()["made"]["confirmed"] == 8
    (child,) = (await planning.get("expected", day=TOMORROW.isoformat()))["children"]
    (time,) = child["times"]
    assert (child["child_id"], child["family_name"], time["booking_id"]) == (one, "Child 0", booked["id"])
    assert (time["starts_at"], time["service_code"], time["status"]) == ("2026-09-22T08:00:00+01:00", "AM", "confirmed")
    # Further ahead than the job has come, the schedule itself says it; not on a closed day.
    (unbooked,) = (await planning.get("expected", day=far.isoformat()))["children"]
    assert (unbooked["times"][0]["booking_id"], unbooked["times"][0]["schedule_id"]) == (
        None, made.json()["schedule"]["id"],
    )  # fmt: skip
    await closed(planning, far)
    day = await planning.get("expected", day=far.isoformat())
    assert (day["is_closed"], day["children"]) == (True, [])
    # The child leaves the centre: what is ahead is given back, and who waited gets the place.
    await _leave(planning, one)
    upkeep = BookingUpkeep(planning.inbox.units, planning.api.clock)
    assert await upkeep.run() == 9
    gone = await planning.get(f"bookings/{booked['id']}")
    assert (gone["status"], gone["cause"]) == ("cancelled_by_centre", "enrolment_ended")
    assert await planning.status(waits["id"]) == "confirmed"
    assert [one["child_id"] for one in (await planning.get("expected", day=TOMORROW.isoformat()))["children"]] == [two]
    refused = await planning.ask("POST", "bookings", json=planning.wish(one, service))
    assert problem(refused) == (409, "conflict")


async def _leave(planning: Planning, child_id: str) -> None:
    """The roster does not have the child any more."""
    roster = "record,external_id,center,given_name,family_name,enrolled\nchild,K-0,north,Kim,Child 0,no\n"
    report = await planning.api.services.roster_import.run([SourceFile("roster.csv", roster.encode())])
    assert not report.problems, report.problems
