"""What rows of a file do to a roster: new rows, changed rows, and which records devices must get."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec

from server.models.columns import TableRow
from server.models.people import (
    Alert,
    ChildProfile,
    Person,
    PersonKind,
    PickupAuthorisation,
    Relationship,
    StaffProfile,
)
from server.models.rooms import Room
from server.repositories.rosters import Roster
from server.services import roster_records
from server.services.roster_rows import RosterRow
from sync.records import Entity
from sync.reference import MAY_COLLECT

# Changes of one pick-up that travel to every desk; older ones are as if they had always been.
HISTORY_MAX: Final = 32

_RIGHTS: Final = ("can_view", "can_book", "receives_notifications", "emergency_rank")

Record = tuple[Entity, str, msgspec.Struct]
"""Entity, id and body of a record."""


@dataclass(slots=True)
class Tally:
    """How many rows were new, changed something, or said what was known."""

    created: Counter[str] = field(default_factory=Counter)
    updated: Counter[str] = field(default_factory=Counter)
    unchanged: Counter[str] = field(default_factory=Counter)


class RosterChanges:
    """Applies rows, in the order of `roster_references.ORDER`, to a roster that is held in memory.

    `judged_anew` are the children of whom another adult may collect now, or no longer, or who belong here since another
    day; `employed_anew` the members of staff who were on the staff on other days than was known.
    """

    def __init__(self, roster: Roster, new_id: Callable[[], str], tally: Tally, *, now_ms: int) -> None:
        """Change `roster` in place; `new_id` names what is new, `now_ms` is since when what changes is so."""
        self._roster = roster
        self._new_id = new_id
        self._tally = tally
        self._first: list[TableRow] = []
        self._then: list[TableRow] = []
        self._keys: dict[tuple[Entity, str], None] = {}
        self._now_ms = now_ms
        self.judged_anew: set[str] = set()
        self.employed_anew: set[str] = set()
        self._apply: Final = {
            "room": self._room,
            "staff": self._staff,
            "guardian": self._guardian,
            "child": self._child,
            "pickup": self._pickup,
            "alert": self._alert,
        }

    @property
    def new_rows(self) -> tuple[list[TableRow], list[TableRow]]:
        """The new rows: first those that refer to nothing of the roster, then the others."""
        return self._first, self._then

    def apply(self, row: RosterRow) -> None:
        """Take one row in and count it."""
        is_new, has_changed = self._apply[row.kind](row)
        tally = self._tally
        counter = tally.created if is_new else tally.updated if has_changed else tally.unchanged
        counter[row.kind] += 1

    def records(self) -> list[Record]:
        """Give the records of all that was touched, as they stand now."""
        find = _RecordsOf(self._roster)
        return [(entity, key, find.record(entity, key)) for entity, key in self._keys]

    def _touch(self, entity: Entity, key: str) -> None:
        self._keys[entity, key] = None

    @property
    def _center_id(self) -> str:
        return self._roster.center.id

    def _room(self, row: RosterRow) -> tuple[bool, bool]:
        room = self._roster.rooms.get(row.external_id)
        is_new = room is None
        if room is None:
            room = Room(center_id=self._center_id, id=self._new_id(), external_id=row.external_id, name="")
            self._roster.rooms[row.external_id] = room
            self._first.append(room)
        self._touch(Entity.ROOM, room.id)
        return is_new, assign(room, _picked(row, "name", "capacity", "sort"))

    def _staff(self, row: RosterRow) -> tuple[bool, bool]:
        person, is_new, has_changed = self._person(row, PersonKind.STAFF, "phone", "email")
        profile = self._roster.staff.get(person.id)
        if profile is None:
            profile = StaffProfile(center_id=self._center_id, person_id=person.id, role="")
            self._roster.staff[person.id] = profile
            self._then.append(profile)
        self._touch(Entity.STAFF, person.id)
        if assign(profile, _days_given(row, profile, ("employed_from", "employed_to"))):
            has_changed = True
            self.employed_anew.add(person.id)
        return is_new, assign(profile, _picked(row, "role", "counts_in_ratio")) or has_changed

    def _guardian(self, row: RosterRow) -> tuple[bool, bool]:
        person, is_new, has_changed = self._person(row, PersonKind.ADULT, "phone", "email")
        self._touch(Entity.ADULT, person.id)
        return is_new, has_changed

    def _child(self, row: RosterRow) -> tuple[bool, bool]:
        person, is_new, has_changed = self._person(row, PersonKind.CHILD, "preferred_name", "birth_date")
        profile = self._roster.profiles.get(person.id)
        if profile is None:
            profile = ChildProfile(center_id=self._center_id, child_id=person.id)
            self._roster.profiles[person.id] = profile
            self._then.append(profile)
        room = self._roster.rooms[row.values["room"]].id if row.values["room"] else None
        self._touch(Entity.CHILD, person.id)
        if assign(profile, _days_given(row, profile, ("enrolled_from", "enrolled_to"))):
            has_changed = True
            self.judged_anew.add(person.id)
        values = {"home_room_id": room, "enrolled": row.values["enrolled"]}
        return is_new, assign(profile, values) or has_changed

    def _person(self, row: RosterRow, kind: PersonKind, *more: str) -> tuple[Person, bool, bool]:
        person = self._roster.people.get((kind, row.external_id))
        is_new = person is None
        if person is None:
            person = Person(
                center_id=self._center_id, id=self._new_id(), kind=kind.value, external_id=row.external_id,
                given_name="", family_name="",
            )  # fmt: skip
            self._roster.people[kind, row.external_id] = person
            self._first.append(person)
        return person, is_new, assign(person, _picked(row, "given_name", "family_name", *more))

    def _pickup(self, row: RosterRow) -> tuple[bool, bool]:
        child = self._roster.people[PersonKind.CHILD, row.values["child"]].id
        adult = self._roster.people[PersonKind.ADULT, row.values["adult"]].id
        relationship = self._roster.relationships.get((child, adult))
        if relationship is None:
            relationship = Relationship(center_id=self._center_id, child_id=child, adult_id=adult)
            self._roster.relationships[child, adult] = relationship
            self._then.append(relationship)
        pickup = self._roster.pickups.get((child, adult))
        is_new = pickup is None
        if pickup is None:
            pickup = PickupAuthorisation(
                center_id=self._center_id, id=self._new_id(), child_id=child, adult_id=adult, status=""
            )
            self._roster.pickups[child, adult] = pickup
            self._then.append(pickup)
        self._touch(Entity.PICKUP, pickup.id)
        related = {"kind": row.values["relationship"], "legal_guardian": row.values["legal_guardian"]}
        # What a file does not say stays as somebody decided it.
        related |= {name: said for name in _RIGHTS if (said := row.values[name]) is not None}
        has_changed = assign(relationship, related)
        note_status(pickup, row.values["status"], self._now_ms)
        if assign(pickup, _picked(row, "status", "valid_from", "valid_to")):
            has_changed = True
            if not is_new:
                self.judged_anew.add(child)
        return is_new, has_changed

    def _alert(self, row: RosterRow) -> tuple[bool, bool]:
        child = self._roster.people[PersonKind.CHILD, row.values["child"]].id
        alert = self._roster.alerts.get(row.external_id)
        is_new = alert is None
        if alert is None:
            alert = Alert(
                center_id=self._center_id, id=self._new_id(), external_id=row.external_id, child_id=child,
                kind="", severity="", text="",
            )  # fmt: skip
            self._roster.alerts[row.external_id] = alert
            self._then.append(alert)
        self._touch(Entity.CHILD, alert.child_id)  # the child that had it until now
        self._touch(Entity.CHILD, child)
        return is_new, assign(alert, {"child_id": child, **_picked(row, "kind", "severity", "text")})


class _RecordsOf:
    """Finds what belongs to a record by its id."""

    def __init__(self, roster: Roster) -> None:
        self._roster = roster
        self._rooms = {room.id: room for room in roster.rooms.values()}
        self._people = {person.id: person for person in roster.people.values()}
        self._pickups = {pickup.id: pickup for pickup in roster.pickups.values()}
        self._alerts: dict[str, list[Alert]] = {}
        for alert in roster.alerts.values():
            self._alerts.setdefault(alert.child_id, []).append(alert)

    def record(self, entity: Entity, key: str) -> msgspec.Struct:
        if entity is Entity.ROOM:
            return roster_records.room_record(self._rooms[key])
        if entity is Entity.PICKUP:
            pickup = self._pickups[key]
            relationship = self._roster.relationships[pickup.child_id, pickup.adult_id]
            return roster_records.pickup_record(pickup, relationship)
        person = self._people[key]
        if entity is Entity.CHILD:
            alerts = self._alerts.get(key, [])
            absences = self._roster.absences.get(key, ())
            return roster_records.child_record(person, self._roster.profiles[key], alerts, absences)
        if entity is Entity.STAFF:
            return roster_records.staff_record(person, self._roster.staff[key])
        return roster_records.adult_record(person)


def note_status(pickup: PickupAuthorisation, status: str, now_ms: int) -> None:
    """Write down since when (UTC milliseconds) a pick-up has another status; call it before it gets it."""
    if status == pickup.status:
        return
    if not pickup.status:
        # One that is new and allows says nothing of what was before; one that forbids does so since now.
        pickup.history = [] if status in MAY_COLLECT else [[now_ms, status]]
        return
    before = pickup.history or [[0, pickup.status]]
    kept = before[-(HISTORY_MAX - 1) :]
    pickup.history = [[0, kept[0][1]], *kept[1:], [now_ms, status]]


def assign(row: TableRow, values: dict[str, Any]) -> bool:
    """Set what differs; tell whether anything did."""
    different = {name: value for name, value in values.items() if getattr(row, name) != value}
    for name, value in different.items():
        setattr(row, name, value)
    return bool(different)


def _picked(row: RosterRow, *names: str) -> dict[str, Any]:
    return {name: row.values[name] for name in names}


def _days_given(row: RosterRow, profile: ChildProfile | StaffProfile, names: tuple[str, str]) -> dict[str, Any]:
    """The first and last day that a row gives: an empty cell takes back nothing that was said at the server.

    An end that contradicts what the row says is not known any more.
    """
    given = {name: row.values[name] for name in names if row.values[name] is not None}
    first, last = (given.get(name, getattr(profile, name)) for name in names)
    if first is not None and last is not None and last < first:
        return {**dict.fromkeys(names), **given}
    return given
