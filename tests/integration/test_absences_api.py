"""Absences over the HTTP door: who may say what, what desks hold of it, who came all the same and who is missing."""

from typing import Any
from uuid import uuid4

import httpx
import msgspec
import pytest
from sqlalchemy import text

from server.core.ids import Ids
from server.services.roster_file import SourceFile
from server.services.scope import Move, Scope
from server.services.verification import Verification
from sync.records import ChildRecord
from tests.contract.server_world import MINUTE_MS
from tests.support.api import problem
from tests.support.inbox import Inbox

pytestmark = pytest.mark.postgres

# The clock stands at 15:13:20 of Monday 2026-09-21 at the centre (Lisbon).
MONDAY, TUESDAY = "2026-09-21", "2026-09-22"
SICK = {"first_day": MONDAY, "last_day": TUESDAY, "kind": "sick", "informed_by": "Mother"}
DAY_MINUTES = 24 * 60
HOURS = "record,external_id,name,time_zone,opens_at,closes_at\ncenter,north,North House,Europe/Lisbon,08:00,18:00\n"


class Front:
    """The door as a member of staff meets it, or somebody else."""

    def __init__(self, inbox: Inbox) -> None:
        self.inbox = inbox
        self.center = f"/api/v1/centers/{inbox.api.centers['north']}"

    async def call(self, method: str, path: str, body: Any = None, *, who: str = "staff") -> httpx.Response:
        headers = {**await self.inbox.who(who), **({"If-Match": "*"} if method == "PUT" else {})}
        return await self.inbox.api.client.request(method, self.center + path, json=body, headers=headers)

    async def good(self, method: str, path: str, body: Any = None, *, who: str = "staff") -> Any:
        answer = await self.call(method, path, body, who=who)
        assert answer.status_code in (200, 201), answer.text
        return answer.json()

    async def announce(self, child: str, **more: Any) -> Any:
        body = {"absence_id": str(uuid4()), **SICK, **more}
        return await self.good("POST", f"/children/{child}/absences", body)

    async def missing(self, **more: str) -> list[str]:
        query = "&".join(f"{name}={value}" for name, value in more.items())
        found = await self.good("GET", f"/absences/unexplained?{query}")
        return [one["child"]["given_name"] for one in found["items"]]

    async def record(self, child: str) -> ChildRecord:
        """The child as every desk holds it."""
        async with self.inbox.units.read() as connection:
            statement = text("SELECT body FROM current_record WHERE entity = 'child' AND entity_id = :child")
            return msgspec.json.decode(bytes(await connection.scalar(statement, {"child": child})), type=ChildRecord)

    async def attendance(self, child: str, day: str = MONDAY) -> Any:
        params = {"center_id": self.inbox.api.centers["north"], "child_id": child, "day": day}
        answer = await self.inbox.api.client.get("/api/v1/attendance", params=params, headers=self.inbox.headers)
        return answer.json()["children"][0]

    async def verify(self) -> None:
        center_id = self.inbox.api.centers["north"]
        assert (await Verification(self.inbox.units).check(center_id)).findings == []
        again = await self.inbox.api.services.projections.rebuild(center_id)
        assert (again.wrong_stays, again.wrong_reviews) == (0, 0)


@pytest.fixture
def front(inbox: Inbox) -> Front:
    return Front(inbox)


async def test_an_absence_is_announced_once_changed_and_withdrawn_and_desks_hold_its_days(front: Front) -> None:
    ana = await front.inbox.person("C-2")
    made = await front.announce(ana, note="Fever", informed_at="2026-09-21T07:30:00+01:00")
    assert (made["kind"], made["billable"], made["withdrawn_at"]) == ("sick", True, None)
    (held,) = (await front.record(ana)).absences or ()
    assert (held.absence_id, held.first_day, held.last_day, held.kind) == (made["absence_id"], MONDAY, TUESDAY, "sick")
    assert (await front.attendance(ana))["absence"]["kind"] == "sick"
    again = {**SICK, "absence_id": made["absence_id"], "informed_at": "2026-09-21T07:30:00+01:00"}
    assert await front.good("POST", f"/children/{ana}/absences", again) == made
    other = await front.call("POST", f"/children/{ana}/absences", {**again, "last_day": "2026-09-23"})
    assert problem(other) == (409, "conflict")
    path = f"/children/{ana}/absences/{made['absence_id']}"
    changed = await front.good("PUT", path, {"kind": "holiday", "justified": True, "billable": False})
    assert (changed["kind"], changed["justified"], changed["billable"], changed["note"]) == ("holiday", True, False, "")
    assert [one.kind for one in (await front.record(ana)).absences or ()] == ["holiday"]
    gone = await front.good("POST", f"{path}/withdrawal")
    assert gone["withdrawn_at"]
    assert await front.good("POST", f"{path}/withdrawal") == gone
    assert problem(await front.call("PUT", path, {"kind": "sick"})) == (409, "conflict")
    assert not (await front.record(ana)).absences
    assert (await front.attendance(ana))["absence"] is None
    listed = await front.good("GET", f"/children/{ana}/absences")
    assert [one["absence_id"] for one in listed["items"]] == [made["absence_id"]]
    await front.verify()


async def test_what_is_not_theirs_or_out_of_bounds_is_refused(front: Front) -> None:
    ana = await front.inbox.person("C-2")
    body = {"absence_id": str(uuid4()), **SICK}
    path = f"/children/{ana}/absences"
    assert problem(await front.call("POST", path, body, who="stranger")) == (404, "not_found")
    assert problem(await front.call("POST", path, body, who="parent")) == (403, "not_entitled")
    nobody = f"/children/{uuid4()}"
    assert problem(await front.call("POST", f"{nobody}/absences", body)) == (404, "not_found")
    assert problem(await front.call("GET", f"{nobody}/absences")) == (404, "not_found")
    for wrong in (
        {"last_day": "2026-09-20"},
        {"last_day": "2027-09-22"},
        {"first_day": "1999-12-31", "last_day": "2000-01-01"},
        {"informed_at": "2030-01-01T00:00:00Z"},
        {"note": "x" * 501},
        {"kind": "tired"},
    ):
        assert (await front.call("POST", path, {**body, **wrong})).status_code == 422, wrong
    zoe = await front.inbox.person("C-1")
    made = await front.announce(zoe)
    assert problem(await front.call("PUT", f"{path}/{made['absence_id']}", {"kind": "other"})) == (404, "not_found")
    assert problem(await front.call("POST", f"{path}/{made['absence_id']}/withdrawal")) == (404, "not_found")
    lock = {"first_day": "2026-09-14", "last_day": "2026-09-20"}
    await front.good("POST", "/period-locks", lock, who="manager")
    late = {**body, "first_day": "2026-09-18"}
    assert problem(await front.call("POST", path, late)) == (409, "conflict")
    for number in range(64):
        day = f"2027-{1 + number // 28:02}-{1 + number % 28:02}"
        await front.announce(ana, first_day=day, last_day=day)
    assert problem(await front.call("POST", path, body)) == (409, "conflict")
    assert len((await front.record(ana)).absences or ()) == 64


async def test_presence_ends_an_absence_and_who_is_missing_is_told_and_called(front: Front) -> None:
    inbox, ana, zoe = front.inbox, await front.inbox.person("C-2"), await front.inbox.person("C-1")
    assert await front.missing() == ["Zoë", "Ana"]
    await front.announce(ana)
    assert await front.missing() == ["Zoë"]
    call = {"follow_up_id": str(uuid4()), "day": MONDAY, "result": "no_answer", "note": "Rang twice"}
    noted = await front.good("POST", f"/children/{zoe}/follow-ups", call)
    assert noted["by"]
    assert await front.good("POST", f"/children/{zoe}/follow-ups", call) == noted
    far = {**call, "follow_up_id": str(uuid4()), "day": TUESDAY}
    assert problem(await front.call("POST", f"/children/{zoe}/follow-ups", far)) == (422, "invalid_input")
    found = await front.good("GET", "/absences/unexplained")
    assert (found["is_open"], found["expected"]) == (True, 2)
    assert [one["result"] for one in found["items"][0]["follow_ups"]] == ["no_answer"]
    desk = await inbox.desk()
    await inbox.push(desk, desk.check_in(zoe, minute=-30), desk.check_in(ana, minute=-60))
    assert (await front.missing(), await front.missing(by="14:30"), await front.missing(by="14:00")) == (
        [], ["Zoë"], ["Zoë"],
    )  # fmt: skip
    (day,) = (await front.good("GET", f"/absences?day={MONDAY}"))["items"]
    assert (day["child"]["given_name"], day["has_come"]) == ("Ana", True)
    assert day["ended_at"].startswith("2026-09-21T14:13:20")
    assert await inbox.listed() == []
    inbox.api.clock.advance_ms(DAY_MINUTES * MINUTE_MS)
    inbox.headers = inbox._signed_in["staff"] = await log_in(inbox)
    (day,) = (await front.good("GET", "/absences"))["items"]
    assert (day["absence"]["first_day"], day["has_come"]) == (MONDAY, True)
    await inbox.push(desk, desk.check_out(zoe, minute=-10), desk.check_out(ana, minute=-10))
    inbox.api.clock.advance_ms(DAY_MINUTES * MINUTE_MS)
    inbox.headers = inbox._signed_in["staff"] = await log_in(inbox)
    assert await front.missing(day=TUESDAY) == ["Zoë", "Ana"]
    assert await front.missing(day="2026-09-20") == []
    assert problem(await front.call("GET", "/absences/unexplained?day=2026-09-24")) == (422, "invalid_input")


async def log_in(inbox: Inbox) -> dict[str, str]:
    """A token lives for minutes."""
    form = {"username": "staff@example.org", "password": "seven quiet green gates"}
    answer = await inbox.api.client.post("/api/v1/auth/token", data=form)
    return {"Authorization": f"Bearer {answer.raise_for_status().json()['access_token']}"}


async def test_days_of_enrolment_and_employment_judge_what_was_recorded(front: Front) -> None:
    inbox, ana = front.inbox, await front.inbox.person("C-2")
    ruth, desk = await inbox.person("S-1"), await inbox.desk()
    await inbox.push(desk, desk.check_in(ana, minute=-60, staff_id=ruth))
    assert await inbox.listed() == []
    enrolment, employment = f"/children/{ana}/enrolment", f"/staff/{ruth}/employment"
    days = {"enrolled_from": TUESDAY, "enrolled_to": None}
    assert problem(await front.call("PUT", enrolment, days)) == (403, "not_entitled")
    assert problem(await front.call("PUT", enrolment, days, who="stranger")) == (404, "not_found")
    assert (await front.good("PUT", enrolment, days, who="manager"))["enrolled_from"] == TUESDAY
    assert [one["kind"] for one in await inbox.listed()] == ["time_uncertain"]
    assert (await front.attendance(ana))["findings"][0]["kind"] == "time_uncertain"
    assert (await front.record(ana)).enrolled_from == TUESDAY
    assert await front.missing() == ["Zoë"]
    backwards = {"enrolled_from": TUESDAY, "enrolled_to": MONDAY}
    assert problem(await front.call("PUT", enrolment, backwards, who="manager")) == (422, "invalid_input")
    await front.good("PUT", enrolment, {"enrolled_from": MONDAY, "enrolled_to": None}, who="manager")
    assert await inbox.listed() == []
    gone = {"employed_from": None, "employed_to": "2026-09-20"}
    assert problem(await front.call("PUT", f"/staff/{ana}/employment", gone, who="manager")) == (404, "not_found")
    await front.good("PUT", employment, gone, who="manager")
    assert [one["kind"] for one in await inbox.listed()] == ["actor_not_entitled"]
    await inbox.push(desk, desk.check_out(ana, minute=-50, staff_id=ruth))
    assert [one["kind"] for one in await inbox.listed()] == ["actor_not_entitled"] * 2
    await front.verify()
    kept = {"employed_from": "2020-01-01", "employed_to": MONDAY}
    await front.good("PUT", employment, kept, who="manager")
    assert await inbox.listed() == []
    assert await front.good("GET", employment, who="manager") == {"person_id": ruth, "role": "educator", **kept}
    roster = "record,external_id,center,given_name,family_name,role,employed_to\n"
    await take_in(inbox, f"{roster}staff,S-1,north,Ruth,Appiah,educator,2026-09-19\n")
    assert [one["kind"] for one in await inbox.listed()] == ["actor_not_entitled"] * 2
    await take_in(inbox, f"{roster}staff,S-1,north,Ruth,Appiah,educator,\n")
    assert (await front.good("GET", employment, who="manager"))["employed_to"] == "2026-09-19"
    children = "record,external_id,center,given_name,family_name,enrolled_from\n"
    await take_in(inbox, f"{children}child,C-2,north,Ana,Silva,2026-10-01\n")
    assert sorted({one["kind"] for one in await inbox.listed()}) == ["actor_not_entitled", "time_uncertain"]
    await front.verify()


async def take_in(inbox: Inbox, roster: str) -> None:
    report = await inbox.api.services.roster_import.run([SourceFile("roster.csv", roster.encode())])
    assert report.stored, report.problems


async def test_managers_are_told_once_how_many_children_are_missing_and_not_who(front: Front) -> None:
    inbox = front.inbox
    await inbox.who("manager")
    job = inbox.api.services.absence_follow_up
    assert await job.run() == 0  # the centre has no opening time
    await take_in(inbox, HOURS)
    assert await job.run() == 0  # it is afternoon: seven hours after opening
    inbox.api.clock.advance_ms(-6 * 60 * MINUTE_MS)
    assert [await job.run(), await job.run()] == [1, 0]
    async with inbox.units.read() as connection:
        (mail,) = (await connection.execute(text("SELECT recipient, subject, body FROM mail_outbox"))).all()
    assert mail.recipient == "manager@example.org"
    assert mail.subject == "North House: 2 children not here, and announced by nobody"
    assert not any(name in mail.body for name in ("Ana", "Silva", "Zoë", "Ünal"))


async def test_what_is_announced_goes_along_with_a_child_that_moves(front: Front) -> None:
    inbox, ana = front.inbox, await front.inbox.person("C-2")
    await front.announce(ana, first_day="2026-09-18", last_day="2026-09-18")
    coming = await front.announce(ana, first_day=TUESDAY)
    await front.good("PUT", f"/children/{ana}/enrolment", {"enrolled_from": MONDAY, "enrolled_to": None}, who="manager")
    scope = Scope(inbox.units, inbox.api.clock, Ids(inbox.api.clock).new)
    await scope.move_child(Move("C-2", "south"))
    there = await front.record(ana)
    assert [one.absence_id for one in there.absences or ()] == [coming["absence_id"]]
    assert there.enrolled_from == MONDAY
    assert problem(await front.call("GET", f"/children/{ana}/absences")) == (404, "not_found")
    south = front.center.replace(inbox.api.centers["north"], inbox.api.centers["south"])
    path = f"{south}/children/{ana}/absences/{coming['absence_id']}/withdrawal"
    gone = await inbox.api.client.post(path, headers=await inbox.who("stranger"))
    assert gone.status_code == 200, gone.text
    await scope.move_child(Move("C-2", "north"))
    assert [one.first_day for one in (await front.record(ana)).absences or ()] == ["2026-09-18"]
    for code in ("north", "south"):
        assert (await Verification(inbox.units).check(inbox.api.centers[code])).findings == []
