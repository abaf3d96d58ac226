"""Centres, rooms and staff by REST: they reach every desk, and nobody changes what somebody else just changed."""

import asyncio
from typing import Any

import pytest

from sync.records import Entity
from tests.contract.server_world import new_id
from tests.support.api import Api, problem
from tests.support.families import Families, families_of
from tests.support.postgres import FreshDatabase

pytestmark = pytest.mark.postgres


async def refused(families: Families, who: str, method: str, path: str, **more: Any) -> tuple[int, str]:
    return problem(await families.ask(who, method, path, **more))


async def test_a_centre_its_rooms_and_its_staff_are_kept_by_rest(api: Api, database: FreshDatabase) -> None:
    async with families_of(api, database) as families:
        await _rooms(families)
        await _staff(families)
        await _hours_and_name(families)
        await _an_admin_opens_a_centre(families)
        assert await families.wrong_books() == []


async def _rooms(families: Families) -> None:
    body = {"id": new_id(), "name": "Ants", "capacity": 12, "sort": 3}
    made = await families.good("manager", "POST", "{north}/rooms", json=body)
    assert made == {**body, "external_id": body["id"], "etag": made["etag"]}
    assert await families.good("manager", "POST", "{north}/rooms", json=body) == made
    told = await families.record(Entity.ROOM, str(body["id"]))
    assert (told.name, told.capacity, told.sort) == ("Ants", 12, 3)
    path = f"{{north}}/rooms/{body['id']}"
    answers = await asyncio.gather(
        *(families.ask("manager", "PATCH", path, tag=made["etag"], json={"capacity": one}) for one in (13, 14, 15))
    )
    assert sorted(one.status_code for one in answers) == [200, 412, 412]
    won = next(one.json() for one in answers if one.is_success)
    assert await families.good("staff", "GET", path) == won
    assert (await families.record(Entity.ROOM, str(body["id"]))).capacity == won["capacity"]
    # Somebody's own number is nobody else's, and the same id is the same room.
    twice = {**body, "id": new_id(), "external_id": "BEES"}
    assert await refused(families, "manager", "POST", "{north}/rooms", json=twice) == (409, "conflict")
    assert await refused(families, "manager", "POST", "{north}/rooms", json={**body, "sort": 4}) == (409, "conflict")
    wrongs: tuple[dict[str, Any], ...] = (
        {"name": " "}, {"name": "a\0b"}, {"capacity": -1}, {"capacity": 1_001}, {"capacity": "12"}, {"sort": 10**20},
        {"id": "1"}, {"more": 1}, {"name": "x" * 201},
    )  # fmt: skip
    for wrong in wrongs:
        sent = {**body, "id": new_id(), **wrong}
        assert await refused(families, "manager", "POST", "{north}/rooms", json=sent) == (422, "invalid_input"), wrong
    for who in ("mother", "staff"):
        assert await refused(families, who, "PATCH", path, tag="*", json={}) == (403, "not_entitled")


async def _staff(families: Families) -> None:
    body = {
        "id": new_id(), "given_name": "Ida", "family_name": "Lund", "role": "assistant", "counts_in_ratio": False,
        "phone": "+351 1", "email": "Ida@Example.org", "employed_from": "2026-09-01",
    }  # fmt: skip
    made = await families.good("manager", "POST", "{north}/staff", json=body)
    assert made == {**body, "external_id": body["id"], "email": "ida@example.org", "employed_to": None}
    assert await families.good("manager", "POST", "{north}/staff", json=body) == made
    told = await families.record(Entity.STAFF, str(body["id"]))
    assert (told.given_name, told.role, told.counts_in_ratio, told.employed_from) == (
        "Ida", "assistant", False, "2026-09-01",
    )  # fmt: skip
    assert await refused(families, "manager", "POST", "{north}/staff", json={**body, "role": "support"}) == (
        409, "conflict",
    )  # fmt: skip
    # An id of a child is nobody's on the staff.
    taken = {**body, "id": families.ids["C-1"], "external_id": "new"}
    assert await refused(families, "manager", "POST", "{north}/staff", json=taken) == (409, "conflict")
    path = f"{{north}}/staff/{body['id']}"
    read = await families.ask("manager", "GET", path)
    tag = read.headers["etag"]
    changed = await families.good("manager", "PATCH", path, tag=tag, json={"role": "educator", "counts_in_ratio": True})
    assert (changed["role"], changed["counts_in_ratio"], changed["given_name"]) == ("educator", True, "Ida")
    assert (await families.record(Entity.STAFF, str(body["id"]))).role == "educator"
    assert await refused(families, "manager", "PATCH", path, tag=tag, json={}) == (412, "precondition_failed")
    assert await refused(families, "manager", "PATCH", path, json={}) == (428, "precondition_required")
    listed = [(await families.good("manager", "GET", "{north}/staff", params={"limit": 1}))]
    while cursor := listed[-1]["next_cursor"]:
        listed.append(await families.good("manager", "GET", "{north}/staff", params={"limit": 1, "cursor": cursor}))
    assert [one["family_name"] for page in listed for one in page["items"]] == ["Appiah", "Lund"]
    wrongs: tuple[dict[str, Any], ...] = (
        {"role": "admin"}, {"email": "x"}, {"employed_to": "2026-08-01"}, {"given_name": ""}, {"phone": "1" * 65},
    )  # fmt: skip
    for wrong in wrongs:
        sent = {**body, "id": new_id(), **wrong}
        assert await refused(families, "manager", "POST", "{north}/staff", json=sent) == (422, "invalid_input"), wrong
    assert await refused(families, "staff", "GET", "{north}/staff") == (403, "not_entitled")
    assert await refused(families, "manager", "GET", "{north}/staff/{C1}") == (404, "not_found")


async def _hours_and_name(families: Families) -> None:
    read = await families.ask("mother", "GET", "{north}")
    assert read.json()["roles"] == ["parent"]
    sent = {"name": "North House at the park", "opens_at": "07:30", "closes_at": "18:00"}
    for wrong in ({"opens_at": "7"}, {"opens_at": "07:30:30"}, {"closes_at": "25:00"}, {"code": "n"}, {"name": ""}):
        answer = await refused(families, "manager", "PATCH", "{north}", tag="*", json=wrong)
        assert answer == (422, "invalid_input"), wrong
    changed = await families.good("manager", "PATCH", "{north}", tag=read.headers["etag"], json=sent)
    assert (changed["opens_at"], changed["closes_at"], changed["code"]) == ("07:30:00", "18:00:00", "north")
    assert (await families.record(Entity.CENTER, families.center)).name == sent["name"]
    stale = await refused(families, "manager", "PATCH", "{north}", tag=read.headers["etag"], json=sent)
    assert stale == (412, "precondition_failed")
    assert (await families.good("manager", "PATCH", "{north}", tag="*", json={"closes_at": None}))["closes_at"] is None


async def _an_admin_opens_a_centre(families: Families) -> None:
    body = {"id": new_id(), "code": "east", "name": "East House", "time_zone": "Europe/Berlin", "opens_at": "08:00"}
    await families.headers("admin")
    assert await refused(families, "manager", "POST", "/centers", json=body) == (403, "not_entitled")
    answers = await asyncio.gather(*(families.ask("admin", "POST", "/centers", json=body) for _ in range(3)))
    assert {one.status_code for one in answers} <= {201, 409}
    made = await families.good("admin", "POST", "/centers", json=body)
    assert (made["code"], made["roles"]) == ("east", ["admin"])
    room = {"id": new_id(), "name": "Bears"}
    await families.good("admin", "POST", f"/centers/{body['id']}/rooms", json=room)
    listed = (await families.good("admin", "GET", "/centers"))["items"]
    assert {one["code"] for one in listed} == {"north", "south", "east"}
    assert (await families.good("admin", "GET", f"/centers/{body['id']}/board"))["rooms"]
    # A code is one of all organisations; an id of somebody else's centre is not told from one that is taken.
    for changes in ({"code": "other"}, {"id": families.api.centers["other"]}, {"id": families.center}):
        taken = {**body, "id": new_id(), "code": "free", **changes}
        assert await refused(families, "admin", "POST", "/centers", json=taken) == (409, "conflict"), changes
    for wrong in ({"time_zone": "Europe/Nowhere"}, {"time_zone": "../x"}, {"code": ""}, {"organisation_id": new_id()}):
        sent = {**body, "id": new_id(), "code": "free", **wrong}
        assert await refused(families, "admin", "POST", "/centers", json=sent) == (422, "invalid_input"), wrong
    assert await refused(families, "manager", "GET", f"/centers/{body['id']}") == (404, "not_found")
    assert await refused(families, "foreign_admin", "GET", f"/centers/{body['id']}") == (404, "not_found")
