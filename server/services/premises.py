"""Centres and their rooms as managers and admins keep them; every change reaches the desks of the centre."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import time
from typing import Any, Final

from server.core.errors import Conflict, NotEntitled, NotFound
from server.core.etags import Expected, etag_of
from server.models.rooms import Center, Room
from server.repositories import centers, people, ratio, rosters
from server.repositories.unit_of_work import UnitOfWork, UnitsOfWork
from server.services import roster_records
from server.services.access import RoleId, User
from server.services.roster_changes import assign
from sync.records import Entity

__all__ = ["NewCenter", "NewRoom", "Premises", "etag_of_center", "etag_of_room"]

# A board of a hundred cards is more than anybody reads.
ROOMS_MAX: Final = 200
CENTERS_MAX: Final = 500
_OF_CENTER: Final = ("name", "opens_at", "closes_at")
_OF_ROOM: Final = ("name", "capacity", "sort")


@dataclass(frozen=True, slots=True, kw_only=True)
class NewCenter:
    """A centre that is new; its `code` and its time zone (IANA name) stay as they are. Hours are local time."""

    id: str
    code: str
    name: str
    time_zone: str
    opens_at: time | None = None
    closes_at: time | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NewRoom:
    """A room that is new; `capacity` counts children, 0: nobody set it."""

    id: str
    external_id: str
    name: str
    capacity: int = 0
    sort: int = 0


class Premises:
    """Keeps centres and rooms."""

    def __init__(self, units: UnitsOfWork) -> None:
        """Write through `units`."""
        self._units = units

    async def open(self, user: User, new: NewCenter) -> Center:
        """Open a centre of the user's organisation; the same with the same id a second time changes nothing.

        Raises:
            NotEntitled: the user is no admin.
            Conflict: another centre, of whomever, has the id or the code, or the organisation has too many.

        """
        if not any(grant.role is RoleId.ADMIN and grant.center_id is None for grant in user.grants):
            raise NotEntitled("Only an admin opens a centre")
        row = Center(organisation_id=user.organisation_id, **asdict(new))
        async with self._units.begin(actor=user.id, origin="api") as unit:
            standing = await centers.find(unit.session, new.id)
            if standing is not None:
                if _content(standing) != _content(row):
                    raise Conflict("There is another centre with this id")
                return standing
            if len(await centers.ids_of_organisation(unit.session, user.organisation_id)) >= CENTERS_MAX:
                raise Conflict(f"The organisation has {CENTERS_MAX} centres, and that is all it can")
            # Its log, its rooms and its people are reached by what they belong to, and nobody reaches it before.
            await unit.reach_also(new.id)
            if not await centers.add(unit.session, row):
                raise Conflict("Another centre has this id or this code")
            await unit.lock_head(new.id)
            await _tell(unit, row)
        return row

    async def change(self, center: Center, user: User, changes: Mapping[str, Any], expected: Expected) -> Center:
        """Change the name or the hours of a centre, as `changes` names them.

        Raises:
            PreconditionFailed: somebody changed it meanwhile.
            Conflict: its record would be more than desks can take.

        """
        async with self._units.begin(actor=user.id, origin="api") as unit:
            await unit.lock_head(center.id)
            row = await centers.find(unit.session, center.id)
            assert row is not None  # no centre is ever removed
            expected.require(etag_of_center(row))
            assign(row, {name: changes[name] for name in _OF_CENTER if name in changes})
            await people.flush(unit.session)
            await _tell(unit, row)
            return row

    async def room(self, center: Center, room_id: str) -> Room:
        """Give a room. Raises NotFound."""
        async with self._units.begin() as unit:
            return await _room(unit, center.id, room_id)

    async def add_room(self, center: Center, user: User, new: NewRoom) -> Room:
        """Put a room on every desk; the same with the same id a second time changes nothing.

        Raises:
            Conflict: another room has one of the ids, or the centre has too many.

        """
        row = Room(center_id=center.id, **asdict(new))
        async with self._units.begin(actor=user.id, origin="api") as unit:
            await unit.lock_head(center.id)
            rooms = await centers.rooms(unit.session, center.id)
            standing = next((one for one in rooms if one.id == new.id), None)
            if standing is not None:
                if etag_of_room(standing) != etag_of_room(row):
                    raise Conflict("Another room has this id")
                return standing
            _refuse_taken(rooms, new)
            await people.add(unit.session, [row])
            unit.put(center.id, Entity.ROOM, row.id, roster_records.room_record(row))
        return row

    async def change_room(
        self, center: Center, user: User, room_id: str, changes: Mapping[str, Any], expected: Expected
    ) -> Room:
        """Change what `changes` names of a room, here and on every desk.

        Raises:
            NotFound: the centre has no such room.
            PreconditionFailed: somebody changed it meanwhile.

        """
        async with self._units.begin(actor=user.id, origin="api") as unit:
            await unit.lock_head(center.id)
            row = await _room(unit, center.id, room_id)
            expected.require(etag_of_room(row))
            assign(row, {name: changes[name] for name in _OF_ROOM if name in changes})
            await people.flush(unit.session)
            unit.put(center.id, Entity.ROOM, row.id, roster_records.room_record(row))
            return row


def etag_of_center(row: Center) -> str:
    """Give the tag of the state in which a centre is."""
    return etag_of("center", *_content(row))


def etag_of_room(row: Room) -> str:
    """Give the tag of the state in which a room is."""
    return etag_of("room", row.id, row.external_id, row.name, row.capacity, row.sort)


def _content(row: Center) -> tuple[object, ...]:
    return (row.id, row.organisation_id, row.code, row.name, row.time_zone, row.opens_at, row.closes_at)


async def _tell(unit: UnitOfWork, row: Center) -> None:
    """Put the centre's record into the log, with its days, and its rules made ready for its hours."""
    calendar = await rosters.calendar(unit.session, row.id)
    rules = await ratio.rules_of(unit.session, row.id)
    record = roster_records.checked(roster_records.center_record(row, calendar, rules))
    unit.put(row.id, Entity.CENTER, row.id, record)


async def _room(unit: UnitOfWork, center_id: str, room_id: str) -> Room:
    found = await people.find_room(unit.session, center_id, room_id)
    if found is None:
        raise NotFound("There is no such room at this centre")
    return found


def _refuse_taken(rooms: Sequence[Room], new: NewRoom) -> None:
    if any(one.external_id == new.external_id for one in rooms):
        raise Conflict("Another room has this external id at this centre")
    if len(rooms) >= ROOMS_MAX:
        raise Conflict(f"The centre has {ROOMS_MAX} rooms, and that is all it can")
