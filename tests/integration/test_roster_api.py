"""Children, adults, relationships, pick-ups and alerts by REST: each change is on every desk with its transaction."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from sync.records import Entity
from tests.contract.server_world import new_id
from tests.support.api import Api, problem
from tests.support.families import Families, families_of
from tests.support.postgres import FreshDatabase

pytestmark = pytest.mark.postgres
CHILDREN = "{north}/children"
STALE = (412, "precondition_failed")


@pytest.fixture
async def families(api: Api, database: FreshDatabase) -> AsyncIterator[Families]:
    async with families_of(api, database) as opened:
        yield opened


async def test_a_child_with_its_alerts_is_made_changed_and_listed(families: Families) -> None:
    body = {"id": new_id(), "given_name": " Noor ", "family_name": "Aziz", "birth_date": "2023-04-05"}
    body |= {"home_room_id": families.ids["room"]}
    version = (await families.good("staff", "GET", CHILDREN))["version"]
    made = await families.ask("manager", "POST", CHILDREN, json=body)
    assert made.json() == {
        **body, "given_name": "Noor", "external_id": body["id"], "preferred_name": "", "enrolled": True,
    }  # fmt: skip
    assert (await families.ask("manager", "POST", CHILDREN, json=body)).json() == made.json()
    record = await families.record(Entity.CHILD, body["id"])
    assert (record.given_name, record.birth_date, record.home_room_id) == ("Noor", "2023-04-05", families.ids["room"])
    assert await _refusals(families, body) == {(409, "conflict"), (422, "invalid_input")}
    path, tag = f"{CHILDREN}/{body['id']}", made.headers["etag"]
    assert problem(await families.ask("manager", "PATCH", path, json={})) == (428, "precondition_required")
    assert problem(await families.ask("manager", "PATCH", path, tag='"x"', json={})) == STALE
    gone = {"preferred_name": "Nono", "enrolled": False, "birth_date": None, "home_room_id": None}
    changed = await families.ask("manager", "PATCH", path, tag=tag, json=gone)
    assert changed.json() == {**made.json(), **gone}
    assert problem(await families.ask("manager", "PATCH", path, tag=tag, json={"enrolled": True})) == STALE
    assert (await families.ask("staff", "GET", path)).headers["etag"] == changed.headers["etag"]
    await _alerts(families, body["id"])

    listed = await families.good("staff", "GET", CHILDREN, params={"updated_since": version})
    assert [one["id"] for one in listed["items"]] == [body["id"]]
    assert (await families.good("staff", "GET", CHILDREN, params={"updated_since": listed["version"]}))["items"] == []
    assert len((await families.good("staff", "GET", CHILDREN, params={"enrolled": "true"}))["items"]) == 2
    in_room = {"room_id": families.ids["room"]}
    assert len((await families.good("staff", "GET", CHILDREN, params=in_room))["items"]) == 2
    assert await _paged(families, CHILDREN) == ["Aziz", "O'Neill-Ünal", "Silva"]
    assert await _paged(families, "{north}/adults") == ["O'Neill", "Silva", "Ünal"]
    for wrong in ({"cursor": "x"}, {"limit": "101"}, {"updated_since": "-1"}, {"room_id": "x"}):
        assert problem(await families.ask("staff", "GET", CHILDREN, params=wrong)) == (422, "invalid_input")
    assert await families.wrong_books() == []


async def _refusals(families: Families, body: dict[str, Any]) -> set[tuple[int, str]]:
    """What a child may not be: another one under its id, one of a room elsewhere, one without a name."""
    wrong: tuple[dict[str, Any], ...] = (
        {"given_name": "Other"},
        {"id": new_id(), "external_id": "C-1"},
        {"id": families.ids["G-1"]},
        {"id": new_id(), "home_room_id": new_id()},
        {"id": new_id(), "family_name": "\n"},
        {"id": new_id(), "family_name": "x" * 201},
        {"id": new_id(), "birth_date": "1899-12-31"},
        {"id": new_id(), "more": 1},
    )
    answers = [await families.ask("manager", "POST", CHILDREN, json={**body, **one}) for one in wrong]
    found = [problem(answer) for answer in answers]
    assert [status for status, _ in found] == [409] * 3 + [422] * 5
    return set(found)


async def _alerts(families: Families, child: str) -> None:
    path = f"{CHILDREN}/{child}/alerts"
    peanuts = {"id": new_id(), "kind": "allergy", "severity": "critical", "text": "Peanuts"}
    made = await families.ask("manager", "POST", path, json=peanuts)
    assert (await families.ask("manager", "POST", path, json=peanuts)).json() == made.json()
    assert problem(await families.ask("manager", "POST", path, json={**peanuts, "text": "Milk"})) == (409, "conflict")
    elsewhere = await families.ask("manager", "POST", f"{CHILDREN}/{{C1}}/alerts", json=peanuts)
    assert problem(elsewhere) == (409, "conflict")
    one = f"{path}/{peanuts['id']}"
    changed = await families.ask("manager", "PATCH", one, tag=made.headers["etag"], json={"text": "Peanuts: EpiPen"})
    (alert,) = (await families.record(Entity.CHILD, child)).alerts
    assert (alert.kind, alert.severity, alert.text) == ("allergy", "critical", "Peanuts: EpiPen")
    assert (await families.good("staff", "GET", path))["items"] == [changed.json()]
    other_child = f"{CHILDREN}/{{C1}}/alerts/{peanuts['id']}"
    assert problem(await families.ask("manager", "DELETE", other_child, tag="*")) == (404, "not_found")
    assert problem(await families.ask("manager", "DELETE", one, tag=made.headers["etag"])) == STALE
    await families.good("manager", "DELETE", one, tag=changed.headers["etag"])
    assert (await families.record(Entity.CHILD, child)).alerts == ()
    for _ in range(20):
        await families.good("manager", "POST", path, json={**peanuts, "id": new_id(), "text": "ü" * 500})
    assert problem(await families.ask("manager", "POST", path, json={**peanuts, "id": new_id()})) == (409, "conflict")


async def _paged(families: Families, path: str) -> list[str]:
    """The family names of a list that is read one by one."""
    names, cursor = [], ""
    while True:
        page = await families.good("staff", "GET", path, params={"limit": "1", "cursor": cursor})
        names += [one["family_name"] for one in page["items"]]
        cursor = page["next_cursor"]
        if not cursor:
            return names


async def test_an_adult_is_related_may_collect_and_each_change_judges_releases_anew(families: Families) -> None:
    aunt = {"id": new_id(), "given_name": "Ines", "family_name": "Lopes", "phone": "123", "email": "INES@example.org"}
    made = await families.ask("manager", "POST", "{north}/adults", json=aunt)
    assert (made.json()["email"], made.json()["account_id"]) == ("ines@example.org", None)
    assert (await families.ask("manager", "POST", "{north}/adults", json=aunt)).json() == made.json()
    one = f"{{north}}/adults/{aunt['id']}"
    for wrong in ({"email": "nobody"}, {"given_name": ""}, {"phone": "1" * 65}):
        assert problem(await families.ask("manager", "PATCH", one, tag="*", json=wrong)) == (422, "invalid_input")
    moved = await families.ask("manager", "PATCH", one, tag=made.headers["etag"], json={"phone": "456"})
    assert (await families.record(Entity.ADULT, aunt["id"])).phone == "456"
    assert problem(await families.ask("manager", "PATCH", one, tag=made.headers["etag"], json={})) == STALE
    await families.good("manager", "PATCH", one, tag=moved.headers["etag"], json={"email": ""})
    await _accounts(families, aunt["id"])

    pickups = f"{CHILDREN}/{{C1}}/pickups"
    new = {"id": new_id(), "adult_id": aunt["id"], "status": "authorised"}
    for wrong in ({"status": "temporary"}, {"valid_from": "2026-09-22", "valid_to": "2026-09-21"}, {"status": "x"}):
        assert problem(await families.ask("manager", "POST", pickups, json={**new, **wrong})) == (422, "invalid_input")
    pickup = await families.ask("manager", "POST", pickups, json=new)
    assert (await families.ask("manager", "POST", pickups, json=new)).json() == pickup.json()
    second = await families.ask("manager", "POST", pickups, json={**new, "id": new_id()})
    assert problem(second) == (409, "conflict")
    desk = await families.desk()
    came = desk.check_in(families.ids["C-1"], minute=-30)
    await families.push(desk, came, desk.check_out(families.ids["C-1"], minute=-10, adult_id=aunt["id"]))

    # Two managers decide at once on what they both saw: one of them is told to look again.
    one = f"{pickups}/{new['id']}"
    decisions = [{"status": "not_authorised"}, {"status": "suspended"}]
    both = await asyncio.gather(
        *(families.ask("manager", "PATCH", one, tag=pickup.headers["etag"], json=said) for said in decisions)
    )
    assert sorted(answer.status_code for answer in both) == [200, 412]
    (told,) = (answer.json() for answer in both if answer.is_success)
    record = await families.record(Entity.PICKUP, new["id"])
    assert record.status == told["status"] in ("not_authorised", "suspended")
    assert [(one.since_ms == 0, one.status) for one in record.history] == [
        (True, "authorised"),
        (False, told["status"]),
    ]
    assert [one["since"] is None for one in told["history"]] == [True, False]
    inbox = {"center_id": families.center}
    assert (await families.good("manager", "GET", "/reviews", params=inbox))["items"] == []
    until = {"status": "authorised", "valid_to": "2026-09-20"}
    await families.good("manager", "PATCH", one, tag=told["etag"], json=until)
    (found,) = (await families.good("manager", "GET", "/reviews", params=inbox))["items"]
    assert found["kind"] == "released_on_stale_authorisation"
    assert [one["id"] for one in (await families.good("staff", "GET", pickups))["items"]].count(new["id"]) == 0
    whole = (await families.good("staff", "GET", pickups, params={"only": "all"}))["items"]
    assert [one["id"] for one in whole].count(new["id"]) == 1
    await _relationships(families, aunt["id"], new["id"])
    assert await families.wrong_books() == []


async def _accounts(families: Families, adult: str) -> None:
    """An account is one adult's, and an adult has one account, which has a role at the centre."""
    path = f"{{north}}/adults/{adult}/account"
    cases = ((families.accounts["mother"], (409, "conflict")), (new_id(), (404, "not_found")))
    for account, expected in cases:
        assert problem(await families.ask("manager", "PUT", path, json={"user_id": account})) == expected
    other = {"user_id": families.accounts["neighbour"]}
    assert problem(await families.ask("manager", "PUT", "{north}/adults/{G1}/account", json=other)) == (409, "conflict")
    assert problem(await families.ask("manager", "DELETE", path)) == (404, "not_found")
    assert (await families.good("staff", "GET", "{north}/adults/{G1}"))["account_id"] == families.accounts["mother"]


async def _relationships(families: Families, adult: str, pickup: str) -> None:
    path = f"{CHILDREN}/{{C1}}/relationships/{adult}"
    said = {"kind": "aunt", "can_view": True, "emergency_rank": 1}
    assert problem(await families.ask("manager", "PUT", path, json=said)) == (428, "precondition_required")
    found = await families.ask("manager", "PUT", path, tag="*", json=said)
    assert found.json()["rights"] == {"can_view": True, "can_book": False, "receives_notifications": False}
    assert (await families.record(Entity.PICKUP, pickup)).relationship == "aunt"
    (first, *_) = (await families.good("staff", "GET", f"{CHILDREN}/{{C1}}/relationships"))["items"]
    assert (first["adult_id"], first["emergency_rank"]) == (adult, 1)
    assert problem(await families.ask("manager", "PUT", path, tag="*", json={"emergency_rank": 100})) == (
        422,
        "invalid_input",
    )
    assert problem(await families.ask("manager", "DELETE", path, tag="*")) == (409, "conflict")
    other = f"{CHILDREN}/{{C2}}/relationships/{adult}"
    assert problem(await families.ask("manager", "PUT", other, tag="*", json=said)) == STALE
    made = await families.good("manager", "PUT", other, json=said)
    await families.good("manager", "DELETE", other, tag=made["etag"])
    assert problem(await families.ask("manager", "DELETE", other, tag="*")) == (404, "not_found")
