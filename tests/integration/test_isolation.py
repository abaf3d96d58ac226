"""Row-level security: what is not within reach is not there, whatever a query forgets."""

from collections.abc import AsyncIterator
from typing import Any, Final

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlmodel import col, select

from server.core.asking import EVERYWHERE, NOBODY, Asking, Reach, asks, within
from server.core.database import sqlstate_of
from server.models.people import Person
from server.repositories import children
from tests.support.api import Api
from tests.support.postgres import FreshDatabase
from tests.support.rights_world import CANARY, RightsWorld, rights_world

pytestmark = pytest.mark.postgres
NOT_ALLOWED: Final = "42501"
# Tables without a policy, and why each needs none.
OPEN: Final = {
    "alembic_version": "the version of the schema",
    "role": "names of roles, made by the migration",
    "user_account": "read to find out who asks, by the address that was typed or the session that was shown",
    "membership": "read to find out who asks, by the account",
    "user_session": "read to find out who asks, by the session in the token",
    "browser_session": "read to find out who asks, by the hash of the cookie",
    "password_recovery": "found by the token of a mail, before anybody is known",
    "recovery_request": "kept until a job answers it; nobody is known",
    "invitation": "found by the token of a mail, before anybody is known",
    "calendar_feed": "found by what is in its address, before anybody is known; holds no booking",
    "device": "found by its id, before its centre is known; holds no person",
    "device_nonce": "found by the device; holds luck",
    "enrolment_code": "found by what was typed, before its centre is known; holds no person",
    "throttle": "keyed hashes of addresses",
    "request_key": "found by the account, which has no centre; keyed hashes, and answers under seal",
    "erased_account": "ids of accounts that are no more; belongs to no centre",
    "usage_rules": "since when which rules charge; belongs to no centre",
    "job_run": "when jobs ran and how it ended; holds no person",
}
CATALOGUE: Final = text("""
    SELECT relation.relname, relation.relrowsecurity AND relation.relforcerowsecurity AS is_forced,
           (SELECT count(*) FROM pg_policy WHERE polrelid = relation.oid AND polname = 'within_reach') AS policies
    FROM pg_class AS relation
    WHERE relation.relnamespace = CAST('public' AS regnamespace) AND relation.relkind IN ('r', 'p')
""")
VIEWS: Final = text("""
    SELECT relname FROM pg_class
    WHERE relnamespace = CAST('public' AS regnamespace)
      AND (relkind = 'm' OR (relkind = 'v' AND NOT coalesce(reloptions, '{}') @> '{security_invoker=true}'))
""")


@pytest.fixture
async def world(api: Api, database: FreshDatabase) -> AsyncIterator[RightsWorld]:
    async with rights_world(api, database) as opened:
        yield opened


async def test_every_table_is_within_reach_only_or_has_a_reason(world: RightsWorld) -> None:
    async with world.families.units.read() as connection:
        rows = (await connection.execute(CATALOGUE)).all()
        unsafe_views = (await connection.scalars(VIEWS)).all()
    kept = {row.relname for row in rows if row.is_forced and row.policies == 1}
    # A table that is new needs a policy of its own, as migration 0016 makes them, or a reason here.
    assert {row.relname for row in rows} - kept == OPEN.keys()
    assert unsafe_views == []
    await _the_reach_of_a_transaction_is_all_it_sees(world, kept)
    await _no_answer_tells_of_another_centre(world)


async def _the_reach_of_a_transaction_is_all_it_sees(world: RightsWorld, kept: set[str]) -> None:
    north, other = world.north.center, world.other.center
    everything = await _counts(world, EVERYWHERE, kept)
    assert {table for table, rows in everything.items() if not rows} <= {
        "absence_follow_up", "center_calendar", "device_incident", "device_position", "projection_state",
        "center_ratio_rules", "erased_record",
        "webhook_delivery", "device_silence", "set_aside_answer", "signed_day", "signed_head",
        "notification_choice", "notice_position", "data_export_part",
    }  # fmt: skip
    # Mails about an account belong to no centre.
    assert {table for table, rows in (await _counts(world, NOBODY.reach, kept)).items() if rows} <= {"mail_outbox"}
    ours, theirs = await _counts(world, within([north]), kept), await _counts(world, within([other]), kept)
    for table in kept:
        assert table == "mail_outbox" or ours[table] + theirs[table] <= everything[table], table
    assert (ours["person"], theirs["person"]) == (await _people(world, north), await _people(world, other))
    # A query that lost its own filter, as somebody at north would send it.
    with asks(Asking(within([north]))):
        async with world.families.units.begin() as unit:
            found = list(await unit.session.exec(select(Person).where(col(Person.family_name).contains(CANARY))))
            assert found == []
            assert await children.find(unit.session, other, world.other.ids["child_id"]) is None
        # And nothing is written to where one may not look, nor moved there.
        for statement in (
            "INSERT INTO room SELECT CAST(:other AS uuid), gen_random_uuid(), 'R', 'R', 1, 1",
            "UPDATE stay SET center_id = CAST(:other AS uuid)",
        ):
            with pytest.raises(DBAPIError) as refused:
                async with world.families.units.begin() as unit:
                    await unit.connection.execute(text(statement), {"other": other})
            assert sqlstate_of(refused.value) == NOT_ALLOWED
        async with world.families.units.begin() as unit:
            changed = await unit.connection.execute(
                text("DELETE FROM guardian_account WHERE center_id = CAST(:other AS uuid)"), {"other": other}
            )
            assert changed.rowcount == 0


async def _no_answer_tells_of_another_centre(world: RightsWorld) -> None:
    """Every address that can be read, with what is there in both centres, asked by everybody of north."""
    asked = 0
    for path, methods in world.api.app.openapi()["paths"].items():
        operation = methods.get("get")
        if operation is None or path.endswith("/live") or not path.startswith("/api/v1"):
            continue
        given = {"center_id": world.other.center, "first_day": "2026-09-21", "last_day": "2026-09-25"}
        if path != "/api/v1/audit":
            given |= {"from": "2026-09-21", "to": "2026-09-25"}
        names = {one["name"] for one in operation.get("parameters", ()) if one["in"] == "query"}
        params = {name: value for name, value in given.items() if name in names}
        for who in ("mother", "staff", "manager", "admin"):
            ids = {**world.other.ids, "barcode_id": world.other.ids["barcode_of_child"], "name": "daily"}
            ids |= {"month": "2026-09", "token": "A" * 43}
            address = path.format(session_id=world.other.center, **{**ids, **given})
            answer = await world.api.client.get(address, headers=await world.headers(who), params=params)
            assert CANARY not in answer.text, (who, path)
            asked += 1
    assert asked > 100
    own: Any = await world.good(world.other, "GET", f"/centers/{world.other.center}/children")
    assert CANARY in str(own)


async def _counts(world: RightsWorld, reach: Reach, tables: set[str]) -> dict[str, int]:
    with asks(Asking(reach)):
        async with world.families.units.read() as connection:
            return {
                table: int(await connection.scalar(text(f"SELECT count(*) FROM {table}")) or 0)
                for table in sorted(tables)
            }


async def _people(world: RightsWorld, center_id: str) -> int:
    return int(
        await world.families.value("SELECT count(*) FROM person WHERE center_id = CAST(:c AS uuid)", c=center_id)
    )
