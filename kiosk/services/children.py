"""The children that a desk speaks of: those on file, and those it knows only by what was recorded of them.

A child without a file is one that was taken in under a provisional name, or one whose file the server has lost or
deleted while the child was here. Either is a child in the building: whoever lists, counts or finds children asks here.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from kiosk.services.knowledge import Knowledge
from kiosk.services.own_facts import fact_of_own
from sync.attendance import Fact
from sync.attendance_events import each_once
from sync.records import AlertRecord, ChildRecord

NOT_ON_FILE: Final = "not on file"
NO_LONGER_ON_FILE: Final = "(no longer on file)"


@dataclass(frozen=True)
class KnownChild:
    """A child by its file, or else by its events.

    `called` is the given name that people use. `home_room_id` of a child without a file is the room it was in last.
    `provisional_name`: what each of its events must say for the server to take it; empty for a child on file, and for
    one that lost its file and never had such a name.
    """

    child_id: str
    given_name: str
    family_name: str
    called: str
    home_room_id: str
    record: ChildRecord | None = None
    provisional_name: str = ""

    @property
    def is_on_file(self) -> bool:
        """Whether the centre has a record of it."""
        return self.record is not None

    @property
    def display_name(self) -> str:
        """The name the desk uses: the preferred one where there is one, and the family name."""
        return f"{self.called} {self.family_name}".strip()

    @property
    def alerts(self) -> tuple[AlertRecord, ...]:
        """What must be seen of it; of a child without a file nobody knows."""
        return self.record.alerts if self.record is not None else ()


def listed_name(name: str, *, is_on_file: bool) -> str:
    """The name of a child in a list, with the words beside it where it has no file: `Mia Berger (not on file)`."""
    return name if is_on_file or name == NO_LONGER_ON_FILE else f"{name} ({NOT_ON_FILE})"


def is_known(knowledge: Knowledge, child_id: str) -> bool:
    """Whether this is a child that the desk can speak of, on file or not."""
    if child_id in knowledge.children:
        return True
    if child_id in knowledge.staff or child_id not in _mentioned(knowledge):
        return False
    return bool(_said_of(knowledge, child_id))


def child_of(knowledge: Knowledge, child_id: str) -> KnownChild:
    """A child that the desk knows (`is_known`); one of whom nothing is known has no longer a file, and no room."""
    record = knowledge.children.get(child_id)
    if record is not None:
        called = record.preferred_name or record.given_name
        return KnownChild(child_id, record.given_name, record.family_name, called, record.home_room_id, record)
    said = next((name for fact in reversed(_said_of(knowledge, child_id)) if (name := fact.event.provisional_name)), "")
    given, family = (*said.rsplit(" ", 1), "")[:2] if said else (NO_LONGER_ON_FILE, "")
    stays = knowledge.attendance(child_id).stays
    room_id = stays[-1].room_id if stays else ""
    return KnownChild(child_id, given, family, given, room_id, provisional_name=said)


def without_file(knowledge: Knowledge) -> Iterator[str]:
    """The children of whom something is known, and who are not on file; also those who left days ago."""
    for child_id in _mentioned(knowledge) - knowledge.children.keys() - knowledge.staff.keys():
        if _said_of(knowledge, child_id):
            yield child_id


def all_children(knowledge: Knowledge) -> Iterator[str]:
    """The ids of every child, those on file first."""
    yield from knowledge.children
    yield from without_file(knowledge)


def provisional_name(knowledge: Knowledge, child_id: str) -> str:
    """What an event of this child must call it; empty for a child on file, and where nobody ever said a name."""
    return "" if child_id in knowledge.children else child_of(knowledge, child_id).provisional_name


def _mentioned(knowledge: Knowledge) -> frozenset[str]:
    """Everybody and everything of which anything was recorded, also what the server keeps for a person."""
    return knowledge.subjects().union(entry.child_id for entry in knowledge.parked() if entry.child_id)


def _said_of(knowledge: Knowledge, child_id: str) -> list[Fact]:
    """What was recorded of a child, in its order; empty when these are the facts of something else.

    Own entries that the server keeps for a person count: they are in no fold, and a child whose arrival is one of them
    must not vanish from the screen.
    """
    found = list(knowledge.facts(child_id).values())
    if found and not found[0].event.child_subject_id:
        return []
    own = (fact_of_own(entry, knowledge.device_id) for entry in knowledge.parked() if entry.child_id == child_id)
    return list(each_once([*found, *(fact for fact in own if fact is not None)]))
