"""Checks the tables that people work with against the records that devices hold: roster and facts of attendance."""

from typing import Any, Final
from uuid import UUID

import msgspec

from server.repositories.rosters import Roster
from server.repositories.verification import FactPair, Standing
from server.services.roster_fold import all_records
from server.services.verification_log import Finding
from sync.attendance import corrected_at_ms, decode_event
from sync.records import RECORD_TYPES, REFERENCE_BUCKET, Entity, EventRecord, PickupRecord, encode_record

_TABLE_OF: Final = {
    Entity.CENTER: "center",
    Entity.ROOM: "room",
    Entity.CHILD: "person",
    Entity.ADULT: "person",
    Entity.STAFF: "person",
    Entity.PICKUP: "pickup_authorisation",
    Entity.CREDENTIAL: "credential",
    Entity.PICTURE: "photo",
}
# Fields of a record that come from another table than the one it is named for.
_TABLE_OF_FIELD: Final = {
    (Entity.CENTER, "closures"): "center_calendar",
    (Entity.CENTER, "locks"): "center_calendar",
    (Entity.CENTER, "ratio_rules"): "center_ratio_rules",
    (Entity.CHILD, "home_room_id"): "child_profile",
    (Entity.CHILD, "enrolled"): "child_profile",
    (Entity.CHILD, "alerts"): "alert",
    (Entity.CHILD, "absences"): "absence",
    (Entity.CHILD, "enrolled_from"): "child_profile",
    (Entity.CHILD, "enrolled_to"): "child_profile",
    (Entity.STAFF, "role"): "staff_profile",
    (Entity.STAFF, "counts_in_ratio"): "staff_profile",
    (Entity.STAFF, "pin"): "staff_profile",
    (Entity.STAFF, "employed_from"): "staff_profile",
    (Entity.STAFF, "employed_to"): "staff_profile",
    (Entity.PICKUP, "relationship"): "relationship",
    (Entity.PICKUP, "legal_guardian"): "relationship",
}
_EVENT_RECORD: Final = msgspec.json.Decoder(EventRecord)


class RosterCheck:
    """Compares what the tables say with the records that stand, taken by version."""

    def __init__(self, roster: Roster | None) -> None:
        """Make the records of a roster; of a centre without a row there are none."""
        self._roster = roster
        records = all_records(roster) if roster is not None else ()
        self._expected: dict[tuple[str, str], tuple[Entity, bytes]] = {
            (entity, key): (entity, encode_record(record)) for entity, key, record in records
        }

    def take(self, standing: Standing) -> Finding | None:
        """Check one record."""
        expected = self._expected.pop((standing.entity, standing.entity_id), None)
        key = f"{standing.entity} {standing.entity_id}"
        if expected is None:
            return Finding(self._missing_table(standing), key, "devices hold it, and no row does", standing.version)
        entity, body = expected
        if standing.bucket != REFERENCE_BUCKET:
            return Finding("current_record", key, "`bucket`: it does not belong there", standing.version)
        if standing.body == body:
            return None
        table, fields = _difference(entity, body, standing.body)
        return Finding(table, key, f"{fields}: devices hold another value", standing.version)

    def finish(self) -> Finding | None:
        """Say what devices should hold and do not."""
        if not self._expected:
            return None
        entity, key = min(self._expected)
        return Finding(_TABLE_OF[Entity(entity)], f"{entity} {key}", "no device holds it")

    def _missing_table(self, standing: Standing) -> str:
        """Which row is gone: that of the person or pick-up, or the one beside it."""
        roster, key = self._roster, standing.entity_id
        if roster is not None:
            kinds = {person.id: person.kind for person in roster.people.values()}
            profiles = {Entity.CHILD: "child_profile", Entity.STAFF: "staff_profile"}
            if kinds.get(key) == standing.entity in profiles:
                return profiles[Entity(standing.entity)]
            pickup = next((pickup for pickup in roster.pickups.values() if pickup.id == key), None)
            if pickup is not None and _is_about(standing, pickup.child_id, pickup.adult_id):
                return "relationship"
        known = {str(entity): table for entity, table in _TABLE_OF.items()}
        return known.get(standing.entity, "current_record")


def check_fact(pair: FactPair) -> Finding | None:
    """Compare a fact's row with the record that devices hold of it."""
    if pair.body is None:
        return _wrong_fact(pair, "the log has no such event")
    if pair.row is None:
        return _wrong_fact(pair, "the row is missing: devices hold the event")
    try:
        expected = _fact_columns(pair, _EVENT_RECORD.decode(pair.body))
    except (msgspec.DecodeError, UnicodeDecodeError):
        return Finding("current_record", f"event {pair.event_id}", "`body` cannot be read", pair.version)
    different = [name for name, value in expected.items() if _plain(pair.row[name]) != value]
    if different:
        return _wrong_fact(pair, f"{', '.join(f'`{name}`' for name in different)}: devices hold another value")
    return None


def _fact_columns(pair: FactPair, record: EventRecord) -> dict[str, Any]:
    body = bytes(record.event)
    event = decode_event(body)
    return {
        "event_id": event.event_id,
        "child_id": event.subject_id,
        "kind": event.kind.value,
        "occurred_at": event.occurred_at_ms * 1_000,
        "corrected_at": corrected_at_ms(event) * 1_000,
        "recorded_at": event.recorded_at_ms * 1_000,
        "received_at": record.received_at_ms * 1_000,
        "device_id": record.device_id,
        "incarnation": record.incarnation,
        "seq": record.seq,
        "hlc": record.hlc,
        "version": pair.version,
        "body": body,
    }


def _plain(value: Any) -> Any:
    """The driver gives ids as objects; everywhere else they are their text."""
    return str(value) if isinstance(value, UUID) else value


def _difference(entity: Entity, ours: bytes, theirs: bytes) -> tuple[str, str]:
    """Which table the first field that differs comes from, and the names of all that differ."""
    kind = RECORD_TYPES[entity]
    try:
        devices = msgspec.json.decode(theirs, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return "current_record", "`body` cannot be read"
    tables = msgspec.json.decode(ours, type=kind)
    fields = [name for name in kind.__struct_fields__ if getattr(tables, name) != getattr(devices, name)]
    if not fields:
        return "current_record", "`body`"
    table = _TABLE_OF_FIELD.get((entity, fields[0]), _TABLE_OF[entity])
    return table, ", ".join(f"`{name}`" for name in fields)


def _is_about(standing: Standing, child_id: str, adult_id: str) -> bool:
    """Whether a pick-up that devices hold is of these two."""
    try:
        record = msgspec.json.decode(standing.body, type=PickupRecord)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return False
    return (record.child_id, record.adult_id) == (child_id, adult_id)


def _wrong_fact(pair: FactPair, what: str) -> Finding:
    return Finding("attendance_event", pair.event_id, what, pair.version)
