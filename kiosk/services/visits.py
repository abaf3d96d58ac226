"""Staff and visitors at this desk: who is in, and everybody who comes, goes or changes rooms."""

from collections.abc import Callable

from kiosk.services.errors import DeskError
from kiosk.services.people import Person, name_of, person_of, staff_lines, visitors_in
from kiosk.services.recorder import DeskParts, Recorded
from kiosk.services.recording import Wish
from kiosk.services.typed_words import typed_name, typed_purpose
from sync.attendance import EventKind
from sync.presence import Group


class Visits:
    """Each step looks how somebody stands, and records, as one."""

    def __init__(self, parts: DeskParts, new_id: Callable[[], str]) -> None:
        self._following = parts.following
        self._refusals = parts.refusals
        self._recorder = parts.recorder
        self._new_id = new_id

    async def staff(self) -> tuple[Person, ...]:
        """Everybody on the staff with how they stand, by name; raises DeskError locked or revoked."""
        self._refusals.require_unlocked()
        return staff_lines(self._following.knowledge)

    async def visitors(self) -> tuple[Person, ...]:
        """The visitors who are in, the last who came first; raises DeskError locked or revoked."""
        self._refusals.require_unlocked()
        return visitors_in(self._following.knowledge)

    async def rooms(self) -> tuple[tuple[str, str], ...]:
        """Id and name of each room in the centre's order; raises DeskError locked or revoked."""
        self._refusals.require_unlocked()
        rooms = self._following.knowledge.rooms
        ordered = sorted(rooms.items(), key=lambda room: (room[1].sort, room[1].name, room[0]))
        return tuple((room_id, room.name) for room_id, room in ordered)

    async def staff_in(self, person_id: str, room_id: str = "") -> Recorded:
        """Record that a member of staff came, and to which room.

        Raises:
            DeskError: locked, revoked, unknown_staff, unknown_room, already_in, storage_full, storage_failed.

        """
        async with self._recorder.one_at_a_time:
            person = self._staff(person_id)
            self._require_room(room_id)
            if person.is_in:
                raise DeskError("already_in", f"{person.name} is in already.")
            return await self._one(Wish(kind=EventKind.STAFF_IN, person_id=person_id, room_id=room_id))

    async def staff_move(self, person_id: str, room_id: str) -> Recorded:
        """Record that a member of staff is in another room now.

        Raises:
            DeskError: locked, revoked, unknown_staff, unknown_room, already_out, already_in (that room), storage_full,
                storage_failed.

        """
        async with self._recorder.one_at_a_time:
            person = self._staff(person_id)
            self._require_room(room_id or "-")
            _require_in(person)
            if person.room_id == room_id:
                raise DeskError("already_in", f"{person.name} is in {person.room_name} already.")
            wish = Wish(kind=EventKind.STAFF_MOVE, person_id=person_id, room_id=person.room_id, to_room_id=room_id)
            return await self._one(wish)

    async def staff_out(self, person_id: str) -> Recorded:
        """Record that a member of staff left.

        Raises:
            DeskError: locked, revoked, unknown_staff, already_out, storage_full, storage_failed.

        """
        async with self._recorder.one_at_a_time:
            person = self._staff(person_id)
            _require_in(person)
            return await self._one(Wish(kind=EventKind.STAFF_OUT, person_id=person_id, room_id=person.room_id))

    async def visitor_in(self, name: str, *, purpose: str = "", host: str = "") -> Recorded:
        """Record that a visitor came: a name, what for, and whom they visit (both may be empty).

        Raises:
            DeskError: locked, revoked, bad_input, storage_full, storage_failed.

        """
        self._refusals.require_unlocked()
        said, why, whom = typed_name(name), typed_purpose(purpose), typed_purpose(host)
        note = "; ".join(filter(None, (why, f"visits {whom}" if whom else "")))
        async with self._recorder.one_at_a_time:
            wish = Wish(kind=EventKind.VISITOR_IN, person_id=self._new_id(), person_name=said, note=note)
            return await self._one(wish)

    async def visitor_out(self, person_id: str) -> Recorded:
        """Record that a visitor left.

        Raises:
            DeskError: locked, revoked, already_out, storage_full, storage_failed.

        """
        self._refusals.require_unlocked()
        async with self._recorder.one_at_a_time:
            knowledge = self._following.knowledge
            person = person_of(knowledge, person_id)
            _require_in(person)
            said = name_of(knowledge, person_id)
            return await self._one(Wish(kind=EventKind.VISITOR_OUT, person_id=person_id, person_name=said))

    async def _one(self, wish: Wish) -> Recorded:
        return (await self._recorder.record(wish))[0]

    def _staff(self, person_id: str) -> Person:
        self._refusals.require_unlocked()
        person = person_of(self._following.knowledge, person_id)
        if person.group is not Group.STAFF:
            raise DeskError("unknown_staff", "Nobody of this id is on the staff of this desk's centre.")
        return person

    def _require_room(self, room_id: str) -> None:
        if room_id and room_id not in self._following.knowledge.rooms:
            raise DeskError("unknown_room", "No such room is known here; choose one of the list.")


def _require_in(person: Person) -> None:
    if not person.is_in:
        raise DeskError("already_out", f"{person.name} is not in.")
