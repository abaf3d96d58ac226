"""What was entered wrongly or not at all: a child's day, corrected and completed at the desk, each time with a reason.

Nothing is changed: a correction, a void and an answer are one more event, and both stay in the log. Only today and
yesterday are for the desk; older days are for the office, where figures may have gone out already.
"""

from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Final

from kiosk.services.child_day import ChildDay, DayLine, Question, child_day, find_line, find_question
from kiosk.services.children import child_of
from kiosk.services.errors import DeskError
from kiosk.services.moments import clock_words
from kiosk.services.people import was_in_at
from kiosk.services.recorder import DeskParts, Recorded
from kiosk.services.recording import Wish
from kiosk.services.typed_time import typed_ms
from kiosk.services.typed_words import typed_name, typed_reason
from sync.answers import Need, PossibleAnswer
from sync.attendance import EventKind, FindingKind
from sync.attendance_events import Correction
from sync.limits import EVENT_NAMES_MAX
from sync.records import day_bounds_ms

TAKE_BACK: Final = "This is an answer: X takes it back, and the question is asked again."
OFFICE_ANSWER: Final = "A manager gave this answer, in the office; only the office changes it."
OLDER_DAY: Final = "This is about an older day; the office settles it."
_MINUTE_MS: Final = 60_000


@dataclass(frozen=True)
class Change:
    """What should have been said of one event; exactly one of these, and why.

    `time` is `HH:MM` of the day of the event, `room_id` a room on file, `adult_id` an adult on file or else
    `adult_name` whoever it was.
    """

    reason: str
    time: str = ""
    room_id: str = ""
    adult_id: str = ""
    adult_name: str = ""


@dataclass(frozen=True)
class Late:
    """An arrival or a departure that nobody entered: on which day (YYYY-MM-DD), when (`HH:MM`), and with whom."""

    kind: EventKind
    day: str
    time: str
    reason: str
    adult_id: str = ""
    adult_name: str = ""


class Corrections:
    """The day of a child, and every way to set it right."""

    def __init__(self, parts: DeskParts) -> None:
        self._following = parts.following
        self._refusals = parts.refusals
        self._recorder = parts.recorder

    async def day(self, child_id: str) -> ChildDay:
        """Today and yesterday of a child; raises DeskError locked, revoked or unknown_child."""
        self._refusals.require_unlocked()
        self._refusals.require_known(child_id)
        return self._day(child_id)

    def days(self) -> tuple[str, str]:
        """Today and yesterday (YYYY-MM-DD) on the centre's calendar."""
        today = date.fromisoformat(self._following.today())
        return today.isoformat(), (today - timedelta(days=1)).isoformat()

    async def correct(self, child_id: str, event_id: str, change: Change) -> Recorded:
        """Record what an event should have said.

        A corrected adult may be one who must not collect: what happened must be on record, and the fold finds it.

        Raises:
            DeskError: locked, revoked, unknown_child, unknown_event, unknown_room, unknown_adult, bad_input,
                storage_full, storage_failed.

        """
        reason = typed_reason(change.reason)
        async with self._recorder.one_at_a_time:
            line = self._line(child_id, event_id)
            if line.answered:
                raise DeskError("bad_input", answer_refusal(line))
            if not line.may_correct:
                raise DeskError("bad_input", "This entry cannot be corrected; it does not count, or it only explains.")
            wish = Wish(
                kind=EventKind.CORRECT,
                child_id=child_id,
                supersedes=(event_id,),
                corrected=self._correction(line, change),
                reason=reason,
            )
            return (await self._recorder.record(wish))[0]

    async def void(self, child_id: str, event_id: str, reason: str) -> Recorded:
        """Record that an event does not count; it stays in the log.

        Raises:
            DeskError: locked, revoked, unknown_child, unknown_event, bad_input, not_at_the_desk (an answer of the
                office), storage_full, storage_failed.

        """
        why = typed_reason(reason)
        async with self._recorder.one_at_a_time:
            line = self._line(child_id, event_id)
            if line.by_office:
                raise DeskError("not_at_the_desk", OFFICE_ANSWER)
            if not line.may_void:
                raise DeskError("bad_input", "This entry does not count already, or it only explains.")
            wish = Wish(kind=EventKind.VOID, child_id=child_id, supersedes=(event_id,), reason=why)
            return (await self._recorder.record(wish))[0]

    async def enter_late(self, child_id: str, late: Late) -> Recorded:
        """Record an arrival or a departure of today or yesterday that nobody entered.

        Raises:
            DeskError: locked, revoked, unknown_child, unknown_adult, not_authorised, bad_input, already_in,
                already_out, storage_full, storage_failed.

        """
        reason = typed_reason(late.reason)
        async with self._recorder.one_at_a_time:
            self._refusals.require_unlocked()
            self._refusals.require_known(child_id)
            at_ms = self._late_ms(late)
            if late.kind is EventKind.CHECK_OUT:
                self._require_was_in(child_id, at_ms)
                self._refusals.require_may_collect(child_id, late.adult_id, late.adult_name)
            else:
                self._refusals.require_name(child_id)
                self._require_was_out(child_id, at_ms)
            wish = Wish(
                kind=late.kind,
                child_id=child_id,
                occurred_at_ms=at_ms,
                room_id=child_of(self._following.knowledge, child_id).home_room_id,
                adult_id=late.adult_id,
                adult_name=late.adult_name,
                reason=reason,
            )
            return (await self._recorder.record(wish))[0]

    async def answer(self, child_id: str, key: str, code: str, *, time: str = "", reason: str = "") -> Recorded:
        """Answer an open question about a child; `time` (`HH:MM` of the question's day) where the answer needs one.

        Raises:
            DeskError: locked, revoked, unknown_child, unknown_question, unknown_answer, bad_input, not_at_the_desk
                (critical questions), storage_full, storage_failed.

        """
        async with self._recorder.one_at_a_time:
            self._refusals.require_unlocked()
            self._refusals.require_known(child_id)
            day = self._day(child_id)
            question = find_question(day, key)
            if question is None:
                raise DeskError("unknown_question", "This question is not open any more; somebody answered it.")
            if question.is_critical:
                raise DeskError("not_at_the_desk", "A manager answers this, in the office; tell them now.")
            wish = self._answer(day, question, code, time)
            why = typed_reason(reason) if reason.strip() else ""
            return (await self._recorder.record(replace(wish, reason=why)))[0]

    def _answer(self, day: ChildDay, question: Question, code: str, time: str) -> Wish:
        chosen = next((one for one in question.answers if one.code == code), None)
        if chosen is None:
            raise DeskError("unknown_answer", "This is no answer to that question; choose one of the list.")
        at_ms = self._answered_ms(day, question, chosen, time)
        supersedes = chosen.named(question.event_ids)
        if len(supersedes) > EVENT_NAMES_MAX:
            raise DeskError("not_at_the_desk", "Too many entries contradict each other; the office settles this.")
        return Wish(
            kind=EventKind.REVIEW_RESOLVED,
            child_id=day.child_id,
            finding=question.key,
            answer=chosen.code,
            supersedes=supersedes,
            left_at_ms=at_ms if chosen.needs is Need.LEFT_AT else None,
            corrected=Correction(occurred_at_ms=at_ms) if chosen.needs is Need.OCCURRED_AT else None,
        )

    def _answered_ms(self, day: ChildDay, question: Question, chosen: PossibleAnswer, time: str) -> int | None:
        """The time that an answer gives, on the day of the first event that the question is about."""
        if chosen.needs is Need.NOTHING:
            return None
        line = find_line(day, question.event_ids[0])
        if line is None:
            raise DeskError("not_at_the_desk", OLDER_DAY)
        at_ms = self._typed(time, self._day_of(line.at_ms))
        if chosen.needs is Need.LEFT_AT:
            self._require_left(question, at_ms)
        return at_ms

    def _require_left(self, question: Question, at_ms: int) -> None:
        """A child leaves after it came: between two arrivals, or after the later of two desks'. Minutes are typed."""
        first, second = question.about[:2]
        is_between = question.kind is FindingKind.POSSIBLE_MISSED_CHECK_OUT
        came = first if is_between else second
        if at_ms < came.at_ms - came.at_ms % _MINUTE_MS:
            raise DeskError("bad_input", f"The child came at {self._words(came.at_ms)}; it left after that.")
        if is_between and at_ms > second.at_ms:
            raise DeskError("bad_input", f"The child came again at {self._words(second.at_ms)}; it left before that.")

    def _correction(self, line: DayLine, change: Change) -> Correction:
        said = [bool(change.time), bool(change.room_id), bool(change.adult_id or change.adult_name)]
        if sum(said) != 1:
            raise DeskError("bad_input", "Correct one thing at a time: the time, the room or the adult.")
        if change.time:
            return Correction(occurred_at_ms=self._typed(change.time, self._day_of(line.at_ms)))
        if change.room_id:
            return self._corrected_room(line, change.room_id)
        if line.kind is not EventKind.CHECK_OUT:
            raise DeskError("bad_input", "Only a departure says which adult collected.")
        if change.adult_id:
            if change.adult_id not in self._following.knowledge.adults:
                raise DeskError("unknown_adult", "No such adult is known here; give a name instead.")
            return Correction(adult_id=change.adult_id)
        return Correction(adult_name=typed_name(change.adult_name))

    def _corrected_room(self, line: DayLine, room_id: str) -> Correction:
        if line.kind is EventKind.CHECK_OUT:
            raise DeskError("bad_input", "A departure has no room; correct the arrival or the move.")
        if room_id not in self._following.knowledge.rooms:
            raise DeskError("unknown_room", "No such room is known here; choose one of the list.")
        return Correction(room_id=room_id)

    def _late_ms(self, late: Late) -> int:
        if late.kind not in (EventKind.CHECK_IN, EventKind.CHECK_OUT):
            raise DeskError("bad_input", "Only an arrival or a departure is entered later.")
        if late.day not in self.days():
            raise DeskError("bad_input", "At a desk only today and yesterday are completed; older days in the office.")
        return self._typed(late.time, late.day)

    def _require_was_out(self, child_id: str, at_ms: int) -> None:
        if was_in_at(self._following.knowledge.attendance(child_id), at_ms):
            name, words = self._refusals.called(child_id), self._words(at_ms)
            raise DeskError("already_in", f"{name} was in already at {words}; correct the arrival instead.")

    def _require_was_in(self, child_id: str, at_ms: int) -> None:
        """In at that time, or assumed to have gone only when the centre closed, and the departure is the real one."""
        stays = self._following.knowledge.attendance(child_id).stays
        fits = (
            stay.started_at_ms is not None and stay.started_at_ms <= at_ms and (stay.is_open or stay.assumed)
            for stay in stays[-1:]
        )
        if not any(fits):
            name, words = self._refusals.called(child_id), self._words(at_ms)
            raise DeskError("already_out", f"{name} was not in at {words}, or the departure is there: correct that.")

    def _line(self, child_id: str, event_id: str) -> DayLine:
        self._refusals.require_unlocked()
        self._refusals.require_known(child_id)
        line = find_line(self._day(child_id), event_id)
        if line is None:
            raise DeskError("unknown_event", "This entry is not of today or yesterday; the office corrects older ones.")
        return line

    def _day(self, child_id: str) -> ChildDay:
        _, yesterday = self.days()
        since_ms, _ = day_bounds_ms(yesterday, self._following.knowledge.center.time_zone)
        return child_day(self._following.knowledge, child_id, since_ms, self._following.status().device_name)

    def _typed(self, time: str, day: str) -> int:
        return typed_ms(time, day, self._following.knowledge.center.time_zone, self._following.now_ms())

    def _day_of(self, at_ms: int) -> str:
        today, yesterday = self.days()
        return today if at_ms >= self._following.span_of_today()[0] else yesterday

    def _words(self, at_ms: int) -> str:
        return clock_words(at_ms, self._following.knowledge.center.time_zone)


def answer_refusal(line: DayLine) -> str:
    """Why an answer is not corrected, and what is done instead."""
    return OFFICE_ANSWER if line.by_office else TAKE_BACK
