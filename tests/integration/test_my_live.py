"""A parent's stream over real sockets: their children of two centres, and no longer than they may see them."""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from server.core.database import create_engine
from tests.contract.server_world import new_id
from tests.support.api import problem
from tests.support.clock import FakeClock
from tests.support.families import Families, families_of
from tests.support.live_office import Heard, Stream, open_live_office
from tests.support.postgres import FreshDatabase

pytestmark = pytest.mark.postgres
LIVE = "/my/live"
SOUTH = """\
record,external_id,center,given_name,family_name,child,adult,status,relationship,legal_guardian
child,D-1,south,Emre,Ünal,,,,,
guardian,D-2,south,Deniz,Ünal,,,,,
pickup,,south,,,D-1,D-2,authorised,mother,yes
"""
Children = dict[str, dict[str, Any]]


async def heard(stream: Stream, wanted: Callable[[Children], bool] = lambda _: True) -> tuple[Heard, Children]:
    """The first event with children that are wanted, by given name."""
    while True:
        found = await stream.next()
        if found.name == "children":
            children = {one["given_name"]: one for one in json.loads(found.data)["children"]}
            if wanted(children):
                return found, children


async def at_south_too(families: Families, database: FreshDatabase) -> None:
    """Let the mother be a parent at south as well."""
    await families.take_in(SOUTH)
    owner = create_engine(database.urls.owner)
    async with owner.begin() as connection:
        await connection.execute(
            text("INSERT INTO membership (id, user_id, center_id, role_id) SELECT :id, :user, :center, 1"),
            {"id": new_id(), "user": families.accounts["mother"], "center": families.api.centers["south"]},
        )
        adult = await connection.scalar(text("SELECT id FROM person WHERE external_id = 'D-2'"))
    await owner.dispose()
    path = f"/centers/{families.api.centers['south']}/adults/{adult}/account"
    await families.good("stranger", "PUT", path, json={"user_id": families.accounts["mother"]})


async def test_a_parent_hears_of_their_children_as_long_as_they_may(database: FreshDatabase, tmp_path: Path) -> None:
    async with (
        open_live_office(database, tmp_path, clock=FakeClock()) as office,
        families_of(office.api, database) as families,
    ):
        await at_south_too(families, database)
        assert problem(await office.api.client.get(f"/api/v1{LIVE}")) == (401, "unauthenticated")
        mother = await families.headers("mother")
        too_long = mother | {"Last-Event-ID": "x" * 201}
        assert problem(await office.api.client.get(f"/api/v1{LIVE}", headers=too_long)) == (422, "invalid_input")
        child, desk = families.ids["C-1"], await families.desk()
        async with (
            office.stream(mother, path=LIVE) as stream,
            office.stream(await families.headers("father"), path=LIVE) as fathers,
            office.stream(await families.headers("neighbour"), path=LIVE) as neighbours,
        ):
            assert (await stream.next()).comment == "rollcall"
            first, children = await heard(stream)
            assert {name: one["status"] for name, one in children.items()} == {"Zoë": "not_here", "Emre": "not_here"}
            assert (await heard(fathers))[1] == {}
            assert list((await heard(neighbours))[1]) == ["Ana"]
            await families.push(desk, desk.check_in(child, minute=-60, room_id=families.ids["room"]))
            came, children = await heard(stream, lambda found: found["Zoë"]["status"] == "in")
            zoe = children["Zoë"]
            assert (zoe["since"], zoe["room_name"]) == ("2026-09-21T14:13:20+01:00", "Bumblebees")
            assert (zoe["confirmed_by_desk"], zoe["sure"], zoe["known_until"]) == (True, False, None)
            assert zoe["says"] == ["In since 14:13, by what was heard", "Front desk has never been heard"]
            assert (children["Emre"]["sure"], children["Emre"]["center_name"]) == (True, "South House")
            assert "Ana" not in came.data
            await _resumes(office.stream(mother, path=LIVE, seen=came.event_id))
            async with office.stream(mother, path=LIVE, seen=first.event_id) as late:
                assert (await heard(late))[0].event_id == came.event_id
            await _loses_what_is_taken(families, stream, child)
            # A session that ends takes its stream with it.
            other = {"Authorization": (await families.headers("mother"))["Authorization"]}
            sessions = (await families.good("mother", "GET", "/auth/sessions"))["items"]
            await families.good("mother", "DELETE", f"/auth/sessions/{sessions[0]['id']}")
            async with asyncio.timeout(5):
                assert await stream.bye() == "rights_lost"
            assert problem(await office.api.client.get(f"/api/v1{LIVE}", headers=other)) == (401, "invalid_token")
            await families.push(desk, desk.check_in(families.ids["C-2"], minute=-10))
            await heard(neighbours, lambda found: found["Ana"]["status"] == "in")
        read = "SELECT count(*) FROM audit_entry WHERE verb = 'read' AND part = 'status' AND entity_id = :child"
        assert await families.value(read, child=child) >= 1


async def _resumes(opening: Any) -> None:
    async with opening as resumed:
        assert [(await resumed.next()).comment for _ in range(2)] == ["rollcall", "nothing new"]


async def _loses_what_is_taken(families: Families, stream: Stream, child: str) -> None:
    """A right that no log tells of, and the link to the account, end within five seconds; the other centre goes on."""
    path = f"{{north}}/children/{child}/relationships/{families.ids['G-1']}"
    body = {"kind": "mother", "legal_guardian": True}
    await families.good("manager", "PUT", path, tag="*", json=body | {"can_view": False})
    async with asyncio.timeout(5):
        _, children = await heard(stream, lambda found: "Zoë" not in found)
    assert list(children) == ["Emre"]
    await families.good("manager", "PUT", path, tag="*", json=body | {"can_view": True})
    await heard(stream, lambda found: "Zoë" in found)
    await families.good("manager", "DELETE", f"{{north}}/adults/{families.ids['G-1']}/account")
    async with asyncio.timeout(5):
        await heard(stream, lambda found: list(found) == ["Emre"])
