"""Webhooks: kept by managers, told by a sender over a real socket, in order and once they answer."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, Final

import pytest
from sqlalchemy import text

from server.core.database import create_engine
from server.core.ids import Ids
from server.core.outgoing import Outgoing
from server.core.webhook_signatures import WebhookSecrets, signature
from server.repositories.job_locks import JobLocks
from server.services.device_silences import DeviceSilences
from server.services.guardian_notices import GuardianNotices
from server.services.mail import Outbox
from server.services.notifications import Notifications
from server.services.webhook_sender import KEPT, SignedPost, Told, WebhookSender
from server.services.webhooks import Webhooks
from tests.contract.server_world import new_id
from tests.support.api import SECRET, Api, problem
from tests.support.families import Families, families_of
from tests.support.postgres import FreshDatabase
from tests.support.receiver import Receiver, receiver

pytestmark = pytest.mark.postgres
MINUTE_MS: Final = 60_000
DEADLINE_S: Final = 30
ALL: Final = [
    "attendance.checked_in",
    "attendance.checked_out",
    "child.changed",
    "absence.announced",
    "booking.changed",
]


@dataclass
class Post:
    """A manager with webhooks, a sender, and who hears them."""

    families: Families
    sender: WebhookSender
    there: Receiver
    notifications: Notifications

    def __post_init__(self) -> None:
        self.api = self.families.api
        self.ids = self.families.ids

    async def good(self, method: str, path: str, **more: Any) -> Any:
        return await self.families.good("manager", method, f"{{north}}{path}", **more)

    async def hook(self, *kinds: str, path: str = "/") -> dict[str, Any]:
        body = {"id": new_id(), "url": f"{self.there.url}{path}", "kinds": list(kinds or ALL)}
        return dict(await self.good("POST", "/webhooks", json=body))

    async def state(self, hook: dict[str, Any]) -> dict[str, Any]:
        return dict(await self.good("GET", f"/webhooks/{hook['id']}"))

    async def log(self, hook: dict[str, Any], **more: Any) -> dict[str, Any]:
        return dict(await self.good("GET", f"/webhooks/{hook['id']}/deliveries", **more))

    def wait(self, **time: float) -> None:
        self.api.clock.advance_ms(int(timedelta(**time).total_seconds() * 1000))
        self.families.sign_out()


@pytest.fixture
async def post(api: Api, database: FreshDatabase) -> AsyncIterator[Post]:
    """The app as it is with WEBHOOKS_TO_PRIVATE_NETWORKS, and a sender in the place of its job."""
    ids, secrets = Ids(api.clock), WebhookSecrets(SECRET)
    engine = create_engine(database.urls.app, pool_size=1)
    async with (
        receiver() as there, JobLocks(engine).held("tell_webhooks") as is_ours, families_of(api, database) as families,
    ):  # fmt: skip
        assert is_ours
        hooks = Webhooks(families.units, api.clock, ids.new, secrets, private=True)
        api.app.state.services = replace(api.services, webhooks=hooks)
        notifications = Notifications(Outbox(api.clock, ids.new), "https://rollcall.example.org")
        signed = SignedPost(Outgoing(private=True, deadline_s=DEADLINE_S), secrets)
        sender = WebhookSender(families.units, signed, notifications, api.clock, luck=lambda: 0.5, new_id=ids.new)
        yield Post(families, sender, there, notifications)
    await engine.dispose()


async def test_what_happens_is_told_in_order_signed_and_once(post: Post) -> None:
    desk, there = await post.families.desk(), post.there
    before = desk.check_in(post.ids["C-1"])
    await post.families.push(desk, before)
    hook, other = await post.hook(), await post.hook("finding.opened", "finding.settled", path="/findings")
    assert await post.sender.run() == Told()  # what was before is not told
    came, again = desk.check_in(post.ids["C-2"], minute=1), desk.check_in(post.ids["C-2"], minute=40)
    await post.families.push(desk, came, again)
    absence = {"absence_id": new_id(), "kind": "sick", "first_day": "2026-10-01", "last_day": "2026-10-02", "note": "x"}
    await post.good("POST", "/children/{C2}/absences", json=absence)
    service = {
        "code": "S", "name": "Mornings", "unit": "session", "currency": "EUR", "capacity": 1, "weekdays": [1, 2, 3],
        "from_time": "08:00", "to_time": "13:00",
    }  # fmt: skip
    service_id = new_id()
    await post.good("PUT", f"/services/{service_id}", json=service)
    await post.good("PUT", f"/services/{service_id}/terms/2026-01-01", tag="*", json={"price": "25.50"})
    booking = {"id": new_id(), "child_id": post.ids["C-2"], "service_id": service_id, "day": "2026-10-05"}
    await post.good("POST", "/bookings", json=booking)
    told = await post.sender.run()
    mine = [one for one in there.got if json.loads(one[1])["type"] in ALL]
    kinds = [json.loads(body)["type"] for _, body in mine]
    assert kinds == ["attendance.checked_in"] * 2 + ["child.changed", "absence.announced", "booking.changed"]
    data = [json.loads(body)["data"] for _, body in mine]
    assert (data[0]["event_id"], data[0]["child_id"]) == (came.event_id, post.ids["C-2"])
    assert (data[3]["absence_id"], data[3]["absence_kind"], data[3]["first_day"]) == (
        absence["absence_id"], "sick", "2026-10-01",
    )  # fmt: skip
    assert (data[4]["booking_id"], data[4]["status"]) == (booking["id"], "confirmed")
    found = next(json.loads(body)["data"] for _, body in there.got if b"finding.opened" in body)
    assert found["finding_kind"] == "possible_missed_check_out"
    assert found["subject_id"] == post.ids["C-2"]
    findings = [kind for kind in there.kinds if kind not in ALL]
    assert set(findings) == {"finding.opened"}
    assert told == Told(delivered=5 + len(findings))
    text_of_all = b"".join(body for _, body in there.got)
    assert not any(word.encode() in text_of_all for word in ("Ana", "Silva", "note", "Mornings"))
    for headers, body in mine:
        signed = signature(hook["secret"], headers["webhook-id"], int(headers["webhook-timestamp"]), body)
        assert headers["webhook-signature"] == signed
    # Nothing is told twice, and a new sender goes on where the one before stopped.
    assert await post.sender.run() == Told()
    assert len(set(there.ids)) == len(there.ids)
    # A replay has the ids of the first time, and no more of what is not wanted.
    await post.good("POST", f"/webhooks/{hook['id']}/replay", json={"from_version": data[1]["position"]["version"]})
    assert await post.sender.run() == Told(delivered=2)
    assert there.ids[-2:] == [headers["webhook-id"] for headers, _ in mine[1:3]]
    page = await post.log(hook, params={"limit": 3})
    rest = await post.log(hook, params={"cursor": page["next_cursor"]})
    assert [len(one["items"]) for one in (page, rest)] == [3, 4]
    assert {(one["outcome"], one["status"], one["attempt"]) for one in page["items"]} == {("delivered", 204, 1)}
    # A rebuild of all findings makes none of them anew.
    await post.api.services.projections.rebuild(post.families.center)
    assert await post.sender.run() == Told()
    assert (await post.state(other))["number"] > 0
    await _noting_ends_with_the_last_webhook_and_begins_with_the_next(post, (hook, other), absence["absence_id"])
    await _a_desk_that_is_not_heard_is_told_of_once(post)
    await _a_manager_keeps_webhooks_and_what_is_no_good_is_refused(post)


async def _noting_ends_with_the_last_webhook_and_begins_with_the_next(
    post: Post, hooks: tuple[dict[str, Any], ...], absence: str
) -> None:
    async def noted() -> int:
        return int(await post.families.value("SELECT count(*) FROM center_event"))

    assert await noted() > 0
    for hook, rest in zip(hooks, (True, False), strict=True):
        await post.good("DELETE", f"/webhooks/{hook['id']}", tag="*")
        assert (await noted() > 0) is rest
    await post.good("PUT", f"/children/{{C2}}/absences/{absence}", tag="*", json={"kind": "sick", "note": "y"})
    assert await noted() == 0
    # A guardian who wants to be told keeps it going, and until nobody does.
    chosen = {"items": [{"child_id": post.ids["C-1"], "kinds": ["booking"]}]}
    await post.families.good("mother", "PUT", "/my/notifications", json=chosen)
    again = await post.hook("absence.changed")
    await post.good("DELETE", f"/webhooks/{again['id']}", tag="*")
    await post.good("PUT", f"/children/{{C2}}/absences/{absence}", tag="*", json={"kind": "sick", "note": "z"})
    assert await noted() == 1
    # That the last webhook went cuts nobody else off: a guardian is told of what happens after it.
    (service,) = (await post.good("GET", "/services"))["items"]
    booking = {"id": new_id(), "child_id": post.ids["C-1"], "service_id": service["id"], "day": "2026-10-06"}
    await post.good("POST", "/bookings", json=booking)
    outbox = Outbox(post.api.clock, Ids(post.api.clock).new)
    await GuardianNotices(post.families.units, outbox, post.api.clock, "https://rollcall.example.org").run()
    told = "SELECT count(*) FROM mail_outbox WHERE dedupe_key LIKE 'guardian_notice:%'"
    assert await post.families.value(told) == 1
    nothing = {"items": [{"child_id": post.ids["C-1"], "kinds": []}]}
    await post.families.good("mother", "PUT", "/my/notifications", json=nothing)
    await post.sender.forget_old()
    assert await noted() == 0
    assert await post.families.value("SELECT count(*) FROM notice_position") == 0


async def _a_manager_keeps_webhooks_and_what_is_no_good_is_refused(post: Post) -> None:
    there, ask = post.there, post.families.ask
    there.got.clear()
    body = {"id": new_id(), "url": there.url, "kinds": ["attendance.checked_in"], "description": "Billing"}
    made = await post.good("POST", "/webhooks", json=body)
    again = await post.good("POST", "/webhooks", json=body)
    assert made["secret"].startswith("whsec_")
    assert again == {**made, "secret": None}
    other = {**body, "url": f"{there.url}/x"}
    assert problem(await ask("manager", "POST", "{north}/webhooks", json=other)) == (409, "conflict")
    wrongs: tuple[dict[str, Any], ...] = (
        {"url": "https://10.0.0.1.5/"}, {"url": "http://hooks.example.org/"}, {"kinds": []}, {"kinds": ["nothing"]},
        {"url": "https://a.org/" + "x" * 500}, {"description": "x" * 201}, {"id": "1"}, {"more": 1},
        {"url": "https://169.254.169.254/"}, {"description": "a\0b"},
    )  # fmt: skip
    for wrong in wrongs:
        answer = await ask("manager", "POST", "{north}/webhooks", json={**body, "id": new_id(), **wrong})
        assert problem(answer) == (422, "invalid_input"), wrong
        assert answer.json()["errors"], wrong
    one = f"{{north}}/webhooks/{made['id']}"
    assert problem(await ask("manager", "PATCH", one, json={}))[0] == 428
    assert problem(await ask("manager", "PATCH", one, json={}, tag='"old"'))[0] == 412
    for wrong_replay in ({}, {"from_version": 0}, {"from_version": 10**6}, {"from_number": 99}):
        assert problem(await ask("manager", "POST", f"{one}/replay", json=wrong_replay))[0] == 422
    # A ping says who is there; during a rotation both secrets sign.
    rotated = await post.good("POST", f"/webhooks/{made['id']}/rotation", tag=f'"{made["etag"]}"')
    assert problem(await ask("manager", "POST", f"{one}/rotation", tag=f'"{made["etag"]}"'))[0] == 412
    for _ in range(2):
        await post.good("POST", f"/webhooks/{made['id']}/ping")
    assert await post.sender.run() == Told(delivered=1)
    headers, sent = there.got[0]
    assert json.loads(sent)["type"] == "webhook.ping"
    signed = [
        signature(secret, headers["webhook-id"], int(headers["webhook-timestamp"]), sent)
        for secret in (rotated["secret"], made["secret"])
    ]
    assert headers["webhook-signature"].split(" ") == signed
    post.wait(days=1)
    await post.good("POST", f"/webhooks/{made['id']}/ping")
    await post.sender.run()
    assert len(there.got[1][0]["webhook-signature"].split(" ")) == 1
    # Who changes it while a message is under way: what comes of that is written nowhere.
    await post.good("POST", f"/webhooks/{made['id']}/ping")
    there.held.add("/")
    running = asyncio.create_task(post.sender.run())
    await asyncio.wait_for(there.until(len(there.got) + 1), DEADLINE_S)
    there.held.clear()
    state = await post.state(made)
    await post.good("PATCH", f"/webhooks/{made['id']}", json={"description": "New"}, tag=f'"{state["etag"]}"')
    there.released.set()
    # The change lets it be tried at once, in the same run, and then it is taken.
    assert await running == Told(delivered=1, failed=1)
    state = await post.state(made)
    assert (state["attempts"], state["description"]) == (0, "New")
    bodies = [{**body, "id": new_id()} for _ in range(20)]
    answers = await asyncio.gather(*(ask("manager", "POST", "{north}/webhooks", json=one) for one in bodies))
    assert sorted(one.status_code for one in answers) == [201] * 19 + [409]
    gone = await ask("manager", "DELETE", one, tag=f'"{state["etag"]}"')
    assert gone.status_code == 204
    assert problem(await ask("manager", "GET", one)) == (404, "not_found")


async def _a_desk_that_is_not_heard_is_told_of_once(post: Post) -> None:
    desk = await post.families.desk()
    hook = await post.hook("device.silent", "device.heard", path="/desks")
    silences = DeviceSilences(post.families.units, post.notifications, post.api.clock)
    async with post.families.units.begin(origin="test") as unit:
        await unit.connection.execute(text(
            "UPDATE device SET state = 'revoked', last_seen_at = NULL WHERE id <> :one"), {"one": desk.key.device_id},
        )  # fmt: skip
    await post.families.take_in("record,external_id,name,organisation,time_zone,opens_at\n"
                                "center,north,North House,Hill Nurseries,Europe/Lisbon,07:00\n")  # fmt: skip
    assert await silences.run() == 0
    post.wait(minutes=15)
    assert [await silences.run(), await silences.run()] == [1, 0]
    post.wait(minutes=1)
    async with post.families.units.begin(origin="test") as unit:
        await unit.connection.execute(
            text("UPDATE device SET last_seen_at = :now WHERE id = :one"),
            {"now": post.api.clock.now(), "one": desk.key.device_id},
        )
        mails = list(await unit.connection.scalars(text(
            "SELECT subject FROM mail_outbox WHERE dedupe_key LIKE 'silent_desks:%'"
        )))  # fmt: skip
    assert mails == ["North House: 1 desk not heard"]
    assert [await silences.run(), await silences.run()] == [1, 0]
    assert await post.sender.run() == Told(delivered=2)
    assert post.there.kinds[-2:] == ["device.silent", "device.heard"]
    assert post.there.data(-1)["device_id"] == desk.key.device_id
    await post.good("DELETE", f"/webhooks/{hook['id']}", tag="*")


async def _one_hangs_and_the_other_is_told_meanwhile(post: Post, good: dict[str, Any]) -> None:
    """How long a hanging one is waited for, `test_outgoing.py` knows."""
    there, running = post.there, asyncio.create_task(post.sender.run())
    await asyncio.wait_for(there.until(len(there.got) + 2), DEADLINE_S)
    async with asyncio.timeout(DEADLINE_S):
        while not (told := (await post.log(good))["items"]):
            await asyncio.sleep(0)
    assert (told[0]["outcome"], running.done()) == ("delivered", False)
    there.held.clear()
    there.released.set()
    assert await running == Told(delivered=1, failed=1)


async def test_who_does_not_answer_holds_up_nobody_else_and_is_paused_after_three_days(post: Post) -> None:
    there, desk = post.there, await post.families.desk()
    bad = await post.hook("attendance.checked_in")
    await post.families.push(desk, desk.check_in(post.ids["C-1"]))
    there.answers = [500]
    assert await post.sender.run() == Told(failed=1)
    state = await post.state(bad)
    assert (state["attempts"], state["last_error"], state["state"]) == (1, "answered 500", "active")
    assert state["next_try_at"]
    assert await post.sender.run() == Told()  # not before its time
    post.wait(minutes=1)
    there.answers = [there.redirect]
    assert await post.sender.run() == Told(failed=1)
    post.wait(minutes=1)
    there.held.add("/")
    good = await post.hook("attendance.checked_in", path="/good")
    await post.families.push(desk, desk.check_in(post.ids["C-2"], minute=1))
    await _one_hangs_and_the_other_is_told_meanwhile(post, good)
    assert (await post.state(good))["failing_since"] is None
    assert there.kinds[-1] == "attendance.checked_in"
    # Several messages of one webhook wait behind the first, and come in its order when it is taken.
    post.wait(hours=1)
    assert await post.sender.run() == Told(delivered=2)
    assert there.ids[-2:] == [there.ids[0], there.ids[-1]]
    assert (await post.state(bad))["attempts"] == 0
    # Three days of failures: paused, and told.
    await post.families.push(desk, desk.check_in(post.ids["C-1"], minute=60))
    done = Told()
    for hours in (0, 30, 30, 13):
        post.wait(hours=hours)
        there.answers = [503, 503]
        done += await post.sender.run()
    assert (done.failed, done.paused) == (8, 2)
    state = await post.state(bad)
    assert (state["state"], state["pause_reason"], state["next_try_at"]) == ("paused", "failing", None)
    async with post.families.units.begin() as unit:
        mails = (await unit.connection.execute(text(
            "SELECT recipient, subject, body FROM mail_outbox WHERE dedupe_key LIKE 'webhook_paused:%'"
        ))).all()  # fmt: skip
    assert [(one.recipient, one.subject) for one in mails] == [
        ("manager@example.org", "North House: a webhook is paused")
    ] * 2
    assert "127.0.0.1 is paused: it failed for three days" in mails[0].body
    there.answers = []
    assert await post.sender.run() == Told()
    tag = f'"{state["etag"]}"'
    assert problem(await post.families.ask("manager", "POST", f"{{north}}/webhooks/{bad['id']}/ping"))[0] == 409
    changed = await post.good("PATCH", f"/webhooks/{bad['id']}", json={"state": "active"}, tag=tag)
    assert (changed["state"], changed["pause_reason"]) == ("active", "")
    assert await post.sender.run() == Told(delivered=1)  # nothing was lost
    # Gone is gone at once.
    await post.good("POST", f"/webhooks/{bad['id']}/ping")
    there.answers = [410]
    assert await post.sender.run() == Told(failed=1, paused=1)
    assert (await post.state(bad))["pause_reason"] == "gone"
    post.wait(days=KEPT.days + 1)
    assert await post.sender.forget_old() > 0
    assert (await post.log(bad))["items"] == []
