"""Children who change rooms, one or several at once, and the rooms with what they hold."""

from collections.abc import Sequence

from kiosk.services.children import all_children
from kiosk.services.errors import DeskError
from kiosk.services.people import Person, in_order, person_of
from kiosk.services.recorder import DeskParts, Recorded
from kiosk.services.recording import Wish
from kiosk.services.rooms import RoomsNow, rooms_now
from sync.attendance import EventKind


class Moves:
    """Room moves; capacity and ratio are shown before and after, and never stop anybody."""

    def __init__(self, parts: DeskParts) -> None:
        self._following = parts.following
        self._refusals = parts.refusals
        self._recorder = parts.recorder

    async def rooms(self) -> RoomsNow:
        """Every room with who is in it and whether that is in order; raises DeskError locked or revoked."""
        self._refusals.require_unlocked()
        return rooms_now(self._following.knowledge, self._following.now_ms())

    async def children_in(self, room_id: str) -> tuple[Person, ...]:
        """The children who are in this room now, by name; raises DeskError locked or revoked."""
        self._refusals.require_unlocked()
        knowledge = self._following.knowledge
        people = (person_of(knowledge, child_id) for child_id in all_children(knowledge))
        return in_order(knowledge, (one for one in people if one.is_in and one.room_id == room_id))

    async def move(self, child_ids: Sequence[str], to_room_id: str) -> tuple[Recorded, ...]:
        """Record that these children are in another room now: all of them, or none. Who is there already stays.

        Raises:
            DeskError: locked, revoked, unknown_child, unknown_room, already_out, already_in (all are there),
                storage_full, storage_failed.

        """
        async with self._recorder.one_at_a_time:
            self._refusals.require_unlocked()
            rooms = self._following.knowledge.rooms
            if to_room_id not in rooms:
                raise DeskError("unknown_room", "No such room is known here; choose one of the list.")
            people = [self._child(child_id) for child_id in dict.fromkeys(child_ids)]
            wishes = [_move(one, to_room_id) for one in people if one.room_id != to_room_id]
            if not wishes:
                raise DeskError("already_in", f"Already in {rooms[to_room_id].name}; nothing was recorded.")
            return await self._recorder.record(*wishes)

    def _child(self, child_id: str) -> Person:
        self._refusals.require_known(child_id)
        person = person_of(self._following.knowledge, child_id)
        if not person.is_in:
            raise DeskError("already_out", f"{person.name} is not in; only who is in changes rooms.")
        return person


def _move(person: Person, to_room_id: str) -> Wish:
    return Wish(kind=EventKind.ROOM_MOVE, child_id=person.subject_id, room_id=person.room_id, to_room_id=to_room_id)
