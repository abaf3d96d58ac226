"""B8: the fold alone, with no server and no disk: all children from scratch, and one child's day again."""

import gc
import time
from collections.abc import Callable, Sequence
from operator import itemgetter
from typing import Any, Final

import msgspec

from sync.attendance import AttendanceEvent, ChildFold, Correction, EventKind, Fact, fold
from tests.bench.figures import Figures, Line, Report
from tests.bench.stage import Stage

CHILDREN: Final = 500
DAYS: Final = 10
QUICK_DAYS: Final = 2
DAY_AGAIN: Final = 2_000
TRIES: Final = 3
DAY_MS: Final = 24 * 3_600_000
MINUTE_MS: Final = 60_000
FIRST_MS: Final = 1_790_000_000_000
CENTER: Final = "00000000-0000-7000-8000-0000000000c1"

LINES: Final = (
    Line("from scratch: events/s", "each child's day by itself", 150_000, "raw: sorting, events/s", is_rate=True),
    Line("two weeks: events/s", "all days of a child at once", 150_000, "raw: sorting, events/s", is_rate=True),
    Line(
        "corrected: events/s",
        "one event in ten is a void or a correction",
        None,
        "raw: sorting, events/s",
        is_rate=True,
    ),
    Line("one child's day again, us", "eight events", 100, "raw: sorting a day, us"),
    Line("one more event, us", "behind the ones there are", 100, "raw: sorting a day, us"),
    Line("raw: sorting, events/s", "the same facts as tuples, by time and tie"),
    Line("raw: sorting a day, us", "eight of them"),
)


async def measure(stage: Stage) -> Report:
    """The median of some tries for each figure, in this process; the server of the stage is idle meanwhile."""
    days = stage.options.pick(DAYS, QUICK_DAYS)
    runs: list[Figures] = []
    task = stage.bar.add_task("B8: folds", total=stage.options.runs)
    for _ in range(stage.options.runs):
        runs.append(_figures(days))
        stage.bar.advance(task)
    stage.bar.remove_task(task)
    did = f"{CHILDREN} children, {days} days of eight events, at three desks"
    return Report("B8", did, runs, LINES)


def _figures(days: int) -> Figures:
    each_day = [[_day(child, day) for day in range(days)] for child in range(CHILDREN)]
    whole = [[fact for day in child for fact in day] for child in each_day]
    corrected = [[*facts, *_amendments(facts)] for facts in whole]
    split = [day for child in each_day for day in child]
    count = sum(map(len, whole))
    rows = [[(*fact.order, fact) for fact in facts] for facts in split]
    day = split[0]
    return {
        "from scratch: events/s": count / _seconds(lambda: [fold(facts) for facts in split]),
        "two weeks: events/s": count / _seconds(lambda: [fold(facts) for facts in whole]),
        "corrected: events/s": sum(map(len, corrected)) / _seconds(lambda: [fold(facts) for facts in corrected]),
        "one child's day again, us": _seconds(lambda: [fold(day) for _ in range(DAY_AGAIN)]) / DAY_AGAIN * 1e6,
        "one more event, us": _one_more_us(day),
        "raw: sorting, events/s": count / _seconds(lambda: _sort(rows)),
        "raw: sorting a day, us": _seconds(lambda: _sort([rows[0]] * DAY_AGAIN)) / DAY_AGAIN * 1e6,
    }


def _sort(rows: Sequence[Sequence[Any]]) -> None:
    key = itemgetter(0, 1, 2, 3, 4, 5)
    for each in rows:
        sorted(each, key=key)


def _one_more_us(day: Sequence[Fact]) -> float:
    *before, last = sorted(day, key=lambda fact: fact.order)
    folds = [ChildFold(before) for _ in range(DAY_AGAIN)]
    began_s = time.process_time()
    for going_on in folds:
        going_on.add(last)
    return (time.process_time() - began_s) / DAY_AGAIN * 1e6


def _seconds(work: Callable[[], object]) -> float:
    """Processor time of the quickest of some tries; what others do on the machine only adds to it."""
    took_s = []
    for _ in range(TRIES):
        gc.collect()
        began_s = time.process_time()
        work()
        took_s.append(time.process_time() - began_s)
    return min(took_s)


def _day(child: int, day: int) -> list[Fact]:
    """A day of a child: two stays, the first seen by two desks, and two moves; not in the order of time."""
    kinds = (
        (EventKind.CHECK_OUT, 480, "Ann", 0), (EventKind.CHECK_IN, 0, "Ann", 0), (EventKind.CHECK_IN, 3, "Ann", 1),
        (EventKind.ROOM_MOVE, 60, "", 2), (EventKind.CHECK_OUT, 240, "Bo", 1), (EventKind.CHECK_IN, 300, "Bo", 1),
        (EventKind.ROOM_MOVE, 360, "", 2), (EventKind.CHECK_OUT, 482, "Ann", 2),
    )  # fmt: skip
    return [
        _fact(number + 16 * (day + 1_000 * child), kind, FIRST_MS + day * DAY_MS + minute * MINUTE_MS, adult, desk)
        for number, (kind, minute, adult, desk) in enumerate(kinds, start=1)
    ]


def _fact(number: int, kind: EventKind, at_ms: int, adult: str, desk: int) -> Fact:
    event = AttendanceEvent(
        event_id=_id(number),
        kind=kind,
        center_id=CENTER,
        child_id=_id(number // 16_000),
        occurred_at_ms=at_ms,
        recorded_at_ms=at_ms,
        clock_offset_ms=12,
        clock_error_ms=30,
        room_id=CENTER,
        to_room_id=CENTER if kind is EventKind.ROOM_MOVE else "",
        adult_name=adult,
    )
    return Fact(event=event, device_id=_id(desk), incarnation=_id(desk), seq=number, hlc=at_ms << 16)


def _amendments(facts: Sequence[Fact]) -> list[Fact]:
    """For each tenth fact a void or a correction by turns."""
    made = []
    for place, fact in enumerate(facts[::10]):
        said = Correction(occurred_at_ms=fact.at_ms + MINUTE_MS) if place % 2 else None
        event = msgspec.structs.replace(
            fact.event,
            event_id=_id(2**40 + fact.seq),
            kind=EventKind.CORRECT if said else EventKind.VOID,
            supersedes=(fact.event.event_id,),
            corrected=said,
        )
        made.append(msgspec.structs.replace(fact, event=event))
    return made


def _id(number: int) -> str:
    return f"00000000-0000-7000-8000-{number:012x}"
