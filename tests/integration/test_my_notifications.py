"""Guardians choose of what they are told, and are told it once, for as long as they may see the child."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

import pytest
from sqlalchemy import text

from server.core.database import create_engine
from server.core.ids import Ids
from server.repositories.job_locks import JobLocks
from server.services.guardian_notices import GuardianNotices
from server.services.late_pick_ups import LatePickUps
from server.services.mail import Outbox
from server.services.mail_sender import NO_RIGHT, MailSender
from tests.contract.server_world import Desk, new_id
from tests.support.api import Api, problem
from tests.support.families import Families, families_of
from tests.support.post_office import post_office
from tests.support.postgres import FreshDatabase

pytestmark = pytest.mark.postgres


@pytest.fixture
async def families(api: Api, database: FreshDatabase) -> AsyncIterator[Families]:
    engine = create_engine(database.urls.app, pool_size=3)
    async with AsyncExitStack() as stack:
        # The app's own jobs tell nobody meanwhile.
        for job in ("tell_guardians", "tell_late_pick_ups", "absence_follow_up"):
            assert await stack.enter_async_context(JobLocks(engine).held(job))
        yield await stack.enter_async_context(families_of(api, database))
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


HOURS = "record,external_id,name,time_zone,opens_at,closes_at\ncenter,north,North House,Europe/Lisbon,09:00,18:00\n"
SERVICE = {
    "code": "AM", "name": "Mornings", "unit": "session", "currency": "EUR", "capacity": 5,
    "weekdays": [1, 2, 3, 4, 5], "from_time": "08:00", "to_time": "13:00",
}  # fmt: skip
TERMS = {"price": "25.50", "late_minute_price": "0.80", "late_grace_min": 10}
DAY_MS = 86_400_000
DAY = 24 * 60


async def test_who_chose_it_is_asked_where_a_child_is_and_told_once_that_it_was_picked_up_late(
    families: Families,
) -> None:
    ids, clock, units = families.ids, families.api.clock, families.units
    await families.take_in(HOURS)
    late = LatePickUps(units, Outbox(clock, Ids(clock).new), clock, "https://rollcall.example.org")
    ask = families.api.services.absence_follow_up.run
    service = new_id()
    await families.good("manager", "PUT", f"{{north}}/services/{service}", json=SERVICE)
    await families.good("manager", "PUT", f"{{north}}/services/{service}/terms/2026-01-01", tag="*", json=TERMS)
    desk = await families.desk()
    # Late today, which was before anybody chose; and everybody is booked for tomorrow.
    for child, day in (("C-1", "2026-09-21"), ("C-1", "2026-09-22"), ("C-2", "2026-09-22")):
        wish = {"id": new_id(), "child_id": ids[child], "service_id": service, "day": day}
        await families.good("manager", "POST", "{north}/bookings", json=wish)
    await families.push(desk, desk.check_in(ids["C-1"], minute=-420), desk.check_out(ids["C-1"], minute=-60))
    for who, child in (("mother", "C-1"), ("neighbour", "C-2")):
        await families.good(who, "PUT", "/my/notifications", json=chosen(ids[child], "late_pick_up", "absence_asked"))
    assert await late.run() == 0
    clock.advance_ms(DAY_MS)
    families.sign_out()
    # C-2 comes and leaves within the grace; C-1 is not there in the afternoon: the manager and its mother hear of it.
    stay = [desk.check_in(ids["C-2"], minute=DAY - 430), desk.check_out(ids["C-2"], minute=DAY - 130)]
    await families.push(desk, *stay)
    assert [await ask(), await ask()] == [2, 0]
    assert await late.run() == 0
    await families.push(desk, desk.check_in(ids["C-1"], minute=DAY - 420), desk.check_out(ids["C-1"], minute=DAY - 100))
    assert [await late.run(), await late.run()] == [1, 0]
    assert await families.wrong_books() == []  # which rebuilds the stays
    assert await late.run() == 0
    async with units.read() as connection:
        statement = "SELECT recipient, subject, body FROM mail_outbox WHERE user_id IS NOT NULL ORDER BY subject"
        asked, told = (await connection.execute(text(statement))).all()
    assert {asked.recipient, told.recipient} == {"mother@example.org"}
    assert (asked.subject, told.subject) == (
        "North House: A child of yours is expected and not here", "North House: A child of yours was picked up late",
    )  # fmt: skip
    assert "2026-09-22 13:33: A child of yours was picked up late, 33 min after the booked end (13:00)." in told.body
    assert not any(word in one.body + one.subject for one in (asked, told) for word in ("Zoë", "Ünal"))
    # On a day on which it has no place, nobody asks its mother.
    clock.advance_ms(DAY_MS)
    assert await ask() == 1
