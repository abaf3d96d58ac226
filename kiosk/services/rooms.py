"""The rooms now: how many are in, how many fit, and whether there are adults enough, by the server's own engine."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from msgspec import UNSET

from kiosk.services.knowledge import Knowledge
from kiosk.services.people import NO_ROOM, somebodies
from sync.limits import WALL_MS_MAX
from sync.ratio import ChildPresent, RatioReason, RatioState, StaffPresent, center_ratio
from sync.ratio import Group as Together
from sync.ratio_breaches import Person, groups_at, local_moment, presences
from sync.ratio_rules import WHOLE_PERCENT

NO_RULES_WORDS: Final = {
    RatioReason.NOBODY: "nobody in",
    RatioReason.BY_CENTER: "judged for the whole centre",
    RatioReason.NO_RULES: "no ratio rules are set",
    RatioReason.RULES_UNKNOWN: "rules of a newer version: ask the server",
}


@dataclass(frozen=True)
class RoomLine:
    """A room as it is now; `capacity` 0: none is set. `room_id` is empty for those of whom nobody said the room."""

    room_id: str
    name: str
    capacity: int
    state: RatioState

    @property
    def present(self) -> int:
        """How many children are in it."""
        return self.state.children

    @property
    def is_over(self) -> bool:
        """Whether more children are in it than fit."""
        return 0 < self.capacity < self.present

    @property
    def is_warning(self) -> bool:
        """Whether somebody should act."""
        return self.is_over or self.state.is_breach


@dataclass(frozen=True)
class RoomsNow:
    """All rooms in the centre's order, and the centre as a whole."""

    rooms: tuple[RoomLine, ...]
    center: RatioState

    @property
    def warnings(self) -> tuple[RoomLine, ...]:
        """The rooms in which somebody should act."""
        return tuple(room for room in self.rooms if room.is_warning)


def rooms_now(knowledge: Knowledge, now_ms: int) -> RoomsNow:
    """Count and judge who is in at this moment (UTC milliseconds)."""
    whereabouts = [one for person in _people(knowledge) for one in presences(person) if one.to_ms is None]
    groups = {room_id: Together() for room_id in knowledge.rooms} | groups_at(whereabouts, WALL_MS_MAX)
    told = knowledge.center.ratio_rules
    rules = () if told is UNSET else told
    judged = center_ratio(rules, groups, local_moment(now_ms, knowledge.center.time_zone))
    lines = [_line(knowledge, room_id, judged.rooms[room_id]) for room_id in groups]
    shown = [line for line in lines if line.room_id or line.state.children or line.state.staff]
    return RoomsNow(tuple(sorted(shown, key=lambda line: _order(knowledge, line))), judged.center)


def capacity_words(line: RoomLine) -> str:
    """`9 of 10`, with a word when it is full or more than that."""
    if not line.capacity:
        return f"{line.present} in"
    words = f"{line.present} of {line.capacity}"
    if line.is_over:
        return f"{words}, {line.present - line.capacity} OVER"
    return f"{words}, full" if line.present == line.capacity else words


def center_words(now: RoomsNow) -> str:
    """The whole centre: where rooms are judged its sums, or else what the rules say of all together."""
    if any(room.state.reason is RatioReason.BY_CENTER for room in now.rooms):
        return f"whole centre {ratio_words(now.center)}"
    adults = now.center.counted_percent
    words = "1 adult" if adults == WHOLE_PERCENT else f"{_in_tenths(adults, WHOLE_PERCENT)} adults"
    return f"{_children(now.center.children)}, {words} counted"


def ratio_words(state: RatioState) -> str:
    """`1 : 6 (max 1 : 8), 2 more`: children for each adult there, what is allowed, and what that leaves."""
    if state.reason in NO_RULES_WORDS:
        return NO_RULES_WORDS[state.reason]
    if state.reason is RatioReason.NO_STAFF:
        return f"NO STAFF with {_children(state.children)}"
    allowed = state.children_allowed or 0
    words = f"1 : {_per_adult(state.children, state.counted_percent)}"
    if state.staff_needed and state.counted_percent >= WHOLE_PERCENT:
        words += f" (max 1 : {_per_adult(allowed, state.counted_percent)})"
    if state.reason is RatioReason.TOO_FEW_STAFF:
        return f"{words}, {state.children - allowed} TOO MANY"
    if state.reason is RatioReason.GROUP_TOO_LARGE:
        return f"group of {state.children}, at most {state.group_cap}" if state.group_cap else "a group is TOO LARGE"
    return f"{words}, {state.children_more} more" if state.children_more else f"{words}, no more"


def _per_adult(children: int, counted_percent: int) -> str:
    """How many children there are for each whole adult, with one digit where it does not come out even."""
    return _in_tenths(children * WHOLE_PERCENT, counted_percent)


def _in_tenths(number: int, divisor: int) -> str:
    tenths = round(number * 10 / max(divisor, 1))
    return str(tenths // 10) if tenths % 10 == 0 else f"{tenths // 10}.{tenths % 10}"


def _children(number: int) -> str:
    return "1 child" if number == 1 else f"{number} children"


def _people(knowledge: Knowledge) -> Iterator[Person]:
    """Whoever counts as child or staff; a child that is not on file is there, too, and nobody knows its age."""
    for subject_id in somebodies(knowledge):
        stays = knowledge.attendance(subject_id).stays
        if not stays or not stays[-1].is_open:
            continue
        child, staff = knowledge.children.get(subject_id), knowledge.staff.get(subject_id)
        if child is not None:
            yield Person(ChildPresent(subject_id, child.birth_date), stays[-1:], child.home_room_id)
        elif staff is not None:
            yield Person(StaffPresent(subject_id, counts_in_ratio=staff.counts_in_ratio), stays[-1:])
        elif _is_of_a_child(knowledge, subject_id):
            yield Person(ChildPresent(subject_id), stays[-1:])


def _is_of_a_child(knowledge: Knowledge, subject_id: str) -> bool:
    return any(fact.event.child_id for fact in knowledge.facts(subject_id).values())


def _line(knowledge: Knowledge, room_id: str, state: RatioState) -> RoomLine:
    room = knowledge.rooms.get(room_id)
    return RoomLine(room_id, room.name if room else NO_ROOM, room.capacity if room else 0, state)


def _order(knowledge: Knowledge, line: RoomLine) -> tuple[int, str, str]:
    room = knowledge.rooms.get(line.room_id)
    return (room.sort if room else 2**31, line.name, line.room_id)
