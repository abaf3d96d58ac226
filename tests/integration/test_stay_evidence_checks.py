"""The evidence of a stay says so when somebody changed what was signed, what became of it, or what it says now."""

from collections.abc import AsyncIterator
from datetime import datetime

import pytest

from tests.contract.server_world import NOW_MS
from tests.support.api import Api
from tests.support.office import Office, office_of, shown
from tests.support.postgres import FreshDatabase

pytestmark = pytest.mark.postgres


@pytest.fixture
async def office(api: Api, database: FreshDatabase) -> AsyncIterator[Office]:
    async with office_of(api, database) as opened:
        yield opened


@pytest.fixture
async def ana(office: Office) -> str:
    return await office.id_of("C-2")


def ms(told: str) -> int:
    return int(datetime.fromisoformat(told).timestamp() * 1000)


async def test_an_entry_that_was_altered_does_not_verify(office: Office, ana: str) -> None:
    desk = await office.desk()
    came = desk.check_in(ana, note="on time")
    await office.push(desk, came)
    altered = came.body.replace(b"on time", b"so late")
    await office.tamper("journal_entry", "body = :body", came.event_id, body=altered)
    found = await office.evidence(came.event_id)
    (event,) = found["events"]
    checks = event["entries"][0]["checks"]
    assert (found["sound"], event["sound"]) == (False, False)
    assert checks == {
        "sound": False, "hash_matches": False, "follows": True, "signature_verifies": False, "evidence_matches": True,
        "says_the_same": False,
    }  # fmt: skip
    page = shown(await office.page(came.event_id))
    assert "Not all of this holds" in page
    assert "Signature verifies: NO" in page


@pytest.mark.parametrize(
    ("table", "change", "check"),
    [
        ("journal_entry", "signature = decode(repeat('ab', 64), 'hex')", "signature_verifies"),
        ("journal_entry", "previous_hash = decode(repeat('ab', 32), 'hex')", "follows"),
        ("journal_entry", "received_at = received_at - interval '1 day'", "evidence_matches"),
        ("journal_entry", "body = decode('ff', 'hex')", "hash_matches"),
        ("attendance_event", "hlc = 77", "says_the_same"),
    ],
)
async def test_each_alteration_is_found_by_its_check(
    office: Office, ana: str, table: str, change: str, check: str
) -> None:
    desk = await office.desk()
    came, left = desk.check_in(ana, minute=-90), desk.check_out(ana)
    await office.push(desk, came, left)
    await office.tamper(table, change, left.event_id)
    found = await office.evidence(came.event_id)
    assert [event["sound"] for event in found["events"]] == [True, False]
    assert found["events"][1]["entries"][0]["checks"][check] is False
    assert "Not all of this holds" in shown(await office.page(came.event_id))


async def test_a_fact_that_was_altered_is_not_what_was_signed(office: Office, ana: str) -> None:
    desk = await office.desk()
    came = desk.check_in(ana, note="on time")
    await office.push(desk, came)
    altered = came.body.replace(b"on time", b"so late")
    await office.tamper("attendance_event", "body = :body", came.event_id, body=altered)
    (event,) = (await office.evidence(came.event_id))["events"]
    assert (event["entries"][0]["checks"]["says_the_same"], event["log_matches"]) == (False, False)
    assert event["said"]["note"] == "on time"
    assert "What counts here is NOT what the log tells the desks" in shown(await office.page(came.event_id))


async def test_an_entry_and_a_record_that_are_gone_are_missed(office: Office, ana: str) -> None:
    desk = await office.desk()
    came = desk.check_in(ana)
    await office.push(desk, came)
    await office.meddle("journal_entry", "DELETE FROM journal_entry")
    await office.meddle("current_record", "DELETE FROM current_record WHERE entity = 'event'")
    (event,) = (await office.evidence(came.event_id))["events"]
    assert (event["entries"], event["sound"], ms(event["received_at"])) == ([], False, NOW_MS)
    assert "journal entry of this event is missing" in shown(await office.page(came.event_id))


async def test_a_device_that_is_not_known_any_more_cannot_be_checked(office: Office, ana: str) -> None:
    desk = await office.desk()
    came = desk.check_in(ana)
    await office.push(desk, came)
    await office.meddle("enrolment_code", "DELETE FROM enrolment_code")
    await office.meddle("device", "DELETE FROM device")
    (event,) = (await office.evidence(came.event_id))["events"]
    assert event["entries"][0]["checks"]["signature_verifies"] is None
    assert not event["sound"]
    assert "Signature verifies: cannot be checked" in shown(await office.page(came.event_id))
