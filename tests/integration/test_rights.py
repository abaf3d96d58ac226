"""Who is answered what on every route: the table rights.txt, in which no route and no cell is missing."""

import difflib
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute

from server.core.settings import load_settings
from server.routes import build_app
from tests.support.api import PASSWORD, SECRET, Api, problem
from tests.support.clock import FakeClock
from tests.support.postgres import FreshDatabase
from tests.support.rights_bodies import BODIES, FIRST_DAY, LAST_DAY
from tests.support.rights_world import CANARY, PHOTO, WHO, Place, RightsWorld, rights_world
from tests.support.told_logs import found_in, told_logs

TABLE: Final = Path(__file__).with_name("rights.txt")
WRITE: Final = "ROLLCALL_WRITE_RIGHTS"
REFUSED: Final = {
    401: {"unauthenticated", "invalid_token"}, 403: {"not_entitled"}, 404: {"not_found", "device_unknown"},
}  # fmt: skip
# Bodies that name things of a centre: with them too the manager of another one tries what is not theirs.
NAMES_THINGS: Final = frozenset({
    "ErasureIn", "HoldIn", "EntryIn", "BookingIn", "BatchIn", "ScheduleIn", "AnswerIn", "NotificationsIn",
})  # fmt: skip
# Who asks does not count there: the document says so, and one try stands for all.
PUBLIC: Final = frozenset({
    "POST /auth/token", "POST /auth/refresh", "POST /auth/log-out", "POST /auth/recovery",
    "POST /auth/recovery/complete", "POST /auth/invitations/accept", "POST /devices/enrol",
    "GET /calendars/{token}.ics", "POST /devices/{device_id}/nonce", "POST /devices/{device_id}/token",
})  # fmt: skip
# Routes at which 401 and 403 say something else than who asks: they check what is sent.
CHECK_WHAT_IS_SENT: Final = frozenset(
    {*PUBLIC, "POST /users/me/password", "POST /users/me/erasure", "GET /devices/{device_id}/door-keys"}
)
PAST: Final = {"first_day": "2026-08-03", "last_day": "2026-08-03"}
# What a device may ask with its token beside what anybody may; everything else is denied.
OF_DEVICES: Final = frozenset({"GET /devices/{device_id}/door-keys"})
# What is used up by who may use it.
USED_UP: Final = {
    "DELETE /centers/{center_id}/adults/{adult_id}/barcodes/{barcode_id}": "barcode_of_adult",
    "DELETE /centers/{center_id}/children/{child_id}/barcodes/{barcode_id}": "barcode_of_child",
    "DELETE /centers/{center_id}/closures/{closure_id}": "closure_id",
    "DELETE /centers/{center_id}/invitations/{invitation_id}": "invitation_id",
    "DELETE /centers/{center_id}/legal-holds/{hold_id}": "hold_id",
    "POST /centers/{center_id}/children/{child_id}/absences/{absence_id}/withdrawal": "absence_id",
}
# Not in the document of the API; each with the tests that know who may see it.
NOT_IN_THE_DOCUMENT: Final = {
    "/": "leads to the dashboard",
    "/dashboard": "test_dashboard_sign_in.py",
    "/dashboard/centers/{center_id}": "test_dashboard_sign_in.py",
    "/dashboard/centers/{center_id}/reviews": "test_dashboard_sign_in.py",
    "/dashboard/centers/{center_id}/children/{child_id}": "test_dashboard_sign_in.py",
    "/dashboard/centers/{center_id}/devices": "test_dashboard_sign_in.py",
    "/dashboard/centers/{center_id}/devices/enrolment-code": "test_dashboard_sign_in.py",
    "/dashboard/centers/{center_id}/present": "test_dashboard_sign_in.py",
    "/dashboard/centers/{center_id}/reports": "test_reports_api.py",
    "/dashboard/centers/{center_id}/reports/file": "test_reports_api.py",
    "/dashboard/centers/{center_id}/analytics": "test_analytics_api.py",
    "/docs": "explains the document",
    "/redoc": "explains the document",
    "/reset": "for whoever has the mail",
    "/reset/ask": "for everybody",
    "/reset/asked": "for everybody",
    "/reset/done": "for whoever has the mail",
    "/invitation": "for whoever has the mail",
    "/invitation/added": "for whoever has the mail",
    "/invitation/welcome": "for whoever has the mail",
    "/dashboard/assets/{version}/{name}": "files of the server itself",
    "/dashboard/sign-in": "test_dashboard_sign_in.py",
    "/dashboard/sign-out": "test_dashboard_sign_in.py",
}


# What is sent by these requests, or stands in the roster, and must be in no line of the log.
SECRETS: Final = (
    PASSWORD, "wrong as can be, twice", "nine loud purple doors", "839204", CANARY, "Zoë", "O'Neill-Ünal", "Silva",
    "Noor", "Aziz", "12345678", "mother@example.org", "a" * 43, "A" * 43, "A" * 86,
)  # fmt: skip
GIVES_SECRETS: Final = frozenset({
    "POST /centers/{center_id}/enrolment-codes", "POST /centers/{center_id}/adults/{adult_id}/family-code",
    "GET /devices/{device_id}/door-keys", "POST /devices/{device_id}/nonce",
})  # fmt: skip
SECRET_FIELDS: Final = frozenset({"code", "nonce", "pin_pepper", "family_key"})


class Route(NamedTuple):
    """One operation of the API."""

    name: str
    method: str
    path: str
    body: str
    query: tuple[str, ...]
    is_public: bool
    needs_state: bool


def routes(app: FastAPI) -> Iterator[Route]:
    for path, methods in app.openapi()["paths"].items():
        for method, operation in methods.items():
            if not path.startswith("/api/v1"):
                continue
            inner = path.removeprefix("/api/v1")
            content = operation.get("requestBody", {}).get("content", {})
            schemas = [one["schema"].get("$ref", "").rsplit("/", 1)[-1] for one in content.values()]
            query = tuple(one["name"] for one in operation.get("parameters", ()) if one["in"] == "query")
            name = f"{method.upper()} {inner}"
            yield Route(
                name,
                method.upper(),
                inner,
                schemas[0] if schemas else "",
                query,
                not operation.get("security"),
                any(one["name"].lower() == "if-match" for one in operation.get("parameters", ())),
            )


def told() -> dict[str, list[str]]:
    """The table: route, then a status for each of WHO."""
    lines = [line for line in TABLE.read_text("utf-8").splitlines() if line and not line.startswith("#")]
    return {" ".join(line.split()[:2]): line.split()[2:] for line in lines[1:]}


def written(found: dict[str, list[str]]) -> list[str]:
    width = max(map(len, found)) + 1
    names = [one[:9] for one in WHO]
    head = "route".ljust(width) + " ".join(name.rjust(9) for name in names)
    return [head] + [name.ljust(width) + " ".join(cell.rjust(9) for cell in cells) for name, cells in found.items()]


class Trial:
    """Tries every route as everybody."""

    def __init__(self, world: RightsWorld) -> None:
        self.world = world
        self.changed: dict[str, str] = {}
        self.wrong: list[tuple[str, str, str]] = []
        self.leaks: list[tuple[str, str]] = []
        self.secrets: set[str] = {*SECRETS}

    async def row(self, route: Route) -> list[str]:
        if route.is_public:
            return [await self._cell(route, "nobody")] * len(WHO)
        return [await self._cell(route, who) for who in WHO]

    async def _cell(self, route: Route, who: str) -> str:
        north = self.world.north
        named = set(re.findall(r"{(\w+)}", route.path)) - {"center_id", "effective_from", "session_id"}
        if who == "theirs" and not named and route.body not in NAMES_THINGS:
            return "-"
        # What is named is another centre's, and what is said is not.
        place = Place(north.center, "manager", north.word, self.world.other.ids) if who == "theirs" else north
        ids = {"session_id": place.ids["child_id"], **place.ids, "center_id": north.center}
        ids["adult_id"] = ids["guardian_id" if "/relationships/" in route.path else "adult_id"]
        ids["pickup_id"] = ids["my_pickup_id" if route.path.startswith("/my/") else "pickup_id"]
        ids["absence_id"] = ids["my_absence_id" if route.path.startswith("/my/") else "absence_id"]
        ids["barcode_id"] = ids["barcode_of_child" if "child_id" in named else "barcode_of_adult"]
        ids |= {"name": "daily", "month": "2026-09", "token": "A" * 43}
        if route.path.startswith("/devices/") and who in ("device", "revoked"):
            ids["device_id"] = north.ids[who]
        more: dict[str, Any] = {"params": self._query(route, place)}
        if route.body.startswith("Body_"):
            more["data"] = {"username": "mother@example.org", "password": "wrong as can be, twice"}
        elif route.body:
            more["json"] = PAST if route.path.endswith("/period-locks") else BODIES[route.body](place)
        more["headers"] = {"If-Match": "*" if route.method == "PATCH" else '"another"'}
        if route.path.endswith("/photo"):
            more["headers"] = {"If-Match": "*", "Content-Type": "image/jpeg"}
            if route.method == "PUT":
                more["content"] = PHOTO
        # The same photo again changes nothing, and needs no tag.
        if route.needs_state and who == "manager" and not (route.method == "PUT" and route.path.endswith("/photo")):
            await self._without_state(route, route.path.format(**ids), more)
        answer = await self.world.status(who, route.method, route.path.format(**ids), **more)
        if isinstance(answer, int):
            return str(answer)
        await self._look_at(route, who, answer)
        return str(answer.status_code)

    async def _without_state(self, route: Route, path: str, more: dict[str, Any]) -> None:
        """Nobody changes what is there without saying which state of it they mean."""
        headers = {name: value for name, value in more["headers"].items() if name != "If-Match"}
        answer = await self.world.status("manager", route.method, path, **{**more, "headers": headers})
        assert not isinstance(answer, int)
        if not answer.is_error or problem(answer) != (428, "precondition_required"):
            self.wrong.append((route.name, "without If-Match", answer.text))

    async def _look_at(self, route: Route, who: str, answer: Any) -> None:
        self.secrets |= {one.removeprefix("Bearer ") for one in (answer.request.headers.get("authorization"),) if one}
        if answer.is_success and route.name in GIVES_SECRETS:
            self.secrets |= {str(value) for name, value in answer.json().items() if name in SECRET_FIELDS}
        if CANARY in answer.text:
            self.leaks.append((route.name, who))
        if answer.is_error:
            status, code = problem(answer)
            known = REFUSED.get(status)
            if status >= 500 or not (route.name in CHECK_WHAT_IS_SENT or known is None or code in known):
                self.wrong.append((route.name, who, answer.text))
            return
        if route.method != "GET" and who not in ("nobody", "device", "revoked"):
            self.changed[answer.headers["x-request-id"]] = route.name
        if route.name in USED_UP:
            await self.world.make(self.world.north, USED_UP[route.name])
        if route.method == "DELETE" and route.path.endswith("/photo"):
            await self.world.show(self.world.north)
        if route.name == "DELETE /centers/{center_id}/adults/{adult_id}/account":
            await self.world.link_again()
        if route.name == "DELETE /my/children/{child_id}/pickups/{pickup_id}":
            await self.world.announce()
        if route.name == "DELETE /my/children/{child_id}/absences/{absence_id}":
            await self.world.stay_away()
        if route.name == "DELETE /my/exports/{export_id}":
            await self.world.export()

    def _query(self, route: Route, place: Place) -> dict[str, str]:
        """What a route needs, and the centre; `theirs` names their own centre and things of another."""
        given = {"center_id": self.world.north.center}
        if route.path.endswith(("/statement", "/availability", "/bookings")):
            given |= {"first_day": FIRST_DAY, "last_day": LAST_DAY}
        if route.path.endswith("/bookings"):
            given["child_id"] = place.ids["child_id"]
        if {"from", "to"} <= set(route.query) and route.path != "/audit":
            given |= {"from": FIRST_DAY, "to": LAST_DAY}
        return {name: given[name] for name in route.query if name in given}


@pytest.mark.postgres
async def test_every_route_answers_everybody_as_the_table_says(api: Api, database: FreshDatabase) -> None:
    async with rights_world(api, database) as world:
        trial = Trial(world)
        with told_logs() as told_lines:
            found = {route.name: await trial.row(route) for route in routes(api.app)}
        # Every address was asked by everybody, with everything that may be sent: no line of the log holds a secret
        # of theirs, nor a name.
        # What the client of this test says of itself, in the same process, the server's log never has.
        lines = "\n".join(one for one in told_lines.getvalue().splitlines() if '"logger": "httpx"' not in one)
        assert lines.count('"request_answered"') > 1_000
        assert (len(trial.secrets) > 30, found_in(lines, trial.secrets)) == (True, [])
        text = written(found)
        if os.environ.get(WRITE):
            comments = [line for line in TABLE.read_text("utf-8").splitlines() if line.startswith("#")]
            TABLE.write_text("\n".join([*comments, *text]) + "\n", "utf-8")
        expected = written(told())
        assert text == expected, "\n".join(
            difflib.unified_diff(expected, text, "rights.txt", "found", lineterm="", n=0)
        )
        assert (trial.leaks, trial.wrong) == ([], [])
        # Whatever somebody changed is in the audit log.
        rows = await world.families.value("SELECT array_agg(DISTINCT request_id) FROM audit_entry")
        silent = {name for request_id, name in trial.changed.items() if request_id not in rows}
        assert silent == NOT_TOLD.keys()


# Changes that are not in the audit log, and why.
NOT_TOLD: Final = {
    "DELETE /auth/sessions": "there is no other session, and nothing changes",
    "POST /centers/{center_id}/bookings/batch": "each wish for the service of another centre is refused in the answer",
    "POST /my/exports": "who asks again while it is queued gets the same one",
    "POST /devices/{device_id}/suspend": "the second time, nothing changes",
    "POST /devices/{device_id}/resume": "the same",
    "POST /devices/{device_id}/revoke": "the same",
}


def _app() -> FastAPI:
    return build_app(load_settings(env_file=None, environment="test", secret_key=SECRET), FakeClock())


def test_no_route_and_no_cell_is_missing_in_the_table() -> None:
    app = _app()
    table = told()
    assert table.keys() == {route.name for route in routes(app)}
    assert {name for name, cells in table.items() if len(cells) != len(WHO)} == set()
    for name, cells in table.items():
        of_device, of_revoked, of_nobody = cells[WHO.index("device")], cells[WHO.index("revoked")], cells[0]
        # A device is nobody, but for its list; a revoked one always is.
        assert name in OF_DEVICES or of_device == of_nobody, name
        assert (name in OF_DEVICES and of_revoked == "404") or of_revoked == of_nobody, name


def test_who_asks_counts_everywhere_but_where_it_is_listed() -> None:
    assert {route.name for route in routes(_app()) if route.is_public} == PUBLIC


def test_what_is_not_in_the_document_is_listed() -> None:
    hidden = {route.path for route in _app().routes if isinstance(route, APIRoute) and not route.include_in_schema}
    assert "/dashboard" in hidden
    assert hidden - NOT_IN_THE_DOCUMENT.keys() == set()
