"""Guardians choose of what they are told, and are told it once, for as long as they may see the child."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from sqlalchemy import text

from server.core.database import create_engine
from server.core.ids import Ids
from server.repositories.job_locks import JobLocks
from server.services.guardian_notices import GuardianNotices
from server.services.mail import Outbox
from server.services.mail_sender import NO_RIGHT, MailSender
from tests.contract.server_world import Desk
from tests.support.api import Api, problem
from tests.support.families import Families, families_of
from tests.support.post_office import post_office
from tests.support.postgres import FreshDatabase

pytestmark = pytest.mark.postgres


@pytest.fixture
async def families(api: Api, database: FreshDatabase) -> AsyncIterator[Families]:
    engine = create_engine(database.urls.app, pool_size=1)
    # The app's own job tells nobody meanwhile.
    async with JobLocks(engine).held("tell_guardians") as is_ours, families_of(api, database) as opened:
        assert is_ours
        yield opened
    await engine.dispose()


def chosen(child_id: str, *kinds: str) -> dict[str, Any]:
    return {"items": [{"child_id": child_id, "kinds": list(kinds)}]}


async def test_guardians_are_told_what_they_chose_while_they_may_see_the_child(families: Families) -> None:
    ids, clock, units = families.ids, families.api.clock, families.units
    notices = GuardianNotices(units, Outbox(clock, Ids(clock).new), clock, "https://rollcall.example.org")
    mine = await families.good("mother", "GET", "/my/notifications")
    assert mine["items"] == [{"child_id": ids["C-1"], "kinds": [], "may_hear": True}]
    desk = await families.desk()
    await families.push(desk, desk.check_in(ids["C-1"]))
    for who, child in (("mother", "C-1"), ("neighbour", "C-2")):
        await families.good(who, "PUT", "/my/notifications", json=chosen(ids[child], "checked_out", "pickups"))
    # Nobody chooses for a child that is not theirs, and father may not see C-1.
    for who, child in (("mother", "C-2"), ("father", "C-1")):
        refused = await families.ask(who, "PUT", "/my/notifications", json=chosen(ids[child], "checked_in"))
        assert problem(refused) == (404, "not_found")
    twice = {"items": chosen(ids["C-1"], "pickups")["items"] * 2}
    wrongs: tuple[dict[str, Any], ...] = (
        {"items": []},
        chosen("1", "pickups"),
        chosen(ids["C-1"], "everything"),
        twice,
    )
    for wrong in wrongs:
        assert problem(await families.ask("mother", "PUT", "/my/notifications", json=wrong))[0] == 422
    assert await notices.run() == 0  # what was before is not told
    await families.push(
        desk, desk.check_out(ids["C-1"], minute=1), desk.check_in(ids["C-2"], minute=1),
        desk.check_out(ids["C-2"], minute=2),
    )  # fmt: skip
    pickups = (await families.good("manager", "GET", "{north}/children/{C1}/pickups"))["items"]
    hers = next(one["id"] for one in pickups if one["adult_id"] == ids["G-1"])
    path = f"{{north}}/children/{{C1}}/pickups/{hers}"
    await families.good("manager", "PATCH", path, json={"status": "suspended"}, tag="*")
    # Of C-1: that it left and its list; of C-2: that it left. Each once.
    assert [await notices.run(), await notices.run()] == [3, 0]
    async with units.read() as connection:
        rows = (await connection.execute(text(
            "SELECT recipient, subject, body FROM mail_outbox WHERE dedupe_key LIKE 'guardian_notice:%' ORDER BY 1, 2"
        ))).all()  # fmt: skip
    assert [one.recipient for one in rows] == ["mother@example.org"] * 2 + ["neighbour@example.org"]
    assert not any(word in one.body + one.subject for one in rows for word in ("Zoë", "Ana", "Silva", "Ünal"))
    # The neighbour's right ends while the mail waits: it is not sent.
    kin = f"{{north}}/children/{{C2}}/relationships/{ids['G-3']}"
    await families.good("manager", "PUT", kin, json={"kind": "father", "can_view": False}, tag="*")
    async with post_office() as office:
        sent = await MailSender(units, office.address(), clock, lambda: 0.5).send_due()
        assert (sent.given_up, sent.put_back) == (1, 0)
        assert office.recipients() == ["mother@example.org"] * 2
    statement = "SELECT last_error FROM mail_outbox WHERE recipient = 'neighbour@example.org' AND state = 'given_up'"
    assert await families.value(statement) == NO_RIGHT
    await families.push(desk, desk.check_in(ids["C-2"], minute=3), desk.check_out(ids["C-2"], minute=4))
    assert await notices.run() == 0
    assert await families.good("neighbour", "GET", "/my/notifications") == {"items": [], "next_cursor": ""}
    await _what_is_handed_in_late_is_one_summary(families, notices, desk)


async def _what_is_handed_in_late_is_one_summary(families: Families, notices: GuardianNotices, desk: Desk) -> None:
    ids, clock = families.ids, families.api.clock
    clock.advance_ms(3 * 86_400_000)
    families.sign_out()
    late = [desk.check_in(ids["C-1"], minute=5), desk.check_out(ids["C-1"], minute=6)]
    await families.push(desk, *late, desk.check_in(ids["C-1"], minute=7), desk.check_out(ids["C-1"], minute=8))
    assert await notices.run() == 1
    subject = await families.value("SELECT subject FROM mail_outbox ORDER BY created_at DESC, id DESC LIMIT 1")
    assert subject == "North House: What was recorded earlier about a child of yours"
    # Who chose nothing hears nothing.
    await families.good("mother", "PUT", "/my/notifications", json=chosen(ids["C-1"]))
    await families.push(desk, desk.check_in(ids["C-1"], minute=9), desk.check_out(ids["C-1"], minute=10))
    assert await notices.run() == 0
