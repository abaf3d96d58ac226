"""A guardian's view of their child's stays: who brought and collected it, and what they themselves say to that.

A word of theirs is an event of the server's own desk with the account behind it, as everything that people enter there:
it reaches every desk, stands in the evidence of the stay, and a dispute is a finding until the centre answers it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Final
from zoneinfo import ZoneInfo

from server.core.clock import Clock
from server.core.errors import Conflict, FieldProblem, InvalidInput, NotFound
from server.models.rooms import Center
from server.repositories.guardian_accounts import FamilyChild
from server.repositories.unit_of_work import UnitOfWork, UnitsOfWork
from server.services.access import User
from server.services.child_files import Part, read_child
from server.services.desk_entries import DeskEntries, Entered, Entry, EventKind
from server.services.guardian_rights import child_of, child_with_center
from server.services.stay_history import PARENT_APP, MyStay, StayHistory, read_history
from sync.attendance import AttendanceEvent
from sync.evidence_trail import id_of_stay
from sync.records import day_bounds_ms
from sync.stays import Stay

__all__ = ["About", "MyStay", "MyStays", "StayPage", "Word"]

DAYS_MAX: Final = 92  # a quarter of a year at once
DAYS: Final = 14
YEAR_MIN: Final = 2000
YEAR_MAX: Final = 2099
# What one account says of one stay: who changes their mind more often talks to the centre.
WORDS_MAX: Final = 10


class About(StrEnum):
    """Which end of a stay a dispute is about."""

    ARRIVAL = "arrival"
    DEPARTURE = "departure"
    STAY = "stay"


@dataclass(frozen=True, slots=True, kw_only=True)
class Word:
    """What a guardian says of a stay; a confirmation has no reason. `event_id` is the caller's and makes it one word.

    `right_time`: when it was, as the guardian says (aware).
    """

    event_id: str
    disputes: bool = False
    about: About = About.STAY
    reason: str = ""
    right_time: datetime | None = None


@dataclass(frozen=True, slots=True)
class StayPage:
    """Stays of a child, the last first, between two days of its centre (both included)."""

    child: FamilyChild
    first_day: date
    last_day: date
    stays: Sequence[MyStay]


class MyStays:
    """Shows guardians the stays of their children, and takes their word."""

    def __init__(self, units: UnitsOfWork, entries: DeskEntries, clock: Clock) -> None:
        """Read through `units`, and enter words by `entries`."""
        self._units = units
        self._entries = entries
        self._clock = clock

    async def between(self, user: User, child_id: str, first: date | None, last: date | None) -> StayPage:
        """Give the stays of a child between two days; without `last` up to today, without `first` of two weeks.

        Raises:
            NotFound: it is no child of the account's.
            InvalidInput: the days end before they begin, are more than a quarter of a year, or not in 2000 to 2099.

        """
        async with self._units.begin() as unit:
            child = await child_of(unit.connection, user, child_id)
            await read_child(unit, user, child.center_id, child_id, Part.STAYS)
            first_day, last_day = self._days(child, first, last)
            since_ms, _ = day_bounds_ms(first_day.isoformat(), child.time_zone)
            _, before_ms = day_bounds_ms(last_day.isoformat(), child.time_zone)
            history = await read_history(unit, child, since_ms=since_ms)
            stays = await history.told(unit, user, since_ms=since_ms, before_ms=before_ms)
        return StayPage(child, first_day, last_day, stays)

    async def say(self, user: User, child_id: str, stay_id: str, word: Word) -> Entered:
        """Confirm or dispute a stay; the same word with the same id is entered once however often it is sent.

        Raises:
            NotFound: it is no child of the account's, or no stay of the child.
            InvalidInput: a right time without an end of the stay, or one that lies in the future.
            Conflict: another event has this id, or there are too many words of this account already.
            DatabaseUnavailable: it is not known whether it was stored; send it again with the same `event_id`.

        """
        center, entry, known = await self._prepared(user, child_id, stay_id, word)
        if known is not None:
            return known
        try:
            return await self._entries.enter(center, user, entry)
        except Conflict:
            # Sent twice at the same time: the other one may have been first.
            _, _, known = await self._prepared(user, child_id, stay_id, word)
            if known is None:
                raise
            return known

    async def _prepared(
        self, user: User, child_id: str, stay_id: str, word: Word
    ) -> tuple[Center, Entry, Entered | None]:
        """The centre, what is to be entered, and what it became if it was entered already."""
        async with self._units.begin() as unit:
            child, center = await child_with_center(unit, user, child_id)
            await read_child(unit, user, child.center_id, child_id, Part.STAYS)
            history, stay = await _stay(unit, child, stay_id)
            known = await history.entered(unit, word.event_id)
        entry = Entry(
            kind=EventKind.CONFIRM, event_id=word.event_id, child_id=child_id, adult_id=child.adult_id,
            disputes=word.disputes, reason=self._reason(child, word), auth_method=PARENT_APP,
        )  # fmt: skip
        if known is not None:
            event, entered = known
            if not _is_same(event, entry, user):
                raise Conflict("There is another event with this id")
            return center, entry, entered
        if stay is None:
            raise NotFound("The child has no such stay")
        if history.words_of(user, stay) >= WORDS_MAX:
            raise Conflict("You have said enough of this stay here: talk to the centre")
        return center, replace(entry, named=_named(stay, word.about)), None

    def _reason(self, child: FamilyChild, word: Word) -> str:
        """The guardian's own words, and the time that they say was right, as everybody reads it at the centre."""
        if word.right_time is None:
            return word.reason
        if word.about is About.STAY:
            raise _wrong("/right_time", "Say which end of the stay the time is about: arrival or departure")
        if word.right_time > self._clock.now():
            raise _wrong("/right_time", "A time lies in the future")
        local = word.right_time.astimezone(ZoneInfo(child.time_zone))
        return f"{word.reason} ({word.about}: {local:%Y-%m-%d %H:%M})".strip()

    def _days(self, child: FamilyChild, first: date | None, last: date | None) -> tuple[date, date]:
        last_day = last or self._clock.now().astimezone(ZoneInfo(child.time_zone)).date()
        if not YEAR_MIN <= last_day.year <= YEAR_MAX:
            raise _wrong("#query/to", f"Ask for days in the years {YEAR_MIN} to {YEAR_MAX}")
        first_day = first or last_day - timedelta(days=DAYS - 1)
        if not 0 <= (last_day - first_day).days < DAYS_MAX or first_day.year < YEAR_MIN:
            raise _wrong("#query/from", f"Ask for at most {DAYS_MAX} days, the first one first")
        return first_day, last_day


async def _stay(unit: UnitOfWork, child: FamilyChild, stay_id: str) -> tuple[StayHistory, Stay | None]:
    history = await read_history(unit, child, with_event=stay_id)
    return history, next((stay for stay in history.stays if id_of_stay(stay) == stay_id), None)


def _named(stay: Stay, about: About) -> tuple[str, ...]:
    """The events that a word is about."""
    ends = {About.ARRIVAL: stay.check_in, About.DEPARTURE: stay.check_out}
    if about is About.STAY:
        return tuple(fact.event.event_id for fact in ends.values() if fact is not None)
    fact = ends[about]
    if fact is None:
        raise _wrong("/about", "Nobody recorded this end of the stay")
    return (fact.event.event_id,)


def _is_same(event: AttendanceEvent, entry: Entry, user: User) -> bool:
    said = (event.kind, event.author_id, event.child_id, event.disputes, event.reason)
    # A correction since may have given the stay another end: what was named is not compared.
    return said == (entry.kind, user.id, entry.child_id, entry.disputes, entry.reason)


def _wrong(pointer: str, detail: str) -> InvalidInput:
    return InvalidInput(detail, (FieldProblem(pointer, detail),))
