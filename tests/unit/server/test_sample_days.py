"""The sample of years before it is written: the same for one seed, and with everything that analytics should find."""

import csv
import io
from collections import Counter
from datetime import date, timedelta

from server.sample.days import DAY_MS, MINUTE_MS, ROUNDS, Diary, Recording
from server.sample.towns import Town, intake_days, roster_csv, towns
from sync.attendance import EventKind

FIRST, LAST = date(2025, 9, 1), date(2026, 8, 31)


def told(town: Town, seed: str) -> list[Recording]:
    diary, day, found = Diary(town, seed), FIRST, []
    while day <= LAST:
        found += diary.recordings(day)
        day += timedelta(days=1)
    return found


def test_a_seed_is_one_history_and_another_seed_is_another() -> None:
    once, again, other = (towns(2, FIRST, LAST, children=20, seed=seed) for seed in ("1", "1", "2"))
    assert once == again != other
    assert told(once[0], "1")[:400] == told(again[0], "1")[:400] != told(once[0], "2")[:400]


def test_children_come_and_go_and_are_in_the_room_for_their_age() -> None:
    town = towns(1, FIRST, LAST, children=40, seed="1")[0]
    for day in (FIRST, date(2026, 2, 1), LAST):
        assert 34 <= sum(child.first_day <= day <= child.last_day for child in town.children) <= 46
    assert any(child.has_left for child in town.children)
    assert any(child.first_day > FIRST for child in town.children)
    rows = list(csv.DictReader(io.StringIO(roster_csv(town, LAST))))
    left = [row for row in rows if row["record"] == "child" and row["enrolled"] == "no"]
    assert left
    assert all(row["enrolled_to"] for row in left)
    assert all(row["birth_date"] <= FIRST.isoformat() for row in csv.DictReader(io.StringIO(roster_csv(town, FIRST))))
    assert intake_days(FIRST, LAST) == [FIRST, date(2026, 3, 1)]


def test_everything_that_an_auditor_looks_for_is_in_a_year() -> None:
    first, second = towns(2, FIRST, LAST, children=40, seed="1")
    here, there = told(first, "1"), told(second, "1")
    by_rounder = [one for one in here if one.staff == ROUNDS and one.kind is EventKind.CHECK_IN]
    assert len(by_rounder) > 50
    rounded = [one for one in by_rounder if one.occurred_ms % (15 * MINUTE_MS) == 0 < one.recorded_ms - one.occurred_ms]
    assert len(rounded) > 0.8 * len(by_rounder)
    closed = {day for begin, end, _ in first.closures for day in (begin, end)}
    on_closed = Diary(first, "1").recordings(date(2025, 10, 3))
    assert date(2025, 10, 3) in closed
    assert {one.kind for one in on_closed} == {EventKind.CHECK_IN, EventKind.CHECK_OUT}
    late = [one for one in here if one.sent_ms - one.recorded_ms > 60 * MINUTE_MS]
    afterwards = [one for one in here if one.recorded_ms - one.occurred_ms >= 20 * MINUTE_MS]
    assert late
    assert afterwards
    kinds = Counter(one.kind for one in here)
    assert kinds[EventKind.CHECK_IN] - kinds[EventKind.CHECK_OUT] > 0
    staffed = Counter(one.occurred_ms // DAY_MS for one in here if one.kind is EventKind.STAFF_IN)
    assert min(staffed.values()) < len(first.staff)
    names = [
        {(one.given_name, one.family_name, one.birth_date): one for one in town.children} for town in (first, second)
    ]
    (both,) = names[0].keys() & names[1].keys()
    days = [
        {one.occurred_ms // DAY_MS for one in recorded if one.subject == ours[both].external_id}
        for ours, recorded in zip(names, (here, there), strict=True)
    ]
    assert days[0] & days[1]
