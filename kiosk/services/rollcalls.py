"""The roll-call as this desk sees it: everybody who should be in the building, and what is said of each.

Roll-calls that overlap in time are one: two desks that could not hear each other have each begun one, and nobody in
the yard wants two lists. So the facts of all of them are merged together (`sync.rollcall`), a "missing" of any desk
stands until it is surely answered, and the end is written into each of them.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from kiosk.services.knowledge import Knowledge
from kiosk.services.people import Person, in_order, person_of, somebodies, was_in_at
from sync.attendance import Fact
from sync.rollcall import RollCall, RollMark, begun_at_ms, merge_rollcall

_HOUR_MS: Final = 3_600_000
# Longer than any evacuation; one that nobody ended yesterday is no list for today.
GOES_ON_MAX_MS: Final = 12 * _HOUR_MS
# After the end somebody may still be found, or a desk heard that was cut off.
SHOWN_AFTER_END_MS: Final = 2 * _HOUR_MS


class RollState(StrEnum):
    """What is known of somebody in a roll-call, and what that is called."""

    TO_DO = "not yet"
    MISSING = "MISSING"
    SAFE = "safe"
    ELSEWHERE = "elsewhere"


STATE_OF: Final = {
    RollMark.PRESENT: RollState.SAFE,
    RollMark.MISSING: RollState.MISSING,
    RollMark.ELSEWHERE: RollState.ELSEWHERE,
}


@dataclass(frozen=True)
class Word:
    """What one desk said last of somebody, and when (UTC milliseconds)."""

    state: RollState
    desk: str
    at_ms: int


@dataclass(frozen=True)
class RollLine:
    """Somebody on the list. `words`: the last one of each desk, oldest first.

    `left_at_ms`: checked out since it began (UTC milliseconds); that is no mark, and takes nobody off the list.
    `is_unlisted`: marked, though nobody expected them.
    """

    person: Person
    state: RollState
    words: tuple[Word, ...] = ()
    is_disagreed: bool = False
    left_at_ms: int | None = None
    is_unlisted: bool = False


@dataclass(frozen=True)
class Heard:
    """Another desk, and when the server got the last entry from it that is here (UTC milliseconds)."""

    name: str
    at_ms: int


@dataclass(frozen=True)
class RollView:
    """The list now. `ids`: the roll-calls that it is of, none: none was begun. `open_ids`: those that go on.

    `desks` are the other desks that have written anything lately. `as_of_ms`: up to when this desk has heard the
    server; None: never. Times are UTC milliseconds.
    """

    lines: tuple[RollLine, ...]
    ids: tuple[str, ...] = ()
    open_ids: tuple[str, ...] = ()
    started_at_ms: int | None = None
    started_by: str = ""
    ended_at_ms: int | None = None
    desks: tuple[Heard, ...] = ()
    as_of_ms: int | None = None
    is_current: bool = False

    @property
    def goes_on(self) -> bool:
        """Whether a roll-call was begun and not ended."""
        return bool(self.open_ids)

    def count(self, state: RollState) -> int:
        """How many people stand so."""
        return sum(line.state is state for line in self.lines)

    def next_to_do(self, after: str) -> str:
        """The next person without a word behind this one, from the top again at the end; empty when nobody is left."""
        ids = [line.person.subject_id for line in self.lines]
        at = ids.index(after) + 1 if after in ids else 0
        left = (line.person.subject_id for line in (*self.lines[at:], *self.lines[:at]) if _is_to_do(line))
        return next(left, "")


@dataclass(frozen=True)
class _Call:
    """One roll-call with its bounds; `end_ms` None: it goes on."""

    rollcall_id: str
    facts: tuple[Fact, ...]
    begun_ms: int
    ended_ms: int | None


@dataclass(frozen=True)
class Link:
    """What the list says of this desk and its link."""

    device_name: str
    as_of_ms: int | None
    is_current: bool


def roll_view(knowledge: Knowledge, now_ms: int, link: Link) -> RollView:
    """The list at a moment (UTC milliseconds)."""
    calls = _overlapping(_calls(knowledge, now_ms))
    begun_ms = min((call.begun_ms for call in calls), default=None)
    expected = frozenset(one for one in somebodies(knowledge) if _is_expected(knowledge, one, begun_ms))
    merged = merge_rollcall("", (fact for call in calls for fact in call.facts), expected)
    names = _Names(knowledge, link.device_name)
    heard = sorted(knowledge.heard_from().values(), key=lambda one: (-one[1], one[0]))
    goes_on = tuple(call.rollcall_id for call in calls if call.ended_ms is None)
    return RollView(
        lines=_lines(knowledge, merged, expected, names),
        ids=tuple(call.rollcall_id for call in calls),
        open_ids=goes_on,
        started_at_ms=begun_ms,
        started_by=names.of(merged.starts[0]) if merged.starts else "",
        ended_at_ms=None if goes_on else max((call.ended_ms or 0 for call in calls), default=None),
        desks=tuple(Heard(name, at_ms) for name, at_ms in heard if now_ms - at_ms < GOES_ON_MAX_MS),
        as_of_ms=link.as_of_ms,
        is_current=link.is_current,
    )


def _is_expected(knowledge: Knowledge, subject_id: str, begun_ms: int | None) -> bool:
    """Who was in when it began, and whoever is in now."""
    attendance = knowledge.attendance(subject_id)
    return attendance.open_stay is not None or (begun_ms is not None and was_in_at(attendance, begun_ms))


def _calls(knowledge: Knowledge, now_ms: int) -> list[_Call]:
    """The roll-calls of the last hours of which anything counts."""
    found = []
    for subject_id in knowledge.subjects():
        facts = tuple(knowledge.facts(subject_id).values())
        if not facts or facts[0].event.rollcall_id != subject_id:
            continue
        begun_ms = begun_at_ms(facts)
        if begun_ms is not None and now_ms - begun_ms < GOES_ON_MAX_MS:
            ended_ms = merge_rollcall(subject_id, facts, ()).ended_at_ms
            found.append(_Call(subject_id, facts, begun_ms, ended_ms))
    return [one for one in found if one.ended_ms is None or now_ms - one.ended_ms < SHOWN_AFTER_END_MS]


def _overlapping(calls: Iterable[_Call]) -> list[_Call]:
    """The last roll-call with all that overlap with it, also through others."""
    group: list[_Call] = []
    end_ms: float = 0
    for call in sorted(calls, key=lambda one: (one.begun_ms, one.rollcall_id)):
        if call.begun_ms > end_ms:
            group, end_ms = [], 0
        group.append(call)
        end_ms = max(end_ms, float("inf") if call.ended_ms is None else call.ended_ms)
    return group


class _Names:
    """What the desks behind facts are called."""

    def __init__(self, knowledge: Knowledge, device_name: str) -> None:
        self._knowledge = knowledge
        self._device_name = device_name

    def of(self, fact: Fact) -> str:
        """The desk that said it."""
        if fact.device_id == self._knowledge.device_id:
            return self._device_name
        return self._knowledge.device_name(fact.event.subject_id, fact.event.event_id) or "another desk"


def _lines(knowledge: Knowledge, merged: RollCall, expected: frozenset[str], names: _Names) -> tuple[RollLine, ...]:
    marks = {one.subject_id: one for one in merged.marks}
    people = in_order(knowledge, (person_of(knowledge, one) for one in expected | marks.keys()))
    lines = []
    for person in people:
        mark = marks.get(person.subject_id)
        lines.append(
            RollLine(
                person=person,
                state=STATE_OF[mark.mark] if mark else RollState.TO_DO,
                words=_words(mark.words, names) if mark else (),
                is_disagreed=mark is not None and mark.is_disagreed,
                left_at_ms=None if person.is_in else person.since_ms,
                is_unlisted=person.subject_id not in expected,
            )
        )
    return tuple(lines)


def _words(facts: Sequence[Fact], names: _Names) -> tuple[Word, ...]:
    last = {fact.device_id: fact for fact in facts}
    ordered = sorted(last.values(), key=lambda fact: fact.order)
    return tuple(Word(STATE_OF[RollMark(fact.event.mark)], names.of(fact), fact.at_ms) for fact in ordered)


def _is_to_do(line: RollLine) -> bool:
    return line.state is RollState.TO_DO
