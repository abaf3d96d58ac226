"""Closures and locks: they reach the desks in the centre's record, and judge what is recorded."""

import msgspec
import pytest
from sqlalchemy import text

from server.services.verification import Verification
from sync.records import CenterRecord
from tests.contract.server_world import NOW_MS
from tests.support.api import problem
from tests.support.inbox import Inbox

pytestmark = pytest.mark.postgres

TODAY = {"first_day": "2026-09-21", "last_day": "2026-09-21", "reason": "Staff training"}
LAST_WEEK = {"first_day": "2026-09-14", "last_day": "2026-09-20"}
DAY_MINUTES = 24 * 60


def path(inbox: Inbox, what: str) -> str:
    return f"/api/v1/centers/{inbox.api.centers['north']}/{what}"


async def record(inbox: Inbox) -> CenterRecord:
    """The centre as every desk holds it."""
    async with inbox.units.read() as connection:
        body = await connection.scalar(
            text("SELECT body FROM current_record WHERE entity = 'center' AND center_id = :center_id"),
            {"center_id": inbox.api.centers["north"]},
        )
    return msgspec.json.decode(bytes(body), type=CenterRecord)


async def test_a_closure_reaches_the_desks_and_judges_who_came_and_can_be_taken_back(inbox: Inbox) -> None:
    child, desk, client = await inbox.person("C-2"), await inbox.desk(), inbox.api.client
    await inbox.push(desk, desk.check_in(child, minute=-30))
    assert await inbox.listed() == []
    headers = await inbox.who("manager")
    made = await client.post(path(inbox, "closures"), json=TODAY, headers=headers)
    assert made.status_code == 201, made.text
    (closure,) = (await record(inbox)).closures or ()
    assert (closure.first_day, closure.reason) == ("2026-09-21", "Staff training")
    assert [one["kind"] for one in await inbox.listed()] == ["presence_on_closure"]
    listed = await client.get(path(inbox, "closures"), headers=inbox.headers)
    assert [one["id"] for one in listed.json()["items"]] == [made.json()["id"]]
    gone = await client.delete(path(inbox, f"closures/{made.json()['id']}"), headers=headers)
    assert gone.status_code == 204
    assert await inbox.listed() == []
    assert not (await record(inbox)).closures
    assert (await Verification(inbox.units).check(inbox.api.centers["north"])).findings == []


async def test_what_arrives_after_a_lock_is_an_adjustment_and_what_was_there_is_none(inbox: Inbox) -> None:
    child, desk, client = await inbox.person("C-2"), await inbox.desk(), inbox.api.client
    yesterday = -DAY_MINUTES
    await inbox.push(desk, desk.check_in(child, minute=yesterday))
    headers = await inbox.who("manager")
    assert (await client.post(path(inbox, "period-locks"), json=LAST_WEEK, headers=headers)).status_code == 201
    (lock,) = (await record(inbox)).locks or ()
    assert lock.locked_at_ms == NOW_MS
    assert await inbox.listed() == []
    inbox.api.clock.advance_ms(1_000)
    await inbox.push(desk, desk.check_out(child, minute=yesterday + 60))
    assert [one["kind"] for one in await inbox.listed()] == ["adjustment_after_lock"]
    again = await inbox.api.services.projections.rebuild(inbox.api.centers["north"])
    assert (again.wrong_stays, again.wrong_reviews) == (0, 0)


async def test_days_that_are_not_over_or_end_before_they_begin_are_refused(inbox: Inbox) -> None:
    client, headers = inbox.api.client, await inbox.who("manager")
    backwards = {"first_day": "2026-09-20", "last_day": "2026-09-19"}
    for what, body in (
        ("period-locks", TODAY),
        ("closures", backwards),
        ("closures", {**TODAY, "last_day": "2030-01-01"}),
    ):
        assert problem(await client.post(path(inbox, what), json=body, headers=headers)) == (422, "invalid_input")
    far = {"first_day": "1999-12-31", "last_day": "2000-01-01"}
    assert problem(await client.post(path(inbox, "closures"), json=far, headers=headers)) == (422, "invalid_input")


async def test_only_managers_close_and_lock_and_a_lock_stays(inbox: Inbox) -> None:
    client = inbox.api.client
    for what in ("closures", "period-locks"):
        refused = await client.post(path(inbox, what), json=LAST_WEEK, headers=inbox.headers)
        assert problem(refused) == (403, "not_entitled")
    headers = await inbox.who("manager")
    made = await client.post(path(inbox, "period-locks"), json=LAST_WEEK, headers=headers)
    gone = await client.delete(path(inbox, f"closures/{made.json()['id']}"), headers=headers)
    assert problem(gone) == (404, "not_found")
    listed = await client.get(path(inbox, "period-locks"), headers=inbox.headers)
    assert len(listed.json()["items"]) == 1
