"""Idempotency-Key over a running app: done once, answered the same, and never half of the two."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from server.core.database import create_engine
from server.core.ids import Ids
from server.repositories.unit_of_work import UnitsOfWork
from server.services.account_tidying import AccountTidying
from server.services.repeats import KEYS_MAX
from tests.contract.server_world import new_id
from tests.support.api import Api, problem
from tests.support.postgres import FreshDatabase

pytestmark = pytest.mark.postgres
DAY_MS = 86_400_000
FAIL_TO_KEEP = (
    """CREATE FUNCTION fail_to_keep() RETURNS trigger LANGUAGE plpgsql AS
       $$ BEGIN RAISE EXCEPTION 'the server died here'; END $$""",
    "CREATE TRIGGER fail_to_keep BEFORE UPDATE OF answer ON request_key FOR EACH ROW EXECUTE FUNCTION fail_to_keep()",
)


@dataclass
class Sender:
    """Sends with keys, and counts what became of it."""

    api: Api
    engine: AsyncEngine
    owner: AsyncEngine

    async def post(self, who: dict[str, str], path: str, key: str, body: Any = None) -> httpx.Response:
        headers = {**who, "Idempotency-Key": key}
        return await self.api.client.post(f"/api/v1{path}", json=body, headers=headers)

    async def code(self, who: dict[str, str], key: str, name: str = "Desk") -> httpx.Response:
        path = f"/centers/{self.api.centers['north']}/enrolment-codes"
        return await self.post(who, path, key, {"device_name": name})

    async def value(self, statement: str) -> Any:
        async with self.engine.connect() as connection:
            return await connection.scalar(text(statement))

    async def codes(self) -> Any:
        return await self.value("SELECT count(*) FROM enrolment_code")

    async def as_owner(self, *statements: str) -> None:
        async with self.owner.begin() as connection:
            for statement in statements:
                await connection.execute(text(statement))


@pytest.fixture
async def sender(api: Api, database: FreshDatabase) -> AsyncIterator[Sender]:
    engine, owner = create_engine(database.urls.app), create_engine(database.urls.owner)
    try:
        yield Sender(api, engine, owner)
    finally:
        await engine.dispose()
        await owner.dispose()


async def test_what_is_sent_again_is_done_once_and_answered_the_same(api: Api, sender: Sender) -> None:
    manager, admin = await api.sign_in("manager"), await api.sign_in("admin")
    first = await sender.code(manager, "key-1")
    again = await sender.code(manager, '"key-1"')
    assert (first.status_code, again.status_code, again.content) == (201, 201, first.content)
    assert again.headers["cache-control"] == first.headers["cache-control"] == "no-store"
    assert ("idempotency-replayed" in first.headers, again.headers["idempotency-replayed"]) == (False, "true")
    assert again.headers["x-request-id"] != first.headers["x-request-id"]
    assert await sender.codes() == 1
    # Something else under the key: another body, or another address of the route.
    assert problem(await sender.code(manager, "key-1", "Other")) == (422, "idempotency_key_reused")
    south = f"/centers/{api.centers['south']}/enrolment-codes"
    # A key is an account's own; there, another address is another request.
    assert (await sender.post(admin, south, "key-1", {"device_name": "Desk"})).status_code == 201
    assert problem(await sender.code(admin, "key-1")) == (422, "idempotency_key_reused")
    assert await sender.codes() == 2
    assert problem(await sender.code(manager, "a key, with a comma")) == (422, "invalid_input")
    # The code, which lets a desk in, is nowhere in the table.
    row = await sender.value("SELECT string_agg(encode(answer, 'escape'), ' ') FROM request_key")
    assert first.json()["code"] not in row
    # Nobody asks on these routes, and there a key means nothing.
    refused = await sender.post({}, "/auth/recovery/complete", "key-1", {"token": "a" * 43, "password": "x" * 20})
    assert problem(refused)[0] == 403
    assert problem(await sender.code({}, "key-1")) == (401, "unauthenticated")


async def test_of_many_at_once_one_is_served_and_a_refusal_leaves_the_key_free(api: Api, sender: Sender) -> None:
    manager = await api.sign_in("manager")
    answers = await asyncio.gather(*(sender.code(manager, "rush") for _ in range(8)))
    good = [one for one in answers if one.is_success]
    assert {one.content for one in good} == {good[0].content}
    for one in answers:
        if not one.is_success:
            assert problem(one) == (409, "request_in_flight")
            assert 1 <= int(one.headers["retry-after"]) <= 5
    assert await sender.codes() == 1
    path = f"/centers/{api.centers['north']}/children"
    child = {"id": new_id(), "given_name": "", "family_name": "Silva"}
    assert problem(await sender.post(manager, path, "child", child)) == (422, "invalid_input")
    child["given_name"] = "Rui"
    made = await sender.post(manager, path, "child", child)
    again = await sender.post(manager, path, "child", child)
    assert (made.status_code, again.content, again.headers["etag"]) == (201, made.content, made.headers["etag"])
    # What the server's own desk stores is stored by another task, which must not wait for this one.
    came = {"kind": "check_in", "event_id": new_id(), "child_id": child["id"]}
    path = f"/attendance/events?center_id={api.centers['north']}"
    entered = await sender.post(manager, path, "came", came)
    assert (entered.status_code, (await sender.post(manager, path, "came", came)).content) == (201, entered.content)
    # Whoever lost the role in between is not told again what they were told with it.
    async with sender.owner.begin() as connection:
        await connection.execute(text("SELECT set_config('rollcall.reach', '*', true)"))
        await connection.execute(text("UPDATE membership SET role_id = (SELECT id FROM role WHERE name = 'parent')"))
    assert problem(await sender.code(manager, "rush")) == (403, "not_entitled")


async def test_a_change_and_its_answer_are_kept_together_or_not_at_all(api: Api, sender: Sender) -> None:
    manager = await api.sign_in("manager")
    await sender.as_owner(*FAIL_TO_KEEP)
    assert problem(await sender.code(manager, "key-1")) == (500, "internal")
    assert await sender.codes() == 0
    await sender.as_owner("DROP TRIGGER fail_to_keep ON request_key")
    # The claim of the server that died holds for a minute, and is then taken over by the same request only.
    assert problem(await sender.code(manager, "key-1")) == (409, "request_in_flight")
    api.clock.advance_ms(60_000)
    assert problem(await sender.code(manager, "key-1", "Other")) == (422, "idempotency_key_reused")
    made = await sender.code(manager, "key-1")
    assert (made.status_code, await sender.codes()) == (201, 1)
    # So much and no more is kept for an account, for a day.
    await sender.as_owner(f"""
        INSERT INTO request_key (user_id, key_digest, request_digest, claim_id, claimed_until, forget_at)
        SELECT user_id, sha256(CAST(n AS text)::bytea), request_digest, claim_id, claimed_until, forget_at
        FROM request_key, generate_series(1, {KEYS_MAX - 1}) AS n
    """)
    refused = await sender.code(manager, "key-2")
    assert problem(refused) == (429, "rate_limited")
    assert refused.headers.get_list("ratelimit-policy")[0] == f'"idempotency_keys";q={KEYS_MAX};w=86400'
    assert int(refused.headers["retry-after"]) == 86_400
    assert (await sender.code(manager, "key-1")).content == made.content
    api.clock.advance_ms(DAY_MS)
    manager = await _signed_in(api, "manager")
    anew = await sender.code(manager, "key-1")
    assert (anew.status_code, anew.content == made.content) == (201, False)
    units = UnitsOfWork(sender.engine, clock=api.clock, luck=bytes, new_id=Ids(api.clock).new)
    assert await AccountTidying(units, api.clock).run() >= KEYS_MAX - 1
    assert await sender.value("SELECT count(*) FROM request_key") == 1


async def _signed_in(api: Api, who: str) -> dict[str, str]:
    form = {"username": f"{who}@example.org", "password": "seven quiet green gates"}
    answer = (await api.client.post("/api/v1/auth/token", data=form)).raise_for_status()
    return {"Authorization": f"Bearer {answer.json()['access_token']}"}
