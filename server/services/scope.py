"""A child moves to another centre of its organisation: off the desks of one and onto those of the other, at once.

Everything that was recorded stays where it happened. The centre that the child leaves keeps its name, so that a desk
which was offline meanwhile can still tell what it saw; no desk there holds the child any more.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeVar
from zoneinfo import ZoneInfo

from server.core.clock import Clock
from server.core.errors import Conflict, NotFound
from server.models.absences import Absence
from server.models.columns import TableRow
from server.models.people import Alert, ChildProfile, Person, PersonKind, PickupAuthorisation, Relationship
from server.models.photos import Photo
from server.models.rooms import Center
from server.repositories import absences, attendance, photos, rosters, scope
from server.repositories.rosters import Roster
from server.repositories.unit_of_work import UnitOfWork, UnitsOfWork
from server.services import roster_records
from server.services.guardian_accounts import LinkStamp, accounts_end, accounts_follow
from sync.attendance import fold
from sync.limits import REPLICA_DAYS
from sync.records import Entity

DAY_MS: Final = 24 * 3_600_000


@dataclass(frozen=True, slots=True)
class Move:
    """Which child (its id in the roster files) goes to which centre; `origin` says from where when that is in doubt."""

    child: str
    to_code: str
    from_code: str = ""
    room: str = ""


@dataclass(frozen=True, slots=True)
class Moved:
    """What was moved, and how many adults came along and were not needed any more where the child was."""

    child_id: str
    from_code: str
    to_code: str
    adults: int
    adults_removed: int


@dataclass(slots=True)
class _Family:
    """The rows of a child in a centre."""

    person: Person
    profile: ChildProfile
    alerts: list[Alert]
    relationships: list[Relationship]
    pickups: list[PickupAuthorisation]
    adults: dict[str, Person]
    photos: list[Photo]


class Scope:
    """Changes which desks hold whom."""

    def __init__(self, units: UnitsOfWork, clock: Clock, new_id: Callable[[], str]) -> None:
        """Write through `units`; `clock` tells how far back a child may still be present."""
        self._units = units
        self._clock = clock
        self._new_id = new_id

    async def move_child(self, move: Move, *, actor: str = "", origin: str = "operator") -> Moved:
        """Move a child with its alerts, its pick-ups and the adults in them, in one transaction over both centres.

        What is announced of its absences and is not over goes along; the centre that it leaves keeps what it was told.

        Adults whom nobody else needs leave the old centre; others are in both from then on, under one id. An adult
        whom the new centre knows already, by its id in the roster files, is taken as it is known there.

        Raises:
            NotFound: there is no such child, centre or room.
            Conflict: the child is in more than one centre, is there already or is present now, the centre belongs to
                another organisation, or knows somebody else by one of the ids.

        """
        async with self._units.begin(actor=actor, origin=origin) as unit:
            source, target = await self._centers(unit, move)
            await unit.lock_heads((source.id, target.id))
            old, new = await rosters.load(unit.session, source), await rosters.load(unit.session, target)
            family = await _family(unit, old, move.child)
            await self._refuse_present(unit, source, family.person)
            leaving = _adults_nobody_needs(old, family)
            today = self._clock.now().astimezone(ZoneInfo(target.time_zone)).date()
            announced = await scope.absences_not_over(unit.session, source.id, family.person.id, today)
            adults = await self._arrive(unit, new, family, move.room, announced)
            stamp = LinkStamp(self._clock.now(), self._new_id)
            await accounts_follow(unit, source, target, adults, stamp)
            await accounts_end(unit, source, [adult.id for adult in leaving])
            await _leave(unit, old, family, leaving)
        return Moved(family.person.id, source.code, target.code, len(family.adults), len(leaving))

    async def _centers(self, unit: UnitOfWork, move: Move) -> tuple[Center, Center]:
        target = await rosters.find_center(unit.session, move.to_code)
        if target is None:
            raise NotFound(f"There is no centre with the code {move.to_code}.")
        found = await scope.centers_of_child(unit.session, move.child)
        if move.from_code:
            found = [center for center in found if center.code == move.from_code]
        if not found:
            raise NotFound(f"No centre has a child {move.child} on its roster.")
        if len(found) > 1:
            codes = ", ".join(center.code for center in found)
            raise Conflict(f"More than one centre has a child {move.child}: {codes}. Say from which it moves.")
        (source,) = found
        if source.id == target.id:
            raise Conflict(f"The child {move.child} is at {target.code} already.")
        if source.organisation_id != target.organisation_id:
            raise Conflict(f"{target.code} belongs to another organisation than {source.code}.")
        return source, target

    async def _refuse_present(self, unit: UnitOfWork, source: Center, child: Person) -> None:
        since_ms = self._clock.wall_ms() - REPLICA_DAYS * DAY_MS
        facts = await attendance.facts_around(unit.connection, {(source.id, child.id): since_ms}, ())
        if fold(known.fact for known in facts.get(source.id, ())).open_stay is not None:
            raise Conflict(f"The child {child.external_id} is checked in at {source.code}: check it out first.")

    async def _arrive(
        self, unit: UnitOfWork, new: Roster, family: _Family, room: str, announced: list[Absence]
    ) -> dict[str, str]:
        """Put everything of the child into its new centre; gives the ids there of the adults, by those where it was."""
        center_id = new.center.id
        person = _child_there(new, family.person)
        adults = {old_id: _adult_there(new, adult) for old_id, adult in family.adults.items()}
        profile = _copy(family.profile, center_id, child_id=person.id, home_room_id=_room(new, room))
        alerts = [_alert_there(new, alert, person) for alert in family.alerts]
        relationships = {
            one.adult_id: _copy(one, center_id, child_id=person.id, adult_id=adults[one.adult_id].id)
            for one in family.relationships
        }
        pickups = {
            one.adult_id: _copy(one, center_id, child_id=person.id, adult_id=adults[one.adult_id].id)
            for one in family.pickups
        }
        others: list[TableRow] = [profile, *alerts, *relationships.values(), *pickups.values()]
        await rosters.add(unit.session, [person, *adults.values()], others)
        await scope.put_absences(unit.session, [_copy(one, center_id, child_id=person.id) for one in announced])
        for adult in adults.values():
            unit.put(center_id, Entity.ADULT, adult.id, roster_records.adult_record(adult))
        held = await absences.told(unit.connection, [(center_id, person.id)])
        record = roster_records.child_record(person, profile, alerts, held.get((center_id, person.id), ()))
        unit.put(center_id, Entity.CHILD, person.id, record)
        for old_id, pickup in pickups.items():
            allowed = roster_records.pickup_record(pickup, relationships[old_id])
            unit.put(center_id, Entity.PICKUP, pickup.id, allowed)
        await _take_photos(unit, new, family, {family.person.id: person, **adults})
        return {old_id: adult.id for old_id, adult in adults.items()}


async def _leave(unit: UnitOfWork, old: Roster, family: _Family, leaving: list[Person]) -> None:
    """Take everything of the child away but its name, and the adults who came for it alone."""
    center_id = old.center.id
    for pickup in family.pickups:
        unit.remove(center_id, Entity.PICKUP, pickup.id)
    unit.remove(center_id, Entity.CHILD, family.person.id)
    for adult in leaving:
        unit.remove(center_id, Entity.ADULT, adult.id)
    gone = {family.person.id, *(adult.id for adult in leaving)}
    seen = [photo for photo in family.photos if photo.person_id in gone]
    for photo in seen:
        unit.remove(center_id, Entity.PICTURE, photo.person_id)
    cards = [card for card in old.credentials if card.person_id in gone]
    for card in cards:
        unit.remove(
            center_id, Entity.CREDENTIAL, card.id
        )  # sealed for the desks of this centre, and of no use elsewhere
    rows: list[TableRow] = [*cards, *seen, *family.alerts, *family.pickups, *family.relationships, family.profile]
    await scope.take_out(unit.session, rows, leaving)


async def _take_photos(unit: UnitOfWork, new: Roster, family: _Family, people: dict[str, Person]) -> None:
    """Let photos come along; whom the new centre has a photo of already is seen as it knows them."""
    coming = [photo for photo in family.photos if people[photo.person_id].id not in new.pictures]
    rows = [_copy(photo, new.center.id, person_id=people[photo.person_id].id) for photo in coming]
    await rosters.add(unit.session, rows)
    for row in rows:
        picture = roster_records.picture_record(row.picture)
        if picture is not None:
            unit.put(new.center.id, Entity.PICTURE, row.person_id, picture)


async def _family(unit: UnitOfWork, old: Roster, external_id: str) -> _Family:
    child = old.people[PersonKind.CHILD, external_id]
    relationships = [one for one in old.relationships.values() if one.child_id == child.id]
    pickups = [one for one in old.pickups.values() if one.child_id == child.id]
    adult_ids = {one.adult_id for one in relationships} | {one.adult_id for one in pickups}
    seen = [person_id for person_id in (child.id, *sorted(adult_ids)) if person_id in old.pictures]
    return _Family(
        person=child,
        profile=old.profiles[child.id],
        alerts=[alert for alert in old.alerts.values() if alert.child_id == child.id],
        relationships=relationships,
        pickups=pickups,
        adults={person.id: person for person in old.people.values() if person.id in adult_ids},
        photos=await photos.of_people(unit.session, old.center.id, seen) if seen else [],
    )


def _adults_nobody_needs(old: Roster, family: _Family) -> list[Person]:
    needed = {adult_id for child_id, adult_id in (*old.relationships, *old.pickups) if child_id != family.person.id}
    return [adult for adult_id, adult in family.adults.items() if adult_id not in needed]


def _child_there(new: Roster, child: Person) -> Person:
    """The child's own row in its new centre: one that it left there earlier, or a new one under the same id."""
    known = new.people.get((PersonKind.CHILD, child.external_id))
    if known is None:
        return _copy(child, new.center.id)
    if known.id != child.id:
        raise Conflict(f"{new.center.code} knows another child by the id {child.external_id}.")
    if known.id in new.profiles:
        raise Conflict(f"The child {child.external_id} is at {new.center.code} already.")
    for name in ("given_name", "family_name", "preferred_name", "birth_date"):
        setattr(known, name, getattr(child, name))
    return known


def _adult_there(new: Roster, adult: Person) -> Person:
    known = new.people.get((PersonKind.ADULT, adult.external_id))
    if known is None:
        return _copy(adult, new.center.id)
    if (known.given_name, known.family_name) != (adult.given_name, adult.family_name):
        raise Conflict(f"{new.center.code} knows another adult by the id {adult.external_id}.")
    return known


def _alert_there(new: Roster, alert: Alert, child: Person) -> Alert:
    if alert.external_id in new.alerts:
        raise Conflict(f"{new.center.code} knows another alert by the id {alert.external_id}.")
    return _copy(alert, new.center.id, child_id=child.id)


def _room(new: Roster, external_id: str) -> str | None:
    if not external_id:
        return None
    room = new.rooms.get(external_id)
    if room is None:
        raise NotFound(f"{new.center.code} has no room {external_id}.")
    return room.id


Row = TypeVar("Row", Person, ChildProfile, Alert, Relationship, PickupAuthorisation, Absence, Photo)


def _copy(row: Row, center_id: str, **changes: str | None) -> Row:
    """The same row in another centre."""
    return type(row)(**{**row.model_dump(), "center_id": center_id, **changes})
