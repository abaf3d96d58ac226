"""Who was in the building at a moment, as far as was known at another: the stays of the fold, on two axes of time.

`at` is a moment of the world, `known_at` one of the server. The answer is the whole fold of everything that the server
had received by `known_at`, looked at `at`. It is not the fold of what happened up to `at`, since what came later tells
what was the case before: somebody is assumed to have gone at 18:00, and at 18:30 a desk sees them go, so at 18:15 they
were in; a desk lets somebody out whom another had seen come again, so the stays are cut at that arrival.

| case                                                  | at that moment                                      |
|-------------------------------------------------------|-----------------------------------------------------|
| a stay began by then, and ends later or never         | in; `until_ms` says when it ends, if that was known |
| a stay ends in that millisecond                       | gone                                                |
| an event was received after `known_at`                | it is not there                                     |
| a void, correction or answer received by `known_at`   | acts, whenever it was recorded                      |
| one received later                                    | does not act yet                                    |
| nobody saw the subject go; the centre closed          | in until then, `assumed`; gone from then on         |
| stays were cut, or there is an open question          | in, `disputed`, or with the question in `findings`  |
| nobody saw the subject come, and it left later        | `perhaps`, for `UNSEEN_MAX_MS` before it left       |
| it was moved by then                                  | in the room of the last move by then                |

Children, staff and visitors come, go and move by the same fold; roll-calls and headcounts change no presence. What a
desk knew when it acted is another question, which the base position of its journal entry answers.
"""

from collections.abc import Iterable, Sequence
from enum import StrEnum
from typing import Final

import msgspec

from sync.amendments import ACTS, amend
from sync.attendance import ChildAttendance, EventKind, Fact, FindingKind, Stay, fold
from sync.attendance_events import each_once

# Whoever left had come before; longer than a long day of care it can hardly be.
UNSEEN_MAX_MS: Final = 12 * 3_600_000

_VISITS: Final = frozenset({EventKind.VISITOR_IN, EventKind.VISITOR_OUT})
_MOVES: Final = frozenset({EventKind.ROOM_MOVE, EventKind.STAFF_MOVE})


class Group(StrEnum):
    """What somebody is to the centre."""

    CHILD = "child"
    STAFF = "staff"
    VISITOR = "visitor"


class Received(msgspec.Struct, gc=False, frozen=True):
    """A fact, and when the server got it (UTC milliseconds)."""

    fact: Fact
    received_at_ms: int


class Subject(msgspec.Struct, frozen=True):
    """Somebody, with the facts that were known of them, each once and in the fold's order, and what they come to."""

    subject_id: str
    facts: Sequence[Fact]
    attendance: ChildAttendance


class Present(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody who was in; all times are UTC milliseconds.

    `name` is what the events call a visitor, or a child who is not on file; else empty. `since_ms` None: nobody saw
    them come. `until_ms` None: by what was known they had not left. `assumed`: nobody saw them go. `room_id` is empty
    when nobody said. `event_ids` are the events behind it, with the acts upon them, in the fold's order.
    """

    subject_id: str
    group: Group
    name: str
    since_ms: int | None
    until_ms: int | None
    room_id: str
    room_since_ms: int | None
    disputed: bool
    assumed: bool
    findings: tuple[FindingKind, ...]
    event_ids: tuple[str, ...]


class Presence(msgspec.Struct, frozen=True):
    """Who was in; and who perhaps was, because nobody saw them come and they left later. Both by id."""

    certain: tuple[Present, ...] = ()
    perhaps: tuple[Present, ...] = ()


def subjects_known(received: Iterable[Received], known_at_ms: int) -> tuple[Subject, ...]:
    """Fold, subject by subject, what the server had received by then (UTC milliseconds, that one included)."""
    facts: dict[str, list[Fact]] = {}
    for one in received:
        event = one.fact.event
        if one.received_at_ms <= known_at_ms and (event.child_id or event.person_id) and not event.rollcall_id:
            facts.setdefault(event.subject_id, []).append(one.fact)
    ordered = {subject_id: each_once(facts[subject_id]) for subject_id in sorted(facts)}
    return tuple(Subject(subject_id, known, fold(known)) for subject_id, known in ordered.items())


def presence_at(subjects: Iterable[Subject], at_ms: int) -> Presence:
    """Look who was in at a moment (UTC milliseconds)."""
    certain: list[Present] = []
    perhaps: list[Present] = []
    for subject in subjects:
        stay = _stay_at(subject.attendance.stays, at_ms)
        if stay is not None:
            found = perhaps if stay.started_at_ms is None else certain
            found.append(_present(subject, stay, at_ms))
    return Presence(tuple(certain), tuple(perhaps))


def arrived_later(received: Iterable[Received], *, at_ms: int, known_at_ms: int) -> dict[str, int]:
    """Count by device the facts that bear on `at_ms` and that the server received only after `known_at_ms`.

    These are the events up to that moment, and acts, which may act upon such. An event that is given twice counts
    once, as received when it first was.
    """
    first: dict[str, Received] = {}
    for one in sorted(received, key=lambda each: (each.received_at_ms, each.fact.order)):
        first.setdefault(one.fact.event.event_id, one)
    counts: dict[str, int] = {}
    for one in first.values():
        bears = one.fact.at_ms <= at_ms or one.fact.event.kind in ACTS
        if bears and one.received_at_ms > known_at_ms:
            counts[one.fact.device_id] = counts.get(one.fact.device_id, 0) + 1
    return counts


def _stay_at(stays: Sequence[Stay], at_ms: int) -> Stay | None:
    """The stay that covers the moment: the first that has not ended by then, if it has begun; stays never overlap."""
    for stay in stays:
        if stay.ended_at_ms is None or at_ms < stay.ended_at_ms:
            begins_ms = stay.started_at_ms
            if begins_ms is None:
                begins_ms = (stay.ended_at_ms or 0) - UNSEEN_MAX_MS
            return stay if begins_ms <= at_ms else None
    return None


def _present(subject: Subject, stay: Stay, at_ms: int) -> Present:
    rooms = [room for room in stay.rooms if room.since_ms <= at_ms]
    event_ids = _events_behind(subject, stay, at_ms)
    questions = [one.kind for one in subject.attendance.findings if not set(event_ids).isdisjoint(one.event_ids)]
    ends = [fact.event for fact in (stay.check_in, stay.check_out) if fact is not None]
    return Present(
        subject_id=subject.subject_id,
        group=_group(subject, stay),
        name=next((said for event in ends if (said := event.provisional_name or event.person_name)), ""),
        since_ms=stay.started_at_ms,
        until_ms=stay.ended_at_ms,
        room_id=rooms[-1].room_id if rooms else "",
        room_since_ms=rooms[-1].since_ms if rooms else None,
        disputed=stay.disputed,
        assumed=stay.assumed,
        findings=tuple(dict.fromkeys(questions)),
        event_ids=event_ids,
    )


def _events_behind(subject: Subject, stay: Stay, at_ms: int) -> tuple[str, ...]:
    """The events that say so: arrival, departure, who saw the same, moves by then, and the acts upon any of these."""
    said = amend(subject.facts)
    behind = {fact.event.event_id for fact in (stay.check_in, stay.check_out) if fact is not None}
    behind.update(stay.corroborated_by)
    moves = {(room.since_ms, room.room_id) for room in stay.rooms if room.since_ms <= at_ms}
    behind.update(
        fact.event.event_id
        for fact in said.facts
        if fact.event.kind in _MOVES and (fact.at_ms, fact.event.to_room_id) in moves
    )
    acts = [act for act, touched in said.touched.items() if any(fact.event.event_id in behind for fact in touched)]
    behind.update(acts)
    return tuple(fact.event.event_id for fact in subject.facts if fact.event.event_id in behind)


def _group(subject: Subject, stay: Stay) -> Group:
    """By the stay's own events; a departure that an answer tells of is of no group, and then all events tell."""
    if any(fact.event.child_id for fact in subject.facts):
        return Group.CHILD
    first = stay.check_in or stay.check_out
    own = {first.event.kind} if first is not None and not first.event.answer else set()
    kinds = own or {fact.event.kind for fact in subject.facts}
    return Group.STAFF if kinds.isdisjoint(_VISITS) else Group.VISITOR
