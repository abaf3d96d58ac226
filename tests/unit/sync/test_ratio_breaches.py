"""The breach log: from the stays of the fold to times in breach, with the worst of each and what the desks knew."""

from datetime import datetime
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync.attendance import fold
from sync.attendance_events import EventKind, Fact
from sync.ratio import ChildPresent, Group, LocalMoment, RatioReason, StaffPresent, center_ratio
from sync.ratio_breaches import (
    Breach,
    DeskWord,
    Period,
    Person,
    Presence,
    breaches,
    groups_at,
    local_moment,
    presences,
)
from sync.ratio_rules import RatioBand, RatioMode, RatioRelaxation, RatioRuleSet, RatioScope
from sync.stays import Stay
from tests.unit.sync.builders import NINE_MS, at_ms, told, uuid_of

BEES, OWLS = uuid_of(0xB1), uuid_of(0xB2)
ZONE = "Europe/Berlin"
# Minute 0 is 16:13:20 of 2026-09-21 at the centre.
DAY = Period(at_ms(-600), at_ms(480), ZONE)
RULES = RatioRuleSet(
    name="Three to one",
    effective_from="2026-01-01",
    mode=RatioMode.SUM_PER_BAND,
    bands=(RatioBand(code="all", from_months=0, to_months=156, children_per_adult=3, group_cap=5),),
)
WHOLE = msgspec.structs.replace(RULES, scope=RatioScope.CENTER)


def child(number: int, *spans: tuple[int, int | None], room: str = BEES, moves: tuple[int, ...] = ()) -> Person:
    """A child that comes and goes at these minutes, into a room, and moves to the owls."""
    facts: list[Fact] = []
    child_id = uuid_of(number)
    for index, (first, last) in enumerate(spans):
        facts.append(told(number * 100 + 2 * index, EventKind.CHECK_IN, first, child_id=child_id, room_id=room))
        if last is not None:
            facts.append(told(number * 100 + 2 * index + 1, EventKind.CHECK_OUT, last, child_id=child_id))
    facts += [
        told(number * 100 + 50 + index, EventKind.ROOM_MOVE, minute, child_id=child_id, to_room_id=OWLS)
        for index, minute in enumerate(moves)
    ]
    return Person(ChildPresent(child_id, "2023-01-01"), fold(facts).stays)


def adult(number: int, *spans: tuple[int, int | None], room: str = BEES, moves: tuple[int, ...] = ()) -> Person:
    """A member of staff, as `child`."""
    facts: list[Fact] = []
    names = {"child_id": "", "person_id": uuid_of(number)}
    for index, (first, last) in enumerate(spans):
        facts.append(told(number * 100 + 2 * index, EventKind.STAFF_IN, first, room_id=room, **names))
        if last is not None:
            facts.append(told(number * 100 + 2 * index + 1, EventKind.STAFF_OUT, last, **names))
    facts += [
        told(number * 100 + 50 + index, EventKind.STAFF_MOVE, minute, to_room_id=OWLS, **names)
        for index, minute in enumerate(moves)
    ]
    return Person(StaffPresent(uuid_of(number)), fold(facts).stays)


def log(*people: Person, rules: RatioRuleSet = RULES, period: Period = DAY, words: Any = ()) -> list[tuple[Any, ...]]:
    """Room, minutes and what was worst: reason, children, percent missing."""
    return [
        (one.room_id, minute_of(one.from_ms), minute_of(one.to_ms), *how_bad(one))
        for one in breaches([rules], people, period, words)
    ]


def minute_of(moment_ms: int | None) -> int | None:
    return None if moment_ms is None else (moment_ms - NINE_MS) // 60_000


def how_bad(breach: Breach) -> tuple[str, int, int]:
    return breach.worst.reason.value, breach.worst.children, breach.worst.percent_missing


# -- who is where


def test_a_stay_is_told_room_by_room() -> None:
    moved = child(1, (0, 60), moves=(20,))
    assert [(one.room_id, one.from_ms, one.to_ms) for one in presences(moved)] == [
        (BEES, at_ms(0), at_ms(20)),
        (OWLS, at_ms(20), at_ms(60)),
    ]


def test_of_whom_nobody_said_the_room_is_in_the_home_room_until_the_first_move() -> None:
    at_home = msgspec.structs.replace(child(1, (0, None), room="", moves=(20,)), home_room_id=BEES)
    assert [(one.room_id, one.from_ms, one.to_ms) for one in presences(at_home)] == [
        (BEES, at_ms(0), at_ms(20)),
        (OWLS, at_ms(20), None),
    ]
    assert [one.room_id for one in presences(child(1, (0, None), room=""))] == [""]


def test_a_stay_that_nobody_saw_begin_has_no_time() -> None:
    facts = [told(1, EventKind.CHECK_OUT, 30)]
    assert list(presences(Person(ChildPresent("1"), fold(facts).stays))) == []


def test_who_is_together_is_found_at_each_moment() -> None:
    one, two = ChildPresent("1"), StaffPresent("2")
    everybody = [Presence(one, BEES, 10, 20), Presence(two, BEES, 15, None), Presence(two, OWLS, 5, 15)]
    assert groups_at(everybody, 9) == {OWLS: Group((), (two,))}
    assert groups_at(everybody, 10) == {BEES: Group((one,), ()), OWLS: Group((), (two,))}
    assert groups_at(everybody, 15) == {BEES: Group((one,), (two,))}
    assert groups_at(everybody, 20) == {BEES: Group((), (two,))}


@pytest.mark.parametrize(
    ("zone", "moment"),
    [
        ("UTC", LocalMoment("2026-09-21", 14 * 60 + 13)),
        ("Europe/Berlin", LocalMoment("2026-09-21", 16 * 60 + 13)),
        ("Pacific/Auckland", LocalMoment("2026-09-22", 133)),
    ],
)
def test_a_moment_is_by_the_centres_clocks(zone: str, moment: LocalMoment) -> None:
    assert local_moment(NINE_MS, zone) == moment


# -- breaches


def test_enough_adults_all_day_leave_the_log_empty() -> None:
    assert log(child(1, (0, 60)), child(2, (5, 50)), adult(9, (-10, 90))) == []
    assert log() == []


def test_a_breach_begins_and_ends_with_whoever_makes_it() -> None:
    three = [child(number, (0, 60)) for number in (1, 2, 3)]
    assert log(*three, child(4, (10, 40)), adult(9, (-10, 90))) == [(BEES, 10, 40, "too_few_staff", 4, 100)]
    assert log(*three, adult(9, (-10, 20), (30, 90))) == [(BEES, 20, 30, "no_staff", 3, 100)]
    assert log(*three, adult(9, (5, 50))) == [(BEES, 0, 5, "no_staff", 3, 100), (BEES, 50, 60, "no_staff", 3, 100)]


def test_the_worst_of_a_breach_is_where_most_adults_were_missing_and_then_most_children_there() -> None:
    people = [child(number, (number, 60 - number)) for number in range(1, 6)]
    assert log(*people) == [(BEES, 1, 59, "no_staff", 5, 200)]
    assert log(*people[:3]) == [(BEES, 1, 59, "no_staff", 3, 100)]


def test_of_two_equally_bad_moments_the_first_is_told() -> None:
    (found,) = breaches([RULES], [child(1, (0, 10), (25, 40)), child(2, (0, 40))], DAY)
    assert [(band.code, band.children) for band in found.worst.bands] == [("all", 2)]
    assert (found.from_ms, found.to_ms) == (at_ms(0), at_ms(40))


def test_a_room_is_in_breach_from_the_moment_somebody_moves() -> None:
    people = [child(1, (0, 60)), child(2, (0, 60), moves=(20,)), adult(8, (0, 60), moves=(30,))]
    assert log(*people) == [(OWLS, 20, 30, "no_staff", 1, 100), (BEES, 30, 60, "no_staff", 1, 100)]


def test_a_breach_that_has_not_ended_has_no_end() -> None:
    assert log(child(1, (0, None))) == [(BEES, 0, None, "no_staff", 1, 100)]


def test_what_began_before_the_period_is_cut_to_it() -> None:
    period = Period(at_ms(10), at_ms(30), ZONE)
    assert log(child(1, (0, 20)), period=period) == [(BEES, 10, 20, "no_staff", 1, 100)]
    assert log(child(1, (0, 60)), period=period) == [(BEES, 10, None, "no_staff", 1, 100)]
    assert log(child(1, (30, 60)), child(2, (0, 10)), period=period) == []


def test_too_large_a_group_is_in_the_log_too() -> None:
    people = [child(number, (0, 60)) for number in range(1, 7)]
    assert log(*people, adult(8, (0, 60)), adult(9, (0, 60))) == [(BEES, 0, 60, "group_too_large", 6, 0)]


def test_where_the_rules_are_about_the_centre_the_centre_is_in_breach_and_a_room_only_by_its_cap() -> None:
    four = [child(number, (0, 60)) for number in range(1, 5)]
    assert log(*four, adult(9, (0, 60), room=OWLS), rules=WHOLE) == [("", 0, 60, "too_few_staff", 4, 100)]
    six = [*four, child(5, (10, 50)), child(6, (10, 50))]
    found = breaches([WHOLE], [*six, adult(8, (0, 60), room=OWLS), adult(9, (0, 60), room=OWLS)], DAY)
    assert [(one.scope, one.room_id, one.from_ms, one.to_ms) for one in found] == [
        (RatioScope.ROOM, BEES, at_ms(10), at_ms(50))
    ]


def test_without_rules_nothing_is_a_breach() -> None:
    assert breaches([], [child(1, (0, 60))], DAY) == ()
    assert log(child(1, (0, 60)), rules=msgspec.structs.replace(RULES, mode="by_moonlight")) == []


def test_rules_change_at_the_centres_midnight() -> None:
    # From midnight on, 28,000 seconds later, one adult may have six.
    later = msgspec.structs.replace(
        RULES, effective_from="2026-09-22", bands=(msgspec.structs.replace(RULES.bands[0], children_per_adult=6),)
    )
    people = [*(child(number, (440, 520)) for number in range(1, 5)), adult(9, (440, 520))]
    (found,) = breaches([RULES, later], people, Period(at_ms(0), at_ms(900), ZONE))
    assert (found.from_ms, found.to_ms) == (at_ms(440), NINE_MS + 28_000_000)
    assert local_moment(found.to_ms or 0, ZONE) == LocalMoment("2026-09-22", 0)


def test_a_relaxation_begins_and_ends_a_breach_to_the_minute() -> None:
    # 16:20 to 16:40 at the centre is 400 to 1,600 seconds after the minute that is 0 here.
    nap = RatioRelaxation(kind="nap", from_minute=980, to_minute=1_000, factor_percent=200)
    people = [*(child(number, (0, 60)) for number in range(1, 5)), adult(9, (0, 60))]
    eased = msgspec.structs.replace(RULES, relaxations=(nap,))
    found = breaches([eased], people, DAY)
    assert [(one.from_ms - NINE_MS, (one.to_ms or 0) - NINE_MS) for one in found] == [
        (0, 400_000),
        (1_600_000, 3_600_000),
    ]
    without_window = RatioRelaxation(kind="opening", minutes=0, factor_percent=200)
    assert log(*people, rules=msgspec.structs.replace(RULES, relaxations=(without_window,))) == [
        (BEES, 0, 60, "too_few_staff", 4, 100)
    ]


@pytest.mark.parametrize(
    ("utc", "expected"),
    [
        # In Berlin the hour from 02:00 comes at 00:00 UTC and again at 01:00 UTC.
        ("2026-10-25T00:00:00Z", [(0, 30), (60, 90), (120, 180)]),
        # 02:00 is 03:00 at once, at 01:00 UTC: the window is over before it began.
        ("2026-03-29T00:00:00Z", [(0, 180)]),
        ("2026-03-28T00:00:00Z", [(0, 90), (120, 180)]),
    ],
)
def test_a_window_at_night_is_there_as_often_as_the_clocks_show_it(utc: str, expected: list[tuple[int, int]]) -> None:
    start_ms = int(datetime.fromisoformat(utc).timestamp() * 1000)
    night = RatioRelaxation(kind="nap", from_minute=150, to_minute=180, factor_percent=200)
    stay = Stay(check_in=None, started_at_ms=start_ms, ended_at_ms=start_ms + 180 * 60_000)
    asleep = [Person(ChildPresent(str(number), "2023-01-01"), (stay,)) for number in range(4)]
    eased = msgspec.structs.replace(RULES, relaxations=(night,))
    found = breaches(
        [eased], [*asleep, Person(StaffPresent("9"), (stay,))], Period(start_ms, start_ms + 10_800_001, ZONE)
    )
    told_of = [((one.from_ms - start_ms) // 60_000, ((one.to_ms or 0) - start_ms) // 60_000) for one in found]
    assert told_of == expected


# -- what the desks knew


def test_a_breach_carries_the_last_word_of_each_desk_before_it_began() -> None:
    words = [
        DeskWord("B", at_ms(0), 7),
        DeskWord("A", at_ms(10), 12),
        DeskWord("A", at_ms(-30), 9),
        DeskWord("A", at_ms(11), 15),
        DeskWord("C", at_ms(11), 15),
    ]
    (found,) = breaches([RULES], [child(1, (10, 20))], DAY, words)
    assert found.desks == (DeskWord("A", at_ms(10), 12), DeskWord("B", at_ms(0), 7))
    assert breaches([RULES], [child(1, (10, 20))], DAY)[0].desks == ()


def test_of_two_words_at_one_moment_the_one_that_knew_more_counts() -> None:
    words = [DeskWord("A", at_ms(0), 9), DeskWord("A", at_ms(0), 8)]
    assert breaches([RULES], [child(1, (10, 20))], DAY, words)[0].desks == (words[0],)


# -- laws

spans = st.tuples(st.integers(-60, 200), st.integers(1, 90)).map(lambda span: (span[0], span[0] + span[1]))
rooms = st.sampled_from([BEES, OWLS, ""])
crowd = st.lists(st.tuples(spans, rooms), max_size=6)


def _people(children: list[tuple[tuple[int, int], str]], adults: list[tuple[tuple[int, int], str]]) -> list[Person]:
    young = [child(number, span, room=room) for number, (span, room) in enumerate(children, start=1)]
    return [*young, *(adult(number, span, room=room) for number, (span, room) in enumerate(adults, start=20))]


@given(crowd, crowd, st.sampled_from([RULES, WHOLE]), st.integers(-70, 300))
def test_the_log_says_of_every_minute_what_the_engine_says(
    children: list[tuple[tuple[int, int], str]],
    adults: list[tuple[tuple[int, int], str]],
    rules: RatioRuleSet,
    minute: int,
) -> None:
    people = _people(children, adults)
    now = at_ms(minute)
    logged = {(one.scope, one.room_id) for one in breaches([rules], people, DAY) if _holds(one, now)}
    groups = groups_at([one for person in people for one in presences(person)], now)
    judged = center_ratio([rules], groups, local_moment(now, ZONE))
    expected = {(RatioScope.ROOM, room) for room, state in judged.rooms.items() if state.is_breach}
    if rules is WHOLE and judged.center.reason in (RatioReason.NO_STAFF, RatioReason.TOO_FEW_STAFF):
        expected.add((RatioScope.CENTER, ""))
    assert logged == expected


def _holds(breach: Breach, now_ms: int) -> bool:
    return breach.from_ms <= now_ms and (breach.to_ms is None or now_ms < breach.to_ms)


@given(crowd, crowd, st.randoms(use_true_random=False))
def test_the_log_does_not_depend_on_who_is_named_first(
    children: list[tuple[tuple[int, int], str]], adults: list[tuple[tuple[int, int], str]], luck: Any
) -> None:
    people = _people(children, adults)
    mixed = list(people)
    luck.shuffle(mixed)
    assert breaches([RULES], mixed, DAY) == breaches([RULES], people, DAY)
