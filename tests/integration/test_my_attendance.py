"""A parent's app says that a child came or left, with the code that the desk shows; the pick-up list decides."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from server.services.door import pepper_of
from server.services.throttles import DESK_CODE
from sync.attendance import decode_event
from sync.desk_code import STEP_MS, desk_code, shown
from tests.contract.server_world import Desk, new_id
from tests.support.api import SECRET, Api, problem
from tests.support.families import Families, families_of
from tests.support.postgres import FreshDatabase

pytestmark = pytest.mark.postgres
PATH = "/my/children/{C1}/attendance"


@pytest.fixture
async def families(api: Api, database: FreshDatabase) -> AsyncIterator[Families]:
    async with families_of(api, database) as opened:
        yield opened


class Apps:
    """Parents before a desk."""

    def __init__(self, families: Families, desk: Desk) -> None:
        self.families, self.desk = families, desk

    def code(self, center: str = "north", *, later_min: int = 0) -> str:
        """What the desk shows now, or so many minutes later."""
        api = self.families.api
        at_ms = api.clock.wall_ms() + later_min * STEP_MS
        return desk_code(pepper_of(SECRET, api.centers[center]), self.desk.key.device_id, at_ms)

    async def say(self, kind: str, who: str = "mother", path: str = PATH, **more: Any) -> Any:
        body = {"event_id": new_id(), "kind": kind, "code": shown(self.code()), **more}
        return await self.families.ask(who, "POST", path, json=body)

    async def status(self) -> str:
        (child,) = (await self.families.good("mother", "GET", "/my/children"))["items"]
        return str(child["now"]["status"])


async def test_an_app_checks_in_and_out_at_the_desk_whose_code_it_names(families: Families) -> None:
    apps = Apps(families, await families.desk("Front desk"))
    clock = families.api.clock
    await _is_refused(apps)
    entry = {"event_id": new_id(), "code": apps.code().lower()}
    answers = await asyncio.gather(*(apps.say("check_in", **entry) for _ in range(3)))
    assert [one.status_code for one in answers] == [201] * 3, "sent three times at once, entered once"
    assert len({one.text for one in answers}) == 1
    assert (answers[0].json()["desk_name"], answers[0].json()["needs_review"]) == ("Front desk", False)
    clock.advance_ms(5 * STEP_MS)
    assert (await apps.say("check_in", **entry)).json() == answers[0].json(), "sent again when the code is over"
    assert await apps.status() == "in"
    assert problem(await apps.say("check_in")) == (409, "conflict")
    assert problem(await apps.say("check_out", event_id=entry["event_id"])) == (409, "conflict")
    await _collects_only_by_the_list(apps)
    body = await families.value("SELECT body FROM attendance_event WHERE event_id = :id", id=entry["event_id"])
    event = decode_event(bytes(body))
    assert (event.auth_method, event.note, event.adult_id, event.author_id) == (
        "parent_app", "App of a guardian at Front desk", families.ids["G-1"], families.accounts["mother"],
    )  # fmt: skip
    (day,) = (await families.good("mother", "GET", "/my/children/{C1}/stays"))["days"]
    (stay,) = day["stays"]
    assert [stay[end]["method"] for end in ("brought", "collected")] == ["parent_app"] * 2
    assert stay["brought"]["recorded_at_desk"] is False
    assert await families.wrong_books() == []


async def _is_refused(apps: Apps) -> None:
    families = apps.families
    assert problem(await apps.say("check_in", "father")) == (404, "not_found")
    assert problem(await apps.say("check_in", path="/my/children/{C2}/attendance")) == (404, "not_found")
    assert problem(await apps.say("check_out")) == (409, "conflict"), "not in"
    assert problem(await apps.say("void")) == (422, "invalid_input")
    for wrong in ({"code": ""}, {"code": "C" * 21}, {"event_id": "1"}, {"adult_id": new_id()}):
        assert problem(await apps.say("check_in", **wrong)) == (422, "invalid_input")
    for code in (apps.code(later_min=2), apps.code(later_min=-3), apps.code("south")):
        answer = await apps.say("check_in", code=code)
        assert problem(answer) == (422, "invalid_input")
        assert answer.json()["errors"][0]["pointer"] == "/code"
    # Whoever guesses is slowed down, even with the right code; others are not.
    other = "/my/children/{C2}/attendance"
    for _ in range(DESK_CODE.burst):
        assert problem(await apps.say("check_in", "neighbour", other, code="CCCC CCCC")) == (422, "invalid_input")
    assert problem(await apps.say("check_in", "neighbour", other)) == (429, "rate_limited")
    manager = await families.headers("manager")
    second = await families.desk("Old desk")
    gone = Apps(families, second).code()
    path = f"/api/v1/devices/{second.key.device_id}/revoke"
    (await families.api.client.post(path, headers=manager)).raise_for_status()
    assert problem(await apps.say("check_in", code=gone)) == (422, "invalid_input")


async def _collects_only_by_the_list(apps: Apps) -> None:
    """Not on the list, not any more, not yet, and then today."""
    families, ids = apps.families, apps.families.ids
    path = f"{{north}}/children/{ids['C-1']}/pickups"
    (pickup,) = [one for one in (await families.good("manager", "GET", path))["items"] if one["adult_id"] == ids["G-1"]]
    for change in ({"status": "suspended"}, {"status": "authorised", "valid_to": "2026-09-20"}):
        await families.good("manager", "PATCH", f"{path}/{pickup['id']}", tag="*", json=change)
        assert problem(await apps.say("check_out")) == (403, "not_entitled")
    await families.good("manager", "PATCH", f"{path}/{pickup['id']}", tag="*", json={"valid_to": "2026-09-21"})
    assert (await apps.say("check_out")).status_code == 201
    assert await apps.status() == "out"
