"""The audit log: every change and every reading of a child's file is told, and nobody changes what it tells."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine

from server.core.database import create_engine, sqlstate_of
from server.services.verification import Verification
from tests.contract.server_world import new_id
from tests.support.api import PASSWORD, Api, problem
from tests.support.families import Families, families_of
from tests.support.postgres import FreshDatabase

pytestmark = pytest.mark.postgres
NOT_ALLOWED = "42501"
# What people typed or are called in this test; none of it may be in the log.
PERSONAL = ("Noor", "Aziz", "Zoë", "Ünal", "Deniz", "example.org", "910 000", "Naps late", PASSWORD)


@pytest.fixture
async def families(api: Api, database: FreshDatabase) -> AsyncIterator[Families]:
    async with families_of(api, database) as opened:
        yield opened


@pytest.fixture
async def owner(database: FreshDatabase) -> AsyncIterator[AsyncEngine]:
    engine = create_engine(database.urls.owner)
    yield engine
    await engine.dispose()


async def told(families: Families, who: str = "manager", **params: object) -> list[dict[str, Any]]:
    """The whole log of the centre but for log-ins, the oldest first, taken page by page."""
    items: list[dict[str, Any]] = []
    query: dict[str, Any] = {"center_id": families.center, "limit": 3, **params}
    while True:
        page = await families.good(who, "GET", "/audit", params=query)
        items += page["items"]
        if not page["next_cursor"]:
            return [one for one in items if not one["verb"].startswith("sign")][::-1]
        query["cursor"] = page["next_cursor"]


async def wrong(families: Families) -> list[tuple[str, str, str]]:
    verification = Verification(families.units)
    reports = [await verification.check(chain_id) for chain_id in await verification.center_ids()]
    return [(found.table, found.key, found.what) for report in reports for found in report.findings]


async def test_who_changed_and_who_read_what_is_told_with_the_request(families: Families) -> None:
    begun = (await told(families))[-1]["seq"]
    child, manager = families.ids["C-1"], (await families.good("manager", "GET", "/users/me"))["id"]
    person = {"id": new_id(), "given_name": "Noor", "family_name": "Aziz"}
    answer = await families.ask("manager", "POST", "{north}/children", json=person)
    alert = {"id": new_id(), "kind": "note", "severity": "info", "text": "Naps late"}
    await families.good("manager", "POST", "{north}/children/{C1}/alerts", json=alert)
    await families.good("manager", "GET", "{north}/children/{C1}/pickups")
    await families.good("mother", "GET", "/my/children")
    event = {"event_id": new_id(), "kind": "check_in", "child_id": child, "occurred_at": "2026-09-21T07:00:00Z"}
    desk = await families.ask(
        "manager", "POST", "/attendance/events", params={"center_id": families.center}, json=event
    )
    # What is refused, and what only lists, is told by nobody.
    assert (await families.ask("staff", "POST", "{north}/children", json=person)).status_code == 403
    assert (await families.ask("manager", "POST", "{north}/children", json=person | {"id": child})).status_code == 409
    await families.good("manager", "GET", "{north}/children")
    entries = [one for one in await told(families) if one["seq"] > begun]
    place = "/centers/{center_id}/children"
    found = [(one["verb"], one["entity"], one["entity_id"], one["part"], one["route"]) for one in entries]
    assert desk.is_success, desk.text
    assert found == [
        ("changed", "person", person["id"], "", f"POST {place}"),
        ("changed", "alert", alert["id"], "", f"POST {place}/{{child_id}}/alerts"),
        ("changed", "child", child, "", f"POST {place}/{{child_id}}/alerts"),
        ("read", "child", child, "pickups", f"GET {place}/{{child_id}}/pickups"),
        ("read", "child", child, "status", "GET /my/children"),
        ("changed", "check_in", event["event_id"], "", "POST /attendance/events"),
    ]
    mother = families.accounts["mother"]
    assert [one["actor"] for one in entries] == [manager, manager, manager, manager, mother, manager]
    assert entries[0]["request_id"] == answer.headers["x-request-id"]
    assert entries[-1]["request_id"] == desk.headers["x-request-id"]
    for moment in ("0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "1999-12-31T23:59:59Z"):
        for end in ("from", "to"):
            asked = {"center_id": families.center, end: moment}
            assert problem(await families.ask("manager", "GET", "/audit", params=asked)) == (422, "invalid_input")
    # Filters, and who may look.
    assert [one["verb"] for one in await told(families, actor=mother)] == ["read"]
    assert [one["entity"] for one in await told(families, entity_id=alert["id"])] == ["alert"]
    assert {one["verb"] for one in await told(families, verb="read")} == {"read"}
    assert await told(families, **{"from": "2099-01-01T00:00:00Z"}) == []
    assert await told(families, to="2099-01-01T00:00:00Z") == await told(families)
    for who, status in (("staff", 403), ("mother", 403), ("stranger", 404), ("foreign_admin", 404)):
        refused = await families.ask(who, "GET", "/audit", params={"center_id": families.center})
        assert refused.status_code == status, who
    # What belongs to no centre is told to admins of the organisation.
    change = {"old_password": PASSWORD, "new_password": "nine loud purple doors"}
    await families.good("mother", "POST", "/users/me/password", json=change)
    own = await families.good("admin", "GET", "/audit", params={"verb": "changed"})
    assert [(one["actor"], one["entity"], one["route"]) for one in own["items"]][:1] == [
        (mother, "user_account", "POST /users/me/password")
    ]
    assert problem(await families.ask("manager", "GET", "/audit")) == (403, "not_entitled")
    assert problem(await families.ask("manager", "GET", "/audit", params={"cursor": "AAAA"}))[0] == 422
    rows = await families.value("SELECT string_agg(CAST(audit_entry AS text), ' ') FROM audit_entry")
    assert not [one for one in PERSONAL if one in rows]
    assert await wrong(families) == []


async def test_nobody_changes_the_log_and_who_does_anyway_is_named(families: Families, owner: AsyncEngine) -> None:
    # Many at once: one chain, no number twice, none left out.
    people = [{"id": new_id(), "given_name": "Noor", "family_name": "Aziz"} for _ in range(8)]
    await families.headers("manager")
    await asyncio.gather(*(families.good("manager", "POST", "{north}/adults", json=one) for one in people))
    entries = await told(families)
    last = await families.value("SELECT max(seq) FROM audit_entry WHERE chain_id = :chain", chain=families.center)
    numbers = await families.value("SELECT count(*) FROM audit_entry WHERE chain_id = :chain", chain=families.center)
    assert numbers == last
    assert {one["entity_id"] for one in entries} >= {one["id"] for one in people}
    assert await wrong(families) == []
    for statement in ("UPDATE audit_entry SET actor = ''", "DELETE FROM audit_entry", "DELETE FROM audit_head"):
        for engine in (None, owner):
            with pytest.raises(DBAPIError) as refused:
                await _run(families, engine, statement)
            assert sqlstate_of(refused.value) == NOT_ALLOWED
    chain = {"chain": families.center}
    other_actor = "UPDATE audit_entry SET actor = 'x' WHERE chain_id = :chain AND seq = 3"
    changed = ("audit_entry", "number 3", "it is not what was written: `hash` does not follow from the row")
    swap = "UPDATE audit_entry SET seq = CASE seq WHEN 3 THEN -4 ELSE -3 END WHERE chain_id = :chain AND seq IN (3, 4)"
    for tampering, finding in (
        ((other_actor,), changed),
        (("DELETE FROM audit_entry WHERE chain_id = :chain AND seq = 3",),
         ("audit_entry", "number 3", "the row is missing")),
        ((swap, "UPDATE audit_entry SET seq = -seq WHERE chain_id = :chain AND seq < 0"), changed),
        ((f"DELETE FROM audit_entry WHERE chain_id = :chain AND seq = {last}",),
         ("audit_entry", f"number {last}", "the row is missing")),
        (("DELETE FROM audit_head WHERE chain_id = :chain",), ("audit_head", "the chain", "the row is missing")),
        (("UPDATE audit_head SET seq = seq - 1 WHERE chain_id = :chain",),
         ("audit_head", "the chain", "it does not say where the entries end")),
    ):  # fmt: skip
        # As a superuser could: nothing stops them, and then the books are put right again.
        await _tamper(
            owner, ("CREATE TABLE kept AS TABLE audit_entry", "CREATE TABLE kept_head AS TABLE audit_head"), {}
        )
        await _tamper(owner, tampering, chain)
        assert await wrong(families) == [finding], tampering
        await _tamper(
            owner,
            ("DELETE FROM audit_entry", "INSERT INTO audit_entry TABLE kept", "DELETE FROM audit_head",
             "INSERT INTO audit_head TABLE kept_head", "DROP TABLE kept, kept_head"),
            {},
        )  # fmt: skip
    assert await wrong(families) == []


async def _run(families: Families, engine: AsyncEngine | None, statement: str) -> None:
    if engine is None:
        async with families.units.begin() as unit:
            await unit.connection.execute(text(statement))
    else:
        async with engine.begin() as connection:
            await connection.execute(text(statement))


async def _tamper(owner: AsyncEngine, statements: tuple[str, ...], values: dict[str, str]) -> None:
    async with owner.begin() as connection:
        for table in ("audit_entry", "audit_head"):
            await connection.execute(text(f"ALTER TABLE {table} DISABLE TRIGGER USER"))
        for statement in statements:
            await connection.execute(text(statement), values if ":chain" in statement else {})
        for table in ("audit_entry", "audit_head"):
            await connection.execute(text(f"ALTER TABLE {table} ENABLE TRIGGER USER"))
