"""`/api/v1/reviews`: what people have to settle, its evidence, and answers that travel as events."""

from typing import Any

import pytest
from sqlalchemy import text

from server.services.journal_intake import JournalIntake
from server.services.roster_file import SourceFile
from server.services.verification import Verification
from sync.journal import Outcome
from tests.contract.server_world import new_id
from tests.support.api import problem
from tests.support.inbox import Inbox

pytestmark = pytest.mark.postgres


async def two_collectors(inbox: Inbox) -> tuple[str, dict[str, Any]]:
    """Two desks gave one child to two people; gives the child and the finding."""
    child = await inbox.person("C-2")
    front, back = await inbox.desk("Front desk"), await inbox.desk("Back door")
    await inbox.push(front, front.check_in(child, minute=-90), front.check_out(child, minute=-30, adult_name="Ann"))
    await inbox.push(back, back.check_out(child, minute=-28, adult_name="Bob"))
    (found,) = await inbox.listed()
    return child, found


async def test_a_finding_is_listed_with_both_sides_and_what_may_be_answered(inbox: Inbox) -> None:
    child, found = await two_collectors(inbox)
    assert (found["kind"], found["severity"], found["state"]) == ("two_collectors", "critical", "open")
    assert (found["subject_id"], found["subject_name"]) == (child, "Ana Silva")
    assert [(one["device_name"], one["adult_name"]) for one in found["evidence"]] == [
        ("Front desk", "Ann"),
        ("Back door", "Bob"),
    ]
    answers = [one["answer"] for one in found["possible_answers"]]
    assert answers == ["first_collected", "second_collected", "both_there"]
    assert all(one["consequence"] for one in found["possible_answers"])


async def test_a_child_who_is_not_on_file_is_asked_after_by_its_name_until_somebody_says_who_it_is(
    inbox: Inbox,
) -> None:
    front, guest = await inbox.desk("Front desk"), new_id()
    said = {"provisional_name": "Mia New", "adult_name": "Paula New"}
    assert await inbox.push(front, front.check_in(guest, minute=-90, **said)) == [Outcome.CONFLICT]
    (found,) = await inbox.listed()
    assert (found["kind"], found["subject_id"], found["subject_name"]) == ("unknown_reference", guest, "Mia New")
    assert [one["answer"] for one in found["possible_answers"]] == ["known", "wrong"]
    answer = await inbox.answer(found["finding"], "known", reason="Mia, of the family New; a file is made")
    assert answer.status_code == 201, answer.text
    assert await inbox.listed() == []
    assert (await Verification(inbox.units).check(inbox.api.centers["north"])).findings == []


async def test_an_answer_is_an_event_that_acts_and_closes_the_finding(inbox: Inbox) -> None:
    child, found = await two_collectors(inbox)
    answer = await inbox.answer(found["finding"], "second_collected", reason="Ann only waved")
    assert answer.status_code == 201, answer.text
    assert await inbox.listed() == []
    (closed,) = await inbox.listed(state="answered")
    assert (closed["answer"], closed["answered_by"]) == ("second_collected", answer.json()["event_id"])
    assert closed["possible_answers"] == []
    params = {"center_id": inbox.api.centers["north"], "child_id": child}
    day = (await inbox.api.client.get("/api/v1/attendance", params=params, headers=inbox.headers)).json()
    (stay,) = day["children"][0]["stays"]
    assert stay["check_out"] == found["evidence"][1]["event_id"]
    report = await Verification(inbox.units).check(inbox.api.centers["north"])
    assert report.findings == []


async def test_a_later_answer_takes_the_place_of_an_earlier_one(inbox: Inbox) -> None:
    child, found = await two_collectors(inbox)
    await inbox.answer(found["finding"], "second_collected")
    inbox.api.clock.advance_ms(1_000)
    assert (await inbox.answer(found["finding"], "first_collected")).status_code == 201
    (closed,) = await inbox.listed(state="answered")
    assert closed["answer"] == "first_collected"
    async with inbox.units.read() as connection:
        statement = "SELECT check_out FROM stay WHERE subject_id = :child"
        assert str(await connection.scalar(text(statement), {"child": child})) == found["evidence"][0]["event_id"]


async def test_a_time_that_an_answer_needs_is_asked_for_and_checked(inbox: Inbox) -> None:
    child, desk = await inbox.person("C-2"), await inbox.desk()
    await inbox.push(desk, desk.check_in(child, minute=-300), desk.check_in(child, minute=-60))
    (found,) = await inbox.listed()
    assert found["kind"] == "possible_missed_check_out"
    key = found["finding"]
    assert problem(await inbox.answer(key, "left_between")) == (422, "invalid_input")
    ahead = {"left_at": "2026-09-21T23:59:00+02:00"}
    assert problem(await inbox.answer(key, "left_between", **ahead)) == (422, "invalid_input")
    naive = {"left_at": "2026-09-21T11:00:00"}
    assert (await inbox.answer(key, "left_between", **naive)).status_code == 422
    needless = {"left_at": "2026-09-21T11:00:00+02:00"}
    assert problem(await inbox.answer(key, "never_left", **needless)) == (422, "invalid_input")
    assert (await inbox.answer(key, "left_between", **needless)).status_code == 201
    async with inbox.units.read() as connection:
        statement = "SELECT count(*) FROM stay WHERE subject_id = :child"
        assert await connection.scalar(text(statement), {"child": child}) == 2


async def test_an_answer_that_is_none_and_a_finding_that_is_none_are_refused(inbox: Inbox) -> None:
    _, found = await two_collectors(inbox)
    assert problem(await inbox.answer(found["finding"], "left_between")) == (422, "invalid_input")
    assert problem(await inbox.answer(f"{found['finding']}x", "both_there")) == (404, "not_found")


async def test_staff_read_and_managers_answer_and_parents_do_neither(inbox: Inbox) -> None:
    _, found = await two_collectors(inbox)
    assert problem(await inbox.answer(found["finding"], "both_there", who="staff")) == (403, "not_entitled")
    assert problem(await inbox.answer(found["finding"], "both_there", who="stranger")) == (404, "not_found")
    inbox.headers = await inbox.who("parent")
    params = {"center_id": inbox.api.centers["north"]}
    answer = await inbox.api.client.get("/api/v1/reviews", params=params, headers=inbox.headers)
    assert problem(answer) == (403, "not_entitled")


async def test_pages_go_on_behind_their_cursor_and_filters_hold(inbox: Inbox) -> None:
    child, desk = await inbox.person("C-2"), await inbox.desk()
    for number in range(5):
        inbox.api.clock.advance_ms(1_000)
        await inbox.push(desk, desk.check_out(child, minute=-300 + 20 * number))
    whole = [one["finding"] for one in await inbox.listed()]
    assert len(whole) == 5
    seen: list[str] = []
    cursor = ""
    while True:
        page = await inbox.page(limit="2", cursor=cursor) if cursor else await inbox.page(limit="2")
        seen += [one["finding"] for one in page["items"]]
        cursor = page["next_cursor"]
        if not cursor:
            break
    assert seen == whole
    assert await inbox.listed(severity="critical") == []
    assert len(await inbox.listed(kind="check_out_without_check_in", state="all")) == 5
    assert await inbox.listed(subject_id=await inbox.person("C-1")) == []
    params = {"center_id": inbox.api.centers["north"], "cursor": "?"}
    bad = await inbox.api.client.get("/api/v1/reviews", params=params, headers=inbox.headers)
    assert problem(bad) == (422, "invalid_input")


async def test_a_release_after_a_block_is_critical_and_says_for_how_long_the_desk_was_wrong(inbox: Inbox) -> None:
    child, adult, desk = await inbox.person("C-1"), await inbox.person("G-1"), await inbox.desk()
    await inbox.set_pickup("suspended", at_minute=-50)
    came = desk.check_in(child, minute=-90)
    assert await inbox.push(desk, came, desk.check_out(child, minute=-30, adult_id=adult)) == [
        Outcome.APPLIED,
        Outcome.CONFLICT,
    ]
    (found,) = await inbox.listed(severity="critical")
    assert (found["kind"], found["minutes_stale"]) == ("released_on_stale_authorisation", 20)


@pytest.mark.parametrize(("minute", "expected"), [(-80, 0), (-30, 1), (-10, 0)])
async def test_only_a_release_while_it_was_blocked_is_found(inbox: Inbox, minute: int, expected: int) -> None:
    child, adult, desk = await inbox.person("C-1"), await inbox.person("G-1"), await inbox.desk()
    await inbox.set_pickup("not_authorised", at_minute=-50)
    await inbox.set_pickup("authorised", at_minute=-20)
    await inbox.push(desk, desk.check_in(child, minute=-90), desk.check_out(child, minute=minute, adult_id=adult))
    assert len(await inbox.listed()) == expected


async def test_days_that_are_taken_from_an_authorisation_judge_earlier_releases_anew(inbox: Inbox) -> None:
    child, adult, desk = await inbox.person("C-1"), await inbox.person("G-1"), await inbox.desk()
    await inbox.push(desk, desk.check_in(child, minute=-90), desk.check_out(child, minute=-30, adult_id=adult))
    assert await inbox.listed() == []
    ended = "record,center,child,adult,status,valid_to\npickup,north,C-1,G-1,temporary,2026-09-20\n"
    await inbox.api.services.roster_import.run([SourceFile("roster.csv", ended.encode())])
    (found,) = await inbox.listed()
    assert found["kind"] == "released_on_stale_authorisation"
    rebuilt = await inbox.api.services.projections.rebuild(inbox.api.centers["north"])
    assert (rebuilt.wrong_stays, rebuilt.wrong_reviews) == (0, 0)


async def test_the_desk_of_the_server_is_no_kiosk(inbox: Inbox) -> None:
    _, found = await two_collectors(inbox)
    await inbox.answer(found["finding"], "both_there")
    headers = await inbox.who("manager")
    listed = await inbox.api.client.get(f"/api/v1/centers/{inbox.api.centers['north']}/devices", headers=headers)
    assert sorted(one["name"] for one in listed.json()["items"]) == ["Back door", "Front desk"]
    async with inbox.units.read() as connection:
        device_id = await connection.scalar(text("SELECT id FROM device WHERE kind = 'server'"))
    answer = await inbox.api.client.post(f"/api/v1/devices/{device_id}/revoke", headers=headers)
    assert answer.status_code == 404


async def test_managers_are_mailed_a_critical_finding_once_and_no_mail_names_a_person(inbox: Inbox) -> None:
    await inbox.who("manager")
    intake = JournalIntake(inbox.units, inbox.api.clock, inbox.api.services.notifications.tell_critical)
    child, desk = await inbox.person("C-2"), await inbox.desk()
    first = desk.check_in(child, minute=-90), desk.check_out(child, minute=-30, adult_name="Ann")
    await intake.store_batch(desk.key, first)
    assert await mails(inbox) == []
    await intake.store_batch(desk.key, [desk.check_out(child, minute=-28, adult_name="Bob")])
    await intake.store_batch(desk.key, [desk.check_in(child, minute=-20)])
    ((recipient, subject, body),) = await mails(inbox)
    assert recipient == "manager@example.org"
    assert "North House" in subject
    assert not any(name in subject + body for name in ("Ana", "Silva", "Ann", "Bob"))
    forced = {"reason_code": "override", "reason": "sent by Ana's mother", "note": "Second person: Sam (5)"}
    await intake.store_batch(desk.key, [desk.check_out(child, minute=-10, adult_name="Cid", **forced)])
    (_, (_, subject, body)) = await mails(inbox)
    assert "a second person overrode" in body
    assert not any(name in subject + body for name in ("Ana", "Cid", "Sam"))
    (found,) = await inbox.listed(severity="critical", kind="released_by_override")
    (said,) = found["evidence"]
    assert (said["adult_name"], said["reason"], said["note"]) == ("Cid", forced["reason"], forced["note"])
    assert [one["answer"] for one in found["possible_answers"]] == ["in_order", "not_in_order"]


async def mails(inbox: Inbox) -> list[tuple[str, str, str]]:
    """Recipient, subject and text of every mail that waits."""
    async with inbox.units.read() as connection:
        rows = await connection.execute(text("SELECT recipient, subject, body FROM mail_outbox ORDER BY id"))
        return [(row.recipient, row.subject, row.body) for row in rows]
