"""The trail of a stay: every event behind it, what each said first, each change to it, and what was asked and answered.

Nothing is decided here: `fold` decided what a stay is. A trail gathers what led there, also what counts no more.

| what is on the trail of a stay                                            | `Part`                          |
|---------------------------------------------------------------------------|---------------------------------|
| its arrival, its departure (or what stands for one), who saw the same     | BEGAN, ENDED, CORROBORATED      |
| moves between rooms that count within it                                  | MOVED                           |
| what no longer counts, of the time from the stay before to the stay after | TAKEN_AWAY                      |
| what a question about the stay names beside it                            | IN_QUESTION                     |
| anything else of that time: a refused release, an assumed end before      | BESIDE                          |
| whoever voids, corrects, confirms or answers one of these, or such an act | ACTED, whether or not it acts   |

"That time" reaches from the end of the stay before to the beginning of the stay after, by what was said first or by
what counts now. So no event of somebody who had a stay at all lies between two trails, and none that was voided hides
behind its replacement. An event that begins, ends or corroborates another stay is on that trail, and on this one only
when it is in question.
"""

from collections.abc import Iterable, Iterator, Sequence
from enum import StrEnum
from typing import Final

import msgspec

from sync.amendments import ACTS, amend, corrected
from sync.attendance import fold
from sync.attendance_events import EventKind, Fact
from sync.circumstances import NOTHING_KNOWN, Circumstances
from sync.findings import CRITICAL_FINDINGS, Answer, Finding
from sync.limits import INT64_MAX
from sync.stays import Stay

_MOVES: Final = frozenset({EventKind.ROOM_MOVE, EventKind.STAFF_MOVE})
_ACTING_KINDS: Final = ACTS | {EventKind.CONFIRM}
# What a correction can change beside the moment.
_CHANGEABLE: Final = ("room_id", "to_room_id", "adult_id", "adult_name", "headcount")


class Part(StrEnum):
    """What an event is to the stay on whose trail it stands."""

    BEGAN = "began"
    ENDED = "ended"
    CORROBORATED = "corroborated"
    MOVED = "moved"
    TAKEN_AWAY = "taken_away"
    IN_QUESTION = "in_question"
    BESIDE = "beside"
    ACTED = "acted"


class Step(msgspec.Struct, frozen=True):
    """One value that a correction replaced; `name` is a field of the event, or `at_ms`, the moment that counts."""

    name: str
    before: str | int | None
    after: str | int | None


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """What an act did to an event, or would have done: when it does not act, `steps` are what it wanted to say.

    `removes`: it took the event away (or took back the act that it names) and said nothing in its place.
    """

    act: Fact
    acts: bool
    removes: bool
    steps: tuple[Step, ...] = ()


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """An event of a trail: `fact` is what it said first, `now` what counts of it, None when nothing does."""

    part: Part
    fact: Fact
    now: Fact | None
    changes: tuple[Change, ...] = ()


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """A finding that names an event of the trail; `answers` are those that count, the oldest first."""

    key: str
    kind: str
    event_ids: tuple[str, ...]
    is_open: bool
    answers: tuple[Answer, ...] = ()

    @property
    def is_critical(self) -> bool:
        """Whether a manager must be told at once."""
        return self.kind in CRITICAL_FINDINGS


class Trail(msgspec.Struct, frozen=True):
    """The trail of a stay, in the fold's order; `stay` None: what was said there comes to no stay (any more)."""

    stay: Stay | None = None
    told: tuple[Told, ...] = ()
    questions: tuple[Question, ...] = ()


def id_of_stay(stay: Stay) -> str:
    """The event that a stay is called by: its arrival, or its departure when nobody saw one; empty for neither."""
    first = stay.check_in or stay.check_out
    return first.event.event_id if first is not None else ""


def trail_of(facts: Iterable[Fact], event_id: str, known: Circumstances = NOTHING_KNOWN) -> Trail:
    """Gather the trail of the stay that the event begins, or else is a part of, or else falls into.

    `facts` are those of one subject, in whatever order and however often. Total: when the event is not among them, the
    trail is empty; when it comes to no stay, the trail is that of the time between the stays around it. Takes time in
    proportion to the facts and to what they name.
    """
    said: dict[str, Fact] = {}
    for fact in sorted(facts, key=lambda one: one.order):
        said.setdefault(fact.event.event_id, fact)
    return _Case(said, known).trail(event_id) if event_id in said else Trail()


class _Case:
    """The facts of one subject by id, in the fold's order, and what they come to."""

    def __init__(self, said: dict[str, Fact], known: Circumstances) -> None:
        ordered = list(said.values())
        amended = amend(ordered)
        self._said = said
        self._attendance = fold(ordered, known)
        self._now = {fact.event.event_id: fact for fact in amended.facts}
        self._acting = {fact.event.event_id: fact for fact in amended.acts}
        acts = [fact for fact in ordered if fact.event.kind in ACTS]
        touched = {act: [fact.event.event_id for fact in facts] for act, facts in amended.touched.items()}
        self._named_by = _index((fact.event.event_id, _names(fact)) for fact in ordered)
        self._answered_by = _index((act.event.event_id, _ids_in(act.event.finding)) for act in acts)
        self._acts_upon = _index((act.event.event_id, touched.get(act.event.event_id, _names(act))) for act in acts)
        self._answers_to = _index((act.event.event_id, [act.event.finding]) for act in amended.acts)
        self._questions = tuple(_questions(acts, self._attendance.answers, self._attendance.findings))

    def trail(self, event_id: str) -> Trail:
        place_ms = self._now.get(event_id, self._said[event_id]).at_ms
        stay = self._stay_with(event_id, place_ms)
        core = {event_id, *_ids_of(stay), *self._of_the_time(stay, place_ms)}
        core |= _reached(core, self._named_by, self._answered_by)
        asked = tuple(question for question in self._questions if not core.isdisjoint(question.event_ids))
        in_question = {one for question in asked for one in question.event_ids} & self._said.keys()
        found = core | in_question | _reached(in_question, self._named_by)
        told = [self._told(fact, stay, in_question) for one, fact in self._said.items() if one in found]
        return Trail(stay, tuple(told), asked)

    def _stay_with(self, event_id: str, at_ms: int) -> Stay | None:
        stays = self._attendance.stays
        begun = [stay for stay in stays if id_of_stay(stay) == event_id]
        own = [stay for stay in stays if event_id in _ids_of(stay)]
        around = [stay for stay in stays if _holds(stay, at_ms)]
        return next(iter((*begun, *own, *around)), None)

    def _of_the_time(self, stay: Stay | None, place_ms: int) -> Iterator[str]:
        """The events from the stay before to the stay after, without acts and without those of other stays."""
        others = {one for other in self._attendance.stays for one in _ids_of(other)}
        since_ms, before_ms = self._time_around(stay, place_ms)
        for one, fact in self._said.items():
            moments = (fact.at_ms, self._now.get(one, fact).at_ms)
            is_of_it = any(since_ms <= at_ms < before_ms for at_ms in moments)
            if is_of_it and one not in others and fact.event.kind not in _ACTING_KINDS:
                yield one

    def _time_around(self, stay: Stay | None, place_ms: int) -> tuple[int, int]:
        """From the end of the stay before to the beginning of the stay after."""
        stays = self._attendance.stays
        before = sum(_begins_ms(one) <= place_ms for one in stays)
        if stay is not None:
            before = next(number for number, one in enumerate(stays) if one is stay)
        after = stays[before if stay is None else before + 1 :]
        since_ms = _ends_ms(stays[before - 1]) if before else -INT64_MAX
        return since_ms, _begins_ms(after[0]) if after else INT64_MAX

    def _told(self, fact: Fact, stay: Stay | None, in_question: set[str]) -> Told:
        event_id, is_act = fact.event.event_id, fact.event.kind in ACTS
        now = self._now.get(event_id) or self._acting.get(event_id)
        part = _part(fact, now, stay)
        if part is Part.BESIDE and event_id in in_question:
            part = Part.IN_QUESTION
        changes = self._undone(fact) if is_act else self._changed(fact)
        return Told(part=part, fact=fact, now=now, changes=tuple(changes))

    def _changed(self, fact: Fact) -> Iterator[Change]:
        """What acts did to an event that is none itself, in their order, and what others that name it wanted."""
        now = fact
        for one in self._acts_upon.get(fact.event.event_id, ()):
            act, acts = self._said[one], one in self._acting
            said = act.event.corrected
            after = now if said is None else corrected(now, said, act.event.recorded_at_ms)
            yield Change(act=act, acts=acts, removes=said is None, steps=tuple(_steps(now, after)))
            now = after if acts else now

    def _undone(self, fact: Fact) -> Iterator[Change]:
        """Who takes an act back, or would: a void that names it, or another answer to its finding that acts."""
        event_id, finding = fact.event.event_id, fact.event.finding
        takes_back = [one for one in self._named_by.get(event_id, ()) if self._said[one].event.corrected is None]
        replaces = self._answers_to.get(finding, ()) if finding and event_id not in self._acting else ()
        for one in dict.fromkeys((*takes_back, *replaces)):
            act = self._said[one]
            if act.event.kind in ACTS:
                yield Change(act=act, acts=one in self._acting, removes=True)


def _questions(acts: Iterable[Fact], answers: Sequence[Answer], findings: Iterable[Finding]) -> Iterator[Question]:
    """Every finding once: the open ones in the order of the fold, then those that somebody ever answered."""
    open_keys = dict.fromkeys(finding.key for finding in findings)
    said: dict[str, list[Answer]] = {}
    for answer in answers:
        said.setdefault(answer.finding, []).append(answer)
    for key in open_keys | dict.fromkeys(act.event.finding for act in acts if act.event.finding):
        yield Question(
            key=key,
            kind=key.partition(":")[0],
            event_ids=_ids_in(key),
            is_open=key in open_keys,
            answers=tuple(said.get(key, ())),
        )


def _part(fact: Fact, now: Fact | None, stay: Stay | None) -> Part:
    event_id = fact.event.event_id
    if stay is not None and event_id in _ids_of(stay):
        if event_id in stay.corroborated_by:
            return Part.CORROBORATED
        return Part.BEGAN if stay.check_in and stay.check_in.event.event_id == event_id else Part.ENDED
    if fact.event.kind in _ACTING_KINDS:
        return Part.ACTED
    if now is None:
        return Part.TAKEN_AWAY
    is_move = fact.event.kind in _MOVES
    return Part.MOVED if is_move and stay is not None and _holds(stay, now.at_ms) else Part.BESIDE


def _steps(before: Fact, after: Fact) -> Iterator[Step]:
    if before.at_ms != after.at_ms:
        yield Step("at_ms", before.at_ms, after.at_ms)
    for name in _CHANGEABLE:
        old, new = getattr(before.event, name), getattr(after.event, name)
        if old != new:
            yield Step(name, old, new)


def _ids_of(stay: Stay | None) -> tuple[str, ...]:
    """The events that begin, end and corroborate a stay."""
    if stay is None:
        return ()
    ends = (fact.event.event_id for fact in (stay.check_in, stay.check_out) if fact is not None)
    return (*ends, *stay.corroborated_by)


def _holds(stay: Stay, at_ms: int) -> bool:
    return _begins_ms(stay) <= at_ms <= _ends_ms(stay)


def _begins_ms(stay: Stay) -> int:
    """When the stay began; when it ended, if nobody knows since when it was."""
    return _ends_ms(stay) if stay.started_at_ms is None else stay.started_at_ms


def _ends_ms(stay: Stay) -> int:
    return INT64_MAX if stay.ended_at_ms is None else stay.ended_at_ms


def _names(fact: Fact) -> tuple[str, ...]:
    """The events that an event says something of."""
    return (*fact.event.supersedes, *fact.event.confirms)


def _ids_in(finding: str) -> tuple[str, ...]:
    """The events that a finding's key names."""
    return tuple(finding.split(":")[1:])


def _index(lines: Iterable[tuple[str, Iterable[str]]]) -> dict[str, list[str]]:
    """Who names each; in the order of those who do, each once."""
    found: dict[str, dict[str, None]] = {}
    for one, named in lines:
        for name in named:
            found.setdefault(name, {})[one] = None
    return {name: list(ones) for name, ones in found.items()}


def _reached(start: Iterable[str], *indexes: dict[str, list[str]]) -> set[str]:
    """Everything that names one of these, or what names one, and so on."""
    waiting = list(start)
    found = set(waiting)
    while waiting:
        one = waiting.pop()
        for index in indexes:
            fresh = [name for name in index.get(one, ()) if name not in found]
            found.update(fresh)
            waiting += fresh
    return found
