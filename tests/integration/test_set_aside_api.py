"""`/api/v1/set-aside`: what desks told and the server kept aside, until a manager takes it in or dismisses it."""

from typing import Any

import msgspec
import pytest
from sqlalchemy import text

from server.repositories.unit_of_work import Connection
from server.services.verification import Verification
from sync.attendance import AttendanceEvent, decode_event
from sync.intake import WITNESSED_KIND
from sync.journal import Entry, Outcome
from sync.records import EventRecord, encode_record
from tests.contract.server_world import NOW_MS, Desk, new_id
from tests.support.api import problem
from tests.support.inbox import Inbox

pytestmark = pytest.mark.postgres


class Aside:
    """What was kept aside, as people of the centre ask for it."""

    def __init__(self, inbox: Inbox) -> None:
        self.inbox = inbox
        self.params = {"center_id": inbox.api.centers["north"]}

    async def listed(self, who: str = "staff", **more: str) -> list[dict[str, Any]]:
        answer = await self.get(who, **more)
        assert answer.status_code == 200, answer.text
        return list(answer.json()["items"])

    async def get(self, who: str, **more: str) -> Any:
        headers = await self.inbox.who(who)
        return await self.inbox.api.client.get("/api/v1/set-aside", params={**self.params, **more}, headers=headers)

    async def decide(self, entry: str, verdict: str, *, who: str = "manager", **more: object) -> Any:
        return await self.inbox.api.client.post(
            "/api/v1/set-aside/answers",
            params=self.params,
            json={"entry": entry, "verdict": verdict, **more},
            headers=await self.inbox.who(who),
        )

    async def named(self) -> dict[str, str]:
        """The given names of everybody on the day's list, by id."""
        answer = await self.inbox.api.client.get("/api/v1/attendance", params=self.params, headers=self.inbox.headers)
        assert answer.status_code == 200, answer.text
        return {one["child_id"]: one["given_name"] for one in answer.json()["children"]}

    async def events(self, child: str) -> list[dict[str, Any]]:
        """The events of a child today."""
        answer = await self.inbox.api.client.get(
            "/api/v1/attendance", params={**self.params, "child_id": child}, headers=self.inbox.headers
        )
        assert answer.status_code == 200, answer.text
        return [event for one in answer.json()["children"] for event in one["events"]]


def as_seen(desk: Desk, entry: Entry, other: Desk) -> Entry:
    """What a second desk tells of an entry of another desk that a restored server has lost."""
    record = EventRecord(
        event=msgspec.Raw(entry.body),
        device_id=other.key.device_id,
        device_name="Front desk",
        incarnation=entry.incarnation,
        seq=entry.seq,
        hlc=entry.hlc,
        received_at_ms=NOW_MS,
        outcome="applied",
    )
    return desk.write(entry.event_id, WITNESSED_KIND, encode_record(record))


async def test_an_arrival_of_nobody_on_file_is_taken_in_for_the_child_who_was_meant(inbox: Inbox) -> None:
    aside, child, ghost = Aside(inbox), await inbox.person("C-2"), new_id()
    front, back = await inbox.desk("Front desk"), await inbox.desk("Back door")
    arrival = front.check_in(ghost, minute=-60, adult_name="Ann")
    assert await inbox.push(front, arrival) == [Outcome.PARKED]
    inbox.api.clock.advance_ms(1_000)
    assert await inbox.push(back, as_seen(back, arrival, front)) == [Outcome.PARKED]
    seen, told = await aside.listed()
    assert (told["device_name"], seen["device_name"]) == ("Front desk", "Back door")
    assert (told["reason"], told["child_id"], told["child_name"]) == ("unknown_reference", ghost, "")
    assert (told["kind"], told["adult_name"], told["can_be_taken_in"]) == ("check_in", "Ann", True)
    home = f"/api/v1/centers/{inbox.api.centers['north']}"
    board = (await inbox.api.client.get(f"{home}/board", headers=inbox.headers)).json()
    assert board["findings"]["set_aside"] == 2

    assert problem(await aside.decide(told["entry"], "taken_in")) == (422, "invalid_input")  # who is it?
    assert problem(await aside.decide(told["entry"], "taken_in", child_id=new_id())) == (404, "not_found")
    taken = await aside.decide(told["entry"], "taken_in", child_id=child, reason="It is Ana")
    assert taken.status_code == 201, taken.text
    assert taken.json()["entries"] == 2
    (event,) = await aside.events(child)
    assert (event["event_id"], event["kind"]) == (taken.json()["event_id"], "check_in")
    assert (event["occurred_at"], event["device_name"]) == (told["occurred_at"], "Server")
    again = await aside.decide(told["entry"], "taken_in", child_id=child)
    assert (again.status_code, again.json()) == (201, {"entries": 0, "event_id": taken.json()["event_id"]})
    assert problem(await aside.decide(told["entry"], "dismissed")) == (409, "conflict")
    assert problem(await aside.decide(seen["entry"], "taken_in", name="Zoe")) == (409, "conflict")

    assert await aside.listed() == []
    assert ghost not in await aside.named()
    answered = await aside.listed(state="answered")
    assert {(one["verdict"], one["answer_reason"]) for one in answered} == {("taken_in", "It is Ana")}
    # Every desk hears that what was told of the other child does not count.
    async with inbox.units.read() as connection:
        bodies = await voids(connection, inbox.api.centers["north"])
    assert [(event.child_id, event.supersedes) for event in bodies] == [(ghost, (arrival.event_id,))]
    assert (await Verification(inbox.units).check(inbox.api.centers["north"])).findings == []


async def test_a_child_who_is_on_no_file_is_taken_in_by_name_and_what_nobody_can_read_is_dismissed(
    inbox: Inbox,
) -> None:
    aside, desk, ghost = Aside(inbox), await inbox.desk(), new_id()
    entries = [desk.check_in(ghost, minute=-60), (later := desk.check_in(new_id(), minute=600))]
    assert await inbox.push(desk, *entries, desk.write(new_id(), "nap_began", b"{}")) == [Outcome.PARKED] * 3
    found = {one["kind"] + one["child_id"]: one for one in await aside.listed()}
    told, strange = found[f"check_in{ghost}"], found["nap_began"]
    ahead = found[f"check_in{decode_event(later.body).child_id}"]
    assert (strange["occurred_at"], strange["can_be_taken_in"]) == (None, False)

    named = await aside.decide(told["entry"], "taken_in", name="Little Tom")
    assert named.status_code == 201, named.text
    assert (await aside.named())[ghost] == "Little Tom"
    (review,) = await inbox.listed()
    assert (review["kind"], review["subject_id"]) == ("unknown_reference", ghost)
    assert problem(await aside.decide(ahead["entry"], "taken_in", name="Zoe")) == (422, "invalid_input")
    at = "2026-09-21T09:00:00+02:00"
    assert (await aside.decide(ahead["entry"], "taken_in", name="Zoe", occurred_at=at)).status_code == 201
    assert problem(await aside.decide(strange["entry"], "taken_in", name="Zoe")) == (422, "invalid_input")
    assert problem(await aside.decide(strange["entry"], "dismissed", name="Zoe")) == (422, "invalid_input")
    gone = await aside.decide(strange["entry"], "dismissed", reason="A test")
    assert (gone.status_code, gone.json()) == (201, {"entries": 1, "event_id": None})
    assert (await aside.decide(strange["entry"], "dismissed")).json()["entries"] == 0
    assert await aside.listed() == []
    assert (await Verification(inbox.units).check(inbox.api.centers["north"])).findings == []


async def test_who_may_see_and_decide_and_pages_go_on_behind_their_cursor(inbox: Inbox) -> None:
    aside, desk = Aside(inbox), await inbox.desk()
    for number in range(3):
        inbox.api.clock.advance_ms(1_000)
        await inbox.push(desk, desk.check_in(new_id(), minute=-number))
    whole = [one["entry"] for one in await aside.listed()]
    first = (await aside.get("staff", limit="2")).json()
    rest = (await aside.get("staff", limit="2", cursor=first["next_cursor"])).json()
    assert [one["entry"] for one in (*first["items"], *rest["items"])] == whole
    assert rest["next_cursor"] == ""
    assert problem(await aside.get("staff", cursor="WyJzZXRfYXNpZGUiXQ==")) == (422, "invalid_input")
    assert problem(await aside.decide(whole[0], "dismissed", who="staff")) == (403, "not_entitled")
    assert problem(await aside.decide(whole[0], "dismissed", who="stranger")) == (404, "not_found")
    assert problem(await aside.get("parent")) == (403, "not_entitled")
    assert problem(await aside.decide("0" * 64, "dismissed")) == (404, "not_found")
    assert (await aside.decide("0" * 63, "dismissed")).status_code == 422


async def voids(connection: Connection, center_id: str) -> list[AttendanceEvent]:
    rows = await connection.execute(
        text("SELECT body FROM attendance_event WHERE center_id = :center_id AND kind = 'void' ORDER BY corrected_at"),
        {"center_id": center_id},
    )
    return [decode_event(bytes(row.body)) for row in rows]
