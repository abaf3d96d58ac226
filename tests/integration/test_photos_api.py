"""Photos by REST: drawn anew, seen by whom they concern, small on every desk, gone everywhere when they are gone."""

import asyncio
from collections.abc import AsyncIterator
from io import BytesIO

import pytest
from PIL import Image
from sqlalchemy import text

from sync.pictures import unpack
from sync.records import Entity
from tests.contract.server_world import new_id
from tests.support.api import PASSWORD, Api, problem
from tests.support.families import Families, families_of
from tests.support.photo_files import CANARY, file_of, image, telephone_photo
from tests.support.postgres import FreshDatabase

pytestmark = pytest.mark.postgres
CHILD = "{north}/children/{C1}/photo"
ADULT = "{north}/adults/{G1}/photo"
JPEG = "image/jpeg"


@pytest.fixture
async def families(api: Api, database: FreshDatabase) -> AsyncIterator[Families]:
    async with families_of(api, database) as opened:
        yield opened


async def test_a_photo_is_kept_sent_replaced_and_taken_away_everywhere(families: Families) -> None:
    child = families.ids["C-1"]
    assert problem(await families.ask("staff", "GET", CHILD)) == (404, "not_found")
    kept = await families.ask("manager", "PUT", CHILD, content=telephone_photo(), kind="image/jpeg; charset=binary")
    assert kept.status_code == 200, kept.text
    said = kept.json()
    assert (said["width"], said["height"], said["etag"]) == (96, 64, kept.headers["etag"])
    shown = await families.ask("staff", "GET", CHILD)
    assert (shown.headers["content-type"], len(shown.content)) == (JPEG, said["bytes"])
    assert shown.headers["cache-control"] == "private, no-cache"
    assert "sandbox" in shown.headers["content-security-policy"]
    assert Image.open(BytesIO(shown.content)).size == (96, 64)
    assert CANARY not in shown.content
    picture = unpack(await families.record(Entity.PICTURE, child))
    assert picture is not None
    assert (picture[16][0][0] > 200, picture[16][31][2] > 200) == (True, True)
    headers = {**await families.headers("staff"), "If-None-Match": said["etag"]}
    address = f"/api/v1/centers/{families.center}/children/{child}/photo"
    again = await families.api.client.get(address, headers=headers)
    assert (again.status_code, again.content) == (304, b"")

    # The same again is what it was; another one must say which it replaces; of two at once one wins.
    head = "SELECT version FROM center_head WHERE center_id = :center"
    version = await families.value(head, center=families.center)
    assert (await families.ask("manager", "PUT", CHILD, content=telephone_photo(), kind=JPEG)).json() == said
    assert await families.value(head, center=families.center) == version
    green, gray = telephone_photo("green"), telephone_photo("gray")
    refused = await families.ask("manager", "PUT", CHILD, content=green, kind=JPEG)
    assert problem(refused) == (428, "precondition_required")
    both = [families.ask("manager", "PUT", CHILD, tag=said["etag"], content=one, kind=JPEG) for one in (green, gray)]
    assert sorted(one.status_code for one in await asyncio.gather(*both)) == [200, 412]
    assert problem(await families.ask("manager", "PUT", ADULT, tag="*", content=green, kind=JPEG))[0] == 412

    assert problem(await families.ask("manager", "DELETE", CHILD, tag=said["etag"])) == (412, "precondition_failed")
    assert problem(await families.ask("manager", "DELETE", CHILD)) == (428, "precondition_required")
    assert (await families.ask("manager", "DELETE", CHILD, tag="*")).status_code == 204
    assert problem(await families.ask("manager", "DELETE", CHILD, tag="*")) == (404, "not_found")
    assert await families.record(Entity.PICTURE, child) is None
    assert await families.value("SELECT count(*) FROM photo") == 0
    assert await families.wrong_books() == []


async def test_what_is_no_photo_is_refused_and_nothing_is_kept(families: Families) -> None:
    good = telephone_photo()
    for body, kind in (
        (b"", JPEG),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", JPEG),
        (good[: len(good) // 2], JPEG),
        (good, "image/png"),
        (good, "application/json"),
        (file_of(image(), "GIF"), "image/gif"),
    ):
        refused = await families.ask("manager", "PUT", CHILD, content=body, kind=kind)
        assert problem(refused) == (422, "picture_refused"), (kind, refused.text)
        assert refused.json()["errors"][0]["pointer"] == "/"
    large = await families.ask("manager", "PUT", CHILD, content=good + b"\0" * 2**20, kind=JPEG)
    assert problem(large) == (413, "too_large")
    nobody = f"{{north}}/children/{new_id()}/photo"
    assert problem(await families.ask("manager", "PUT", nobody, content=good, kind=JPEG)) == (404, "not_found")
    wrong = "{north}/children/{G1}/photo"
    assert problem(await families.ask("manager", "PUT", wrong, content=good, kind=JPEG)) == (404, "not_found")
    assert await families.value("SELECT count(*) FROM photo") == 0


async def test_a_guardian_sees_their_child_and_whom_they_announced_and_nobody_else(families: Families) -> None:
    for path in (CHILD, "{north}/children/{C2}/photo", ADULT, "{north}/adults/{G2}/photo"):
        await families.good("manager", "PUT", path, content=telephone_photo(), kind=JPEG)
    assert (await families.ask("mother", "GET", "/my/children/{C1}/photo")).headers["content-type"] == JPEG
    assert problem(await families.ask("mother", "GET", "/my/children/{C2}/photo")) == (404, "not_found")
    assert problem(await families.ask("father", "GET", "/my/children/{C1}/photo")) == (404, "not_found")
    person = {"id": new_id(), "given_name": "Noor", "family_name": "Aziz", "phone": "12345678"}
    announced = {**person, "relationship": "aunt", "day": "2026-09-21", "password": PASSWORD}
    await families.good("mother", "POST", "/my/children/{C1}/pickups", json=announced)
    mine = f"/my/children/{{C1}}/pickups/{announced['id']}/photo"
    assert problem(await families.ask("mother", "GET", mine)) == (404, "not_found")
    adult = await families.value("SELECT adult_id FROM pickup_authorisation WHERE id = :id", id=announced["id"])
    await families.good("manager", "PUT", f"{{north}}/adults/{adult}/photo", content=telephone_photo(), kind=JPEG)
    assert (await families.ask("mother", "GET", mine)).headers["content-type"] == JPEG
    statement = "SELECT id FROM pickup_authorisation WHERE adult_id = :adult"
    others = await families.value(statement, adult=families.ids["G-2"])
    theirs = f"/my/children/{{C1}}/pickups/{others}/photo"
    assert problem(await families.ask("mother", "GET", theirs)) == (404, "not_found"), "the centre arranged that one"
    async with families.units.read() as connection:
        stored = [bytes(row.body) for row in await connection.execute(text("SELECT body FROM photo"))]
    assert not any(CANARY in body for body in stored)
