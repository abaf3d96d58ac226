"""What integrators are told of a row of the log, and what they are not."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, get_args

import msgspec
import pytest

from server.repositories.center_events import LoggedChange, NotedEvent
from server.schemas.webhooks import Kind
from server.services.webhook_messages import ENTITIES, KINDS, of_change, of_event, ping
from sync.attendance_events import AttendanceEvent, EventKind, encode_event
from sync.records import AdultRecord, ChildRecord, Entity, EventRecord, PickupRecord, encode_record
from tests.contract.server_world import new_id

DOCUMENT = Path(__file__).parents[4] / "docs/webhooks.md"
AT = datetime(2026, 9, 21, 14, 13, 20, tzinfo=UTC)
AT_MS = 1_790_000_000_000
CENTER, CHILD, EPOCH = new_id(), new_id(), new_id()


def event(kind: EventKind, **more: Any) -> bytes:
    made = AttendanceEvent(
        event_id=new_id(), kind=kind, center_id=CENTER, occurred_at_ms=AT_MS, recorded_at_ms=AT_MS,
        **{"child_id": CHILD, **more},
    )  # fmt: skip
    record = EventRecord(
        event=msgspec.Raw(encode_event(made)), device_id="d", device_name="Front desk", incarnation="i", seq=1, hlc=1,
        received_at_ms=AT_MS + 5000, outcome="applied",
    )  # fmt: skip
    return encode_record(record)


def told(entity: Entity, body: bytes, *, removed: bool = False) -> dict[str, Any] | None:
    message = of_change(CENTER, EPOCH, LoggedChange(7, entity.value, "e", removed, body, AT))
    if message is None:
        return None
    assert (message.id, message.version, message.number) == (f"log_{EPOCH}_7", 7, None)
    return {"kind": message.kind, **json.loads(message.body)}


def test_the_kinds_are_the_same_in_the_document_the_shapes_and_here() -> None:
    assert tuple(KINDS) == get_args(Kind)
    text = DOCUMENT.read_text("utf-8")
    for kind in KINDS:
        assert kind in text or f"`.{kind.partition('.')[2]}`" in text, kind


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        (EventKind.CHECK_IN, "attendance.checked_in"),
        (EventKind.CHECK_OUT, "attendance.checked_out"),
        (EventKind.AUTO_CLOSE, "attendance.closed"),
    ],
)
def test_an_event_of_a_child_is_told_with_ids_and_times_and_without_words(kind: EventKind, name: str) -> None:
    found = told(Entity.EVENT, event(kind, adult_name="Grandma Ünal", note="was crying", reason="late"))
    assert found is not None
    assert (found["type"], found["timestamp"]) == (name, "2026-09-21T14:13:20Z")
    data = found["data"]
    assert (data["center_id"], data["child_id"], data["device_id"]) == (CENTER, CHILD, "d")
    assert data["position"] == {"epoch": EPOCH, "version": 7}
    assert (data["occurred_at"], data["received_at"]) == ("2026-09-21T14:13:20Z", "2026-09-21T14:13:25Z")
    assert "room_id" not in data
    for word in ("Grandma", "crying", "late", "Front desk"):
        assert word not in json.dumps(found)


def test_a_correction_names_what_it_is_about() -> None:
    before = new_id()
    found = told(Entity.EVENT, event(EventKind.VOID, supersedes=(before,), reason="wrong child"))
    assert found is not None
    assert (found["type"], found["data"]["supersedes"]) == ("attendance.corrected", [before])


def test_what_is_not_of_a_child_or_cannot_be_read_is_not_told() -> None:
    assert told(Entity.EVENT, event(EventKind.STAFF_IN, child_id="", person_id=new_id(), person_name="Ruth")) is None
    assert told(Entity.EVENT, event(EventKind.ROLLCALL_START, child_id="", rollcall_id=new_id())) is None
    for body in (b"", b"{", b"{}", b'{"event": 1}'):
        assert told(Entity.EVENT, body) is None
    assert told(Entity.EVENT, event(EventKind.CHECK_IN), removed=True) is None
    assert told(Entity.ADULT, encode_record(AdultRecord(given_name="Deniz", family_name="Ünal"))) is None
    assert Entity.ADULT not in ENTITIES


def test_a_record_that_changed_is_told_by_its_id() -> None:
    child = told(Entity.CHILD, encode_record(ChildRecord(given_name="Zoë", family_name="Ünal")))
    assert child is not None
    assert child["data"] == {"center_id": CENTER, "position": {"epoch": EPOCH, "version": 7}, "child_id": "e",
                             "removed": False}  # fmt: skip
    refused = PickupRecord(child_id=CHILD, adult_id="a", status="not_authorised")
    pickup = told(Entity.PICKUP, encode_record(refused))
    gone = told(Entity.PICKUP, b"", removed=True)
    assert pickup is not None
    assert gone is not None
    # Who may not collect a child is told to nobody outside.
    assert "not_authorised" not in json.dumps(pickup)
    assert (pickup["data"]["child_id"], pickup["data"]["pickup_id"], gone["data"]["removed"]) == (CHILD, "e", True)


def test_a_noted_event_and_a_ping_are_told() -> None:
    row = NotedEvent(3, "id", "booking.changed", "b", CHILD, {"status": "confirmed"}, AT)
    message = of_event(CENTER, row)
    assert message is not None
    assert (message.id, message.number, message.version) == ("event_id", 3, None)
    assert json.loads(message.body)["data"] == {
        "center_id": CENTER, "position": {"number": 3}, "booking_id": "b", "child_id": CHILD, "status": "confirmed",
    }  # fmt: skip
    finding = of_event(CENTER, NotedEvent(4, "id", "finding.opened", "key", "", {}, AT))
    assert finding is not None
    assert json.loads(finding.body)["data"]["finding"] == "key"
    assert of_event(CENTER, NotedEvent(5, "id", "from.the_future", "x", "", {}, AT)) is None
    assert json.loads(ping("p", CENTER, AT_MS).body)["type"] == "webhook.ping"
