"""What integrators are told: kinds, and the message that a row of the change log or a noted event becomes. Pure.

A message holds ids, times and words of ours. Names, notes, alerts and who is refused stay at the centre: whoever may
know more asks the API with rights of their own.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from server.core.clock import datetime_of
from server.repositories.center_events import LoggedChange, NotedEvent
from sync.attendance_events import EventKind, decode_event
from sync.records import Entity, EventRecord, PickupRecord

PING: Final = "webhook.ping"
KIND_OF_EVENT: Final[Mapping[EventKind, str]] = {
    EventKind.CHECK_IN: "attendance.checked_in",
    EventKind.CHECK_OUT: "attendance.checked_out",
    EventKind.ROOM_MOVE: "attendance.moved",
    EventKind.AUTO_CLOSE: "attendance.closed",
    EventKind.VOID: "attendance.corrected",
    EventKind.CORRECT: "attendance.corrected",
    EventKind.RELEASE_REFUSED: "attendance.release_refused",
}
KINDS: Final[Mapping[str, str]] = {
    "attendance.checked_in": "A child came",
    "attendance.checked_out": "A child left",
    "attendance.moved": "A child changed rooms",
    "attendance.closed": "The end of the day closed a stay that nobody closed",
    "attendance.corrected": "An earlier event was corrected or does not count any more",
    "attendance.release_refused": "A child was not handed over",
    "child.changed": "What desks hold of a child changed, or the child is gone from the roster",
    "pickup.changed": "Who may collect a child changed",
    "absence.announced": "A child will not come on some days",
    "absence.changed": "What was announced of an absence changed",
    "absence.withdrawn": "An announced absence was taken back",
    "booking.changed": "A booking was made, or its status changed",
    "finding.opened": "Something contradicts itself, and a person must look",
    "finding.settled": "A finding was answered, or later facts took it away",
    "device.silent": "A desk has not been heard for too long",
    "device.heard": "A desk that was silent was heard again",
}
ENTITIES: Final = (Entity.EVENT.value, Entity.CHILD.value, Entity.PICKUP.value)


@dataclass(frozen=True, slots=True)
class Message:
    """What is sent: `id` is the same each time that it is, and `version` or `number` is where it stands."""

    id: str
    kind: str
    body: bytes
    version: int | None = None
    number: int | None = None


def ping(ping_id: str, center_id: str, at_ms: int) -> Message:
    """Give the message that only asks whether somebody is there."""
    return _message(f"ping_{ping_id}", PING, at_ms, {"center_id": center_id})


def of_change(center_id: str, epoch: str, change: LoggedChange) -> Message | None:
    """Give what a row of the change log tells; None when it tells nothing to people outside.

    A body that is not there any more (compaction) or that this version cannot read tells nothing.
    """
    at_ms, told = round(change.at.timestamp() * 1000), None
    if change.entity == Entity.EVENT:
        told = _attendance(change)
    elif change.entity == Entity.CHILD:
        told = "child.changed", {"child_id": change.entity_id, "removed": change.is_removed}
    elif change.entity == Entity.PICKUP:
        told = "pickup.changed", {"pickup_id": change.entity_id, "removed": change.is_removed, **_pickup(change)}
    if told is None:
        return None
    kind, data = told
    position = {"epoch": epoch, "version": change.version}
    message_id = f"log_{epoch}_{change.version}"
    return _message(message_id, kind, at_ms, {"center_id": center_id, "position": position, **data}, change.version)


def of_event(center_id: str, event: NotedEvent) -> Message | None:
    """Give what a noted event tells; None for a kind that this version does not know."""
    if event.kind not in KINDS:
        return None
    entity = event.kind.partition(".")[0]
    name = "finding" if entity == "finding" else f"{entity}_id"
    data: dict[str, Any] = {"center_id": center_id, "position": {"number": event.number}, name: event.entity_id}
    if event.child_id:
        data["child_id"] = event.child_id
    at_ms = round(event.at.timestamp() * 1000)
    return _message(f"event_{event.id}", event.kind, at_ms, {**data, **event.detail}, number=event.number)


def _attendance(change: LoggedChange) -> tuple[str, dict[str, Any]] | None:
    if change.is_removed or not change.body:
        return None
    try:
        record = msgspec.json.decode(change.body, type=EventRecord)
        event = decode_event(bytes(record.event))
    except (msgspec.DecodeError, ValueError):
        return None
    kind = KIND_OF_EVENT.get(event.kind)
    if kind is None or not event.child_id:
        return None
    told = {
        "event_id": event.event_id, "child_id": event.child_id, "room_id": event.to_room_id or event.room_id,
        "adult_id": event.adult_id, "device_id": record.device_id, "supersedes": list(event.supersedes),
    }  # fmt: skip
    times = {
        "occurred_at": _time(event.occurred_at_ms), "recorded_at": _time(event.recorded_at_ms),
        "received_at": _time(record.received_at_ms),
    }  # fmt: skip
    return kind, {**{name: value for name, value in told.items() if value}, **times}


def _pickup(change: LoggedChange) -> dict[str, Any]:
    """Whose pick-up it is; who may collect, and who must not, is for whoever may ask."""
    try:
        record = msgspec.json.decode(change.body, type=PickupRecord)
    except msgspec.DecodeError:
        return {}
    return {"child_id": record.child_id}


def _message(
    message_id: str, kind: str, at_ms: int, data: dict[str, Any], version: int | None = None, number: int | None = None
) -> Message:
    body = msgspec.json.encode({"type": kind, "timestamp": _time(at_ms), "data": data})
    return Message(message_id, kind, body, version, number)


def _time(at_ms: int) -> str:
    return datetime_of(at_ms).isoformat().replace("+00:00", "Z")
