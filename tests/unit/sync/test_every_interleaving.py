"""Two desks, up to four events each, in every interleaving and at every class of gaps: the fold and the table agree.

A case is a row of events in order of time: what each is, at which desk, and how long after the one before. Three
reductions keep the number of cases in bounds. The first event is at desk A, since desks have no other difference than
their names. A gap is none, just within ten minutes, exactly ten, or just more; nothing else is compared with time. Long
rows hold less kinds than short ones: what acts upon events is enumerated whole up to three events.

Rows that are still too many are looked at evenly, one of every `stride`. `ROLLCALL_ENUMERATION=10` looks at ten times
as many of these, `=1000000` at all of them, which takes most of a day.
"""

import math
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from itertools import product

import pytest

from sync.attendance import Correction, EventKind, Fact, fold
from tests.unit.sync.builders import NINE_MS, at_ms, event, fact, uuid_of
from tests.unit.sync.naive_attendance import decide, shown

TIMES_MORE = int(os.environ.get("ROLLCALL_ENUMERATION", "1"))
GAPS_MIN = (0, 9, 10, 11)
EACH_DESK_MAX = 4
ROOM = uuid_of(0xF0)
MISSED = f"possible_missed_check_out:{uuid_of(1)}:{uuid_of(2)}"

Option = tuple[str, int]
"""What an event is, and the place of the event that it names, 0 for none."""

COME_AND_GO: tuple[Option, ...] = (("come", 0), ("ann", 0))
PRESENCE: tuple[Option, ...] = (*COME_AND_GO, ("bob", 0), ("close", 0))
EVERYTHING: tuple[Option, ...] = (*PRESENCE, ("move", 0))
ACTS = ("void", "earlier", "to bob")


@dataclass(frozen=True)
class Rows:
    """All rows of so many events; one of every `stride` is looked at."""

    events: int
    options: tuple[Option, ...]
    stride: int = 1
    with_acts: bool = False

    @property
    def pools(self) -> list[Sequence[object]]:
        """What there is to choose from: the desks, what each event is, and each gap."""
        options = [(*self.options, *self._acts(place)) for place in range(1, self.events + 1)]
        return [_desks(self.events), *options, *[GAPS_MIN] * (self.events - 1)]

    def _acts(self, place: int) -> list[Option]:
        others = [other for other in range(1, self.events + 1) if other != place]
        return [(act, other) for act in ACTS for other in others] + [("left", 0)] if self.with_acts else []

    @property
    def total(self) -> int:
        return math.prod(len(pool) for pool in self.pools)

    @property
    def step(self) -> int:
        return max(1, self.stride // TIMES_MORE)

    def cases(self) -> Iterator[list[Fact]]:
        pools = self.pools
        for number in range(0, self.total, self.step):
            yield _facts(_pick(number, pools), self.events)


ROWS = (
    Rows(1, EVERYTHING, with_acts=True),
    Rows(2, EVERYTHING, with_acts=True),
    Rows(3, EVERYTHING, with_acts=True),
    Rows(4, PRESENCE, stride=7),
    Rows(4, EVERYTHING, stride=4_001, with_acts=True),
    Rows(5, COME_AND_GO, stride=11),
    Rows(6, COME_AND_GO, stride=151),
    Rows(7, COME_AND_GO, stride=1_511),
    Rows(8, COME_AND_GO, stride=14_009),
)


@lru_cache
def _desks(events: int) -> tuple[str, ...]:
    every = ("A" + "".join(rest) for rest in product("AB", repeat=events - 1))
    return tuple(desks for desks in every if max(desks.count("A"), desks.count("B")) <= EACH_DESK_MAX)


def _pick(number: int, pools: Sequence[Sequence[object]]) -> list[object]:
    """The case with this number, the last pool turning fastest."""
    picked = []
    for pool in reversed(pools):
        number, place = divmod(number, len(pool))
        picked.append(pool[place])
    return picked[::-1]


def _facts(picked: Sequence[object], events: int) -> list[Fact]:
    desks, options, gaps = str(picked[0]), picked[1 : events + 1], picked[events + 1 :]
    minutes = [0]
    for gap in gaps:
        assert isinstance(gap, int)
        minutes.append(minutes[-1] + gap)
    return [
        _fact(place, option, minute, desk)
        for place, (option, minute, desk) in enumerate(zip(options, minutes, desks, strict=True), start=1)
    ]


@cache
def _fact(place: int, option: Option, minute: int, desk: str) -> Fact:
    what, other = option
    names = (uuid_of(other),) if other else ()
    match what:
        case "come":
            happened = event(place, minute=minute, room_id=ROOM)
        case "ann" | "bob":
            happened = event(place, kind=EventKind.CHECK_OUT, minute=minute, adult=what)
        case "move":
            happened = event(place, kind=EventKind.ROOM_MOVE, minute=minute, to_room_id=ROOM)
        case "close":
            happened = event(place, kind=EventKind.AUTO_CLOSE, minute=minute)
        case "void":
            happened = event(place, kind=EventKind.VOID, minute=minute, supersedes=names)
        case "left":
            said = {"finding": MISSED, "answer": "left", "left_at_ms": at_ms(10)}
            happened = event(place, kind=EventKind.REVIEW_RESOLVED, minute=minute, **said)  # type: ignore[arg-type]
        case _:
            right = Correction(occurred_at_ms=NINE_MS - 1) if what == "earlier" else Correction(adult_name="bob")
            happened = event(place, kind=EventKind.CORRECT, minute=minute, supersedes=names, corrected=right)
    return fact(happened, desk)


@pytest.mark.slow
@pytest.mark.timeout(0 if TIMES_MORE > 1 else 180)
@pytest.mark.parametrize("rows", ROWS, ids=lambda rows: f"{rows.events} events, {len(rows.options)} kinds")
def test_the_fold_says_what_the_table_says(rows: Rows) -> None:
    looked_at = 0
    for facts in rows.cases():
        looked_at += 1
        assert shown(fold(reversed(facts))) == decide(facts), facts
    print(f"{looked_at:,} of {rows.total:,} rows of {rows.events} events")
    assert looked_at == math.ceil(rows.total / rows.step)


def test_the_number_of_rows_is_what_the_classes_multiply_to() -> None:
    assert [len(_desks(events)) for events in range(1, 9)] == [1, 2, 4, 8, 15, 25, 35, 35]
    assert Rows(3, EVERYTHING, with_acts=True).total == 4 * 12**3 * 4**2
    assert Rows(8, COME_AND_GO).total == 35 * 2**8 * 4**7
    assert sum(rows.total for rows in ROWS) > 190_000_000
