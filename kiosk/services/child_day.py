"""The days of one child: each event with when, where, who and how sure, what was made of it, and what is asked."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from kiosk.messages import Mark
from kiosk.services.knowledge import Knowledge
from kiosk.services.own_facts import fact_of_own
from kiosk.services.people import name_of
from sync.amendments import Amended, amend
from sync.answers import POSSIBLE_ANSWERS, PossibleAnswer, possible_answers
from sync.attendance import AttendanceEvent, EventKind, Fact, FindingKind
from sync.attendance_events import each_once
from sync.findings import Finding

CORRECTABLE: Final = frozenset({EventKind.CHECK_IN, EventKind.CHECK_OUT, EventKind.ROOM_MOVE})
VOIDABLE: Final = CORRECTABLE | {EventKind.RELEASE_REFUSED, EventKind.REVIEW_RESOLVED}
_ACTS: Final = frozenset({EventKind.VOID, EventKind.CORRECT, EventKind.REVIEW_RESOLVED})
_ABOUT_OTHERS: Final = frozenset({EventKind.VOID, EventKind.CORRECT})
METHOD_WORDS: Final = {
    "staff_attested": "by staff",
    "pin": "by PIN",
    "barcode": "by code",
    "signed_code": "by code",
    "card": "by card",
    "signature": "signed",
    "parent_app": "in the app",
    "account": "in the office",
    "auto": "by itself",
}


class Stands(StrEnum):
    """What became of an event, in the words of the screen."""

    COUNTS = ""
    CORRECTED = "corrected"
    VOIDED = "does not count"
    PARKED = "set aside"


@dataclass(frozen=True)
class DayLine:
    """One event of a child. `at_ms` is when it counts, `said_at_ms` what was said first (UTC milliseconds).

    `room_name` is the room of an arrival and the goal of a move. `adult` collected, or was refused. `by` entered it, in
    whatever way is known. `reason` is why it was corrected, voided, answered or refused. `disputes`: a guardian says
    that it was not so. `answered` is what an answer says, `by_office`: a manager gave it, and a desk does not take it
    back. `acts_on` are the entries that a void or a correction is about, as far as they are known here.
    """

    event_id: str
    kind: EventKind
    at_ms: int
    said_at_ms: int
    room_name: str
    adult: str
    device: str
    by: str
    mark: Mark
    stands: Stands
    reason: str = ""
    note: str = ""
    disputes: bool = False
    answered: str = ""
    by_office: bool = False
    acts_on: tuple["DayLine", ...] = ()

    @property
    def may_correct(self) -> bool:
        """Whether a correction can act upon it; an answer that tells of a departure is taken back instead."""
        return self.kind in CORRECTABLE and self.stands in (Stands.COUNTS, Stands.CORRECTED) and not self.answered

    @property
    def may_void(self) -> bool:
        """Whether it counts, and a void can end that."""
        return self.kind in VOIDABLE and self.stands in (Stands.COUNTS, Stands.CORRECTED) and not self.by_office


@dataclass(frozen=True)
class Question:
    """An open finding about the child, and what may be answered; a critical one is not for the desk to answer.

    `about` are the entries of `event_ids`, in their order, also those of days that are not shown.
    """

    key: str
    kind: FindingKind
    event_ids: tuple[str, ...]
    is_critical: bool
    answers: tuple[PossibleAnswer, ...]
    about: tuple[DayLine, ...] = ()


@dataclass(frozen=True)
class ChildDay:
    """What is known of a child since a moment: events by when they count, and open questions."""

    child_id: str
    name: str
    lines: tuple[DayLine, ...]
    questions: tuple[Question, ...]


def child_day(knowledge: Knowledge, child_id: str, since_ms: int, own_desk: str) -> ChildDay:
    """The events of a child since a moment (UTC milliseconds), with what acts upon them."""
    ordered = each_once(knowledge.facts(child_id).values())
    teller = _Teller(knowledge, amend(ordered), own_desk)
    lines = [teller.line(fact) for fact in ordered]
    lines += [teller.parked(fact) for fact in _set_aside(knowledge, child_id)]
    told = {line.event_id: line for line in lines}
    named = {fact.event.event_id: fact.event.supersedes for fact in ordered if fact.event.kind in _ABOUT_OTHERS}
    lines = [_about(line, named.get(line.event_id, ()), told) for line in lines]
    shown = sorted((line for line in lines if line.at_ms >= since_ms), key=lambda line: (line.at_ms, line.event_id))
    questions = tuple(_question(finding, told) for finding in knowledge.attendance(child_id).findings)
    return ChildDay(child_id, name_of(knowledge, child_id), tuple(shown), questions)


def _about(line: DayLine, named: Iterable[str], told: Mapping[str, DayLine]) -> DayLine:
    return replace(line, acts_on=tuple(told[event_id] for event_id in named if event_id in told))


def find_line(day: ChildDay, event_id: str) -> DayLine | None:
    """The event of this id, if it is shown."""
    return next((line for line in day.lines if line.event_id == event_id), None)


def find_question(day: ChildDay, key: str) -> Question | None:
    """The open question of this key, if there is one."""
    return next((question for question in day.questions if question.key == key), None)


def _question(finding: Finding, told: Mapping[str, DayLine]) -> Question:
    answers = () if finding.is_critical else possible_answers(finding.kind)
    about = tuple(told[event_id] for event_id in finding.event_ids if event_id in told)
    return Question(finding.key, finding.kind, finding.event_ids, finding.is_critical, answers, about)


def _answered(event: AttendanceEvent) -> str:
    """What an answer says; one that a later version knows is told by its code."""
    kind = event.finding.partition(":")[0]
    known = POSSIBLE_ANSWERS[FindingKind(kind)] if kind in set(FindingKind) else ()
    return next((one.says for one in known if one.code == event.answer), event.answer)


def _set_aside(knowledge: Knowledge, child_id: str) -> list[Fact]:
    """Own entries that the server keeps for a person, and that are in no fold."""
    counting = knowledge.facts(child_id)
    own = (fact_of_own(entry, knowledge.device_id) for entry in knowledge.parked() if entry.child_id == child_id)
    return [fact for fact in own if fact is not None and fact.event.event_id not in counting]


class _Teller:
    """Turns the facts of a child into lines."""

    def __init__(self, knowledge: Knowledge, said: Amended, own_desk: str) -> None:
        self._knowledge = knowledge
        self._own_desk = own_desk
        self._counting: Mapping[str, Fact] = {fact.event.event_id: fact for fact in said.facts}
        self._acting = frozenset(act.event.event_id for act in said.acts)
        self._why = {
            fact.event.event_id: act.event.reason for act in said.acts for fact in said.touched[act.event.event_id]
        }

    def line(self, fact: Fact) -> DayLine:
        """An event as it counts."""
        counted = self._counting.get(fact.event.event_id)
        return self._told(fact, counted or fact, self._stands(fact, counted), self._mark(fact))

    def parked(self, fact: Fact) -> DayLine:
        """An own entry that no fold takes in."""
        return self._told(fact, fact, Stands.PARKED, Mark.NEEDS_REVIEW)

    def _stands(self, fact: Fact, counted: Fact | None) -> Stands:
        if fact.event.kind in _ACTS:
            return Stands.COUNTS if fact.event.event_id in self._acting else Stands.VOIDED
        if counted is None:
            return Stands.VOIDED
        return Stands.COUNTS if counted.event == fact.event else Stands.CORRECTED

    def _mark(self, fact: Fact) -> Mark:
        event_id = fact.event.event_id
        if self._knowledge.is_kept_aside(event_id):
            return Mark.NEEDS_REVIEW
        return Mark.RECORDED if self._knowledge.is_waiting(event_id) else Mark.CONFIRMED

    def _told(self, fact: Fact, counted: Fact, stands: Stands, mark: Mark) -> DayLine:
        event, is_answer = counted.event, fact.event.kind is EventKind.REVIEW_RESOLVED
        room = self._knowledge.rooms.get(event.to_room_id or event.room_id)
        adult = self._knowledge.adults.get(event.adult_id)
        adult_name = f"{adult.given_name} {adult.family_name}".strip() if adult else event.adult_name
        return DayLine(
            event_id=event.event_id,
            kind=event.kind,
            at_ms=counted.at_ms,
            said_at_ms=counted.at_ms if is_answer else fact.at_ms,
            room_name=room.name if room else "",
            adult=adult_name,
            device=self._device(fact),
            by=self._by(fact),
            mark=mark,
            stands=stands,
            reason=event.reason or self._why.get(event.event_id, ""),
            note=event.note,
            disputes=event.disputes,
            answered=_answered(fact.event) if is_answer else "",
            by_office=is_answer and bool(event.author),
        )

    def _device(self, fact: Fact) -> str:
        if fact.device_id == self._knowledge.device_id:
            return self._own_desk
        return self._knowledge.device_name(fact.event.subject_id, fact.event.event_id) or "another desk"

    def _by(self, fact: Fact) -> str:
        event = fact.event
        if event.author:
            return event.author
        if event.staff_id in self._knowledge.staff:
            return name_of(self._knowledge, event.staff_id)
        return METHOD_WORDS.get(event.auth_method, event.auth_method)
