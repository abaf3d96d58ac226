"""One day of an invented centre: who comes when, who is away and why, and what goes wrong; pure and seeded.

What goes wrong is what an auditor looks for, each as often as somebody would find it: a member of staff who rounds
times, people in on a day on which the centre is closed, a child at two centres at once, a desk whose link was cut until
the next morning, departures that nobody wrote down, a shift without a substitute, late parents, times that were entered
afterwards.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from random import Random
from typing import Final
from zoneinfo import ZoneInfo

from server.sample.towns import Child, Member, Town, adult_id
from sync.attendance import EventKind

MINUTE_MS: Final = 60_000
DAY_MS: Final = 24 * 60 * MINUTE_MS
SATURDAY: Final = 5
# The month of the training day.
TRAINING_MONTH: Final = 10
OPENS_MIN: Final = 450
# The time at which a desk whose link was cut has it again, on the next morning.
LINK_BACK_MIN: Final = 420
# Within the first three weeks of August families go away.
LEAVES_UNTIL: Final = (8, 22)
LEAVES_PERCENT: Final = 9
SICK_PERCENT: Final = 2.2
NO_SHOW_PERCENT: Final = 0.6
LATE_PICK_UP_PERCENT: Final = 3
FORGOTTEN_PERCENT: Final = 0.4
AFTERWARDS_PERCENT: Final = 1.5
TWICE_PERCENT: Final = 0.4
CUT_OFF_PERCENT: Final = 2
UNSTAFFED_PERCENT: Final = 5
# Who rounds, at the first centre, to what, and how much of what is attested there is theirs.
ROUNDER_PERCENT: Final = 85
ROUNDS: Final = "S-03"
ROUNDS_TO_MIN: Final = 15


@dataclass(frozen=True, slots=True)
class Recording:
    """What somebody enters at a desk (0 or 1). Times are UTC milliseconds; `sent_ms`: when it can reach the server."""

    kind: EventKind
    subject: str
    occurred_ms: int
    recorded_ms: int
    sent_ms: int
    desk: int
    room: str = ""
    staff: str = ""
    adult: str = ""
    auth: str = "pin"


@dataclass(frozen=True, slots=True)
class Away:
    """A child is announced not to come on days, both included; `informed_ms` is when the family said so."""

    child: str
    first_day: date
    last_day: date
    kind: str
    informed_ms: int


@dataclass(frozen=True, slots=True)
class Visit:
    """A booked day of a child: whether it came, and whether the booking was given back, early or late."""

    child: Child
    came: bool
    cancelled: str = ""


class Diary:
    """The days of one centre, to be asked in their order: who is ill stays so for a while."""

    def __init__(self, town: Town, seed: str) -> None:
        """Begin before the first day."""
        self.town = town
        self._luck = Random(f"{seed}:{town.place.code}:days")  # noqa: S311 - a sample, not a secret
        self._zone = ZoneInfo(town.place.time_zone)
        self._away_until: dict[str, date] = {}
        self.away: list[Away] = []
        self.visits: list[Visit] = []
        self.forgot = False

    def recordings(self, day: date) -> list[Recording]:
        """Give what is entered on a day, in the order of the desks' clocks.

        Afterwards `away` has the absences that were announced on it, `visits` every booked day of a child, and
        `forgot` says whether a departure is missing that the server will assume.
        """
        self.away, self.visits, self.forgot = [], [], False
        found: list[Recording] = []
        if day.weekday() >= SATURDAY:
            return found
        if self.town.is_closed(day):
            found += self._on_a_closed_day(day)
        else:
            for child in self.town.children:
                if child.first_day <= day <= child.last_day and child.weekdays >> day.weekday() & 1:
                    found += self._of_child(child, day)
            for member in self.town.staff:
                found += self._of_staff(member, day)
        return sorted(self._sent(found, day), key=lambda one: (one.recorded_ms, one.subject))

    def moment(self, day: date, minute: float) -> int:
        """The UTC milliseconds at which the clock on the wall shows a minute of a day."""
        at = datetime.combine(day, time(), self._zone) + timedelta(minutes=minute)
        return round(at.astimezone(UTC).timestamp()) * 1_000

    def _chance(self, percent: float) -> bool:
        return self._luck.random() * 100 < percent

    def _of_child(self, child: Child, day: date) -> Iterator[Recording]:
        away = self._is_away(child, day)
        if away:
            cancelled = away if self._chance(50 if away == "early" else 12) else ""
            self.visits.append(Visit(child, came=False, cancelled=cancelled))
            return
        came = not self._chance(NO_SHOW_PERCENT)
        self.visits.append(Visit(child, came=came))
        if came:
            yield from self._stay(child, day)

    def _is_away(self, child: Child, day: date) -> str:
        """`early` or `late` for how soon the family knew; empty when the child is expected."""
        until = self._away_until.get(child.external_id)
        if until is not None and day <= until:
            return "early" if until - day > timedelta(days=4) else "late"
        # Two weeks of summer, by child, and now and then a cold.
        if (day.month, day.day) < LEAVES_UNTIL and day.month == LEAVES_UNTIL[0] and self._chance(LEAVES_PERCENT):
            return self._announce(child, day, self._luck.randint(9, 13), "holiday")
        if self._chance(SICK_PERCENT):
            return self._announce(child, day, self._luck.choice((0, 0, 1, 1, 2, 3)), "sick")
        return ""

    def _announce(self, child: Child, day: date, more: int, kind: str) -> str:
        last = min(day + timedelta(days=more), child.last_day)
        self._away_until[child.external_id] = last
        told_min = 425 + self._luck.randrange(50)
        informed = self.moment(day, told_min) - (self._luck.randint(5, 30) * DAY_MS if kind == "holiday" else 0)
        self.away.append(Away(child.external_id, day, last, kind, informed))
        return "early" if kind == "holiday" else "late"

    def _stay(self, child: Child, day: date) -> Iterator[Recording]:
        begin, end = _minutes(child.tariff.from_time), _minutes(child.tariff.to_time)
        came = max(OPENS_MIN - 4, begin + self._luck.gauss(6, 12))
        went = max(came + 45, end + self._luck.gauss(-9, 8))
        if self._chance(LATE_PICK_UP_PERCENT):
            went = end + self._luck.uniform(6, 55)
        room, adult = child.room_on(day), adult_id(child, 1 + self._luck.randrange(2))
        yield from self._told(EventKind.CHECK_IN, child, day, came, room, adult)
        if self._chance(TWICE_PERCENT):
            yield from self._told(EventKind.CHECK_IN, child, day, came + 2, room, adult)
        if self._chance(FORGOTTEN_PERCENT):
            self.forgot = True
            return
        yield from self._told(EventKind.CHECK_OUT, child, day, went, "", adult)

    def _told(
        self, kind: EventKind, child: Child, day: date, minute: float, room: str, adult: str
    ) -> Iterator[Recording]:
        desk = 1 if self._chance(30) else 0
        attested = self._chance(18)
        staff = self._who_attests() if attested else ""
        at = recorded = self.moment(day, minute) + self._luck.randrange(60) * 1_000
        if staff == ROUNDS and self.town.number == 0:
            step = ROUNDS_TO_MIN * MINUTE_MS
            at, recorded = at // step * step, at // step * step + self._luck.randint(90, 700) * 1_000
        elif self._chance(AFTERWARDS_PERCENT):
            staff = staff or self._luck.choice(self.town.staff).external_id
            at = at // MINUTE_MS * MINUTE_MS
            recorded = at + self._luck.randint(20, 200) * MINUTE_MS + 7_000
        yield Recording(
            kind, child.external_id, at, recorded, recorded, desk,
            room=room, staff=staff, adult=adult, auth="staff_attested" if staff else "pin",
        )  # fmt: skip

    def _who_attests(self) -> str:
        if self.town.number == 0 and self._chance(ROUNDER_PERCENT):
            return ROUNDS
        return self._luck.choice(self.town.staff).external_id

    def _of_staff(self, member: Member, day: date) -> Iterator[Recording]:
        if self._chance(UNSTAFFED_PERCENT):
            return
        for kind, minute in ((EventKind.STAFF_IN, member.from_min), (EventKind.STAFF_OUT, member.to_min)):
            at = self.moment(day, minute + self._luck.gauss(0, 4)) + self._luck.randrange(60) * 1_000
            room = member.room if kind is EventKind.STAFF_IN else ""
            yield Recording(kind, member.external_id, at, at, at, 0, room=room, auth="pin")

    def _on_a_closed_day(self, day: date) -> Iterator[Recording]:
        """On a training day a child or two is there all the same."""
        if day.month != TRAINING_MONTH:
            return
        here = [child for child in self.town.children if child.first_day <= day <= child.last_day]
        for child in here[:: max(1, len(here) // 2)]:
            room, adult = child.room_on(day), adult_id(child, 1)
            yield from self._told(EventKind.CHECK_IN, child, day, 560 + self._luck.randrange(60), room, adult)
            yield from self._told(EventKind.CHECK_OUT, child, day, 700 + self._luck.randrange(60), "", adult)

    def _sent(self, found: list[Recording], day: date) -> Iterator[Recording]:
        """One of the desks may be without a link all day; it tells everything on the next morning."""
        cut_off = self._luck.randrange(2) if self._chance(CUT_OFF_PERCENT) else None
        # The server assumes departures that it has not heard of.
        self.forgot = self.forgot or cut_off is not None
        back = self.moment(day + timedelta(days=1), LINK_BACK_MIN)
        for one in found:
            yield replace(one, sent_ms=max(back, one.recorded_ms)) if one.desk == cut_off else one


def _minutes(text: str) -> int:
    hours, minutes = text.split(":")
    return int(hours) * 60 + int(minutes)
