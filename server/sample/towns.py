"""The invented centres of the sample of years: who is enrolled when, who comes on which weekdays, and what is closed.

Everything follows from a seed, on every machine. A child comes at half a year and leaves for school at five; in between
it goes from room to room, so that three years of a centre are not three years of the same sixty children.
"""

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from random import Random
from typing import Final

from server.sample.generate import COLUMNS, ROOMS
from server.sample.names import POOLS

ORGANISATION: Final = "Five Lanterns Early Years"
CENTRES_MAX: Final = 20
CHILDREN_MAX: Final = 200
DAYS_A_MONTH: Final = 30.4375
FIRST_MONTHS: Final = 6
LAST_MONTHS: Final = 60
# A centre takes new children in twice a year, so that each is born before the roster names it.
INTAKE_MONTHS: Final = (3, 9)
WEDNESDAY: Final = 4


@dataclass(frozen=True, slots=True)
class Place:
    """Where a centre is; prices are in its `currency`."""

    code: str
    name: str
    time_zone: str
    currency: str


@dataclass(frozen=True, slots=True)
class Tariff:
    """A service of every centre: local times, and what a day of it costs."""

    code: str
    name: str
    unit: str
    from_time: str
    to_time: str
    price: str


@dataclass(frozen=True, slots=True)
class Child:
    """A child of the sample; bit 0 of `weekdays` is Monday."""

    external_id: str
    given_name: str
    family_name: str
    birth_date: date
    first_day: date
    last_day: date
    has_left: bool
    weekdays: int
    tariff: Tariff
    adults: tuple[str, ...]

    def room_on(self, day: date) -> str:
        """The code of the room for its age."""
        months = int((day - self.birth_date).days / DAYS_A_MONTH)
        return next((code for code, _, _, _, _, last in ROOMS if months <= last), ROOMS[-1][0])


@dataclass(frozen=True, slots=True)
class Member:
    """Somebody of the staff: in which room, and which minutes of the day by the clock on the wall."""

    external_id: str
    given_name: str
    family_name: str
    room: str
    from_min: int
    to_min: int


@dataclass(frozen=True, slots=True)
class Town:
    """A centre with everybody who was ever there; `number` counts from 0."""

    place: Place
    number: int
    first_day: date
    last_day: date
    children: tuple[Child, ...]
    staff: tuple[Member, ...]
    closures: tuple[tuple[date, date, str], ...]

    def is_closed(self, day: date) -> bool:
        """Whether a closure covers the day."""
        return any(first <= day <= last for first, last, _ in self.closures)


PLACES: Final = (
    Place("lantern-hill", "Lantern Hill", "Europe/London", "GBP"),
    Place("lantern-quay", "Lantern Quay", "Europe/London", "GBP"),
    Place("laternenhof", "Laternenhof", "Europe/Berlin", "EUR"),
    Place("lanterna", "Lanterna do Rio", "Europe/Lisbon", "EUR"),
    Place("lantern-falls", "Lantern Falls", "America/New_York", "USD"),
)
TARIFFS: Final = (
    Tariff("DAY", "Day", "day", "08:00", "16:30", "68.00"),
    Tariff("LONG", "Long day", "day", "07:30", "17:30", "79.50"),
    Tariff("AM", "Morning", "half_day", "08:00", "13:00", "38.00"),
)
OPENS: Final = "07:30"
CLOSES: Final = "18:00"
# Three for each room: one opens, one is there in the middle, one closes. Minutes of the day.
SHIFTS: Final = ((435, 945), (495, 1050), (570, 1090))


def towns(count: int, first_day: date, last_day: date, *, children: int, seed: str) -> tuple[Town, ...]:
    """Make so many centres with about so many children at a time, for days from the first to the last (both included).

    One child of the first centre is at the second one, too, on Wednesdays, and that is not by the book.
    """
    made = [_town(number, first_day, last_day, children, seed) for number in range(count)]
    if count > 1:
        at_home, away = (_longest(town.children) for town in made[:2])
        guest, other = made[0].children[at_home], made[1].children[away]
        same = replace(
            other, given_name=guest.given_name, family_name=guest.family_name, birth_date=guest.birth_date,
            weekdays=WEDNESDAY,
        )  # fmt: skip
        theirs = made[1].children
        made[1] = replace(made[1], children=(*theirs[:away], same, *theirs[away + 1 :]))
    return tuple(made)


def roster_csv(town: Town, as_of: date) -> str:
    """Give the roster of a centre as it stood on a day, with the children who come within the next half year."""
    text = io.StringIO()
    writer = csv.DictWriter(
        text, (*COLUMNS, "center", "enrolled", "enrolled_from", "enrolled_to"), restval="", lineterminator="\n"
    )
    writer.writeheader()
    writer.writerows(_rows(town, as_of))
    return text.getvalue()


def intake_days(first_day: date, last_day: date) -> list[date]:
    """Give the days on which rosters are told anew: the first one, and twice a year."""
    months = [date(year, month, 1) for year in range(first_day.year, last_day.year + 1) for month in INTAKE_MONTHS]
    return [first_day, *(day for day in months if first_day < day <= last_day)]


def _longest(children: Sequence[Child]) -> int:
    return max(range(len(children)), key=lambda number: children[number].last_day - children[number].first_day)


def _town(number: int, first_day: date, last_day: date, children: int, seed: str) -> Town:
    luck = Random(f"{seed}:{number}")  # noqa: S311 - a sample, not a secret
    kind = PLACES[number % len(PLACES)]
    round_ = number // len(PLACES)
    suffix = f"-{round_ + 1}" if round_ else ""
    place = Place(kind.code + suffix, kind.name + (f" {round_ + 1}" if round_ else ""), kind.time_zone, kind.currency)
    return Town(
        place=place,
        number=number,
        first_day=first_day,
        last_day=last_day,
        children=tuple(_children(first_day, last_day, children, luck)),
        staff=tuple(_staff(luck)),
        closures=tuple(_closures(first_day, last_day)),
    )


def _children(first_day: date, last_day: date, at_once: int, luck: Random) -> Iterator[Child]:
    """Births are spread evenly, so that about as many come as go."""
    stay = timedelta(days=round((LAST_MONTHS - FIRST_MONTHS) * DAYS_A_MONTH))
    begin = first_day - timedelta(days=round(LAST_MONTHS * DAYS_A_MONTH))
    count = max(at_once, round(at_once * ((last_day - first_day) + stay) / stay))
    step = ((last_day - first_day) + stay) / count
    names: set[tuple[str, str]] = set()
    for number in range(1, count + 1):
        birth = begin + step * (number - 1) + timedelta(days=luck.randrange(20))
        first = max(first_day, birth + timedelta(days=round(FIRST_MONTHS * DAYS_A_MONTH)))
        leaves = birth + timedelta(days=round(LAST_MONTHS * DAYS_A_MONTH))
        pool = luck.choice(POOLS)
        family = luck.choice(pool.families)
        given = luck.choice([name for name in pool.children if (name, family) not in names] or pool.children)
        names.add((given, family))
        if first > last_day or leaves <= first_day:
            continue
        yield Child(
            external_id=f"C-{number:04}",
            given_name=given,
            family_name=family,
            birth_date=birth,
            first_day=first,
            last_day=min(leaves, last_day),
            has_left=leaves <= last_day,
            weekdays=luck.choice((31, 31, 31, 7, 28, 14)),
            tariff=luck.choices(TARIFFS, (5, 3, 2))[0],
            adults=tuple(luck.sample(pool.adults, 2)),
        )


def _staff(luck: Random) -> Iterator[Member]:
    number = 0
    for room in ROOMS:
        for from_min, to_min in SHIFTS:
            number += 1
            pool = luck.choice(POOLS)
            yield Member(
                f"S-{number:02}", luck.choice(pool.adults), luck.choice(pool.families), room[0], from_min, to_min
            )


def _closures(first_day: date, last_day: date) -> Iterator[tuple[date, date, str]]:
    for year in range(first_day.year - 1, last_day.year + 1):
        for first, last, reason in (
            (date(year, 5, 1), date(year, 5, 1), "Public holiday"),
            (date(year, 10, 1) + timedelta(days=(4 - date(year, 10, 1).weekday()) % 7), None, "Training day"),
            (date(year, 12, 24), date(year + 1, 1, 1), "Between the years"),
        ):
            if first <= last_day and (last or first) >= first_day:
                yield first, last or first, reason


def _rows(town: Town, as_of: date) -> Iterator[dict[str, str]]:
    center = town.place.code
    yield {
        "record": "center", "external_id": center, "name": town.place.name, "organisation": ORGANISATION,
        "time_zone": town.place.time_zone, "opens_at": OPENS, "closes_at": CLOSES,
    }  # fmt: skip
    for sort, (code, name, capacity, *_) in enumerate(ROOMS, start=1):
        yield {
            "record": "room", "external_id": code, "center": center, "name": name, "capacity": str(capacity),
            "sort": str(sort),
        }  # fmt: skip
    for one in town.staff:
        yield {
            "record": "staff", "external_id": one.external_id, "center": center, "given_name": one.given_name,
            "family_name": one.family_name, "role": "educator", "counts_in_ratio": "yes",
        }  # fmt: skip
    soon = as_of + timedelta(days=185)
    known = [child for child in town.children if child.first_day <= soon]
    yield from (_child_row(center, child, as_of) for child in known)
    yield from (row for child in known for row in _adult_rows(center, child))


def _child_row(center: str, child: Child, as_of: date) -> dict[str, str]:
    has_left = child.has_left and child.last_day < as_of
    return {
        "record": "child", "external_id": child.external_id, "center": center, "given_name": child.given_name,
        "family_name": child.family_name, "birth_date": child.birth_date.isoformat(),
        "room": child.room_on(max(min(as_of, child.last_day), child.first_day)),
        "enrolled": "no" if has_left else "yes", "enrolled_from": child.first_day.isoformat(),
        "enrolled_to": child.last_day.isoformat() if has_left else "",
    }  # fmt: skip


def _adult_rows(center: str, child: Child) -> Sequence[dict[str, str]]:
    rows: list[dict[str, str]] = []
    for number, given in enumerate(child.adults, start=1):
        adult = adult_id(child, number)
        rows.append({
            "record": "guardian", "external_id": adult, "center": center, "given_name": given,
            "family_name": child.family_name,
        })  # fmt: skip
        rows.append({
            "record": "pickup", "center": center, "child": child.external_id, "adult": adult,
            "status": "authorised", "relationship": "parent", "legal_guardian": "yes",
        })  # fmt: skip
    return rows


def adult_id(child: Child, number: int) -> str:
    """Give the external id of one of the adults of a child, counted from 1."""
    return f"G-{child.external_id[2:]}-{number}"
