"""Who is in the building by everything this desk knows: children, staff and visitors, each with a room."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from kiosk.services.children import child_of, is_known, listed_name
from kiosk.services.knowledge import Knowledge
from sync.attendance import ChildAttendance, EventKind, Fact, Stay
from sync.presence import Group
from sync.resemblance import folded_words

NAMELESS: Final = "(name not received yet)"
NO_ROOM: Final = "No room"
VISITS: Final = frozenset({EventKind.VISITOR_IN, EventKind.VISITOR_OUT})
_ORDER: Final = (Group.CHILD, Group.STAFF, Group.VISITOR)


@dataclass(frozen=True)
class Person:
    """Somebody who was in the building lately, or is on the staff.

    `since_ms` is since when somebody is in, or when they left (UTC milliseconds); None: nobody saw it. `note` is what
    a visitor came for. `is_on_file`: the centre has a record of them; a visitor never has one.
    """

    subject_id: str
    group: Group
    name: str
    room_id: str
    room_name: str
    is_in: bool
    since_ms: int | None
    note: str = ""
    is_on_file: bool = True

    @property
    def listed_name(self) -> str:
        """The name as lists of children show it: with the words beside it for a child who is not on file."""
        return listed_name(self.name, is_on_file=self.is_on_file or self.group is not Group.CHILD)

    def listed_within(self, characters: int) -> str:
        """The same in so many characters: the name is cut, and the words behind it are not."""
        words = self.listed_name.removeprefix(self.name)
        return f"{self.name[: max(characters - len(words), 3)]}{words}"


def people_in(knowledge: Knowledge) -> tuple[Person, ...]:
    """Everybody who is in now, by room, then children before staff before visitors, then by name."""
    return in_order(knowledge, (one for one in _seen(knowledge) if one.is_in))


def staff_lines(knowledge: Knowledge) -> tuple[Person, ...]:
    """Everybody on the staff, and whoever else came as staff and is still in, by name."""
    known = frozenset(knowledge.staff)
    found = [person_of(knowledge, subject_id) for subject_id in known]
    found += [one for one in _seen(knowledge) if one.group is Group.STAFF and one.is_in and one.subject_id not in known]
    return tuple(sorted(found, key=lambda one: (folded_words(one.name), one.subject_id)))


def visitors_in(knowledge: Knowledge) -> tuple[Person, ...]:
    """The visitors who are in, the last who came first."""
    found = [one for one in people_in(knowledge) if one.group is Group.VISITOR]
    return tuple(sorted(found, key=lambda one: (-(one.since_ms or 0), one.name)))


def person_of(knowledge: Knowledge, subject_id: str) -> Person:
    """Anybody as they stand now; somebody of whom nothing is known is out, nameless, and a visitor."""
    attendance = knowledge.attendance(subject_id)
    stay = attendance.stays[-1] if attendance.stays else None
    facts = knowledge.facts(subject_id).values()
    group = _group(knowledge, subject_id, facts)
    room_id = _room_of(knowledge, subject_id, stay)
    room = knowledge.rooms.get(room_id)
    return Person(
        subject_id=subject_id,
        group=group,
        name=name_of(knowledge, subject_id),
        room_id=room_id,
        room_name=room.name if room else "",
        is_in=stay is not None and stay.is_open,
        since_ms=None if stay is None else (stay.started_at_ms if stay.is_open else stay.ended_at_ms),
        note=_note(stay) if group is Group.VISITOR else "",
        is_on_file=subject_id in knowledge.children or subject_id in knowledge.staff,
    )


def name_of(knowledge: Knowledge, subject_id: str) -> str:
    """What people call somebody: by the record on file, or else by what the events say."""
    if (staff := knowledge.staff.get(subject_id)) is not None:
        return f"{staff.given_name} {staff.family_name}".strip()
    if is_known(knowledge, subject_id):
        return child_of(knowledge, subject_id).display_name
    said = (fact.event.person_name for fact in knowledge.facts(subject_id).values())
    return next(filter(None, said), NAMELESS)


def was_in_at(attendance: ChildAttendance, at_ms: int) -> bool:
    """Whether somebody was certainly in at a moment (UTC milliseconds), as `sync.presence` judges it."""
    return any(
        stay.started_at_ms is not None
        and stay.started_at_ms <= at_ms
        and (stay.ended_at_ms is None or at_ms < stay.ended_at_ms)
        for stay in attendance.stays
    )


def somebodies(knowledge: Knowledge) -> Iterator[str]:
    """The ids of all people of whom a fact is known; roll-calls and rooms are none."""
    for subject_id in knowledge.subjects():
        fact = next(iter(knowledge.facts(subject_id).values()), None)
        if fact is not None and not fact.event.rollcall_id and (fact.event.child_id or fact.event.person_id):
            yield subject_id


def in_order(knowledge: Knowledge, people: Iterable[Person]) -> tuple[Person, ...]:
    """By room as the centre sorts them, who has no room last; children, then staff, then visitors; by name."""

    def order(one: Person) -> tuple[int, str, int, tuple[str, ...], str]:
        room = knowledge.rooms.get(one.room_id)
        names = folded_words(one.name)
        return (room.sort if room else 2**31, one.room_name, _ORDER.index(one.group), names, one.subject_id)

    return tuple(sorted(people, key=order))


def _seen(knowledge: Knowledge) -> Iterator[Person]:
    for subject_id in somebodies(knowledge):
        if knowledge.attendance(subject_id).open_stay is not None:
            yield person_of(knowledge, subject_id)


def _group(knowledge: Knowledge, subject_id: str, facts: Iterable[Fact]) -> Group:
    """By the file first: whoever is on it is no visitor, whatever an old event says."""
    if subject_id in knowledge.children:
        return Group.CHILD
    if subject_id in knowledge.staff:
        return Group.STAFF
    kinds = set()
    for fact in facts:
        if fact.event.child_id:
            return Group.CHILD
        kinds.add(fact.event.kind)
    return Group.VISITOR if not kinds or kinds & VISITS else Group.STAFF


def _room_of(knowledge: Knowledge, subject_id: str, stay: Stay | None) -> str:
    if stay is not None and stay.is_open and stay.room_id:
        return stay.room_id
    child = knowledge.children.get(subject_id)
    return child.home_room_id if child else ""


def _note(stay: Stay | None) -> str:
    return stay.check_in.event.note if stay is not None and stay.check_in is not None else ""
