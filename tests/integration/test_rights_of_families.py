"""Who may do what on every route of rosters and families: one table, and no route without a line in it."""

from collections.abc import AsyncIterator
from typing import Any, Final

import pytest

from server.core.settings import load_settings
from server.routes import build_app
from tests.contract.server_world import new_id
from tests.support.api import PASSWORD, SECRET, Api, problem
from tests.support.clock import FakeClock
from tests.support.families import Families, families_of
from tests.support.photo_files import telephone_photo
from tests.support.postgres import FreshDatabase

pytestmark = pytest.mark.postgres

PHOTO: Final = telephone_photo()

WHO: Final = ("mother", "father", "neighbour", "staff", "stranger", "foreign_admin", "admin", "manager")
REFUSED: Final = {403: "not_entitled", 404: "not_found"}
# What each of WHO is answered: reading of staff, writing of managers, and what is the mother's alone.
READ: Final = (403, 403, 403, 200, 404, 404, 200, 200)
WRITE: Final = (403, 403, 403, 403, 404, 404, 200, 200)
OWN: Final = (200, 404, 404, 404, 404, 404, 404, 404)
ANY: Final = (200, 200, 200, 200, 200, 200, 200, 200)
TABLE: Final[dict[tuple[str, str], tuple[int, ...]]] = {
    ("GET", "/centers/{center_id}/children"): READ,
    ("POST", "/centers/{center_id}/children"): WRITE,
    ("GET", "/centers/{center_id}/children/{child_id}"): READ,
    ("PATCH", "/centers/{center_id}/children/{child_id}"): WRITE,
    ("GET", "/centers/{center_id}/adults"): READ,
    ("POST", "/centers/{center_id}/adults"): WRITE,
    ("GET", "/centers/{center_id}/adults/{adult_id}"): READ,
    ("PATCH", "/centers/{center_id}/adults/{adult_id}"): WRITE,
    ("PUT", "/centers/{center_id}/adults/{adult_id}/account"): WRITE,
    ("DELETE", "/centers/{center_id}/adults/{adult_id}/account"): WRITE,
    ("GET", "/centers/{center_id}/children/{child_id}/relationships"): READ,
    ("PUT", "/centers/{center_id}/children/{child_id}/relationships/{adult_id}"): WRITE,
    ("DELETE", "/centers/{center_id}/children/{child_id}/relationships/{adult_id}"): WRITE,
    ("GET", "/centers/{center_id}/children/{child_id}/pickups"): READ,
    ("POST", "/centers/{center_id}/children/{child_id}/pickups"): WRITE,
    ("GET", "/centers/{center_id}/children/{child_id}/pickups/{pickup_id}"): READ,
    ("PATCH", "/centers/{center_id}/children/{child_id}/pickups/{pickup_id}"): WRITE,
    ("GET", "/centers/{center_id}/children/{child_id}/alerts"): READ,
    ("POST", "/centers/{center_id}/children/{child_id}/alerts"): WRITE,
    ("PATCH", "/centers/{center_id}/children/{child_id}/alerts/{alert_id}"): WRITE,
    ("DELETE", "/centers/{center_id}/children/{child_id}/alerts/{alert_id}"): WRITE,
    ("GET", "/centers/{center_id}/children/{child_id}/photo"): READ,
    ("PUT", "/centers/{center_id}/children/{child_id}/photo"): WRITE,
    ("GET", "/centers/{center_id}/adults/{adult_id}/photo"): READ,
    ("PUT", "/centers/{center_id}/adults/{adult_id}/photo"): WRITE,
    ("GET", "/centers/{center_id}/children/{child_id}/barcodes"): READ,
    ("POST", "/centers/{center_id}/children/{child_id}/barcodes"): WRITE,
    ("DELETE", "/centers/{center_id}/children/{child_id}/barcodes/{barcode_id}"): WRITE,
    ("GET", "/centers/{center_id}/adults/{adult_id}/barcodes"): READ,
    ("POST", "/centers/{center_id}/adults/{adult_id}/barcodes"): WRITE,
    ("DELETE", "/centers/{center_id}/adults/{adult_id}/barcodes/{barcode_id}"): WRITE,
    ("GET", "/my/children/{child_id}/photo"): OWN,
    ("GET", "/my/children/{child_id}/pickups/{pickup_id}/photo"): OWN,
    ("DELETE", "/centers/{center_id}/children/{child_id}/photo"): WRITE,
    ("DELETE", "/centers/{center_id}/adults/{adult_id}/photo"): WRITE,
    ("GET", "/my/children"): ANY,
    ("GET", "/my/children/{child_id}/stays"): OWN,
    ("POST", "/my/children/{child_id}/stays/{stay_id}/confirm"): OWN,
    ("POST", "/my/children/{child_id}/stays/{stay_id}/dispute"): OWN,
    ("GET", "/my/children/{child_id}/pickups"): OWN,
    ("POST", "/my/children/{child_id}/pickups"): OWN,
    ("DELETE", "/my/children/{child_id}/pickups/{pickup_id}"): OWN,
}


@pytest.fixture
async def families(api: Api, database: FreshDatabase) -> AsyncIterator[Families]:
    async with families_of(api, database) as opened:
        yield opened


class Things:
    """One of each thing that a path may name, made anew where a request uses it up."""

    def __init__(self, families: Families, stay_id: str) -> None:
        self._families = families
        self._stay_id = stay_id

    async def path(self, method: str, route: str) -> str:
        found = {
            "center_id": self._families.center,
            "child_id": self._families.ids["C-1"],
            "stay_id": self._stay_id,
            "adult_id": await self._adult(method, route),
            "pickup_id": await self._pickup(route) if "{pickup_id}" in route else "",
            "alert_id": await self._alert() if "{alert_id}" in route else "",
        }
        if route.endswith("/photo"):
            await self._photo(route, found)
        if "{barcode_id}" in route:
            found["barcode_id"] = await self._barcode(route.removesuffix("/{barcode_id}").format(**found))
        return route.format(**found)

    def body(self, method: str, route: str) -> dict[str, Any] | None:
        """What is sent; a request that changes nothing will do."""
        if method in ("GET", "DELETE") or route.endswith("/photo"):
            return None
        person = {"id": new_id(), "given_name": "Noor", "family_name": "Aziz"}
        alert = {"id": new_id(), "kind": "note", "severity": "info", "text": "Naps late"}
        collector = {**person, "phone": "12345678", "relationship": "aunt", "day": "2026-09-21", "password": PASSWORD}
        bodies: dict[str, dict[str, Any]] = {
            "children": {} if method == "PATCH" else person,
            "adults": {} if method == "PATCH" else person,
            "account": {"user_id": self._families.accounts["neighbour"]},
            "relationships": {"kind": "aunt"},
            "pickups": {} if method == "PATCH" else {"id": new_id(), "adult_id": "", "status": "authorised"},
            "alerts": {} if method == "PATCH" else alert,
            "barcodes": {"id": new_id(), "barcode": new_id()},
            "confirm": {"event_id": new_id()},
            "dispute": {"event_id": new_id(), "reason": "At home"},
        }
        if route == "/my/children/{child_id}/pickups":
            return collector
        return bodies[[part for part in route.split("/") if "{" not in part][-1]]

    async def new_adult(self) -> str:
        body = {"id": new_id(), "given_name": "Noor", "family_name": "Aziz"}
        return str((await self._families.good("manager", "POST", "{north}/adults", json=body))["id"])

    async def _adult(self, method: str, route: str) -> str:
        if route.endswith("/account"):
            return self._families.ids["G-3"]
        if "relationships/{adult_id}" not in route:
            return self._families.ids["G-1"]
        adult = await self.new_adult()
        if method == "DELETE":
            await self._families.good("manager", "PUT", f"{{north}}/children/{{C1}}/relationships/{adult}", json={})
        return adult

    async def _pickup(self, route: str) -> str:
        if route.startswith("/my"):
            body = self.body("POST", "/my/children/{child_id}/pickups")
            return str((await self._families.good("mother", "POST", "/my/children/{C1}/pickups", json=body))["id"])
        listed = await self._families.good("manager", "GET", "{north}/children/{C1}/pickups")
        return str(listed["items"][0]["id"])

    async def _barcode(self, path: str) -> str:
        body = self.body("POST", "/x/barcodes")
        return str((await self._families.good("manager", "POST", path, json=body))["id"])

    async def _photo(self, route: str, found: dict[str, str]) -> None:
        """There is one of whom the route is about."""
        adult_id = found["adult_id"]
        if found["pickup_id"]:
            statement = "SELECT adult_id FROM pickup_authorisation WHERE id = :id"
            adult_id = str(await self._families.value(statement, id=found["pickup_id"]))
        whose = (
            f"children/{found['child_id']}" if "pickup" not in route and "child_id" in route else f"adults/{adult_id}"
        )
        await self._families.good("manager", "PUT", f"{{north}}/{whose}/photo", content=PHOTO, kind="image/jpeg")

    async def _alert(self) -> str:
        body = self.body("POST", "/x/alerts")
        return str((await self._families.good("manager", "POST", "{north}/children/{C1}/alerts", json=body))["id"])


async def test_every_route_of_rosters_and_families_answers_as_the_table_says(families: Families) -> None:
    desk = await families.desk()
    came = desk.check_in(families.ids["C-1"], minute=-60)
    await families.push(desk, came)
    things = Things(families, came.event_id)
    for (method, route), expected in TABLE.items():
        path = await things.path(method, route)
        for who, status in zip(WHO, expected, strict=True):
            body = things.body(method, route)
            if status == 200 and method in ("PUT", "DELETE"):
                path = await things.path(method, route)  # what was there is used up
                await _link_again(families, route)
            if body is not None and "adult_id" in body:
                body["adult_id"] = await things.new_adult()
            sent = {"content": PHOTO, "kind": "image/jpeg"} if _is_photo(method, route) else {"json": body}
            answer = await families.ask(who, method, path, tag=_tag(method, route), **sent)
            case = (method, route, who, answer.status_code, answer.text)
            if status == 200:
                assert answer.is_success, case
            else:
                assert problem(answer) == (status, REFUSED[status]), case
        nobody = await families.api.client.request(method, f"/api/v1{path}")
        assert problem(nobody) == (401, "unauthenticated"), (method, route)
    assert await families.wrong_books() == []


async def _link_again(families: Families, route: str) -> None:
    if route.endswith("/account"):
        body = {"user_id": families.accounts["neighbour"]}
        await families.good("manager", "PUT", "{north}/adults/{G3}/account", json=body)


def _is_photo(method: str, route: str) -> bool:
    return method == "PUT" and route.endswith("/photo")


def _tag(method: str, route: str) -> str:
    """Any state will do here; a relationship that is new has none."""
    if method == "PUT" and "relationships" in route:
        return ""
    return "*" if method in ("PUT", "PATCH", "DELETE") else ""


def test_no_route_of_rosters_and_families_is_missing_in_the_table() -> None:
    app = build_app(load_settings(env_file=None, environment="test", secret_key=SECRET), FakeClock())
    found = {
        (method.upper(), path.removeprefix("/api/v1"))
        for path, methods in app.openapi()["paths"].items()
        for method, operation in methods.items()
        if {"people", "families"} & set(operation["tags"])
    }
    assert found == TABLE.keys()
