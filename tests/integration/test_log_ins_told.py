"""Log-ins in the audit log: who came in and went out, who did not, and what nobody may learn from it."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from sqlalchemy import text

from server.core.asking import THE_SERVER, asks
from server.core.audit_chain import OF_NOBODY
from server.core.database import create_engine
from server.core.errors import RateLimited
from server.core.ids import Ids
from server.repositories.unit_of_work import UnitsOfWork
from server.services.clients import Client
from server.services.roster_file import SourceFile
from server.services.throttles import LOG_IN_FAILURES_TOLD, LOG_IN_PERSON, Throttles
from server.services.verification import Verification
from tests.support.api import NORTH, PASSWORD, PEOPLE, SECRET, Api, problem
from tests.support.letters import Letters
from tests.support.postgres import FreshDatabase

pytestmark = pytest.mark.postgres
AUTH = "/api/v1/auth"
NEW = "nine loud purple doors"
UNKNOWN = "mistyped@example.org"
STAFF, ADMIN = PEOPLE["staff"][0], PEOPLE["admin"][0]
TYPED = (UNKNOWN, "mistyped", STAFF, PASSWORD, NEW, "not the password", "203.0.113.9")


@dataclass
class Log:
    """The audit log, as it is read over the API and as it is stored."""

    api: Api
    units: UnitsOfWork
    letters: Letters
    headers: dict[str, dict[str, str]]

    async def told(self, who: str, **params: str) -> list[dict[str, Any]]:
        """What is told of log-ins, the oldest first."""
        answer = await self.api.client.get("/api/v1/audit", params=params, headers=self.headers[who])
        items: list[dict[str, Any]] = answer.raise_for_status().json()["items"]
        return items[::-1]

    async def of_center(self, since: int = 0, **params: str) -> list[dict[str, Any]]:
        found = await self.told("manager", center_id=self.api.centers["north"], limit="100", **params)
        return [one for one in found if one["seq"] > since]

    async def of_nobody(self) -> list[tuple[str, str, str, str]]:
        statement = "SELECT verb, actor, entity, entity_id FROM audit_entry WHERE chain_id = :chain ORDER BY seq"
        with asks(THE_SERVER):
            async with self.units.read() as connection:
                return [tuple(row) for row in await connection.execute(text(statement), {"chain": OF_NOBODY})]

    async def log_in(self, email: str, password: str) -> httpx.Response:
        return await self.api.client.post(f"{AUTH}/token", data={"username": email, "password": password})


@pytest.fixture
async def log(api: Api, database: FreshDatabase) -> AsyncIterator[Log]:
    engine = create_engine(database.urls.app)
    try:
        headers = {who: await api.sign_in(who) for who in ("staff", "manager", "admin", "stranger")}
        units = UnitsOfWork(engine, clock=api.clock, luck=bytes, new_id=Ids(api.clock).new)
        yield Log(api, units, Letters(api, engine), headers)
    finally:
        await engine.dispose()


def briefly(entries: list[dict[str, Any]]) -> list[tuple[str, str, str, str]]:
    return [(one["verb"], one["entity"], one["part"], one["route"]) for one in entries]


async def test_who_comes_in_goes_out_and_sets_a_password_is_told_where_their_roles_are(log: Log) -> None:
    api, staff = log.api, (await log.api.client.get("/api/v1/users/me", headers=log.headers["staff"])).json()["id"]
    (first,) = await log.of_center(actor=staff)
    assert briefly([first]) == [("signed_in", "user_session", "", "POST /auth/token")]
    since = (await log.of_center())[-1]["seq"]
    # Ended from another place, by itself, for all others at once, and by a token that was in two hands.
    here, path = log.headers["staff"], f"{AUTH}/sessions"
    await log.log_in(STAFF, PASSWORD)
    listed = (await api.client.get(path, headers=here)).json()["items"]
    ended = next(one["id"] for one in listed if not one["is_current"])
    assert (await api.client.delete(f"{path}/{ended}", headers=here)).status_code == 204
    assert (await api.client.delete(f"{path}/{ended}", headers=here)).status_code == 404
    token = (await log.log_in(STAFF, PASSWORD)).json()["refresh_token"]
    for _ in range(2):
        await api.client.post(f"{AUTH}/log-out", json={"refresh_token": token})
    await log.log_in(STAFF, PASSWORD)
    for _ in range(2):
        await api.client.delete(path, headers=here)
    token = (await log.log_in(STAFF, PASSWORD)).json()["refresh_token"]
    statuses = []
    for _ in range(3):
        answer = await api.client.post(f"{AUTH}/refresh", json={"refresh_token": token})
        statuses.append(answer.status_code)
        api.clock.advance_ms(61_000)
    assert statuses == [200, 401, 401]
    cookie = await api.services.browser_sessions.begin(STAFF, PASSWORD, Client())
    await api.services.browser_sessions.end(cookie)
    entries = await log.of_center(since)
    assert [(one["verb"], one["part"], one["actor"]) for one in entries] == [
        ("signed_in", "", staff), ("signed_out", "", staff), ("signed_in", "", staff), ("signed_out", "", staff),
        ("signed_in", "", staff), ("signed_out", "others", staff), ("signed_in", "", staff),
        ("signed_out", "token_reused", "somebody"), ("signed_in", "", staff), ("signed_out", "", staff),
    ]  # fmt: skip
    assert [one["route"] for one in entries if one["verb"] == "signed_out"][:4] == [
        "DELETE /auth/sessions/{session_id}", "POST /auth/log-out", "DELETE /auth/sessions", "POST /auth/refresh",
    ]  # fmt: skip
    assert entries[1]["entity_id"] == ended
    assert {one["entity"] for one in entries[-2:]} == {"browser_session"}


async def test_failures_are_told_without_what_was_typed_and_never_without_bound(log: Log) -> None:
    api = log.api
    since = (await log.of_center())[-1]["seq"]
    staff = (await api.client.get("/api/v1/users/me", headers=log.headers["staff"])).json()["id"]
    for email in (STAFF, UNKNOWN, UNKNOWN.upper()):
        assert (await log.log_in(email, "not the password")).status_code == 401
    (failed,) = await log.of_center(since)
    assert (failed["verb"], failed["entity"], failed["entity_id"]) == ("sign_in_failed", "user_account", staff)
    assert (failed["actor"], failed["route"]) == ("somebody", "POST /auth/token")
    # Of an address without an account nobody knows whose it is: with several organisations it is in no centre's log.
    first, second = await log.of_nobody()
    assert first == second
    assert first[:3] == ("sign_in_failed", "somebody", "unknown_account")
    assert await log.of_center(since, verb="sign_in_failed", entity_id=staff) == [failed]
    # Whoever is signed in and does not know the password: a change, and once more before something that matters.
    change = {"old_password": "not the password", "new_password": NEW}
    await api.client.post("/api/v1/users/me/password", json=change, headers=log.headers["staff"])
    await api.client.post("/api/v1/users/me/erasure", json={"password": "x" * 20}, headers=log.headers["staff"])
    again = (await log.of_center(since))[1:]
    assert [(one["verb"], one["part"], one["actor"]) for one in again] == [
        ("sign_in_failed", "password_change", staff), ("sign_in_failed", "password_again", staff),
    ]  # fmt: skip
    # Guesses that are not even looked at are no entries; that the door is shut is told once an hour.
    since, unknown = (await log.of_center())[-1]["seq"], len(await log.of_nobody())
    throttles, guesser = Throttles(log.units, api.clock, SECRET), Client("203.0.113.9")
    for email in (STAFF, UNKNOWN):
        for _ in range(LOG_IN_PERSON.burst):
            await throttles.take((LOG_IN_PERSON, f"{guesser.block} {email}"))
        for _ in range(3):
            with pytest.raises(RateLimited):
                await api.services.auth.log_in(email, "not the password", guesser)
    (entry,) = await log.of_center(since)
    assert (entry["verb"], entry["entity_id"], entry["part"]) == ("locked_out", staff, LOG_IN_PERSON.name)
    (shut,) = (await log.of_nobody())[unknown:]
    assert shut == ("locked_out", *first[1:])
    # A crowd of guessers fills a chain only so far, and is refused all the same.
    while await throttles.leaves_room(LOG_IN_FAILURES_TOLD, api.centers["north"]):
        pass
    since = (await log.of_center())[-1]["seq"]
    with pytest.raises(Exception, match="not right"):
        await api.services.auth.log_in(PEOPLE["manager"][0], "not the password", Client("203.0.113.10"))
    assert await log.of_center(since) == []
    await _nothing_typed_is_in_the_log_and_the_books_are_right(log)


async def test_passwords_roles_and_pins_that_change_are_told_with_who_did_it(log: Log) -> None:
    api = log.api
    north = f"/api/v1/centers/{api.centers['north']}"
    staff, manager, admin = [(await api.client.get("/api/v1/users/me", headers=log.headers[who])).json()["id"]
                             for who in ("staff", "manager", "admin")]  # fmt: skip
    since = (await log.of_center())[-1]["seq"]
    # A recovery: the mail by a job, the password by whoever read it; an invitation by whoever accepts it.
    await api.client.post(f"{AUTH}/recovery", json={"email": STAFF})
    (mail,) = await log.letters.to(STAFF)
    done = await api.client.post(f"{AUTH}/recovery/complete", json={"token": mail.token, "password": NEW})
    assert done.status_code == 204
    assert [(one["verb"], one["part"], one["actor"], one["route"]) for one in await log.of_center(since)] == [
        ("changed", "recovery", "answer_recoveries", "job answer_recoveries"),
        ("changed", "password", staff, "POST /auth/recovery/complete"),
    ]
    since = (await log.of_center())[-1]["seq"]
    invitation = {"email": "new@example.org", "role": "staff"}
    await api.client.post(f"{north}/invitations", json=invitation, headers=log.headers["manager"])
    (letter,) = await log.letters.to("new@example.org")
    accepted = {"token": letter.token, "display_name": "New", "password": "four slow yellow boats"}
    assert (await api.client.post(f"{AUTH}/invitations/accept", json=accepted)).status_code == 200
    people = (await api.client.get(f"{north}/users", headers=log.headers["manager"])).json()["items"]
    new = next(one for one in people if one["email"] == "new@example.org")
    tag = {"If-Match": new["etag"], **log.headers["manager"]}
    changed = await api.client.patch(f"{north}/users/{new['id']}", json={"roles": ["parent"]}, headers=tag)
    assert changed.is_success, changed.text
    assert (await api.services.roster_import.run([SourceFile("roster.csv", NORTH.encode())])).stored
    with asks(THE_SERVER):
        async with log.units.read() as connection:
            ruth = await connection.scalar(text("SELECT id FROM person WHERE external_id = 'S-1'"))
    pin = await api.client.put(f"{north}/staff/{ruth}/pin", json={"pin": "482915"}, headers=log.headers["manager"])
    assert pin.is_success, pin.text
    entries = await log.of_center(since)
    told = [(one["actor"], one["entity"], one["entity_id"], one["part"], one["route"]) for one in entries]
    assert (new["id"], "membership", new["id"], "invitation", "POST /auth/invitations/accept") in told
    routes = {(actor, route) for actor, _, _, _, route in told}
    for route in ("PATCH /centers/{center_id}/users/{user_id}", "PUT /centers/{center_id}/staff/{person_id}/pin"):
        assert (manager, route) in routes, routes
    # An admin's roles are the organisation's: so are their log-ins, for admins to read.
    own = await log.told("admin", actor=admin)
    assert briefly(own) == [("signed_in", "user_session", "", "POST /auth/token")]
    for who in ("stranger", "manager"):
        refused = await api.client.get("/api/v1/audit", headers=log.headers[who])
        assert problem(refused) == (403, "not_entitled")
    await _nothing_typed_is_in_the_log_and_the_books_are_right(log)


async def _nothing_typed_is_in_the_log_and_the_books_are_right(log: Log) -> None:
    with asks(THE_SERVER):
        async with log.units.read() as connection:
            everything = await connection.scalar(text("SELECT string_agg(CAST(e AS text), ' ') FROM audit_entry AS e"))
        verification = Verification(log.units)
        reports = [await verification.check(chain_id) for chain_id in await verification.center_ids()]
    assert [one for one in TYPED if one.casefold() in everything.casefold()] == []
    assert [found for report in reports for found in report.findings] == []
