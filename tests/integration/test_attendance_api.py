"""`GET /api/v1/attendance`: what desks wrote down, with its own times."""

import uuid
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import text

from server.core.database import create_engine
from server.core.ids import Ids
from server.repositories.unit_of_work import UnitsOfWork
from server.services.journal_intake import DeviceKey, JournalIntake
from sync.attendance import Correction, EventKind
from sync.digest import digests
from sync.events import BatchStored
from sync.journal import Entry
from tests.contract.server_world import MINUTE_MS, NOW_MS, Desk
from tests.support.api import Api, problem
from tests.support.postgres import FreshDatabase

pytestmark = pytest.mark.postgres
DAY_MS = 24 * 60 * MINUTE_MS


class Office:
    """The API as a member of staff sees it, and desks whose journals reach the server."""

    def __init__(self, api: Api, headers: dict[str, str], intake: JournalIntake) -> None:
        self.api = api
        self.headers = headers
        self._intake = intake

    async def desk(self, manager: dict[str, str], name: str) -> Desk:
        key = Ed25519PrivateKey.generate()
        found = (await self.api.enrol(await self.api.new_code(manager, name), key)).json()
        return Desk(DeviceKey(found["center_id"], found["device_id"]), key)

    async def push(self, desk: Desk, *entries: Entry) -> None:
        assert isinstance(await self._intake.store_batch(desk.key, entries), BatchStored)

    async def ask(self, **more: str) -> dict[str, Any]:
        params = {"center_id": self.api.centers["north"], **more}
        answer = await self.api.client.get("/api/v1/attendance", params=params, headers=self.headers)
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    async def child(self, name: str, **more: str) -> dict[str, Any]:
        children = (await self.ask(**more))["children"]
        return dict(next(child for child in children if child["given_name"] == name))


@pytest.fixture
async def office(api: Api, database: FreshDatabase) -> AsyncIterator[Office]:
    engine = create_engine(database.urls.app)
    units = UnitsOfWork(engine, clock=api.clock, luck=bytes, new_id=Ids(api.clock).new)
    try:
        yield Office(api, await api.sign_in("staff"), JournalIntake(units, api.clock))
    finally:
        await engine.dispose()


@pytest.fixture
async def manager(api: Api) -> dict[str, str]:
    return await api.sign_in("manager")


def ms(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp() * 1000)


async def test_a_day_without_facts_lists_every_child_as_none(office: Office) -> None:
    found = await office.ask()
    assert found["day"] == "2026-09-21"
    assert found["children_present"] == 0
    assert [(child["family_name"], child["status"]) for child in found["children"]] == [
        ("O'Neill-Ünal", "none"),
        ("Silva", "none"),
    ]
    assert found["as_of"]["version"] > 0


async def test_a_stay_has_the_times_the_desk_wrote_down_and_its_events(office: Office, manager: dict[str, str]) -> None:
    child = (await office.child("Ana"))["child_id"]
    desk = await office.desk(manager, "Front desk")
    came, left = desk.check_in(child, minute=-90), desk.check_out(child, minute=-30)
    await office.push(desk, came, left)
    found = await office.child("Ana")
    assert found["status"] == "out"
    stay = found["stays"][0]
    assert (ms(stay["started_at"]), ms(stay["ended_at"])) == (NOW_MS - 90 * MINUTE_MS, NOW_MS - 30 * MINUTE_MS)
    assert stay["started_at"].endswith("+01:00")
    assert (stay["check_in"], stay["check_out"]) == (came.event_id, left.event_id)
    assert stay["device_names"] == ["Front desk"]
    assert [(event["event_id"], event["kind"], event["outcome"]) for event in found["events"]] == [
        (came.event_id, "check_in", "applied"),
        (left.event_id, "check_out", "applied"),
    ]
    event = found["events"][0]
    assert ms(event["received_at"]) == NOW_MS
    assert ms(event["occurred_at"]) == ms(event["recorded_at"]) == NOW_MS - 90 * MINUTE_MS
    assert event["device_name"] == "Front desk"


async def test_a_clock_that_is_off_is_corrected_in_the_stay_and_kept_in_the_event(
    office: Office, manager: dict[str, str]
) -> None:
    child = (await office.child("Ana"))["child_id"]
    desk = await office.desk(manager, "Slow desk")
    await office.push(desk, desk.check_in(child, minute=-90, clock_offset_ms=60 * MINUTE_MS))
    found = await office.child("Ana")
    assert ms(found["stays"][0]["started_at"]) == NOW_MS - 30 * MINUTE_MS
    assert ms(found["events"][0]["occurred_at"]) == NOW_MS - 90 * MINUTE_MS


async def test_two_desks_make_one_stay_and_a_late_one_a_finding(office: Office, manager: dict[str, str]) -> None:
    child = (await office.child("Zoë"))["child_id"]
    one, two = await office.desk(manager, "One"), await office.desk(manager, "Two")
    first, second = one.check_in(child, minute=-60), two.check_in(child, minute=-58)
    await office.push(two, second)
    await office.push(one, first)
    found = await office.child("Zoë")
    assert [(stay["check_in"], stay["corroborated_by"]) for stay in found["stays"]] == [
        (first.event_id, [second.event_id])
    ]
    assert found["stays"][0]["device_names"] == ["One", "Two"]
    assert (await office.ask())["children_present"] == 1
    third = two.check_in(child, minute=-10)
    await office.push(two, third)
    found = await office.child("Zoë")
    assert found["findings"] == [
        {"kind": "possible_missed_check_out", "critical": False, "event_ids": [first.event_id, third.event_id]}
    ]
    assert [event["outcome"] for event in found["events"]] == ["applied", "applied", "conflict"]


async def test_a_day_ends_at_the_centre_s_midnight(office: Office, manager: dict[str, str]) -> None:
    child = (await office.child("Ana"))["child_id"]
    desk = await office.desk(manager, "Front desk")
    # 23:30 on the 20th at the centre, which is 22:30 UTC.
    late = ms("2026-09-20T23:30:00+01:00")
    minute = (late - NOW_MS) // MINUTE_MS
    await office.push(desk, desk.check_in(child, minute=minute), desk.check_out(child, minute=minute + 60))
    yesterday, today = await office.child("Ana", day="2026-09-20"), await office.child("Ana")
    assert (yesterday["status"], len(yesterday["events"])) == ("in", 1)
    assert (today["status"], len(today["events"]), len(today["stays"])) == ("out", 1, 1)
    assert (await office.child("Ana", day="2026-09-19"))["status"] == "none"


async def test_one_child_can_be_asked_for(office: Office) -> None:
    child = (await office.child("Ana"))["child_id"]
    found = await office.ask(child_id=child)
    assert [one["child_id"] for one in found["children"]] == [child]


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        ({"child_id": str(uuid.UUID(int=7))}, (404, "not_found")),
        ({"center_id": str(uuid.UUID(int=7))}, (404, "not_found")),
        ({"day": "21.09.2026"}, (422, "invalid_input")),
        ({"day": "1970-01-01"}, (422, "invalid_input")),
        ({"center_id": "north"}, (422, "invalid_input")),
        ({"child_id": "C-1"}, (422, "invalid_input")),
    ],
)
async def test_a_question_that_makes_no_sense_is_refused(
    office: Office, params: dict[str, str], expected: tuple[int, str]
) -> None:
    asked = {"center_id": office.api.centers["north"], **params}
    answer = await office.api.client.get("/api/v1/attendance", params=asked, headers=office.headers)
    assert problem(answer) == expected


async def test_an_answer_that_did_not_change_is_not_sent_again(office: Office, manager: dict[str, str]) -> None:
    params = {"center_id": office.api.centers["north"]}

    async def again(etag: str) -> int:
        headers = office.headers | {"If-None-Match": etag}
        answer = await office.api.client.get("/api/v1/attendance", params=params, headers=headers)
        return answer.status_code

    first = await office.api.client.get("/api/v1/attendance", params=params, headers=office.headers)
    assert await again(first.headers["etag"]) == 304
    child = (await office.child("Ana"))["child_id"]
    desk = await office.desk(manager, "Front desk")
    await office.push(desk, desk.check_in(child))
    assert await again(first.headers["etag"]) == 200


async def test_the_sync_state_is_the_digest_of_what_stands(office: Office, manager: dict[str, str]) -> None:
    path = f"/api/v1/centers/{office.api.centers['north']}/sync-state"
    before = (await office.api.client.get(path, headers=office.headers)).json()
    assert set(before["digests"]) == {"reference"}
    child = (await office.child("Ana"))["child_id"]
    desk = await office.desk(manager, "Front desk")
    await office.push(desk, desk.check_in(child), desk.check_in(child, minute=-30 * 24 * 60))
    after = (await office.api.client.get(path, headers=office.headers)).json()
    assert after["version"] == before["version"] + 2
    assert set(after["digests"]) == {"reference", "day:2026-09-21"}
    assert after["digests"]["reference"] == before["digests"]["reference"]
    assert digests([]) == {}


async def test_a_correction_made_the_next_day_counts_on_the_day_that_it_corrects(
    office: Office, manager: dict[str, str]
) -> None:
    child = (await office.child("Ana"))["child_id"]
    desk = await office.desk(manager, "Front desk")
    came, left = desk.check_in(child, minute=-90), desk.check_out(child, minute=-30)
    earlier = Correction(occurred_at_ms=NOW_MS - 45 * MINUTE_MS)
    fixed = desk.event(
        child, EventKind.CORRECT, minute=DAY_MS // MINUTE_MS, supersedes=(left.event_id,), corrected=earlier
    )
    await office.push(desk, came, left, fixed)
    found = await office.child("Ana")
    assert [ms(stay["ended_at"]) for stay in found["stays"]] == [earlier.occurred_at_ms]
    assert [event["kind"] for event in found["events"]] == ["check_in", "check_out"]
    next_day = await office.child("Ana", day="2026-09-22")
    assert [event["kind"] for event in next_day["events"]] == ["correct"]


async def test_what_is_told_of_staff_and_rooms_is_on_no_childs_day(office: Office, manager: dict[str, str]) -> None:
    desk = await office.desk(manager, "Front desk")
    came = desk.event("", EventKind.STAFF_IN, person_id=str(uuid.uuid4()))
    counted = desk.event("", EventKind.HEADCOUNT, headcount=3)
    await office.push(desk, came, counted)
    found = await office.ask()
    assert found["children_present"] == 0
    assert not any(child["events"] for child in found["children"])


async def test_a_kind_that_came_with_a_newer_server_fails_neither_a_day_nor_a_push(
    office: Office, manager: dict[str, str], database: FreshDatabase
) -> None:
    child = (await office.child("Ana"))["child_id"]
    desk = await office.desk(manager, "Front desk")
    came = desk.check_in(child, minute=-90)
    await office.push(desk, came)
    await _make_newer(database, came.event_id)
    assert (await office.child("Ana"))["status"] == "none"
    await office.push(desk, desk.check_in(child, minute=-30))
    assert (await office.child("Ana"))["status"] == "in"


async def _make_newer(database: FreshDatabase, event_id: str) -> None:
    """Turn a fact into one of a kind that nobody here knows, as a server put back to an older version finds it."""
    engine = create_engine(database.urls.owner)
    change = "convert_to(replace(convert_from({0}, 'UTF8'), '\"check_in\"', '\"nap_began\"'), 'UTF8')"
    async with engine.begin() as connection:
        for table, key in (("attendance_event", "CAST(event_id AS text)"), ("current_record", "entity_id")):
            await connection.execute(text(f"ALTER TABLE {table} DISABLE TRIGGER USER"))
            update = f"UPDATE {table} SET body = {change.format('body')} WHERE {key} = :event_id"
            await connection.execute(text(update), {"event_id": event_id})
    await engine.dispose()
