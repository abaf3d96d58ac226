"""Roll-calls and headcounts: what several desks say, merged so that nobody who is missing is hidden.

A roll-call is the fold of the events of one `rollcall_id`. It is total, independent of the order of arrival, and
idempotent, as the fold of presence is, and voids and corrections act first (`sync.amendments`).

| case                                                    | outcome                                                |
|---------------------------------------------------------|--------------------------------------------------------|
| the same event twice                                    | once                                                   |
| one word about somebody                                 | that                                                   |
| a desk says something else later                        | of that desk the later word                            |
| two desks say the same                                  | that                                                   |
| missing; surely later found by another desk             | what was said later: present, or elsewhere             |
| present or elsewhere; later missing on another desk     | missing                                                |
| missing, and found elsewhere at about the same time     | missing, until somebody says so surely later           |
| the same, and the clock of one of the desks is doubted  | missing, however much later                            |
| present on one desk, elsewhere on another               | the last word in the fold's order                      |
| a mark before the start, or after the end               | counts: whoever is found late is found                 |
| a mark is voided, or its time corrected                 | does not count; counts as of then                      |
| several starts                                          | the first starts, the others corroborate               |
| several ends                                            | the first ends, the others corroborate                 |
| no start has come (yet)                                 | not started; what is there counts                      |
| expected, and marked by nobody                          | `unmarked`; that is not missing, and not present       |
| marked, and not expected                                | `unexpected`, with the mark                            |

Surely later: on the same desk, later in the fold's order; between two desks, later by corrected time by more than their
clocks can be wrong, which is `CLOCK_TOLERANCE_MS` and the measured error of each.

Of the headcounts of a room the last one in the fold's order counts; a room that nobody counted has none.
"""

from collections.abc import Iterable, Sequence
from enum import StrEnum
from typing import Final

import msgspec

from sync.amendments import amend
from sync.attendance_events import CLOCK_TOLERANCE_MS, EventKind, Fact, each_once

_KINDS: Final = frozenset({EventKind.ROLLCALL_START, EventKind.ROLLCALL_MARK, EventKind.ROLLCALL_END})


class RollMark(StrEnum):
    """What is said of somebody in a roll-call."""

    PRESENT = "present"
    MISSING = "missing"
    ELSEWHERE = "elsewhere"


class Marked(msgspec.Struct, frozen=True, kw_only=True):
    """What the desks say of one subject together; `words` are all that counts, in order, with who said it where.

    `is_disagreed`: the last words of the desks are not the same.
    """

    subject_id: str
    mark: RollMark
    words: tuple[Fact, ...]
    is_disagreed: bool


class RollCall(msgspec.Struct, frozen=True, kw_only=True):
    """A roll-call as it stands. `starts` and `ends`: the first counts, the others say the same; none: it has not.

    `room_id` is the room that it is about; empty: everybody. `marks`, `unmarked` and `unexpected` are by id.
    """

    rollcall_id: str
    room_id: str
    starts: tuple[Fact, ...]
    ends: tuple[Fact, ...]
    marks: tuple[Marked, ...]
    unmarked: tuple[str, ...]
    unexpected: tuple[str, ...]

    @property
    def started_at_ms(self) -> int | None:
        """When it began (UTC milliseconds); None: no start has been heard of."""
        return self.starts[0].at_ms if self.starts else None

    @property
    def ended_at_ms(self) -> int | None:
        """When it ended (UTC milliseconds); None: it goes on."""
        return self.ends[0].at_ms if self.ends else None


class RoomCount(msgspec.Struct, frozen=True, kw_only=True):
    """The headcounts of a room, or of the whole centre when `room_id` is empty; at least one, the last one counts."""

    room_id: str
    counts: tuple[Fact, ...]

    @property
    def latest(self) -> Fact:
        """The headcount that counts, with its desk."""
        return self.counts[-1]


def begun_at_ms(facts: Iterable[Fact]) -> int | None:
    """When a roll-call began (UTC milliseconds): with its first start, or else with the first word there is of it.

    None when nothing of it counts. Who was in then is who is expected.
    """
    said = _said(facts)
    starts = [fact for fact in said if fact.event.kind is EventKind.ROLLCALL_START]
    return next((fact.at_ms for fact in (*starts, *said)), None)


def room_of(facts: Iterable[Fact]) -> str:
    """The room that a roll-call is about, by its first start; empty: everybody."""
    return next((fact.event.room_id for fact in _said(facts) if fact.event.kind is EventKind.ROLLCALL_START), "")


def merge_rollcall(rollcall_id: str, facts: Iterable[Fact], expected: Iterable[str]) -> RollCall:
    """Merge the facts of one roll-call; `expected` are the ids of those who were in when it began."""
    said = _said(facts)
    words: dict[str, list[Fact]] = {}
    for fact in said:
        if fact.event.kind is EventKind.ROLLCALL_MARK:
            words.setdefault(fact.event.child_id or fact.event.person_id, []).append(fact)
    wanted = frozenset(expected)
    return RollCall(
        rollcall_id=rollcall_id,
        room_id=room_of(said),
        starts=tuple(fact for fact in said if fact.event.kind is EventKind.ROLLCALL_START),
        ends=tuple(fact for fact in said if fact.event.kind is EventKind.ROLLCALL_END),
        marks=tuple(_marked(subject_id, words[subject_id]) for subject_id in sorted(words)),
        unmarked=tuple(sorted(wanted - words.keys())),
        unexpected=tuple(sorted(words.keys() - wanted)),
    )


def merge_headcounts(facts: Iterable[Fact]) -> tuple[RoomCount, ...]:
    """Merge headcounts, room by room, by id; facts of other kinds say nothing here."""
    subjects: dict[str, list[Fact]] = {}
    for fact in facts:
        subjects.setdefault(fact.event.subject_id, []).append(fact)
    counted = [fact for about in subjects.values() for fact in amend(each_once(about)).facts]
    rooms: dict[str, list[Fact]] = {}
    for fact in each_once(counted):
        if fact.event.kind is EventKind.HEADCOUNT:
            rooms.setdefault(fact.event.room_id, []).append(fact)
    return tuple(RoomCount(room_id=room_id, counts=tuple(rooms[room_id])) for room_id in sorted(rooms))


def _said(facts: Iterable[Fact]) -> list[Fact]:
    """What counts of a roll-call, in order."""
    counted = amend(each_once(facts)).facts
    return [fact for fact in counted if fact.event.kind in _KINDS]


def _marked(subject_id: str, words: Sequence[Fact]) -> Marked:
    last_of_desk = {word.device_id: word.event.mark for word in words}
    return Marked(
        subject_id=subject_id,
        mark=_merged(words),
        words=tuple(words),
        is_disagreed=len(set(last_of_desk.values())) > 1,
    )


def _merged(words: Sequence[Fact]) -> RollMark:
    """Missing, as long as one who said so was not surely answered later; else the last word."""
    found = [word for word in words if word.event.mark != RollMark.MISSING]
    missed = [word for word in words if word.event.mark == RollMark.MISSING]
    if any(not any(_is_surely_later(word, than) for word in found) for than in missed):
        return RollMark.MISSING
    return RollMark(found[-1].event.mark)


def _is_surely_later(word: Fact, than: Fact) -> bool:
    if word.device_id == than.device_id:
        return word.order > than.order
    if word.event.clock_suspect or than.event.clock_suspect:
        return False
    return word.at_ms - than.at_ms > _doubt_ms(word) + _doubt_ms(than)


def _doubt_ms(fact: Fact) -> int:
    """By how much the desk's clock can be wrong after it was corrected."""
    return CLOCK_TOLERANCE_MS + max(0, fact.event.clock_error_ms or 0)
