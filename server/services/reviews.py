"""The review inbox: contradictions that a person settles, with both sides' evidence, and their answers."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from server.core.clock import Clock, ms_of, utc_offset_min
from server.core.errors import Conflict, InvalidInput, NotFound
from server.models.projections import ReviewState
from server.models.rooms import Center
from server.repositories import reviews
from server.repositories.reviews import Filter, ReviewLine, Testimony
from server.repositories.unit_of_work import UnitsOfWork
from server.services.access import User
from server.services.server_desk import ServerDesk
from sync.answers import Need, PossibleAnswer, possible_answers
from sync.attendance import AttendanceEvent, Correction, EventKind, FindingKind, decode_event
from sync.intake import fact_of_record
from sync.journal import EntryOutcome
from sync.limits import WALL_MS_MAX, WALL_MS_MIN

__all__ = ["Answered", "Filter", "Given", "Review", "ReviewPage", "Reviews", "Witness"]


@dataclass(frozen=True, slots=True)
class Witness:
    """One event behind a review: what was said, where, and what that desk knew."""

    event: AttendanceEvent
    testimony: Testimony
    staff_name: str


@dataclass(frozen=True, slots=True)
class Review:
    """A finding with its evidence, oldest first, what may be answered, and the event that answered it if one did."""

    line: ReviewLine
    witnesses: tuple[Witness, ...]
    answers: tuple[PossibleAnswer, ...]
    answering: AttendanceEvent | None = None

    @property
    def minutes_stale(self) -> int | None:
        """How many minutes a desk was wrong about what it relied on; None where that is not the question."""
        if self.line.since is None or not self.witnesses:
            return None
        return max(0, self.witnesses[-1].event.occurred_at_ms - ms_of(self.line.since)) // 60_000


After = tuple[datetime, str]


@dataclass(frozen=True, slots=True)
class ReviewPage:
    """Some reviews, and behind which (since when it is known, and its key) there are more; None at the end."""

    items: tuple[Review, ...]
    after: After | None


@dataclass(frozen=True, slots=True)
class Given:
    """What somebody answers: the key of the finding, the code, the time it needs, and a word of explanation."""

    finding: str
    answer: str
    left_at: datetime | None = None
    occurred_at: datetime | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Answered:
    """The event that an answer became, and the version of the log at which it stands."""

    event_id: str
    version: int


class Reviews:
    """Lists what is to be settled, and takes answers."""

    def __init__(self, units: UnitsOfWork, desk: ServerDesk, clock: Clock, new_id: Callable[[], str]) -> None:
        """Read through `units`; answers are written down by `desk`."""
        self._units = units
        self._desk = desk
        self._clock = clock
        self._new_id = new_id

    async def page(self, center: Center, wanted: Filter, *, after: After | None, limit: int) -> ReviewPage:
        """Give reviews of a centre, those found last first, behind `after`."""
        async with self._units.read() as connection:
            lines = await reviews.page(connection, center.id, wanted, after=after, limit=limit + 1)
            found = lines[:limit]
            answering = {line.answered_by for line in found if line.answered_by}
            ids = sorted({event_id for line in found for event_id in line.event_ids} | answering)
            testimonies = await reviews.testimonies(connection, center.id, ids)
            events = {event_id: decode_event(bytes(one.record.event)) for event_id, one in testimonies.items()}
            staff = sorted({event.staff_id for event in events.values() if event.staff_id})
            names = await reviews.staff_names(connection, center.id, staff)
        items = []
        for line in found:
            there = _in_order(line, testimonies)
            witnesses = tuple(
                Witness(events[one], testimonies[one], names.get(events[one].staff_id, "")) for one in there
            )
            items.append(
                Review(_named(line, witnesses), witnesses, _answers_to(line), events.get(line.answered_by or ""))
            )
        return ReviewPage(tuple(items), _key_of(found[-1]) if len(lines) > limit else None)

    async def answer(self, center: Center, user: User, given: Given) -> Answered:
        """Answer a finding: the answer is an event, and travels to every desk. A later one replaces an earlier.

        Raises:
            NotFound: the centre has no such finding (any more).
            InvalidInput: it cannot be answered so, or a time is missing, or lies in the future.
            Conflict: the event could not become a fact.
            DatabaseUnavailable: it is not known whether the answer was stored.

        """
        async with self._units.read() as connection:
            line = await reviews.find(connection, center.id, given.finding)
            testimonies = await reviews.testimonies(connection, center.id, line.event_ids) if line else {}
        if line is None:
            raise NotFound("There is no such finding at this centre; what it was about may have been settled")
        ordered = _in_order(line, testimonies)
        events = [decode_event(bytes(testimonies[one].record.event)) for one in ordered]
        if not events:
            raise NotFound("The events behind this finding are not here any more")
        chosen = next((one for one in _answers_to(line, is_open=True) if one.code == given.answer), None)
        if chosen is None:
            codes = ", ".join(one.code for one in _answers_to(line, is_open=True))
            raise InvalidInput(f"This finding can be answered by: {codes}")
        event = self._event(center, user, replace(line, event_ids=ordered), events[-1], chosen, given)
        outcome = await self._desk.record(event)
        if not outcome.version:
            raise Conflict("The answer was kept, and could not take effect; look at the journal of the server's desk")
        return _answered(event, outcome)

    def _event(
        self,
        center: Center,
        user: User,
        line: ReviewLine,
        last: AttendanceEvent,
        chosen: PossibleAnswer,
        given: Given,
    ) -> AttendanceEvent:
        now_ms = self._clock.wall_ms()
        left_at_ms = self._time(chosen, Need.LEFT_AT, given.left_at, now_ms)
        occurred_at_ms = self._time(chosen, Need.OCCURRED_AT, given.occurred_at, now_ms)
        return AttendanceEvent(
            event_id=self._new_id(),
            kind=EventKind.REVIEW_RESOLVED,
            center_id=center.id,
            child_id=last.child_id,
            person_id=last.person_id,
            rollcall_id=last.rollcall_id,
            provisional_name=last.provisional_name,
            room_id=last.room_id if line.subject_id == last.room_id else "",
            occurred_at_ms=now_ms,
            recorded_at_ms=now_ms,
            utc_offset_min=utc_offset_min(now_ms, center.time_zone),
            clock_offset_ms=0,
            clock_error_ms=0,
            auth_method="account",
            finding=line.finding,
            answer=chosen.code,
            supersedes=chosen.named(line.event_ids),
            corrected=None if occurred_at_ms is None else Correction(occurred_at_ms=occurred_at_ms),
            left_at_ms=left_at_ms,
            reason=given.reason,
            author_id=user.id,
            author=user.display_name,
        )

    def _time(self, chosen: PossibleAnswer, need: Need, given: datetime | None, now_ms: int) -> int | None:
        if chosen.needs is not need:
            if given is not None:
                raise InvalidInput(f"This answer takes no {need.value}")
            return None
        if given is None:
            raise InvalidInput(f"This answer needs {need.value}: say when")
        if given.tzinfo is None:
            raise InvalidInput(f"{need.value} needs an offset, such as +01:00")
        ms = ms_of(given)
        if not WALL_MS_MIN <= ms <= min(now_ms, WALL_MS_MAX):
            raise InvalidInput(f"{need.value} lies in the future, or before the year 2000")
        return ms


def _named(line: ReviewLine, witnesses: Sequence[Witness]) -> ReviewLine:
    """Whoever is not on file is called what the events call it."""
    said = (one.event.provisional_name or one.event.person_name for one in reversed(witnesses))
    return line if line.subject_name else replace(line, subject_name=next(filter(None, said), ""))


def _answers_to(line: ReviewLine, *, is_open: bool = False) -> tuple[PossibleAnswer, ...]:
    """What may be answered; one that is answered may be answered anew, by whoever asks for it."""
    if line.state == ReviewState.ANSWERED and not is_open:
        return ()
    kinds = {kind.value: kind for kind in FindingKind}
    return possible_answers(kinds[line.kind]) if line.kind in kinds else ()


def _in_order(line: ReviewLine, testimonies: Mapping[str, Testimony]) -> tuple[str, ...]:
    """The events of a finding that are here, oldest first, as answers count them.

    An open finding says so itself; of one that was answered only its key is left, in which they are sorted by id. What
    a guardian disputes comes before the dispute.
    """
    there = [event_id for event_id in line.event_ids if event_id in testimonies]
    if line.state == ReviewState.OPEN:
        return tuple(there)
    facts = {event_id: fact_of_record(testimonies[event_id].record) for event_id in there}
    disputes = {event_id: fact.event.kind is EventKind.CONFIRM for event_id, fact in facts.items()}
    return tuple(sorted(there, key=lambda event_id: (disputes[event_id], facts[event_id].order)))


def _answered(event: AttendanceEvent, outcome: EntryOutcome) -> Answered:
    return Answered(event.event_id, outcome.version)


def _key_of(line: ReviewLine) -> After:
    return line.found_at or datetime.fromtimestamp(0, UTC), line.finding
