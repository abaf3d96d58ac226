"""All records that devices must hold of a roster, as its tables have it now."""

from collections.abc import Iterator

import msgspec

from server.models.people import Alert, Person, PersonKind
from server.repositories.rosters import Roster
from server.services import roster_records
from sync.records import Entity

Record = tuple[Entity, str, msgspec.Struct]
"""Entity, id and body of a record."""


def all_records(roster: Roster) -> Iterator[Record]:
    """Give every record of a centre.

    A person without a profile has none: a child that moved to another centre stays known where it was, and no desk
    there holds it. A pick-up without the relationship behind it has none either.
    """
    record = roster_records.center_record(roster.center, roster.calendar, roster.ratio_rules)
    yield Entity.CENTER, roster.center.id, record
    for room in roster.rooms.values():
        yield Entity.ROOM, room.id, roster_records.room_record(room)
    alerts = alerts_by_child(roster)
    for person in roster.people.values():
        yield from _person_record(roster, person, alerts.get(person.id, []))
    for pair, pickup in roster.pickups.items():
        relationship = roster.relationships.get(pair)
        if relationship is not None:
            yield Entity.PICKUP, pickup.id, roster_records.pickup_record(pickup, relationship)
    for row in roster.credentials:
        yield Entity.CREDENTIAL, row.id, roster_records.credential_record(row)
    for person_id, body in roster.pictures.items():
        picture = roster_records.picture_record(body)
        if picture is not None:
            yield Entity.PICTURE, person_id, picture


def alerts_by_child(roster: Roster) -> dict[str, list[Alert]]:
    """Give the alerts of each child that has any."""
    found: dict[str, list[Alert]] = {}
    for alert in roster.alerts.values():
        found.setdefault(alert.child_id, []).append(alert)
    return found


def _person_record(roster: Roster, person: Person, alerts: list[Alert]) -> Iterator[Record]:
    if person.kind == PersonKind.ADULT:
        yield Entity.ADULT, person.id, roster_records.adult_record(person)
    elif person.kind == PersonKind.STAFF and person.id in roster.staff:
        yield Entity.STAFF, person.id, roster_records.staff_record(person, roster.staff[person.id])
    elif person.kind == PersonKind.CHILD and person.id in roster.profiles:
        yield (
            Entity.CHILD,
            person.id,
            roster_records.child_record(person, roster.profiles[person.id], alerts, roster.absences.get(person.id, ())),
        )
