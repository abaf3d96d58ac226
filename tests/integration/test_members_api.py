"""The people of a centre: who sees them, who changes them, and what cannot be undone by mistake."""

import asyncio
from typing import Any

import httpx
import pytest
from sqlalchemy import text

from server.core.database import create_engine
from server.core.ids import Ids
from server.services.access import RoleId
from server.services.accounts import NewUser
from tests.support.api import PASSWORD, PEOPLE, Api, problem
from tests.support.postgres import FreshDatabase

pytestmark = pytest.mark.postgres
ME = "/api/v1/users/me"


class Desk:
    """What a manager or an admin does with the people of a centre."""

    def __init__(self, api: Api, headers: dict[str, str], center: str = "north") -> None:
        self.client = api.client
        self.headers = headers
        self.path = f"/api/v1/centers/{api.centers[center]}/users"

    async def people(self) -> dict[str, Any]:
        """Who is there, by address."""
        answer = await self.client.get(self.path, headers=self.headers)
        return {one["email"]: one for one in answer.raise_for_status().json()["items"]}

    async def change(self, who: str, if_match: str | None = None, **what: object) -> httpx.Response:
        one = (await self.people())[PEOPLE[who][0]]
        headers = {**self.headers, "If-Match": if_match or one["etag"]}
        return await self.client.patch(f"{self.path}/{one['id']}", json=what, headers=headers)

    async def remove(self, who: str) -> httpx.Response:
        one = (await self.people())[PEOPLE[who][0]]
        return await self.client.delete(f"{self.path}/{one['id']}", headers={**self.headers, "If-Match": one["etag"]})


async def test_a_manager_runs_who_is_at_the_centre_and_no_admin(api: Api) -> None:
    headers = {who: await api.sign_in(who) for who in ("staff", "manager", "stranger", "admin", "foreign_admin")}
    desk, south = Desk(api, headers["manager"]), Desk(api, headers["stranger"], "south")
    found = await desk.people()
    roles = {email: one["roles"] for email, one in found.items()}
    assert roles == {"staff@example.org": ["staff"], "manager@example.org": ["manager"], "admin@example.org": ["admin"]}
    staff = found["staff@example.org"]
    place = f"{desk.path}/{staff['id']}"
    # Another centre has none of these people, and no manager of it sees this one's.
    assert problem(await api.client.get(f"{south.path}/{staff['id']}", headers=headers["stranger"])) == (
        404,
        "not_found",
    )
    for who in ("stranger", "foreign_admin"):
        assert problem(await api.client.get(place, headers=headers[who])) == (404, "not_found")
    assert problem(await api.client.get(f"{desk.path}/{Ids(api.clock).new()}", headers=desk.headers)) == (
        404,
        "not_found",
    )
    # A change names the state it is meant for.
    whole = await api.client.get(place, headers=desk.headers)
    assert whole.headers["etag"] == staff["etag"]
    body = {"roles": ["staff", "parent"]}
    assert problem(await api.client.patch(place, json=body, headers=desk.headers)) == (428, "precondition_required")
    assert problem(await api.client.delete(place, headers=desk.headers)) == (428, "precondition_required")
    answer = await desk.change("staff", roles=["staff", "parent"])
    assert (answer.status_code, answer.json()["roles"]) == (200, ["parent", "staff"])
    assert answer.headers["etag"] == answer.json()["etag"] != staff["etag"]
    stale = await desk.change("staff", staff["etag"], roles=["parent"])
    assert problem(stale) == (412, "precondition_failed")
    # What somebody may do changes at once.
    rooms = f"/api/v1/centers/{api.centers['north']}/rooms"
    assert (await api.client.get(rooms, headers=headers["staff"])).status_code == 200
    assert (await desk.change("staff", roles=["parent"])).status_code == 200
    assert (await api.client.get(rooms, headers=headers["staff"])).status_code == 403
    # What a manager may not do, and what nobody does by mistake.
    for refused in (
        await desk.change("staff", roles=["admin"]), await desk.change("admin", roles=["staff"]),
        await desk.change("admin", is_active=False), await desk.remove("admin"),
    ):  # fmt: skip
        assert problem(refused) == (403, "not_entitled")
    for refused in (
        await desk.change("manager", roles=["staff"]), await desk.change("manager", is_active=False),
        await desk.remove("manager"),
    ):  # fmt: skip
        assert problem(refused) == (409, "own_role")
    mistakes: list[dict[str, object]] = [
        {"roles": []}, {"roles": ["owner"]}, {"is_active": 1}, {"email": "x@example.org"},
    ]  # fmt: skip
    for bad in mistakes:
        assert problem(await desk.change("staff", None, **bad)) == (422, "invalid_input")
    await _goes_off_and_on(api, desk, headers["staff"])
    assert (await desk.remove("staff")).status_code == 204
    assert "staff@example.org" not in await desk.people()


async def _goes_off_and_on(api: Api, desk: Desk, staff: dict[str, str]) -> None:
    """Off: out at once, also with the refresh token; on again: in by the password."""
    form = {"username": "staff@example.org", "password": PASSWORD}
    tokens = (await api.client.post("/api/v1/auth/token", data=form)).json()
    assert (await desk.change("staff", is_active=False)).json()["is_active"] is False
    assert (await api.client.get(ME, headers=staff)).status_code == 401
    refresh = {"refresh_token": tokens["refresh_token"]}
    assert (await api.client.post("/api/v1/auth/refresh", json=refresh)).status_code == 401
    assert (await api.client.post("/api/v1/auth/token", data=form)).status_code == 401
    assert (await desk.change("staff", is_active=True)).status_code == 200
    assert (await api.client.post("/api/v1/auth/token", data=form)).status_code == 200


async def test_of_two_admins_who_take_the_role_from_each_other_one_stays(api: Api) -> None:
    admin = await api.sign_in("admin")
    await api.services.accounts.create(NewUser("second@example.org", "Second", RoleId.ADMIN, "south"), PASSWORD)
    form = {"username": "second@example.org", "password": PASSWORD}
    token = (await api.client.post("/api/v1/auth/token", data=form)).json()["access_token"]
    desks = [Desk(api, admin), Desk(api, {"Authorization": f"Bearer {token}"}, "south")]
    people = await desks[0].people()
    targets = ("second@example.org", "admin@example.org")

    async def take(desk: Desk, target: str) -> int:
        headers = {**desk.headers, "If-Match": "*"}
        return (await api.client.delete(f"{desk.path}/{people[target]['id']}", headers=headers)).status_code

    answers = await asyncio.gather(*(take(desk, target) for desk, target in zip(desks, targets, strict=True)))
    assert sorted(answers) in ([204, 403], [204, 404], [204, 409])
    here, there = [await api.client.get(desk.path, headers=desk.headers) for desk in desks]
    assert sorted((here.status_code, there.status_code)) == [200, 404]


async def test_everybody_changes_their_own_name_in_the_state_they_saw(api: Api) -> None:
    headers = await api.sign_in("parent")
    first = await api.client.get(ME, headers=headers)
    assert first.headers["cache-control"] == "private, no-cache"
    assert problem(await api.client.patch(ME, json={"display_name": "Zoë"}, headers=headers)) == (
        428,
        "precondition_required",
    )
    seen = {**headers, "If-Match": first.headers["etag"]}
    for bad in (
        {"display_name": " "},
        {"display_name": "a\x00"},
        {"display_name": "x" * 201},
        {"email": "a@example.org"},
        {},
    ):
        assert problem(await api.client.patch(ME, json=bad, headers=seen)) == (422, "invalid_input"), bad
    both = await asyncio.gather(*(api.client.patch(ME, json={"display_name": name}, headers=seen) for name in "AB"))
    assert sorted(answer.status_code for answer in both) == [200, 412]
    done = next(answer for answer in both if answer.status_code == 200)
    now = await api.client.get(ME, headers=headers)
    assert (now.json(), now.headers["etag"]) == (done.json(), done.headers["etag"])


async def test_a_list_is_given_out_page_by_page_and_whole(api: Api, database: FreshDatabase) -> None:
    headers = await api.sign_in("manager")
    desk, ids = Desk(api, headers), Ids(api.clock)
    engine = create_engine(database.urls.app)
    async with engine.begin() as connection:
        account = (
            "INSERT INTO user_account (id, organisation_id, email, display_name, password_hash, is_active, created_at) "
            "SELECT :id, organisation_id, :email, 'P', '', true, now() FROM center WHERE id = :center"
        )
        for number in range(130):
            values = {"id": ids.new(), "email": f"p{number}@example.org", "center": api.centers["north"]}
            await connection.execute(text(account), values)
            role = "INSERT INTO membership (id, user_id, center_id, role_id) VALUES (:id, :id, :center, 1)"
            await connection.execute(text(role), {"id": values["id"], "center": values["center"]})
    await engine.dispose()
    cursor, sizes, seen = "", [], []
    while True:
        answer = await api.client.get(desk.path, params={"cursor": cursor, "limit": 60}, headers=headers)
        page = answer.raise_for_status().json()
        sizes.append(len(page["items"]))
        seen += [one["id"] for one in page["items"]]
        cursor = page["next_cursor"]
        if not cursor:
            break
    assert sizes == [60, 60, 11]
    assert len(set(seen)) == 131
    assert seen == sorted(seen)
    invitations = desk.path.replace("/users", "/invitations")
    good = (await api.client.get(desk.path, params={"limit": 1}, headers=headers)).json()["next_cursor"]
    for path, params in (
        (desk.path, {"limit": 101}), (desk.path, {"limit": 0}), (desk.path, {"cursor": "made up"}),
        (desk.path, {"cursor": "x" * 1_001}), (invitations, {"cursor": good}),
    ):  # fmt: skip
        assert problem(await api.client.get(path, params=params, headers=headers)) == (422, "invalid_input"), params
