"""What the agent says of each thing, as the fields of one JSON line; docs/agent.md lists them."""

from typing import Any

from kiosk.messages import ChildChanged, DeskStatus, EntrySettled, Quarantined
from kiosk.services.desk import Recorded
from kiosk.services.moments import rfc3339


def recorded_line(recorded: Recorded) -> dict[str, Any]:
    """An entry is durable here."""
    return {
        "event": "recorded",
        "event_id": recorded.event_id,
        "kind": recorded.kind,
        "child_id": recorded.child_id,
        "child": recorded.child_name,
        "at": rfc3339(recorded.occurred_at_ms),
    }


def confirmed_line(settled: EntrySettled, name: str) -> dict[str, Any]:
    """The server answered an entry."""
    return {
        "event": "confirmed",
        "event_id": settled.event_id,
        "kind": settled.kind,
        "child_id": settled.child_id,
        "child": name,
        "outcome": settled.outcome.name.lower(),
        "reason": settled.reason.name.lower() if settled.reason else None,
        "version": settled.version,
        "mark": settled.mark,
    }


def change_line(change: ChildChanged, name: str) -> dict[str, Any]:
    """Another desk recorded something."""
    return {
        "event": "change",
        "event_id": change.event_id,
        "kind": change.kind,
        "child_id": change.child_id,
        "child": name,
        "at": rfc3339(change.occurred_at_ms),
        "status": change.status,
        "since": rfc3339(change.since_ms),
        "device": change.device_name,
        "mark": change.mark,
    }


def status_line(status: DeskStatus) -> dict[str, Any]:
    """How the desk stands, without the name of the event."""
    return {
        "link": status.link,
        "offline_since": rfc3339(status.offline_since_ms),
        "waiting": status.waiting,
        "needs_review": status.needs_review,
        "version": status.version,
        "head_version": status.head_version,
        "data_as_of": rfc3339(status.data_as_of_ms),
        "center": status.center_name,
        "device": status.device_name,
        "time_zone": status.time_zone,
        "detail": status.detail,
        "locked": status.locked,
        "lease_left_ms": status.lease_left_ms,
    }


def quarantined_line(found: Quarantined) -> dict[str, Any]:
    """The replica could not be trusted when the desk was opened."""
    return {
        "event": "quarantined",
        "reason": found.reason,
        "folder": found.folder,
        "settled": found.settled,
        "waiting": found.waiting,
        "lost": found.lost,
    }
