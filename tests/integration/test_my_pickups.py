"""Who collects for a day because a guardian says so: it reaches desks, and lifts nothing that the centre decided."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from server.services.my_pickups import OPEN_MAX
from sync.records import Entity
from tests.contract.server_world import new_id
from tests.support.api import PASSWORD, Api, problem
from tests.support.families import Families, families_of
from tests.support.postgres import FreshDatabase

pytestmark = pytest.mark.postgres
MINE = "/my/children/{C1}/pickups"


@pytest.fixture
async def families(api: Api, database: FreshDatabase) -> AsyncIterator[Families]:
    async with families_of(api, database) as opened:
        yield opened


def grandma(**changes: Any) -> dict[str, Any]:
    body = {
        "id": new_id(), "given_name": "Ayşe", "family_name": "Kaya", "phone": "+351 910 555 777",
        "relationship": "grandmother", "day": "2026-09-21", "password": PASSWORD,
    }  # fmt: skip
    return {**body, **changes}


async def refused(families: Families, who: str = "mother", **changes: Any) -> tuple[int, str]:
    return problem(await families.ask(who, "POST", MINE, json=grandma(**changes)))


async def test_todays_grandma_reaches_every_desk_and_can_be_withdrawn(families: Families) -> None:
    body = grandma()
    made = await families.good("mother", "POST", MINE, json=body)
    assert (made["status"], made["day"], made["withdrawn_at"]) == ("temporary", "2026-09-21", None)
    assert await families.good("mother", "POST", MINE, json=body) == made
    assert problem(await families.ask("mother", "POST", MINE, json={**body, "phone": "1"})) == (409, "conflict")
    pickup = await families.record(Entity.PICKUP, body["id"])
    assert (pickup.child_id, pickup.status, pickup.relationship, pickup.legal_guardian) == (
        families.ids["C-1"], "temporary", "grandmother", False,
    )  # fmt: skip
    assert (pickup.valid_from, pickup.valid_to) == ("2026-09-21", "2026-09-21")
    adult = await families.record(Entity.ADULT, pickup.adult_id)
    assert (adult.given_name, adult.family_name, adult.phone) == ("Ayşe", "Kaya", "+351 910 555 777")
    assert [one["id"] for one in (await families.good("mother", "GET", MINE))["items"]] == [body["id"]]
    listed = (await families.good("staff", "GET", "{north}/children/{C1}/pickups"))["items"]
    assert [(one["relationship"], one["announced"]) for one in listed if one["announced"]] == [("grandmother", True)]

    desk = await families.desk()
    came = desk.check_in(families.ids["C-1"], minute=-60)
    out = desk.check_out(families.ids["C-1"], minute=20, adult_id=pickup.adult_id)
    families.api.clock.advance_ms(600_000)
    gone = await families.good("mother", "DELETE", f"{MINE}/{body['id']}")
    assert gone["status"] == "suspended"
    assert await families.good("mother", "DELETE", f"{MINE}/{body['id']}") == gone
    families.api.clock.advance_ms(900_000)
    families.sign_out()
    await families.push(desk, came, out)
    found = (await families.good("manager", "GET", "/reviews", params={"center_id": families.center}))["items"]
    assert "released_on_stale_authorisation" in {one["kind"] for one in found}
    await families.good("mother", "POST", MINE, json=grandma())  # she may be announced again
    families.api.clock.advance_ms(24 * 3_600_000)
    families.sign_out()
    assert (await families.good("mother", "GET", MINE))["items"] == []
    assert await families.wrong_books() == []


async def test_an_announcement_needs_the_password_a_guardian_and_nobody_the_centre_refuses(families: Families) -> None:
    assert await refused(families, password="seven quiet green goats") == (403, "wrong_password")
    assert await refused(families, "father") == (404, "not_found")
    for day in ("2026-09-20", "2026-10-23", "x"):
        assert await refused(families, day=day) == (422, "invalid_input")
    for blank in ("given_name", "family_name", "phone", "relationship"):
        assert await refused(families, **{blank: " "}) == (422, "invalid_input")
    # The father is suspended: neither by his name, nor by a slip of it, nor by his telephone.
    for changes in (
        {"given_name": "Pat", "family_name": "O'Neill"},
        {"given_name": "PAT", "family_name": "Oneill o'neil"},
        {"phone": "910000002"},
    ):
        assert await refused(families, **changes) == (409, "conflict"), changes
    made = [await families.good("mother", "POST", MINE, json=grandma(day="2026-09-22")) for _ in range(OPEN_MAX)]
    last = made[-1]
    assert await refused(families) == (409, "conflict")

    path = f"{{north}}/children/{{C1}}/pickups/{last['id']}"
    await families.good("manager", "PATCH", path, tag="*", json={"status": "not_authorised"})
    assert problem(await families.ask("mother", "DELETE", f"{MINE}/{last['id']}")) == (409, "conflict")
    assert await refused(families) == (409, "conflict")  # the centre has said no to her now

    # Who is a guardian no more has announced nothing.
    listed = (await families.good("manager", "GET", "{north}/children/{C1}/relationships"))["items"]
    mother = next(one for one in listed if one["kind"] == "mother")
    assert (mother["rights"]["can_view"], mother["can_view"]) == (True, None)
    demoted = {"kind": "mother", "legal_guardian": False, "can_view": True}
    relationship = "{north}/children/{C1}/relationships/{G1}"
    await families.good("manager", "PUT", relationship, tag=mother["etag"], json=demoted)
    assert await refused(families, given_name="Somebody", family_name="Else", phone="1234567") == (403, "not_entitled")
    mine = (await families.good("mother", "GET", MINE))["items"]
    assert {one["status"] for one in mine} == {"suspended", "not_authorised"}
    assert (await families.record(Entity.PICKUP, mine[0]["id"])).status in ("suspended", "not_authorised")
    assert await families.wrong_books() == []
