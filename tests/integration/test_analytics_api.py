"""Figures over long periods: equal to a slow count of raw events, for managers alone, and bounded."""

from collections import Counter, defaultdict
from collections.abc import AsyncIterator
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import text

from server.core.database import create_engine
from server.services.access import RoleId
from server.services.accounts import NewUser
from tests.support.api import PASSWORD, Api, problem, running_api, settings_for
from tests.support.history import SMALL, history_template
from tests.support.postgres import FreshDatabase, PostgresServer, copied
from tests.support.slow_figures import Was, children_days, marks, presence, said

pytestmark = pytest.mark.postgres

PERIOD = {"from": SMALL.first_day.isoformat(), "to": SMALL.last_day.isoformat()}
ZONE = ZoneInfo("Europe/London")
DAYS = [SMALL.first_day + timedelta(days=number) for number in range(SMALL.days)]
TRAINING_DAY = date(2026, 10, 2)


@pytest.fixture
async def history(postgres_server: PostgresServer, tmp_path: Path) -> AsyncIterator["Years"]:
    template = await history_template(postgres_server)
    async with copied(postgres_server, template) as fresh, running_api(settings_for(fresh, tmp_path)) as api:
        # The history ends on the day before.
        api.clock.advance_ms(40 * 24 * 3_600_000)
        yield Years(api, fresh)


class Years:
    """A history, and people who ask about it."""

    def __init__(self, api: Api, database: FreshDatabase) -> None:
        self.api = api
        self.database = database
        self.headers: dict[str, str] = {}
        self.center = ""

    async def sign_in(self, role: RoleId, center: str) -> dict[str, str]:
        email = f"{role.name.lower()}.{center}@example.org"
        await self.api.services.accounts.create(NewUser(email, "Somebody", role, center), PASSWORD)
        form = {"username": email, "password": PASSWORD}
        answer = await self.api.client.post("/api/v1/auth/token", data=form)
        return {"Authorization": f"Bearer {answer.raise_for_status().json()['access_token']}"}

    async def ask(self, figure: str, **more: str) -> Any:
        path = f"/api/v1/centers/{self.center}/analytics/{figure}"
        return await self.api.client.get(path, params={**PERIOD, **more}, headers=self.headers)

    async def get(self, figure: str, **more: str) -> dict[str, Any]:
        answer = await self.ask(figure, **more)
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        assert (found["center_id"], found["first_day"], found["time_zone"]) == (self.center, PERIOD["from"], str(ZONE))
        assert found["as_of"] == "2026-10-31T14:13:20Z"
        assert found["basis"]
        return found

    async def rows(self, statement: str) -> list[Any]:
        engine = create_engine(self.database.urls.owner, pool_size=1)
        try:
            async with engine.connect() as connection:
                return list(await connection.execute(text(statement), {"center": self.center}))
        finally:
            await engine.dispose()


async def test_figures_are_those_of_a_slow_count_and_are_for_managers(history: Years) -> None:
    history.center = (await history.api.services.centers.by_code("lantern-hill")).id
    history.headers = await history.sign_in(RoleId.MANAGER, "lantern-hill")
    events = await history.rows("SELECT * FROM attendance_event WHERE center_id = :center ORDER BY corrected_at")
    was = presence(events)
    assert len(was) > 80
    await attendance_is_counted(history, was)
    await quarters_are_counted(history, was)
    await records_are_counted(history, events, was)
    await money_is_that_of_statements(history)
    await breaches_are_those_of_the_day(history)
    await anomalies_have_reasons(history)
    await others_are_refused(history)
    await periods_are_bounded(history)


async def attendance_is_counted(history: Years, was: list[Was]) -> None:
    bookings = await history.rows("SELECT * FROM booking WHERE center_id = :center")
    absences = await history.rows("SELECT * FROM absence WHERE center_id = :center")
    expected = children_days(was, bookings, absences, ZONE)
    found = await history.get("attendance")
    names = ("booked", "attended", "announced", "unexplained", "unbooked")
    assert {name: found["total"][name] for name in names} == {name: expected[name] for name in names}
    assert found["attendance_rate"] == round(expected["attended"] / expected["booked"], 4)
    assert sum(day["booked"] for day in found["days"]) == expected["booked"]
    again = await history.api.client.get(
        f"/api/v1/centers/{history.center}/analytics/attendance",
        params=PERIOD,
        headers={**history.headers, "If-None-Match": (await history.ask("attendance")).headers["etag"]},
    )
    assert (again.status_code, again.content) == (304, b"")


async def quarters_are_counted(history: Years, was: list[Was]) -> None:
    """Also on the day after the clocks were put back, and not on days on which the centre is closed."""
    open_days = [day for day in DAYS if day.isoweekday() < 6 and day != TRAINING_DAY]
    expected = marks(was, open_days, ZONE)
    found = await history.get("occupancy")
    told = {(mark["weekday"], mark["minute"]): mark for mark in found["marks"]}
    assert {key for key, counts in expected.items() if any(counts)} <= told.keys()
    for key, mark in told.items():
        counts = expected[key]
        assert (mark["marks"], mark["present_most"]) == (len(counts), max(counts)), key
        assert mark["present"] == round(sum(counts) / len(counts), 2)
    assert (found["open_days"], found["capacity"]) == (len(open_days), 71)
    times = await history.get("times")
    came = Counter(one.came.astimezone(ZONE).hour * 60 + one.came.astimezone(ZONE).minute // 15 * 15 for one in was)
    assert {one["minute"]: one["came"] for one in times["quarters"] if one["came"]} == came
    assert sum(one["went"] for one in times["quarters"]) == sum(not one.assumed for one in was)
    rooms = await history.get("rooms")
    hours: dict[str, float] = defaultdict(float)
    for one in was:
        hours[one.rooms] += (one.went - one.came) / timedelta(hours=1)
    for room in rooms["rooms"]:
        assert room["child_hours"] == pytest.approx(hours[room["room_id"]], abs=0.01)
    assert sum(age["child_hours"] for age in rooms["ages"]) == pytest.approx(sum(hours.values()), abs=0.05)
    assert rooms["open_hours"] == len(open_days) * 10.5


async def records_are_counted(history: Years, events: list[Any], was: list[Was]) -> None:
    entries = [row for row in events if row.kind in {"check_in", "check_out"}]
    found = await history.get("records")
    assert sum(month["entries"] for month in found["months"]) == len(entries)
    attested = said(entries, "auth_method", "staff_attested").count("staff_attested")
    afterwards = sum(row.recorded_at - row.occurred_at > timedelta(minutes=15) for row in entries)
    late = sum(row.received_at - row.recorded_at > timedelta(hours=1) for row in entries)
    for name, count in (("attested", attested), ("retroactive", afterwards), ("sent_late", late)):
        assert sum(month[name] for month in found["months"]) == count, name
        assert found[f"{name}_share"] == round(count / len(entries), 4)
    assert sum(month["assumed"] for month in found["months"]) == sum(one.assumed for one in was)


async def money_is_that_of_statements(history: Years) -> None:
    total, lines = Decimal(0), 0
    for row in await history.rows("SELECT id FROM person WHERE center_id = :center AND kind = 'child'"):
        answer = await history.api.client.get(
            f"/api/v1/centers/{history.center}/children/{row.id}/statement",
            params={"first_day": PERIOD["from"], "last_day": PERIOD["to"]},
            headers=history.headers,
        )
        total += sum((Decimal(one["amount"]) for one in answer.json()["totals"]), Decimal(0))
        lines += len(answer.json()["lines"])
    found = await history.get("usage")
    assert total > 0
    assert found["totals"] == [{"amount": str(total), "currency": "GBP"}]
    assert sum(one["lines"] for one in found["figures"]) == lines
    assert {one["kind"] for one in found["figures"]} >= {"attended", "late_pick_up"}


async def breaches_are_those_of_the_day(history: Years) -> None:
    found = await history.get("breaches")
    counted = 0
    for day in DAYS:
        answer = await history.api.client.get(
            "/api/v1/ratio/breaches",
            params={"center_id": history.center, "day": day.isoformat()},
            headers=history.headers,
        )
        counted += len(answer.raise_for_status().json()["items"])
    assert found["count"] == counted > 0
    assert found["minutes"] >= sum(one["minutes"] for one in found["breaches"]) > 0
    assert {one["room_name"] for one in found["breaches"]} <= {"Ducklings", "Hedgehogs", "Otters", "Foxes", "Owls"}


async def anomalies_have_reasons(history: Years) -> None:
    found = await history.get("anomalies")
    by_kind = {one["kind"]: one for one in found["anomalies"]}
    closed = by_kind["while_closed"]
    assert "Friday, 2026-10-02: closed for Training day" in closed["reason"]
    evidence = await history.api.client.get(closed["evidence"][0], headers=history.headers)
    assert evidence.status_code == 200
    assert "at a whole quarter of an hour; typed to the minute" in by_kind["rounded_times"]["reason"]
    assert by_kind["rounded_times"]["stay_ids"]
    twice = by_kind["at_two_centers"]["reason"]
    assert "another centre of the organisation" in twice
    assert "Lantern Quay" not in twice
    # Who manages both is told the name.
    history.headers = await history.sign_in(RoleId.ADMIN, "lantern-hill")
    named = [one["reason"] for one in (await history.get("anomalies"))["anomalies"] if one["kind"] == "at_two_centers"]
    assert "Lantern Quay" in named[0]
    both = await history.api.client.get("/api/v1/analytics/centers", params=PERIOD, headers=history.headers)
    assert [one["code"] for one in both.json()["items"]] == ["lantern-hill", "lantern-quay"]
    assert both.json()["items"][0]["attendance_rate"] == (await history.get("attendance"))["attendance_rate"]


async def others_are_refused(history: Years) -> None:
    managers = history.headers
    history.headers = await history.sign_in(RoleId.STAFF, "lantern-hill")
    assert problem(await history.ask("attendance")) == (403, "not_entitled")
    none = await history.api.client.get("/api/v1/analytics/centers", params=PERIOD, headers=history.headers)
    assert none.json()["items"] == []
    history.headers = await history.sign_in(RoleId.MANAGER, "lantern-quay")
    figures = ("attendance", "occupancy", "times", "rooms", "records", "breaches", "usage", "anomalies")
    for figure in figures:
        assert problem(await history.ask(figure)) == (404, "not_found"), figure
    history.headers = {}
    assert problem(await history.ask("attendance")) == (401, "unauthenticated")
    history.headers = managers


async def periods_are_bounded(history: Years) -> None:
    for figure, first, last, status in (
        ("attendance", "2023-10-27", "2026-10-26", 200),
        ("attendance", "2023-10-26", "2026-10-27", 422),
        ("attendance", "2026-10-02", "2026-10-01", 422),
        ("usage", "2025-10-01", "2026-10-27", 422),
        ("breaches", "2026-07-01", "2026-10-27", 422),
        ("occupancy", "1999-12-31", "2000-01-02", 422),
        ("rooms", "yesterday", "2026-10-02", 422),
        ("times", "2019-01-01", "2019-02-01", 200),
    ):
        answer = await history.ask(figure, **{"from": first, "to": last})
        assert answer.status_code == status, (figure, first, answer.text)
    empty = (await history.ask("times", **{"from": "2019-01-01", "to": "2019-02-01"})).json()
    assert (empty["quarters"], empty["arrivals"], empty["arrival_median_min"]) == ([], 0, None)
