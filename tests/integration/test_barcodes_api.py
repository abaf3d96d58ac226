"""Cards by REST: given out, blocked, told to every desk, and what they say is told to nobody."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from server.services.barcodes import ACTIVE_MAX, KEPT_MAX
from server.services.door import pepper_of
from sync.barcodes import seal_of
from sync.pins import pepper_id
from sync.records import CredentialRecord, Entity
from tests.contract.server_world import new_id
from tests.support.api import SECRET, Api, problem
from tests.support.families import Families, families_of
from tests.support.postgres import FreshDatabase

pytestmark = pytest.mark.postgres
CHILD, ADULT = "{north}/children/{C1}/barcodes", "{north}/adults/{G1}/barcodes"
TEXT = "4012345678901"


@pytest.fixture
async def families(api: Api, database: FreshDatabase) -> AsyncIterator[Families]:
    async with families_of(api, database) as opened:
        yield opened


def card(text: str = TEXT, **more: str) -> dict[str, str]:
    return {"id": new_id(), "barcode": text, **more}


async def test_a_card_is_given_out_blocked_and_given_to_somebody_else(families: Families) -> None:
    body = card(label="blue fob")
    made = await families.ask("manager", "POST", ADULT, json=body)
    assert made.status_code == 201, made.text
    assert TEXT not in made.text
    again = await families.good("manager", "POST", ADULT, json=body)
    assert again == made.json() == (await families.good("staff", "GET", ADULT))["items"][0]
    pepper = pepper_of(SECRET, families.center)
    held = await families.record(Entity.CREDENTIAL, body["id"])
    known = CredentialRecord(
        kind="barcode", person_id=families.ids["G-1"], seal=seal_of(TEXT, pepper), pepper_id=pepper_id(pepper)
    )
    assert held == known

    assert problem(await families.ask("manager", "POST", CHILD, json=card())) == (409, "conflict")
    assert problem(await families.ask("manager", "POST", ADULT, json={**body, "label": "other"})) == (409, "conflict")
    assert problem(await families.ask("manager", "DELETE", f"{CHILD}/{body['id']}")) == (404, "not_found")
    for _ in range(2):
        assert (await families.ask("manager", "DELETE", f"{ADULT}/{body['id']}")).status_code == 204
    assert (await families.record(Entity.CREDENTIAL, body["id"])).revoked_at_ms == families.api.clock.wall_ms()
    racing = [families.ask("manager", "POST", path, json=card()) for path in (CHILD, ADULT, CHILD, ADULT)]
    assert sorted(one.status_code for one in await asyncio.gather(*racing)) == [201, 409, 409, 409]
    assert await families.wrong_books() == []
    statement = "SELECT count(*) FROM change_log WHERE position(CAST(:text AS bytea) IN body) > 0"
    assert await families.value(statement, text=TEXT.encode()) == 0


async def test_what_can_be_on_no_card_is_refused_and_nobody_has_too_many(families: Families) -> None:
    for text in ("123", "1" * 65, "CARD", " 1234", "12\t34", "12é34", ""):
        refused = await families.ask("manager", "POST", CHILD, json=card(text))
        assert problem(refused) == (422, "invalid_input"), text
        assert not text.strip() or text not in refused.text.replace('"status":422', "")
        assert refused.json()["errors"][0]["pointer"] == "/barcode"
    nobody = f"{{north}}/children/{new_id()}/barcodes"
    assert problem(await families.ask("manager", "POST", nobody, json=card())) == (404, "not_found")
    assert problem(await families.ask("manager", "GET", "{north}/adults/{C1}/barcodes")) == (404, "not_found")
    bodies = [card(f"CARD-{number}") for number in range(ACTIVE_MAX)]
    for body in bodies:
        await families.good("manager", "POST", CHILD, json=body)
    assert problem(await families.ask("manager", "POST", CHILD, json=card("CARD-X1"))) == (409, "conflict")
    for number in range(KEPT_MAX):
        families.api.clock.advance_ms(1_000)
        await families.ask("manager", "DELETE", f"{CHILD}/{bodies[number]['id']}")
        bodies.append(card(f"NEXT-{number}"))
        await families.good("manager", "POST", CHILD, json=bodies[-1])
    listed = (await families.good("staff", "GET", CHILD))["items"]
    assert len(listed) <= KEPT_MAX
    assert sum(one["revoked_at"] is None for one in listed) == ACTIVE_MAX
    assert await families.record(Entity.CREDENTIAL, bodies[0]["id"]) is None, "the oldest are forgotten everywhere"
    assert await families.wrong_books() == []
