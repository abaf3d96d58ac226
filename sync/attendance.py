"""How presence is decided: one pure fold of a subject's events into stays and findings, the same on every machine.

The fold is total (it never raises on events that `decode_event` gave), independent of the order of arrival, and
idempotent: events are first reduced to a set by id, then sorted by corrected time, hybrid timestamp, device,
incarnation and sequence. Arrival never matters. A check-in keeps a child in the building until a check-out that
answers it; a child is never shown as gone because of a merge alone.

| case                                         | outcome                             | finding                         |
|----------------------------------------------|-------------------------------------|---------------------------------|
| same event twice                             | once                                | -                               |
| two check-ins within 10 minutes, any desks   | earliest opens, second corroborates | -                               |
| two check-ins further apart, none out        | earliest stands, stay open          | possible_missed_check_out       |
| that, then a check-out of the earlier desk   | stays are cut where they meet       | overlapping_stays               |
| check-out without check-in                   | unknown start, disputed             | check_out_without_check_in      |
| two check-outs, one adult, within 10 minutes | first closes, second corroborates   | -                               |
| two check-outs with different adults         | first closes the stay               | two_collectors                  |
| room move while in                           | current room of the stay            | -                               |
| room move after the child left               | ignored for presence                | movement_after_departure        |
| check-out to whom it had been withdrawn      | the fact stands                     | released_on_stale_authorisation |
| check-out that somebody overrode a doubt for | the fact stands                     | released_by_override            |
| check-in during an announced absence         | presence wins, absence ends         | -                               |
| check-in while the centre is closed          | stands                              | presence_on_closure             |
| a correction names events                    | supersedes those (`amendments`)     | as computed                     |
| void                                         | named events no longer count        | -                               |
| auto-close                                   | stay ends, as assumed               | -                               |
| then the real check-out                      | supersedes the assumed one          | -                               |
| an event inside a locked period              | stands; the locked figures stand    | adjustment_after_lock           |
| future, before enrolment, or clock was off   | stands with both times              | time_uncertain                  |
| unknown child, adult or room                 | parked; in with a provisional name  | unknown_reference               |
| actor no longer staff, or device revoked     | flagged                             | actor_not_entitled              |
| a guardian disputes an event                 | stands                              | disputed_by_guardian            |
| an answer to a finding                       | what follows from it counts         | closed, and kept as answered    |

`two_collectors`, `released_on_stale_authorisation` and `released_by_override` are critical. A move of whom nobody saw
come is as one after a departure. Staff and visitors come, go and move by the same rows. Refused releases, roll-calls
and headcounts change no presence.

Which events a stay depends on. When an arrival finds nobody in, nothing before it matters to what follows: a stay
depends on the events since the arrival that began it, or for one that was cut off another, since the arrival that
began that one; a departure that finds nobody in, and a move, also on the last stay before it. So whoever folds from a
moment T on gets the stays of the whole from the first arrival after T on that found nobody in, wherever T lies in a
day, provided that it has the acts (void, correct, review_resolved) whenever they were recorded.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Final

from sync.amendments import ACTS, Amended, amend
from sync.attendance_events import (
    CLOCK_TOLERANCE_MS,
    AttendanceEvent,
    Correction,
    EventKind,
    Fact,
    Line,
    Uuid,
    WallMs,
    check_event,
    corrected_at_ms,
    decode_event,
    each_once,
    encode_event,
)
from sync.circumstances import (
    NOTHING_KNOWN,
    Circumstances,
    judge,
    judge_act,
    speaks_for_itself,
)
from sync.findings import CRITICAL_FINDINGS, Answer, Finding, FindingKind
from sync.limits import INT64_MAX
from sync.stays import ChildAttendance, GrowingStay, InRoom, Spans, Stay

__all__ = [
    "CLOCK_TOLERANCE_MS",
    "CRITICAL_FINDINGS",
    "SAME_MOMENT_MS",
    "Answer",
    "AttendanceEvent",
    "ChildAttendance",
    "ChildFold",
    "Circumstances",
    "Correction",
    "EventKind",
    "Fact",
    "Finding",
    "FindingKind",
    "InRoom",
    "Line",
    "Spans",
    "Stay",
    "Uuid",
    "WallMs",
    "check_event",
    "corrected_at_ms",
    "decode_event",
    "encode_event",
    "fold",
    "fold_spans",
]

SAME_MOMENT_MS: Final = 10 * 60_000
_EARLIEST: Final = (-INT64_MAX, 0, "", "", 0, "")


def fold(facts: Iterable[Fact], known: Circumstances = NOTHING_KNOWN) -> ChildAttendance:
    """Decide one subject's stays and findings from all its facts, in whatever order and however often they come."""
    return _told(_reduced(each_once(facts), known))


class ChildFold:
    """The fold of one subject's facts that goes on: a fact behind all others costs one step, any other a whole fold.

    So does any fact once there are voids, corrections or answers: they may be about it.
    """

    def __init__(self, facts: Iterable[Fact] = (), known: Circumstances = NOTHING_KNOWN) -> None:
        """Fold what is there."""
        self._known = known
        self._facts = list(each_once(facts))
        self._ids = {fact.event.event_id for fact in self._facts}
        self._reducer = _reduced(self._facts, known)

    @property
    def facts(self) -> Sequence[Fact]:
        """Those that were folded, each once, in order."""
        return self._facts

    def add(self, fact: Fact) -> bool:
        """Take one more fact; says whether it is part of a contradiction that was not there without it."""
        if self._is_next(fact):
            found = self._reducer.found
            self._facts.append(fact)
            self._ids.add(fact.event.event_id)
            self._reducer.take(fact.at_ms, fact)
            return self._reducer.found > found
        before = frozenset(self._reducer.findings)
        self._facts = list(each_once([*self._facts, fact]))
        self._ids.add(fact.event.event_id)
        self._reducer = _reduced(self._facts, self._known)
        return bool(frozenset(self._reducer.findings) - before)

    def _is_next(self, fact: Fact) -> bool:
        if fact.event.event_id in self._ids or fact.event.kind in ACTS or self._reducer.is_amended:
            return False
        return not self._facts or fact.order > self._facts[-1].order


def fold_spans(facts: Iterable[Fact], known: Circumstances = NOTHING_KNOWN, *, first: str = "") -> Spans:
    """Fold, and say which spans of the subject's time can be folded anew by themselves.

    `first` is the event of an arrival that found nobody in: the answer holds that span and all after it, as a fold of
    everything does, from the facts since then, all acts of the subject, and whatever these name.

    Raises:
        LookupError: among the facts that count there is no such arrival.

    """
    reducer = _reduced(each_once(facts), known, first)
    return Spans(
        attendance=_told(reducer),
        fresh=tuple([stay.is_fresh for stay in reducer.stays]),
        findings=tuple([reducer.found_in.get(finding, -1) for finding in reducer.findings]),
    )


def _told(reducer: "_Reducer") -> ChildAttendance:
    return ChildAttendance(
        stays=tuple([stay.told() for stay in reducer.stays]),
        findings=tuple(reducer.findings),
        answers=reducer.answers,
        ended_absences=tuple(reducer.ended_absences),
    )


def _reduced(ordered: Sequence[Fact], known: Circumstances, first: str = "") -> "_Reducer":
    if not ACTS.isdisjoint([fact.event.kind for fact in ordered]):
        return _amended(amend(ordered), known, first)
    reducer = _Reducer(known)
    for fact in _since(ordered, first):
        reducer.take(corrected_at_ms(fact.event), fact)
    return reducer


def _since(ordered: Sequence[Fact], first: str) -> Sequence[Fact]:
    if not first:
        return ordered
    for number, fact in enumerate(ordered):
        if fact.event.event_id == first:
            return ordered[number:]
    raise LookupError(first)


def _amended(said: Amended, known: Circumstances, first: str) -> "_Reducer":
    """What is left when voids, corrections and answers have acted; a finding that was answered is closed."""
    reducer = _Reducer(known)
    reducer.is_amended = True
    facts = _since(said.facts, first)
    for fact in facts:
        reducer.take(fact.at_ms, fact)
    begin = facts[0].order if first else _EARLIEST
    fresh = [
        (stay.check_in.order, number)
        for number, stay in enumerate(reducer.stays)
        if stay.is_fresh and stay.check_in is not None
    ]
    for act in said.acts:
        if act.order < begin:
            continue
        span = max((number for began, number in fresh if began <= act.order), default=-1)
        for finding in judge_act(act, said.touched[act.event.event_id], known):
            reducer.findings.append(finding)
            reducer.found_in[finding] = span
    closed = {answer.finding for answer in said.answers}
    reducer.findings = [finding for finding in reducer.findings if finding.key not in closed]
    reducer.answers = said.answers
    return reducer


class _Reducer:
    """The stays and findings so far.

    `unanswered` are the arrivals of the open stay that no departure has answered. A desk's departure answers what
    was seen until `SAME_MOMENT_MS` after that desk's own last arrival, or everything when it has none. So what is
    unanswered is always the end of the list, and one more arrival at a desk that lets nobody out only lengthens it.
    `strays` are the moves since the last stay was assumed to have ended; they belong to it when it turns out that it
    ended later. `found` counts what was found, also what was taken back since; `found_in` says in which span, as the
    number of the last stay then.
    """

    def __init__(self, known: Circumstances) -> None:
        self.known = known
        self.stays: list[GrowingStay] = []
        self.findings: list[Finding] = []
        self.found = 0
        self.found_in: dict[Finding, int] = {}
        self.answers: tuple[Answer, ...] = ()
        self.ended_absences: list[str] = []
        self.is_amended = False
        self._unanswered: list[tuple[int, Fact]] = []
        self._strays: list[tuple[InRoom, Finding]] = []

    def take(self, at_ms: int, fact: Fact) -> None:
        """One more fact, behind all that were taken."""
        step = _STEPS.get(fact.event.kind)
        if step is not None:
            step(self, self.stays[-1] if self.stays else None, at_ms, fact)
        if self.known is not NOTHING_KNOWN or speaks_for_itself(fact.event):
            judged = tuple(judge(fact, self.known))
            self.findings += judged
            self.found += len(judged)
            self.found_in.update((finding, len(self.stays) - 1) for finding in judged)

    def arrive(self, last: GrowingStay | None, at_ms: int, fact: Fact) -> None:
        if last is None or last.ended_at_ms is not None:
            self._unanswered = [(at_ms, fact)]
            self._begin(at_ms, fact).is_fresh = True
            return
        self._unanswered.append((at_ms, fact))
        if at_ms - (last.started_at_ms or 0) <= SAME_MOMENT_MS:
            last.corroborated_by += (fact.event.event_id,)
        else:
            self._find(FindingKind.POSSIBLE_MISSED_CHECK_OUT, last.check_in, fact)

    def _begin(self, at_ms: int, fact: Fact) -> GrowingStay:
        stay = GrowingStay(fact, at_ms)
        self.stays.append(stay)
        if fact.event.room_id:
            stay.rooms = (InRoom(at_ms, fact.event.room_id),)
        if self.known is not NOTHING_KNOWN:
            if any(closure.holds(at_ms) for closure in self.known.closures):
                self._find(FindingKind.PRESENCE_ON_CLOSURE, fact)
            ended = [absence.absence_id for absence in self.known.absences if absence.span.holds(at_ms)]
            self.ended_absences += [one for one in ended if one not in self.ended_absences]
        return stay

    def depart(self, last: GrowingStay | None, at_ms: int, fact: Fact) -> None:
        if last is None:
            self._begin_unseen(at_ms, fact)
        elif last.ended_at_ms is None:
            self._close(last, at_ms, fact)
        elif last.assumed:
            self._close_really(last, at_ms, fact)
        else:
            self._depart_again(last, at_ms, fact)

    def _close(self, last: GrowingStay, at_ms: int, fact: Fact) -> None:
        last.check_out = fact
        last.ended_at_ms = at_ms
        self._unanswered = self._left_unanswered_by(fact)
        if not self._unanswered:
            return
        # Another desk saw the child come again before this check-out of a desk that saw it earlier: the check-out
        # answers the earlier arrival, and the child stays in by the later one until that is answered.
        (cut_ms, rival), *later = self._unanswered
        rooms = last.rooms
        last.ended_at_ms = cut_ms
        last.disputed = True
        last.rooms = tuple(room for room in rooms if room.since_ms < cut_ms)
        following = self._begin(cut_ms, rival)
        following.disputed = True
        following.rooms += tuple(room for room in rooms if room.since_ms >= cut_ms)
        following.corroborated_by = tuple(
            other.event.event_id for seen_ms, other in later if seen_ms - cut_ms <= SAME_MOMENT_MS
        )
        self._find(FindingKind.OVERLAPPING_STAYS, last.check_in, rival, fact)

    def _left_unanswered_by(self, fact: Fact) -> list[tuple[int, Fact]]:
        own = [seen_ms for seen_ms, seen in self._unanswered if seen.device_id == fact.device_id]
        if not own:
            return []
        return [(seen_ms, seen) for seen_ms, seen in self._unanswered if seen_ms > own[-1] + SAME_MOMENT_MS]

    def assume_gone(self, last: GrowingStay | None, at_ms: int, fact: Fact) -> None:
        if last is not None and last.ended_at_ms is None:
            last.check_out, last.ended_at_ms, last.assumed = fact, at_ms, True
            self._strays = []

    def _close_really(self, last: GrowingStay, at_ms: int, fact: Fact) -> None:
        """Put what somebody saw in the place of what was assumed; whom that leaves in is still assumed to have gone."""
        assumed, assumed_ms = last.check_out, last.ended_at_ms
        last.assumed = False
        self._close(last, at_ms, fact)
        left = self.stays[-1]
        if left.ended_at_ms is None:
            left.check_out, left.ended_at_ms, left.assumed = assumed, assumed_ms, True
            return
        for room, finding in self._strays:
            left.rooms += (room,)
            self.findings.remove(finding)

    def _depart_again(self, last: GrowingStay, at_ms: int, fact: Fact) -> None:
        first = last.check_out
        if first is not None and _different_adults(first.event, fact.event):
            self._find(FindingKind.TWO_COLLECTORS, first, fact)
        elif at_ms - (last.ended_at_ms or 0) <= SAME_MOMENT_MS:
            last.corroborated_by += (fact.event.event_id,)
        else:
            self._begin_unseen(at_ms, fact)

    def _begin_unseen(self, at_ms: int, fact: Fact) -> None:
        stay = GrowingStay(None, None)
        stay.check_out, stay.ended_at_ms, stay.disputed = fact, at_ms, True
        self.stays.append(stay)
        self._find(FindingKind.CHECK_OUT_WITHOUT_CHECK_IN, fact)

    def move(self, last: GrowingStay | None, at_ms: int, fact: Fact) -> None:
        room = InRoom(at_ms, fact.event.to_room_id)
        if last is not None and last.ended_at_ms is None:
            last.rooms += (room,)
            return
        finding = self._find(FindingKind.MOVEMENT_AFTER_DEPARTURE, None if last is None else last.check_out, fact)
        if last is not None and last.assumed:
            self._strays.append((room, finding))

    def _find(self, kind: FindingKind, *facts: Fact | None) -> Finding:
        finding = Finding(kind, tuple([fact.event.event_id for fact in facts if fact is not None]))
        self.findings.append(finding)
        self.found += 1
        self.found_in[finding] = len(self.stays) - 1
        return finding


_STEPS: Final[dict[EventKind, Callable[[_Reducer, GrowingStay | None, int, Fact], None]]] = {
    EventKind.CHECK_IN: _Reducer.arrive,
    EventKind.STAFF_IN: _Reducer.arrive,
    EventKind.VISITOR_IN: _Reducer.arrive,
    EventKind.CHECK_OUT: _Reducer.depart,
    EventKind.STAFF_OUT: _Reducer.depart,
    EventKind.VISITOR_OUT: _Reducer.depart,
    EventKind.ROOM_MOVE: _Reducer.move,
    EventKind.STAFF_MOVE: _Reducer.move,
    EventKind.AUTO_CLOSE: _Reducer.assume_gone,
}


def _different_adults(first: AttendanceEvent, second: AttendanceEvent) -> bool:
    """Whether two people are named and are not the same; somebody unnamed contradicts nobody."""
    if first.adult_id and second.adult_id:
        return first.adult_id != second.adult_id
    one, other = first.adult_name.casefold().strip(), second.adult_name.casefold().strip()
    return bool(one and other) and one != other
