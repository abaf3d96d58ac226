"""Which children the roster lists: those of a room or of a scanned code, and of these whoever fits what was typed."""

from collections.abc import Sequence
from dataclasses import dataclass

from kiosk.messages import Mark
from kiosk.services.roster import RosterLine, search
from kiosk.widgets.wording import NO_CHILDREN, nobody_text

ALL_ROOMS = "All rooms"


@dataclass
class Narrowing:
    """What the list is narrowed to. An empty `room_id` is every room; a scanned code comes before any room."""

    everybody: Sequence[RosterLine] = ()
    room_id: str = ""
    scanned_ids: frozenset[str] = frozenset()
    searched: str = ""

    @property
    def rooms(self) -> list[tuple[str, str]]:
        """Id and name of each room that has children, by name."""
        rooms = {line.room_id: line.room_name for line in self.everybody if line.room_id}
        return sorted(rooms.items(), key=lambda room: room[1])

    @property
    def room_name(self) -> str:
        """The name of the room that is listed."""
        return dict(self.rooms).get(self.room_id, ALL_ROOMS) if self.room_id else ALL_ROOMS

    @property
    def next_room_id(self) -> str:
        """From all rooms to the first, and on, and back to all."""
        ids = ["", *(room_id for room_id, _ in self.rooms)]
        at = ids.index(self.room_id) if self.room_id in ids else 0
        return ids[(at + 1) % len(ids)]

    def take(self, everybody: Sequence[RosterLine]) -> frozenset[str]:
        """From now on narrow these; gives the children of whom something was asked, and nothing is any more."""
        asked = {line.child_id for line in self.everybody if _is_asked(line)}
        self.everybody = everybody
        return frozenset(line.child_id for line in everybody if line.child_id in asked and not _is_asked(line))

    def lines(self, typed: str) -> list[RosterLine]:
        """Who is listed, the best match first; `typed` is what stands in the search field."""
        return [line for line in search(self.everybody, typed) if self._is_wanted(line)]

    def is_new(self, typed: str) -> bool:
        """Whether this was not searched for before; it is now."""
        was, self.searched = self.searched, typed
        return typed != was

    def empty_words(self, typed: str) -> str:
        """Why nobody is listed."""
        return nobody_text(typed.strip(), self.room_name if self.room_id else "") if self.everybody else NO_CHILDREN

    def _is_wanted(self, line: RosterLine) -> bool:
        return line.child_id in self.scanned_ids if self.scanned_ids else self.room_id in {"", line.room_id}


def _is_asked(line: RosterLine) -> bool:
    return bool(line.findings) or line.mark is Mark.NEEDS_REVIEW
