"""What a child used and what it comes to, from bookings and from what desks recorded; and days whose figures stand."""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text

from server.services.booking_upkeep import BookingUpkeep
from tests.contract.server_world import Desk
from tests.support.api import problem
from tests.support.inbox import Inbox
from tests.support.planning_office import TODAY, Planning, fresh_id, planning_of, statuses

pytestmark = pytest.mark.postgres

# Minutes from 15:13:20 today at the centre.
DAY = 24 * 60
EIGHT, ONE = -433, -133


@pytest.fixture
async def planning(inbox: Inbox) -> AsyncIterator[Planning]:
    async with planning_of(inbox) as opened:
        yield opened


async def came(planning: Planning, desk: Desk, child: str, begin: int, end: int) -> None:
    await planning.inbox.push(desk, desk.check_in(child, minute=begin), desk.check_out(child, minute=end))


async def statement(planning: Planning, child: str) -> dict[str, Any]:
    found: dict[str, Any] = await planning.get(
        f"children/{child}/statement", first_day=(TODAY - timedelta(days=6)).isoformat(), last_day=TODAY.isoformat()
    )
    return found


def told(found: dict[str, Any]) -> list[tuple[str, str, str, str | None]]:
    return [
        (line["day"][8:], line["kind"], line["quantity"], line["amount"] and line["amount"]["amount"])
        for line in found["lines"]
    ]


async def test_bookings_and_stays_come_to_lines_with_their_sources_and_locked_days_stand(planning: Planning) -> None:
    service = await planning.service(code="AM", capacity=2, from_time="08:00", to_time="13:00")
    await planning.service(
        code="H", unit="hour", from_time="06:00", to_time="20:00", weekdays=[1, 2, 3, 4, 5, 6, 7],
        terms={"price": "9.00", "requires_booking": False},
    )  # fmt: skip
    child = await planning.inbox.person("C-1")
    desk = await planning.inbox.desk()
    # Thursday and Friday of last week, and today, are booked; Saturday was not.
    days = [TODAY - timedelta(days=4), TODAY - timedelta(days=3), TODAY]
    thursday, friday, today = [await planning.book(child, service, day) for day in days]
    await came(planning, desk, child, EIGHT - 4 * DAY, ONE - 4 * DAY + 31)
    await came(planning, desk, child, EIGHT - 2 * DAY, EIGHT - 2 * DAY + 95)
    await came(planning, desk, child, EIGHT, ONE)
    # On Tuesday it was sick, and its mother had said so before eight.
    await planning.book(child, service, TODAY - timedelta(days=6))
    sick = {
        "absence_id": fresh_id(), "kind": "sick", "first_day": "2026-09-15", "last_day": "2026-09-15",
        "informed_at": "2026-09-15T07:40:00+01:00", "billable": False,
    }  # fmt: skip
    assert (await planning.ask("POST", f"children/{child}/absences", json=sick)).status_code == 201
    found = await statement(planning, child)
    assert told(found) == [
        ("15", "absent", "1", "0.00"),
        ("17", "attended", "1", "25.50"), ("17", "late_pick_up", "31", "24.80"), ("18", "no_show", "1", "25.50"),
        ("19", "drop_in", "1.75", "15.75"), ("21", "attended", "1", "25.50"),
    ]  # fmt: skip
    assert found["totals"] == [{"amount": "117.05", "currency": "EUR"}]
    await the_parent_sees_the_same_by_month(planning, desk, child, found)
    first = found["lines"][1]
    assert (first["booking_id"], first["terms_version"], first["service_code"]) == (thursday["id"], 1, "AM")
    assert len(first["stay_ids"]) == 1
    assert len(first["event_ids"]) == 2
    assert first["attended_from"] == "2026-09-17T08:00:20+01:00"
    assert (found["rules_version"], found["unpriced_lines"], found["locked_days"]) == (2, 0, [])
    # The job says of what is over whether the child came.
    await BookingUpkeep(planning.inbox.units, planning.api.clock).run()
    assert [await planning.status(one["id"]) for one in (thursday, friday, today)] == [
        "attended",
        "no_show",
        "attended",
    ]
    used = await planning.ask("POST", f"bookings/{today['id']}/cancel", json={})
    assert problem(used) == (409, "conflict")
    # Last week is locked; that the child came on Friday after all is known only afterwards.
    lock = {"first_day": "2026-09-14", "last_day": "2026-09-20"}
    assert (await planning.ask("POST", "period-locks", json=lock)).status_code == 201
    planning.api.clock.advance_ms(1_000)
    await came(planning, desk, child, EIGHT - 3 * DAY, ONE - 3 * DAY)
    after = await statement(planning, child)
    assert (told(after), after["totals"]) == (told(found), found["totals"])
    assert (len(after["locked_days"]), after["adjusted_days"]) == (6, ["2026-09-18"])
    await what_was_locked_under_older_rules_keeps_its_lines(planning, child, told(found))
    await nothing_that_lines_follow_from_changes(planning, service, child)


async def what_was_locked_under_older_rules_keeps_its_lines(planning: Planning, child: str, new: list[Any]) -> None:
    """As if the lock had been made before absences counted: they do not, and that adjusts nothing."""
    async with planning.inbox.units.begin() as unit:
        await unit.connection.execute(text("UPDATE usage_rules SET locks_after = now() + interval '10 years'"))
    old = await statement(planning, child)
    assert told(old) == [("15", "no_show", "1", "25.50"), *new[1:]]
    assert ([line["rules_version"] for line in old["lines"]], old["adjusted_days"]) == ([1] * 5 + [2], ["2026-09-18"])
    async with planning.inbox.units.begin() as unit:
        await unit.connection.execute(text("UPDATE usage_rules SET locks_after = CAST('epoch' AS timestamptz)"))


async def the_parent_sees_the_same_by_month(planning: Planning, desk: Desk, child: str, found: dict[str, Any]) -> None:
    """Whoever may see the child and book for it; with sources, by month, and not sent again when nothing is new."""
    ana = await planning.inbox.person("C-2")
    headers = await planning.inbox.who("parent")

    async def ask(path: str, **more: Any) -> Any:
        return await planning.client.get(f"/api/v1/my/{path}", headers=headers | more.pop("headers", {}), **more)

    month = f"children/{child}/statements/2026-09"
    assert problem(await ask(month)) == (404, "not_found")
    await planning.link("parent", child)
    assert problem(await ask(month)) == (404, "not_found"), "who books and may not see the child"
    await planning.link("parent", child, legal_guardian=True)
    answer = await ask(month)
    assert (answer.json()["lines"], answer.json()["totals"]) == (found["lines"], found["totals"])
    assert problem(await ask(month.replace(child, ana))) == (404, "not_found")
    for wrong in ("2026-13", "1999-12", "2026-9"):
        assert problem(await ask(f"children/{child}/statements/{wrong}")) == (422, "invalid_input")
    known = {"If-None-Match": answer.headers["etag"]}
    assert (await ask(month, headers=known)).status_code == 304
    sheet = await ask(month, params={"format": "csv"}, headers=known)
    lines = sheet.text.removeprefix("\ufeff").splitlines()
    assert (len(lines), lines[2].split(",")[:5]) == (
        7, ['"2026-09-17"', '"attended"', '"AM"', '"session"', '"1"'],
    )  # fmt: skip
    assert found["lines"][1]["booking_id"] in lines[2]
    listed = await ask("statements")
    (one,) = listed.json()["items"]
    assert (one["month"], one["lines"], one["totals"], one["final"], one["child_id"]) == (
        "2026-09", 6, found["totals"], False, child,
    )  # fmt: skip
    assert listed.json()["next_cursor"] == ""
    assert (await ask("statements", headers={"If-None-Match": listed.headers["etag"]})).status_code == 304
    assert problem(await ask("statements", params={"cursor": "eA=="})) == (422, "invalid_input")
    assert problem(await ask("statements", params={"limit": 13})) == (422, "invalid_input")
    await came(planning, desk, child, EIGHT - 70 * DAY, ONE - 70 * DAY)
    first = (await ask("statements", params={"limit": 2})).json()
    rest = (await ask("statements", params={"limit": 2, "cursor": first["next_cursor"]})).json()
    months = [[one["month"] for one in page["items"]] for page in (first, rest)]
    assert (months, rest["next_cursor"]) == ([["2026-09", "2026-08"], ["2026-07"]], "")


async def nothing_that_lines_follow_from_changes(planning: Planning, service: str, child: str) -> None:
    """On days that are locked; and what changes from today on does."""
    before = told(await statement(planning, child))
    for terms_day in ("2026-09-20", "2026-08-01"):
        terms = await planning.ask("PUT", f"services/{service}/terms/{terms_day}", json={"price": "99"}, tag="*")
        assert problem(terms) == (409, "conflict")
    late = await planning.ask("POST", "bookings", json=planning.wish(child, service, TODAY - timedelta(days=5)))
    assert problem(late) == (409, "conflict")
    closure = {"first_day": "2026-09-18", "last_day": "2026-09-18"}
    assert (await planning.ask("POST", "closures", json=closure)).status_code == 201
    assert told(await statement(planning, child)) == before
    dearer = await planning.ask("PUT", f"services/{service}/terms/2026-09-21", json={"price": "30"}, tag="*")
    assert [one["version"] for one in dearer.json()["terms"]] == [1, 2]
    assert told(await statement(planning, child))[-1] == ("21", "attended", "1", "30.00")
    listed = await planning.get("bookings", child_id=child, status="attended")
    assert statuses(listed["items"]) == ["attended"] * 2
    for wrong in (
        {"first_day": "2026-09-02", "last_day": "2026-09-01"},
        {"first_day": "2026-01-01", "last_day": "2026-12-31"},
    ):
        assert problem(await planning.ask("GET", f"children/{child}/statement", **wrong)) == (422, "invalid_input")
