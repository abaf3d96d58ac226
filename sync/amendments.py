"""Events that act upon events: voids, corrections and answers, and what is left of the facts once they have acted.

| case                                               | what is decided                                           |
|----------------------------------------------------|-----------------------------------------------------------|
| a void names events                                | they no longer count; all stay in the log                 |
| a void names a void, a correction or an answer     | that one does not act: what it took or changed is back    |
| acts name each other in a circle                   | the last one in the fold's order acts first               |
| a correction names events                          | of these, and no others, what it says anew counts         |
| two corrections name one event                     | field by field, the later one's word                      |
| a correction names a correction that acts          | it corrects what that one corrects; the later word counts |
| a correction names a void, or an answer that voids | nothing: whoever means that voids it                      |
| an answer names events, and says nothing anew      | it voids them                                             |
| an answer names events, and says something anew    | it corrects them                                          |
| an answer says when the subject left               | a departure that answers every arrival before it          |
| two answers to one finding                         | the later one counts, with what follows from it           |

An act counts wherever it stands in the order, also before what it names: desks' clocks differ. It acts upon events of
its own subject alone, since the fold sees no others.
"""

from collections.abc import Iterable, Sequence
from typing import Final

import msgspec

from sync.attendance_events import AttendanceEvent, Correction, EventKind, Fact
from sync.findings import Answer

ACTS: Final = frozenset({EventKind.VOID, EventKind.CORRECT, EventKind.REVIEW_RESOLVED})


class Amended(msgspec.Struct, frozen=True):
    """The facts that count, as they count, in order; the acts that act; what was answered, the oldest first.

    `touched`: the facts, as they were said, that each act changed or took away, by the act's id.
    """

    facts: Sequence[Fact]
    acts: tuple[Fact, ...]
    answers: tuple[Answer, ...]
    touched: dict[str, tuple[Fact, ...]]


def amend(ordered: Sequence[Fact]) -> Amended:
    """Let the acts among facts act; facts come in the fold's order, each event once."""
    acts = _acting([fact for fact in ordered if fact.event.kind in ACTS])
    plain = {fact.event.event_id: fact for fact in ordered if fact.event.kind not in ACTS}
    targets = _targets(acts, plain.keys())
    gone = {target for act in acts if _removes(act.event) for target in targets[act.event.event_id]}
    left = {event_id: fact for event_id, fact in plain.items() if event_id not in gone}
    for act in acts:
        for target in targets[act.event.event_id]:
            if act.event.corrected is not None and target in left:
                left[target] = corrected(left[target], act.event.corrected, act.event.recorded_at_ms)
    departures = [_departure(act, act.event.left_at_ms) for act in acts if act.event.left_at_ms is not None]
    return Amended(
        facts=sorted([*left.values(), *departures], key=lambda fact: fact.order),
        acts=tuple(acts),
        answers=tuple(Answer(act.event.finding, act.event.answer, act.event.event_id) for act in acts if _answers(act)),
        touched={act: tuple(plain[one] for one in named if one in plain) for act, named in targets.items()},
    )


def _answers(act: Fact) -> bool:
    return act.event.kind is EventKind.REVIEW_RESOLVED


def _removes(event: AttendanceEvent) -> bool:
    """Whether what the event names no longer counts; otherwise it is corrected, or nothing is named."""
    return event.corrected is None


def _acting(acts: Sequence[Fact]) -> list[Fact]:
    """Those that act, in order: an act does when nothing that acts takes it away.

    Each is decided once all that would take it away are. What is left then goes in circles, of which the last act in
    the fold's order is decided first. Takes time in proportion to what is named.
    """
    attacked = _attacks(acts)
    undecided = {act.event.event_id: 0 for act in acts}
    for named in attacked.values():
        for event_id in named:
            undecided[event_id] += 1
    ready = [event_id for event_id, attackers in undecided.items() if not attackers]
    last_first = [act.event.event_id for act in reversed(acts)]
    standing: set[str] = set()
    for event_id in _as_they_come(ready, last_first):
        if event_id not in undecided:
            continue
        del undecided[event_id]
        standing.add(event_id)
        for fallen in attacked[event_id]:
            if undecided.pop(fallen, None) is not None:
                ready += _released(attacked[fallen], undecided)
    return [act for act in acts if act.event.event_id in standing]


def _as_they_come(ready: list[str], last_first: Sequence[str]) -> Iterable[str]:
    """What is ready, also what becomes so meanwhile; and one from the end whenever nothing is."""
    for event_id in last_first:
        while ready:
            yield ready.pop()
        yield event_id


def _released(event_ids: Iterable[str], undecided: dict[str, int]) -> list[str]:
    """Those that nothing undecided attacks any more, now that one of their attackers has fallen."""
    free = []
    for event_id in event_ids:
        if event_id in undecided:
            undecided[event_id] -= 1
            if not undecided[event_id]:
                free.append(event_id)
    return free


def _attacks(acts: Sequence[Fact]) -> dict[str, set[str]]:
    """Which acts each act takes away when it acts itself."""
    ids = {act.event.event_id for act in acts}
    answered: dict[str, set[str]] = {}
    attacks: dict[str, set[str]] = {}
    for act in acts:
        event = act.event
        attacks[event.event_id] = ids.intersection(event.supersedes) if _removes(event) else set()
        if _answers(act):
            before = answered.setdefault(event.finding, set())
            attacks[event.event_id] |= before
            before.add(event.event_id)
    return attacks


def _targets(acts: Sequence[Fact], plain: Iterable[str]) -> dict[str, list[str]]:
    """The events that are no acts which each act is about, also those that a correction reaches through another."""
    known = frozenset(plain)
    correcting = {act.event.event_id: act.event for act in acts if act.event.corrected is not None}
    found = {}
    for act in acts:
        reached = dict.fromkeys(act.event.supersedes)
        if act.event.corrected is not None:
            for event_id in (waiting := list(reached)):
                further = correcting[event_id].supersedes if event_id in correcting else ()
                waiting += (one for one in further if one not in reached)
                reached.update(dict.fromkeys(further))
        found[act.event.event_id] = [event_id for event_id in reached if event_id in known]
    return found


def corrected(fact: Fact, said: Correction, entered_at_ms: int) -> Fact:
    """The fact as it should have been said; a corrected time is believed, and no clock's error is added to it."""
    event = fact.event
    replace = msgspec.structs.replace
    if said.occurred_at_ms is not None:
        event = replace(
            event,
            occurred_at_ms=said.occurred_at_ms,
            recorded_at_ms=entered_at_ms,
            clock_offset_ms=None,
            clock_suspect=False,
        )
    if said.room_id:
        moves = bool(event.to_room_id)
        event = replace(event, to_room_id=said.room_id) if moves else replace(event, room_id=said.room_id)
    if said.adult_id or said.adult_name:
        event = replace(event, adult_id=said.adult_id, adult_name=said.adult_name)
    if said.headcount is not None:
        event = replace(event, headcount=said.headcount)
    return replace(fact, event=event)


def _departure(act: Fact, left_at_ms: int) -> Fact:
    """What an answer says of leaving. It is of no desk, and so it answers whatever any desk saw before."""
    replace = msgspec.structs.replace
    event = replace(
        act.event,
        kind=EventKind.CHECK_OUT,
        occurred_at_ms=left_at_ms,
        clock_offset_ms=None,
        supersedes=(),
        corrected=None,
        left_at_ms=None,
    )
    return replace(act, event=event, device_id="")
