"""Bookings: places that are asked for, given, waited for and given back, by everybody who may and nobody else."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest

from server.services.booking_upkeep import BookingUpkeep
from tests.support.api import problem
from tests.support.inbox import Inbox
from tests.support.planning_office import SESSION, TODAY, TOMORROW, Planning, fresh_id, planning_of, statuses

pytestmark = pytest.mark.postgres

HOUR_MS = 3_600_000


@pytest.fixture
async def planning(inbox: Inbox) -> AsyncIterator[Planning]:
    async with planning_of(inbox) as opened:
        yield opened


async def test_fifty_clients_at_once_get_exactly_the_places_there_are(planning: Planning) -> None:
    service = await planning.service(capacity=7)
    children = await planning.children(50)
    await planning.inbox.who("staff")
    asked = [
        planning.ask("POST", "bookings", "staff", json=planning.wish(child, service, if_full=if_full))
        for child, if_full in zip(children, ["waitlist", "refuse"] * 25, strict=True)
    ]
    answers = await asyncio.gather(*asked)
    assert {answer.status_code for answer in answers} == {201, 409}
    assert {problem(one) for one in answers if one.status_code == 409} == {(409, "no_place")}
    counted = Counter(statuses(one.json() for one in answers if one.status_code == 201))
    assert counted["confirmed"] == 7
    assert counted["confirmed"] + counted["waitlisted"] + sum(one.status_code == 409 for one in answers) == 50
    waiting = await planning.get("bookings", service_id=service, status="waitlisted", limit=100)
    positions = sorted(one["waitlist_position"] for one in waiting["items"])
    assert positions == list(range(1, counted["waitlisted"] + 1))
    # The same again, all at once: nothing is booked twice.
    confirmed = [one.json() for one in answers if one.status_code == 201 and one.json()["status"] == "confirmed"]
    await asyncio.gather(*(planning.cancel(one["id"]) for one in confirmed))
    (day,) = (await _days(planning, service))["items"]
    left = counted["waitlisted"]
    assert (day["confirmed"], day["waitlisted"], day["free"]) == (min(7, left), max(0, left - 7), max(0, 7 - left))


async def _days(planning: Planning, service: str, who: str = "staff") -> dict[str, Any]:
    day = TOMORROW.isoformat()
    found: dict[str, Any] = await planning.get(f"services/{service}/availability", who, first_day=day, last_day=day)
    return found


async def test_places_are_asked_for_given_waited_for_and_given_back(planning: Planning) -> None:
    """On one app: each part has a service of its own."""
    await an_id_is_used_once_and_a_repeat_gives_the_same_booking(planning)
    await a_place_that_is_given_back_goes_to_who_waits_and_the_terms_say_what_it_costs(planning)
    await a_batch_is_booked_as_a_whole_or_each_as_it_can_be(planning)
    await fewer_places_are_refused_where_they_are_taken_and_more_go_to_who_waits(planning)
    await hours_are_booked_within_the_window_and_a_short_wish_takes_the_gap(planning)
    await a_closure_cancels_what_is_booked_and_nobody_books_on_it(planning)
    await what_was_made_or_changed_since_is_told(planning)


async def what_was_made_or_changed_since_is_told(planning: Planning) -> None:
    service = await planning.service(capacity=1)
    one, two = await planning.children(2)

    async def since(as_of: str) -> tuple[list[str], str]:
        page = await planning.get("bookings", service_id=service, updated_since=as_of)
        return [booking["id"] for booking in page["items"]], page["as_of"]

    first = (await planning.book(one, service, TOMORROW + timedelta(days=7)))["id"]
    planning.api.clock.advance_ms(60_000)
    begun = (await planning.get("bookings", service_id=service))["as_of"]
    planning.api.clock.advance_ms(3 * 60_000)
    second = (await planning.book(two, service, TOMORROW + timedelta(days=7)))["id"]
    # What is of the last two minutes comes again: a transaction may bear the time and not be seen yet.
    found, later = await since(begun)
    assert found == [first, second]
    assert (await since(later))[0] == [second]
    # Who waited is changed by somebody else's cancelling.
    planning.api.clock.advance_ms(3 * 60_000)
    _, latest = await since(later)
    await planning.cancel(first)
    assert (await since(latest))[0] == [first, second]
    for wrong in ("2026-09-21T08:00:00", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "yesterday"):
        answer = await planning.ask("GET", "bookings", "staff", updated_since=wrong)
        assert problem(answer) == (422, "invalid_input"), wrong


async def an_id_is_used_once_and_a_repeat_gives_the_same_booking(planning: Planning) -> None:
    service, other = (
        await planning.service(capacity=3),
        await planning.service(code="PM", from_time="13:00", to_time="18:00"),
    )
    one, two = await planning.children(2)
    wish = planning.wish(one, service)
    answers = await asyncio.gather(*(planning.ask("POST", "bookings", "staff", json=wish) for _ in range(8)))
    assert {answer.status_code for answer in answers} == {201}
    assert {answer.json()["id"] for answer in answers} == {wish["id"]}
    booked = answers[0].json()
    assert (booked["starts_at"], booked["ends_at"]) == ("2026-09-22T08:00:00+01:00", "2026-09-22T13:00:00+01:00")
    assert (booked["status"], booked["source"], booked["waitlist_position"]) == ("confirmed", "staff", None)
    for change in ({"child_id": two}, {"service_id": other}, {"if_full": "refuse"}):
        refused = await planning.ask("POST", "bookings", "staff", json={**wish, **change})
        assert problem(refused) == (422, "invalid_input")
        assert refused.json()["errors"][0]["pointer"] == "/id"
    taken = {"id": fresh_id(), "child_id": two, "day": TOMORROW.isoformat()}
    racing = [{**taken, "service_id": service}, {**taken, "service_id": other}] * 4
    answers = await asyncio.gather(*(planning.ask("POST", "bookings", "staff", json=body) for body in racing))
    assert Counter(answer.status_code for answer in answers) == {201: 4, 422: 4}
    again = planning.wish(one, service)
    assert problem(await planning.ask("POST", "bookings", "staff", json=again)) == (409, "already_booked")
    # An auditor finds the booking by its id, once.
    params = {"center_id": planning.api.centers["north"], "entity_id": wish["id"]}
    log = await planning.client.get("/api/v1/audit", params=params, headers=await planning.inbox.who("manager"))
    assert [(told["verb"], told["entity"]) for told in log.json()["items"]] == [("changed", "booking")]


async def a_place_that_is_given_back_goes_to_who_waits_and_the_terms_say_what_it_costs(planning: Planning) -> None:
    service = await planning.service(capacity=1, terms={"cancel_free_hours": 24})
    one, two, three = await planning.children(3)
    await planning.link("parent", one)
    mine = await planning.book(one, service, who="parent")
    assert (mine["status"], mine["source"]) == ("confirmed", "parent")
    second, third = await planning.book(two, service), await planning.book(three, service)
    assert (second["status"], second["waitlist_position"], third["waitlist_position"]) == ("waitlisted", 1, 2)
    # 15:13 today is less than 24 hours before 08:00 tomorrow: too late to be free.
    cancelled = await planning.cancel(mine["id"], "parent", reason="A cold")
    assert (cancelled["status"], cancelled["chargeable"], cancelled["cause"]) == ("cancelled_by_parent", True, "parent")
    assert cancelled["cancelled_at"] == "2026-09-21T15:13:20+01:00"
    assert await planning.cancel(mine["id"], "parent") == cancelled
    assert await planning.status(second["id"]) == "confirmed"
    assert (await planning.get(f"bookings/{third['id']}"))["waitlist_position"] == 1
    # The centre never charges for what it cancels; staff may say that the parent called.
    by_centre = await planning.cancel(second["id"], reason="Full moon")
    assert (by_centre["status"], by_centre["chargeable"]) == ("cancelled_by_centre", False)
    by_phone = await planning.cancel(third["id"], on_behalf_of="parent")
    assert (by_phone["status"], by_phone["chargeable"]) == ("cancelled_by_parent", True)
    early = await planning.book(one, service, TOMORROW + timedelta(days=2), who="parent")
    assert (await planning.cancel(early["id"], "parent"))["chargeable"] is False
    again = await planning.ask("POST", f"bookings/{second['id']}/cancel", json={"on_behalf_of": "parent"})
    assert problem(again) == (409, "conflict")


async def test_a_request_holds_a_place_until_it_is_answered_or_expires(planning: Planning) -> None:
    service = await planning.service(capacity=1, needs_approval=True)
    one, two = await planning.children(2)
    for child in (one, two):
        await planning.link("parent", child)
    day = TODAY + timedelta(days=4)
    asked, waits = [await planning.book(child, service, day, who="parent") for child in (one, two)]
    assert statuses([asked, waits]) == ["requested", "waitlisted"]
    assert asked["answer_by"] == "2026-09-23T15:13:20+01:00"
    decision = f"bookings/{asked['id']}/decision"
    assert problem(await planning.ask("POST", decision, "parent", json={"decision": "confirm"})) == (
        403,
        "not_entitled",
    )
    no_place = await planning.ask("POST", f"bookings/{waits['id']}/decision", "staff", json={"decision": "confirm"})
    assert problem(no_place) == (409, "no_place")
    upkeep = BookingUpkeep(planning.inbox.units, planning.api.clock)
    assert await upkeep.run() == 0
    planning.api.clock.advance_ms(48 * HOUR_MS)
    await planning.inbox.api.client.get("/livez")
    assert await upkeep.run() == 1
    assert await upkeep.run() == 0
    planning.inbox._signed_in.clear()  # the tokens are two days old
    planning.api.clock.advance_ms(-48 * HOUR_MS + 1)
    expired = await planning.get(f"bookings/{asked['id']}", "admin")
    assert (expired["status"], expired["cause"]) == ("declined", "expired")
    promoted = await planning.get(f"bookings/{waits['id']}", "admin")
    assert (promoted["status"], promoted["answer_by"]) == ("requested", "2026-09-25T08:00:00+01:00")
    confirmed = await planning.ask("POST", f"bookings/{waits['id']}/decision", "admin", json={"decision": "confirm"})
    assert confirmed.json()["status"] == "confirmed"
    declined = await planning.ask("POST", f"bookings/{waits['id']}/decision", "admin", json={"decision": "decline"})
    assert problem(declined) == (409, "conflict")


async def a_batch_is_booked_as_a_whole_or_each_as_it_can_be(planning: Planning) -> None:
    service = await planning.service(capacity=1)
    one, two = await planning.children(2)
    wishes = [planning.wish(one, service), planning.wish(two, service, if_full="refuse"), planning.wish(one, service)]
    whole = await planning.ask("POST", "bookings/batch", "staff", json={"mode": "all", "items": wishes})
    assert problem(whole) == (409, "no_place")
    assert "Booking 1:" in whole.json()["detail"]
    assert (await planning.get("bookings", service_id=service))["items"] == []
    each = await planning.ask("POST", "bookings/batch", "staff", json={"mode": "each", "items": wishes})
    codes = [one["refusal"]["code"] if one["refusal"] else one["booking"]["status"] for one in each.json()["items"]]
    assert codes == ["confirmed", "no_place", "already_booked"]
    week = [planning.wish(two, service, TOMORROW + timedelta(days=number)) for number in (1, 2, 3)]
    done = await planning.ask("POST", "bookings/batch", "staff", json={"mode": "all", "items": week})
    assert [one["booking"]["status"] for one in done.json()["items"]] == ["confirmed"] * 3
    saturday = planning.wish(two, service, TODAY + timedelta(days=5))
    wrong = await planning.ask("POST", "bookings/batch", "staff", json={"mode": "all", "items": [*week, saturday]})
    assert (problem(wrong), wrong.json()["errors"][0]["pointer"]) == ((422, "invalid_input"), "/items/3/day")
    long = {"mode": "each", "items": [planning.wish(two, service) for _ in range(101)]}
    assert problem(await planning.ask("POST", "bookings/batch", "staff", json=long)) == (422, "invalid_input")
    first = await planning.get("bookings", child_id=two, service_id=service, limit=2)
    rest = await planning.get("bookings", child_id=two, service_id=service, limit=2, cursor=first["next_cursor"])
    assert [one["day"] for one in first["items"] + rest["items"]] == ["2026-09-23", "2026-09-24", "2026-09-25"]
    assert rest["next_cursor"] == ""
    assert problem(await planning.ask("GET", "bookings", cursor="bm8=")) == (422, "invalid_input")


async def fewer_places_are_refused_where_they_are_taken_and_more_go_to_who_waits(planning: Planning) -> None:
    service = await planning.service(capacity=2)
    children = await planning.children(4)
    booked = [await planning.book(child, service) for child in children]
    assert statuses(booked) == ["confirmed", "confirmed", "waitlisted", "waitlisted"]

    refused = await planning.ask("PUT", f"services/{service}", json={**SESSION, "capacity": 1}, tag="*")
    assert problem(refused) == (409, "conflict")
    assert "2026-09-22" in refused.json()["detail"]
    await planning.service(service, capacity=3)
    assert [await planning.status(one["id"]) for one in booked] == ["confirmed"] * 3 + ["waitlisted"]
    changed = await planning.ask(
        "PUT", f"services/{service}", json={**SESSION, "capacity": 3, "to_time": "14:00"}, tag="*"
    )
    assert problem(changed) == (409, "conflict")


async def a_closure_cancels_what_is_booked_and_nobody_books_on_it(planning: Planning) -> None:
    service = await planning.service(capacity=1)
    one, two = await planning.children(2)
    booked, waits = await planning.book(one, service), await planning.book(two, service)
    next_day = await planning.book(one, service, TOMORROW + timedelta(days=1))
    closure = {"first_day": TOMORROW.isoformat(), "last_day": TOMORROW.isoformat(), "reason": "Burst pipe"}
    assert (await planning.ask("POST", "closures", json=closure)).status_code == 201
    for each in (booked, waits):
        found = await planning.get(f"bookings/{each['id']}")
        assert (found["status"], found["cause"], found["reason"], found["chargeable"]) == (
            "cancelled_by_centre", "closure", "Burst pipe", False,
        )  # fmt: skip
    assert await planning.status(next_day["id"]) == "confirmed"
    refused = await planning.ask("POST", "bookings", json=planning.wish(one, service))
    assert problem(refused) == (409, "conflict")
    (day,) = (await _days(planning, service))["items"]
    assert (day["is_closed"], day["starts_at"], day["free"]) == (True, None, 0)


async def hours_are_booked_within_the_window_and_a_short_wish_takes_the_gap(planning: Planning) -> None:
    service = await planning.service(unit="hour", capacity=1, from_time="07:00", to_time="18:00")
    one, two, three = await planning.children(3)

    def hours(begin: str, end: str) -> dict[str, Any]:
        return {"starts_at": f"2026-09-22T{begin}:00+01:00", "ends_at": f"2026-09-22T{end}:00+01:00"}

    first = await planning.book(one, service, **hours("08:00", "10:00"))
    long = await planning.book(two, service, **hours("09:00", "12:00"))
    short = await planning.book(three, service, **hours("10:00", "11:00"))
    assert statuses([first, long, short]) == ["confirmed", "waitlisted", "confirmed"]
    await planning.cancel(first["id"])
    assert await planning.status(long["id"]) == "waitlisted"
    await planning.cancel(short["id"])
    assert await planning.status(long["id"]) == "confirmed"
    for wrong in (
        hours("06:00", "08:00"), hours("12:00", "12:00"), {"starts_at": "2026-09-22T10:00:00+01:00"},
        {**hours("12:00", "13:00"), "starts_at": "2026-09-22T12:00:30+01:00"},
    ):  # fmt: skip
        answer = await planning.ask("POST", "bookings", json=planning.wish(one, service, **wrong))
        assert problem(answer) == (422, "invalid_input")


async def test_everybody_may_do_what_is_theirs_and_nothing_else(planning: Planning) -> None:
    service = await planning.service()
    one, two = await planning.children(2)
    await planning.link("parent", one)
    booked = await planning.book(one, service)
    other = await planning.book(two, service)
    day = {"first_day": "2026-09-22", "last_day": "2026-09-22"}
    new = {"id": fresh_id(), "child_id": two, "service_id": service, "weekdays": [2], "first_day": "2026-09-29"}
    own, foreign = planning.wish(one, service, TODAY + timedelta(days=3)), planning.wish(two, service)
    # Staff, manager, admin of the centre; a parent for their own child; a manager of another centre; another admin.
    table: list[tuple[str, str, Any, dict[str, Any], tuple[int, int, int, int]]] = [
        ("GET", "services", None, {}, (200, 200, 200, 404)),
        ("GET", f"services/{service}", None, {}, (200, 200, 200, 404)),
        ("GET", f"services/{service}/availability", None, day, (200, 200, 200, 404)),
        ("PUT", f"services/{service}/terms/2027-01-01", {"price": "1"}, {}, (403, 403, 200, 404)),
        ("GET", "schedules", None, {}, (403, 200, 200, 404)),
        ("POST", "schedules", new, {}, (403, 403, 201, 404)),
        ("POST", f"schedules/{new['id']}/bookings", {"weeks": 9}, {}, (403, 403, 200, 404)),
        ("POST", f"schedules/{new['id']}/end", {"last_day": "2026-10-30"}, {}, (403, 403, 200, 404)),
        ("GET", "bookings", None, {}, (404, 200, 200, 404)),
        ("GET", "bookings", None, {"child_id": one}, (200, 200, 200, 404)),
        ("GET", "bookings", None, {"child_id": two}, (404, 200, 200, 404)),
        ("GET", f"bookings/{booked['id']}", None, {}, (200, 200, 200, 404)),
        ("GET", f"bookings/{other['id']}", None, {}, (404, 200, 200, 404)),
        ("POST", "bookings", own, {}, (201, 201, 201, 404)),
        ("POST", "bookings", foreign, {}, (404, 409, 409, 404)),
        ("POST", "bookings/batch", {"mode": "each", "items": [own, foreign]}, {}, (404, 200, 200, 404)),
        ("POST", f"bookings/{other['id']}/cancel", {}, {}, (404, 200, 200, 404)),
        ("POST", f"bookings/{other['id']}/decision", {"decision": "decline"}, {}, (403, 409, 409, 404)),
        ("GET", "expected", None, {}, (403, 200, 200, 404)),
        ("GET", f"children/{one}/statement", None, day, (403, 200, 200, 404)),
        ("PUT", f"services/{fresh_id()}", {}, {}, (403, 403, 422, 404)),
    ]
    for method, path, body, params, expected in table:
        for who, status in zip(("parent", "staff", "manager", "stranger"), expected, strict=True):
            tag = "*" if "/terms/" in path else ""
            answer = await planning.ask(method, path, who, json=body, tag=tag, **params)
            assert answer.status_code == status, (method, path, who, answer.text)
    assert (await planning.client.get(f"/api/v1/centers/{planning.api.centers['north']}/services")).status_code == 401
    nobody = fresh_id()
    for path in (f"bookings/{nobody}", f"services/{nobody}", f"children/{nobody}/statement"):
        assert problem(await planning.ask("GET", path, "admin", **day)) == (404, "not_found")
