"""`GET /api/v1/attendance/stays/{id}/evidence` and its page: what is behind a stay, who may ask, and what is logged."""

import re
import uuid
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from structlog.testing import capture_logs

from server.services import stay_evidence
from server.services.roster_file import SourceFile
from sync.attendance import Correction, EventKind
from sync.intake import WITNESSED_KIND
from sync.records import EventRecord, encode_record
from tests.contract.server_world import MINUTE_MS, NOW_MS
from tests.support.api import Api, problem
from tests.support.office import Office, office_of, shown
from tests.support.postgres import FreshDatabase

pytestmark = pytest.mark.postgres
HOUR_MS = 60 * MINUTE_MS
SCRIPT = "<script>alert(1)</script>"


@pytest.fixture
async def office(api: Api, database: FreshDatabase) -> AsyncIterator[Office]:
    async with office_of(api, database) as opened:
        yield opened


@pytest.fixture
async def ana(office: Office) -> str:
    return await office.id_of("C-2")


def ms(told: str) -> int:
    return int(datetime.fromisoformat(told).timestamp() * 1000)


# -- what is told


async def test_a_plain_stay_shows_who_signed_what_on_which_device(office: Office, ana: str) -> None:
    staff, guardian = await office.id_of("S-1"), await office.id_of("G-1")
    desk = await office.desk()
    came = desk.check_in(ana, minute=-90, staff_id=staff, identity_check="known_to_staff")
    left = desk.check_out(ana, minute=0, staff_id=staff, adult_id=guardian, auth_method="pin")
    await office.push(desk, came, left)
    found = await office.evidence(came.event_id)
    assert (found["child_name"], found["center_name"], found["read_by"]) == ("Ana Silva", "North House", "manager")
    assert (found["sound"], found["complete"], found["findings"]) == (True, True, [])
    assert ms(found["stay"]["started_at"]) == NOW_MS - 90 * MINUTE_MS
    assert found["stay"]["started_at"].endswith("+01:00")
    assert [(one["number"], one["part"], one["counts"]) for one in found["events"]] == [
        (1, "began", True), (2, "ended", True),
    ]  # fmt: skip
    out = found["events"][1]
    assert out["signer"] == {
        "staff_id": staff, "staff_name": "Ruth Appiah", "author": "", "adult_id": guardian, "adult_name": "Deniz Ünal",
        "auth_method": "pin", "identity_check": "none",
    }  # fmt: skip
    assert out["device"] == {
        "device_id": desk.key.device_id, "name": "Front desk", "incarnation": desk.incarnation, "seq": 2,
    }  # fmt: skip
    assert (out["outcome"], out["late"], out["retroactive"], out["changes"]) == ("applied", False, False, [])
    assert (out["original"], out["said"]["adult_id"]) == (left.body.decode(), guardian)


async def test_a_label_that_was_printed_again_stands_beside_the_stay_with_who_printed_it(
    office: Office, ana: str
) -> None:
    staff, desk = await office.id_of("S-1"), await office.desk()
    came = desk.check_in(ana, minute=-90)
    label = desk.event(ana, EventKind.LABEL_REPRINTED, minute=-30, staff_id=staff)
    await office.push(desk, came, label)
    found = await office.evidence(came.event_id)
    beside = found["events"][1]
    assert (beside["part"], beside["outcome"], beside["signer"]["staff_name"]) == ("beside", "applied", "Ruth Appiah")
    assert found["findings"] == []
    assert "label sent to the printer, perhaps not the only one" in shown(await office.page(came.event_id))


async def test_a_printed_signature_can_be_checked_with_the_printed_key(office: Office, ana: str) -> None:
    desk = await office.desk()
    came = desk.check_in(ana)
    await office.push(desk, came)
    (event,) = (await office.evidence(came.event_id))["events"]
    (entry,) = event["entries"]
    assert (entry["hash"], entry["previous_hash"]) == (came.hash.hex(), came.previous_hash.hex())
    assert all(entry["checks"].values())
    key = Ed25519PublicKey.from_public_bytes(bytes.fromhex(entry["public_key"]))
    key.verify(bytes.fromhex(entry["signature"]), bytes.fromhex(entry["hash"]))
    page = await office.page(came.event_id)
    assert all(entry[name] in page for name in ("hash", "previous_hash", "signature", "public_key", "evidence"))


async def test_two_corrections_show_each_change_by_whom_and_why(office: Office, ana: str) -> None:
    staff = await office.id_of("S-1")
    desk = await office.desk()
    came = desk.check_in(ana, minute=-90)
    earlier, later = (Correction(occurred_at_ms=NOW_MS - minute * MINUTE_MS) for minute in (120, 100))
    first = desk.event(ana, EventKind.CORRECT, minute=-60, supersedes=(came.event_id,), corrected=earlier)
    second = desk.event(
        ana, EventKind.CORRECT, minute=-30, supersedes=(came.event_id,), corrected=later, staff_id=staff,
        reason_code="wrong_time", reason="The door list says so",
    )  # fmt: skip
    await office.push(desk, came, first, second)
    found = await office.evidence(came.event_id)
    assert ms(found["stay"]["started_at"]) == later.occurred_at_ms
    event = found["events"][0]
    assert (ms(event["occurred_at"]), ms(event["counts_at"])) == (NOW_MS - 90 * MINUTE_MS, later.occurred_at_ms)
    steps = [(one["event_id"], ms(one["steps"][0]["before"]), ms(one["steps"][0]["after"])) for one in event["changes"]]
    assert steps == [
        (first.event_id, NOW_MS - 90 * MINUTE_MS, earlier.occurred_at_ms),
        (second.event_id, earlier.occurred_at_ms, later.occurred_at_ms),
    ]
    assert event["changes"][1]["signer"]["staff_name"] == "Ruth Appiah"
    page = shown(await office.page(came.event_id))
    assert "wrong time: The door list says so" in page
    assert "time: 2026-09-21 13:13:20 +01:00 time: 2026-09-21 13:33:20 +01:00" in page


async def test_a_void_and_the_void_of_it_are_both_shown(office: Office, ana: str) -> None:
    desk = await office.desk()
    came, left = desk.check_in(ana, minute=-90), desk.check_out(ana, minute=-30)
    void = desk.event(ana, EventKind.VOID, minute=-20, supersedes=(left.event_id,))
    await office.push(desk, came, left, void)
    found = await office.evidence(came.event_id)
    assert found["stay"]["ended_at"] is None
    assert [(one["part"], one["counts"]) for one in found["events"]] == [
        ("began", True), ("taken_away", False), ("acted", True),
    ]  # fmt: skip
    assert "no longer counts" in shown(await office.page(came.event_id))
    back = desk.event(ana, EventKind.VOID, minute=-10, supersedes=(void.event_id,))
    await office.push(desk, back)
    found = await office.evidence(came.event_id)
    assert ms(found["stay"]["ended_at"]) == NOW_MS - 30 * MINUTE_MS
    assert [(one["part"], one["counts"]) for one in found["events"]] == [
        ("began", True), ("ended", True), ("acted", False), ("acted", True),
    ]  # fmt: skip
    assert [(one["acts"], one["removes"]) for one in found["events"][1]["changes"]] == [(False, True)]
    assert "taken back, changes nothing" in shown(await office.page(came.event_id))


async def test_what_comes_to_no_stay_any_more_can_still_be_asked_for(office: Office, ana: str) -> None:
    desk = await office.desk()
    came = desk.check_in(ana, minute=-90)
    await office.push(desk, came, desk.event(ana, EventKind.VOID, minute=-20, supersedes=(came.event_id,)))
    found = await office.evidence(came.event_id)
    assert (found["stay"], found["stay_id"], found["child_name"]) == (None, came.event_id, "Ana Silva")
    assert "comes to no stay any more" in shown(await office.page(came.event_id))


async def test_a_late_upload_and_a_time_that_was_typed_afterwards_are_visible_as_such(office: Office, ana: str) -> None:
    desk = await office.desk()
    came = desk.check_in(ana, minute=-300, occurred_at_ms=NOW_MS - 6 * HOUR_MS)
    await office.push(desk, came)
    (event,) = (await office.evidence(came.event_id))["events"]
    assert (event["late"], event["late_by_ms"]) == (True, 5 * HOUR_MS)
    assert (event["retroactive"], event["retroactive_by_ms"]) == (True, HOUR_MS)
    page = shown(await office.page(came.event_id))
    assert "(late: 5 h 0 min after it was entered)" in page
    assert "(1 h 0 min afterwards)" in page


async def test_a_wrong_clock_is_shown_with_what_counts_instead(office: Office, ana: str) -> None:
    desk = await office.desk()
    known: dict[str, Any] = {"clock_offset_ms": HOUR_MS, "clock_error_ms": 40, "clock_suspect": True}
    came = desk.check_in(ana, minute=-90, **known)
    await office.push(desk, came)
    found = await office.evidence(came.event_id)
    (event,) = found["events"]
    assert event["clock"] == {"offset_ms": HOUR_MS, "error_ms": 40, "suspect": True, "hlc": 1}
    assert ms(event["counts_at"]) - ms(event["occurred_at"]) == HOUR_MS
    assert event["late_by_ms"] == 30 * MINUTE_MS
    assert [(one["kind"], one["open"]) for one in found["findings"]] == [("time_uncertain", True)]
    page = shown(await office.page(came.event_id))
    assert "1 h 0 min slow, give or take 40 ms, doubted by the desk" in page
    assert "The time is uncertain" in page


async def test_a_question_is_shown_with_its_answer(office: Office, ana: str) -> None:
    desk = await office.desk()
    left = desk.check_out(ana, minute=-30)
    key = f"check_out_without_check_in:{left.event_id}"
    answer = desk.event(ana, EventKind.REVIEW_RESOLVED, finding=key, answer="came_with_the_bus")
    await office.push(desk, left)
    assert [one["open"] for one in (await office.evidence(left.event_id))["findings"]] == [True]
    await office.push(desk, answer)
    (finding,) = (await office.evidence(left.event_id))["findings"]
    assert (finding["open"], finding["answers"]) == (
        False, [{"answer": "came_with_the_bus", "event_id": answer.event_id}],
    )  # fmt: skip
    assert "came with the bus (event 2)" in shown(await office.page(left.event_id))


async def test_what_a_witness_put_back_is_proved_by_the_witness(office: Office, ana: str) -> None:
    lost, witness = await office.desk(), await office.desk("Back door")
    came = lost.check_in(ana, minute=-30)
    record = EventRecord(
        event=msgspec.Raw(came.body), device_id=lost.key.device_id, device_name="Front desk",
        incarnation=came.incarnation, seq=came.seq, hlc=came.hlc, received_at_ms=NOW_MS, outcome="applied",
    )  # fmt: skip
    await office.push(witness, witness.write(came.event_id, WITNESSED_KIND, encode_record(record)))
    (event,) = (await office.evidence(came.event_id))["events"]
    assert [(entry["witness"], entry["checks"]["sound"]) for entry in event["entries"]] == [(True, True)]
    assert (event["device"]["name"], event["witnessed_by"], event["original"]) == (
        "Front desk", "Back door", came.body.decode(),
    )  # fmt: skip
    await office.push(lost, came)
    (event,) = (await office.evidence(came.event_id))["events"]
    assert [(entry["witness"], entry["outcome"]) for entry in event["entries"]] == [
        (False, "duplicate"), (True, "applied"),
    ]  # fmt: skip
    assert event["sound"]
    assert "Put back by Back door" in shown(await office.page(came.event_id))


async def test_what_was_entered_through_the_server_is_signed_by_its_own_desk(office: Office, ana: str) -> None:
    entry = {"kind": "check_in", "child_id": ana, "occurred_at": "2026-09-21T14:00:00+01:00"}
    params = {"center_id": office.api.centers["north"]}
    made = await office.api.client.post("/api/v1/attendance/events", params=params, json=entry, headers=office.headers)
    (event,) = (await office.evidence(made.json()["event_id"]))["events"]
    assert (event["device"]["name"], event["signer"]["author"], event["sound"]) == ("Server", "manager", True)
    (proof,) = event["entries"]
    assert proof["checks"]["signature_verifies"]
    assert "manager" in shown(await office.page(made.json()["event_id"]))


async def test_a_name_or_a_note_cannot_write_into_the_page(office: Office) -> None:
    roster = f"record,external_id,center,given_name,family_name\nchild,C-9,north,{SCRIPT},Silva\n"
    report = await office.api.services.roster_import.run([SourceFile("roster.csv", roster.encode())])
    assert not report.problems, report.problems
    desk = await office.desk()
    came = desk.check_in(await office.id_of("C-9"), note=SCRIPT, adult_name='"><img src=x onerror=y>')
    await office.push(desk, came)
    page = await office.page(came.event_id)
    assert "<script" not in page.lower()
    assert "<img" not in page
    assert page.count("&lt;script&gt;alert(1)&lt;/script&gt; Silva") == 1


async def test_the_page_loads_nothing_runs_nothing_and_is_kept_by_nobody(office: Office, ana: str) -> None:
    desk = await office.desk()
    came = desk.check_in(ana)
    await office.push(desk, came)
    answer = await office.get(came.event_id, "evidence.html")
    policy = answer.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    assert "unsafe" not in policy
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert not re.search(r"<(script|link|img|iframe|form)|style=|href=|src=", answer.text)


# -- who may ask


async def test_reading_is_logged_without_a_name(office: Office, ana: str) -> None:
    desk = await office.desk()
    came = desk.check_in(ana)
    await office.push(desk, came)
    with capture_logs() as lines:
        await office.evidence(came.event_id)
    (line,) = [line for line in lines if line["event"] == "stay_evidence_read"]
    assert line["stay"] == came.event_id
    assert line["center"] == office.api.centers["north"]
    assert str(uuid.UUID(line["user"])) == line["user"]
    assert "Ana" not in str(lines)


@pytest.mark.parametrize("form", ["evidence", "evidence.html"])
async def test_only_a_manager_of_the_centre_may_ask(office: Office, ana: str, form: str) -> None:
    desk = await office.desk()
    came = desk.check_in(ana)
    await office.push(desk, came)
    path = f"/api/v1/attendance/stays/{came.event_id}/{form}"
    params = {"center_id": office.api.centers["north"]}

    async def ask(who: str) -> tuple[int, str]:
        headers = await office.api.sign_in(who) if who else {}
        return problem(await office.api.client.get(path, params=params, headers=headers))

    assert await ask("parent") == (403, "not_entitled")
    assert await ask("staff") == (403, "not_entitled")
    assert await ask("stranger") == (404, "not_found")
    assert await ask("") == (401, "unauthenticated")


async def test_a_stay_of_another_centre_and_what_is_no_childs_are_not_found(office: Office, ana: str) -> None:
    desk = await office.desk()
    came, counted = desk.check_in(ana), desk.event("", EventKind.HEADCOUNT, headcount=3)
    await office.push(desk, came, counted)
    admin = await office.api.sign_in("admin")
    path = f"/api/v1/attendance/stays/{came.event_id}/evidence"
    there = await office.api.client.get(path, params={"center_id": office.api.centers["south"]}, headers=admin)
    assert problem(there) == (404, "not_found")
    assert problem(await office.get(str(uuid.UUID(int=7)))) == (404, "not_found")
    assert problem(await office.get(counted.event_id)) == (404, "not_found")
    assert problem(await office.get("north")) == (422, "invalid_input")


async def test_what_is_too_much_for_one_page_is_said_to_be_missing(
    office: Office, ana: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stay_evidence, "EVENTS_MAX", 2)
    desk = await office.desk()
    came = desk.check_in(ana, minute=-90)
    await office.push(desk, came, desk.check_in(ana, minute=-89), desk.check_out(ana))
    found = await office.evidence(came.event_id)
    assert (found["complete"], len(found["events"])) == (False, 2)
    assert "Not complete" in shown(await office.page(came.event_id))
