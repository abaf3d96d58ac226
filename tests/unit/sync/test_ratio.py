"""What ratio rules come to: tables worked by hand for each mode and relaxation, the edges, and laws."""

from typing import Any, NamedTuple

import msgspec
import pytest

from sync.ratio import (
    BandCount,
    ChildPresent,
    Group,
    LocalMoment,
    RatioReason,
    RatioState,
    StaffPresent,
    center_ratio,
)
from sync.ratio_rules import (
    RatioRelaxation,
    RatioRuleSet,
    RatioScope,
)
from tests.unit.sync.ratio_people import (
    DAY,
    MORNING,
    NAP,
    NAPPING,
    SUM,
    TOGETHER,
    WEIGHTED,
    YOUNGEST,
    adults,
    children,
    group,
    relaxed,
    room,
)


class Case(NamedTuple):
    """Who is there, and what was worked out by hand: adults needed, children allowed, and how many more."""

    letters: str
    staff: int
    needed: int
    allowed: int
    more: int
    reason: str


# Each as the youngest: 3, 5, 8 or 15 to an adult. At most 6 with a baby and 10 with a two.
YOUNGEST_TABLE = [
    Case("", 0, 0, 0, 0, "nobody"),
    Case("", 1, 0, 3, 3, "nobody"),
    Case("b", 0, 1, 0, 0, "no_staff"),
    Case("b", 1, 1, 3, 2, "enough"),
    Case("bbb", 1, 1, 3, 0, "enough"),
    Case("bbbb", 1, 2, 3, 0, "too_few_staff"),
    Case("bppp", 1, 2, 3, 0, "too_few_staff"),
    Case("bppp", 2, 2, 6, 2, "enough"),
    Case("tpppp", 1, 1, 5, 0, "enough"),
    Case("pppppppp", 1, 1, 8, 0, "enough"),
    Case("ppppppppp", 1, 2, 8, 0, "too_few_staff"),
    Case("ssssssssspp", 2, 2, 16, 5, "enough"),
    Case("bbbbbbb", 3, 3, 6, 0, "group_too_large"),
    Case("bbbbbbb", 2, 3, 6, 0, "too_few_staff"),
    Case("ttttttttttt", 3, 3, 10, 0, "group_too_large"),
]
# Rounded up for each band. Whoever comes is as old as the youngest there.
EACH_BAND_TABLE = [
    Case("", 1, 0, 3, 3, "nobody"),
    Case("b", 1, 1, 3, 2, "enough"),
    Case("bp", 1, 2, 1, 0, "too_few_staff"),  # 1/3 and 1/8 are two: the three-year-old is one too many
    Case("bp", 2, 2, 4, 2, "enough"),
    Case("bttp", 3, 3, 6, 2, "enough"),
    Case("bbbb", 2, 2, 6, 2, "enough"),
    Case("ttttttpp", 3, 3, 10, 2, "enough"),  # two for six twos, one for two threes: four twos more, and a cap of ten
    Case("ttttttpp", 2, 3, 6, 0, "too_few_staff"),
    Case("ssssssssss", 1, 1, 15, 5, "enough"),
]
# The parts are added and rounded up once.
TOGETHER_TABLE = [
    Case("bp", 1, 1, 3, 1, "enough"),  # 1/3 + 1/8 = 11/24; 2/3 + 1/8 = 19/24; 3/3 + 1/8 is too much
    Case("bbp", 1, 1, 3, 0, "enough"),
    Case("bbbp", 1, 2, 3, 0, "too_few_staff"),
    Case("bttp", 1, 1, 4, 0, "enough"),  # 1/3 + 2/5 + 1/8 = 103/120
    Case("tttttssssssssss", 2, 2, 10, 0, "group_too_large"),  # 1 + 10/15
    Case("ppppssss", 1, 1, 9, 1, "enough"),  # 4/8 + 4/15 = 23/30; one three more is 107/120, two are too many
    Case("ttttpppp", 1, 2, 5, 0, "too_few_staff"),  # 4/5 + 4/8; 4/5 + 1/8 = 37/40
]
# 4, 2, 1 and 1, and an adult carries 8.
WEIGHTED_TABLE = [
    Case("", 1, 0, 2, 2, "nobody"),
    Case("bb", 1, 1, 2, 0, "enough"),
    Case("bt", 1, 1, 2, 0, "enough"),
    Case("btp", 1, 1, 3, 0, "enough"),  # 7; one baby more is 11
    Case("btpps", 1, 2, 4, 0, "too_few_staff"),  # 9; without the oldest 8
    Case("ttt", 1, 1, 4, 1, "enough"),
    Case("pppppppp", 1, 1, 8, 0, "enough"),
    Case("bbbp", 2, 2, 4, 0, "enough"),  # 13; one baby more is 17
]
TABLES = [
    (name, rules, case)
    for name, rules, table in (
        ("youngest", YOUNGEST, YOUNGEST_TABLE),
        ("each band", SUM, EACH_BAND_TABLE),
        ("together", TOGETHER, TOGETHER_TABLE),
        ("weighted", WEIGHTED, WEIGHTED_TABLE),
    )
    for case in table
]


@pytest.mark.parametrize(("name", "rules", "case"), TABLES, ids=lambda part: getattr(part, "letters", ""))
def test_each_mode_comes_to_what_was_worked_out_by_hand(name: str, rules: RatioRuleSet, case: Case) -> None:
    state = room(rules, group(case.letters, case.staff))
    told = (state.staff_needed, state.children_allowed, state.children_more, state.reason)
    assert told == (case.needed, case.allowed, case.more, case.reason), name
    assert state.is_breach == (case.reason in ("no_staff", "too_few_staff", "group_too_large"))
    assert state.cap_exceeded == (state.group_cap > 0 and len(case.letters) > state.group_cap)


# -- who is there


def test_a_state_names_the_bands_and_everybody_who_is_there() -> None:
    who = Group(children("bbps"), (StaffPresent("1"), StaffPresent("2", counts_in_ratio=False)))
    state = room(TOGETHER, who)
    assert state.bands == (BandCount("baby", 2), BandCount("three", 1), BandCount("school", 1))
    assert (state.children, state.staff, state.counted_percent) == (4, 2, 100)
    assert (state.group_cap, state.cap_exceeded, state.percent_missing) == (6, False, 0)


@pytest.mark.parametrize("birth_date", ["", "2023-02-30", "yesterday", "2026-09-22"])
def test_a_child_whose_age_nobody_knows_counts_as_the_youngest_and_is_told(birth_date: str) -> None:
    state = room(YOUNGEST, Group((*children("ppp"), ChildPresent("9", birth_date)), adults(100)))
    assert (state.of_unknown_age, state.bands[0]) == (1, BandCount("baby", 1))
    assert (state.staff_needed, state.reason) == (2, RatioReason.TOO_FEW_STAFF)
    assert room(YOUNGEST, group("b", 1)).of_unknown_age == 0


def test_on_a_moment_without_a_day_every_age_is_unknown() -> None:
    assert center_ratio([SUM], {"A": group("ps", 1)}, LocalMoment("today", 600)).rooms["A"].of_unknown_age == 2


@pytest.mark.parametrize(
    ("birth", "day", "code"),
    [
        ("2024-09-22", "2026-09-21", "baby"),
        ("2024-09-22", "2026-09-22", "two"),
        ("2024-02-29", "2027-02-28", "two"),
        ("2024-02-29", "2027-03-01", "three"),
        ("2010-01-01", "2026-09-21", "school"),
        ("2026-09-21", "2026-09-21", "baby"),
    ],
)
def test_a_birthday_changes_the_band_on_its_day(birth: str, day: str, code: str) -> None:
    state = room(SUM, Group((ChildPresent("1", birth),)), LocalMoment(day, 0))
    assert (state.bands, state.of_unknown_age) == ((BandCount(code, 1),), 0)


@pytest.mark.parametrize(
    ("percents", "reason"),
    [
        ((), "no_staff"),
        ((0,), "no_staff"),
        ((50,), "too_few_staff"),
        ((50, 50), "too_few_staff"),
        ((100, 50), "too_few_staff"),
        ((100, 99), "too_few_staff"),
        ((100, 50, 50), "enough"),
    ],
)
def test_staff_count_by_weight_and_what_is_needed_are_whole_adults(percents: tuple[int, ...], reason: str) -> None:
    state = room(SUM, Group(children("bbbb"), adults(*percents)))
    assert (state.reason, state.counted_percent) == (reason, sum(percents))
    assert state.percent_missing == max(0, 200 - sum(percents))


def test_staff_who_do_not_count_are_nobody_to_the_rules() -> None:
    who = Group(children("b"), (StaffPresent("1", counts_in_ratio=False),))
    assert (room(SUM, who).reason, room(SUM, who).staff) == (RatioReason.NO_STAFF, 1)


@pytest.mark.parametrize(
    ("rules", "letters", "asked", "more"),
    [
        (YOUNGEST, "pppp", None, 4),
        (YOUNGEST, "pppp", 100, 4),  # as many as of the youngest there
        (YOUNGEST, "pppp", 24, 1),
        (YOUNGEST, "pppp", 3, 0),
        (TOGETHER, "pppp", 24, 2),  # 4/8 + 2/5
        (TOGETHER, "pppp", 3, 1),  # 4/8 + 1/3
        (TOGETHER, "pppp", 72, 7),  # 4/8 + 7/15
        (SUM, "pppp", 3, 0),
        (SUM, "", 24, 5),
        (SUM, "", None, 3),
        (WEIGHTED, "pppp", 24, 2),
    ],
)
def test_how_many_more_depends_on_the_age_that_is_asked_about(
    rules: RatioRuleSet, letters: str, asked: int | None, more: int
) -> None:
    state = room(rules, group(letters, 1), asked=asked)
    assert (state.children_more, state.children_allowed) == (more, len(letters) + more)


def test_a_baby_brings_the_cap_of_its_group_with_it() -> None:
    assert room(TOGETHER, group("ppppp", 3), asked=3).children_more == 1
    assert room(TOGETHER, group("pppppp", 3), asked=3).children_more == 0
    assert room(TOGETHER, group("ppppp", 3), asked=40).children_more == 19


# -- relaxations


class Relaxed(NamedTuple):
    """A relaxation of the nap, who is there, and the adults needed before and during it."""

    changes: dict[str, Any]
    rules: RatioRuleSet
    letters: str
    before: int
    during: int


RELAXED_TABLE = [
    Relaxed({}, SUM, "bbbbbb", 2, 1),
    Relaxed({}, YOUNGEST, "bppppp", 2, 1),
    Relaxed({}, WEIGHTED, "bbbb", 2, 1),
    Relaxed({"factor_percent": 150}, SUM, "bbbbbbbbb", 3, 2),  # nine to two
    Relaxed({"factor_percent": 150}, SUM, "bbbbb", 2, 2),  # one adult may have four and a half
    Relaxed({"from_months": 24}, SUM, "bbbb", 2, 2),
    Relaxed({"from_months": 24}, SUM, "tttttttttt", 2, 1),
    Relaxed({"from_months": 25}, SUM, "tttttttttt", 2, 2),
    Relaxed({"factor_percent": 100, "children_per_adult": 8}, SUM, "bbbbbbbb", 3, 1),
    Relaxed({"factor_percent": 100, "children_per_adult": 8}, SUM, "sssssssss", 1, 1),  # never stricter than 15
    Relaxed({"factor_percent": 100, "children_per_adult": 8}, WEIGHTED, "bbbbbbbb", 4, 1),
    Relaxed({"kind": "opening"}, SUM, "bbbb", 2, 1),
    Relaxed({"kind": "closing"}, SUM, "bbbb", 2, 1),
]


@pytest.mark.parametrize("case", RELAXED_TABLE)
def test_a_relaxation_changes_what_is_needed_while_it_lasts(case: Relaxed) -> None:
    rules = relaxed(case.rules, **case.changes)
    who = group(case.letters, 9)
    assert room(rules, who, MORNING).staff_needed == case.before
    assert room(rules, who, NAPPING).staff_needed == case.during
    assert room(rules, who, LocalMoment(DAY, 840)).staff_needed == case.before


def test_of_two_relaxations_the_one_that_eases_most_counts() -> None:
    both = msgspec.structs.replace(
        SUM, relaxations=(NAP, RatioRelaxation(kind="nap", from_minute=700, to_minute=900, children_per_adult=8))
    )
    assert room(both, group("bbbbbbb", 1), NAPPING).staff_needed == 1
    assert room(both, group("tttttttttt", 1), NAPPING).staff_needed == 1


BY_CENTER = relaxed(SUM, factor_percent=100, staff_by_center=True)


@pytest.mark.parametrize(
    ("a", "b", "morning", "napping"),
    [
        (("bbbbbb", 1), ("b", 2), ("too_few_staff", "enough"), ("enough", "enough")),
        (("bbbbbb", 1), ("b", 1), ("too_few_staff", "enough"), ("too_few_staff", "enough")),
        (("bbbbbb", 0), ("b", 3), ("no_staff", "enough"), ("no_staff", "enough")),
        (("bbbbbb", 1), ("", 1), ("too_few_staff", "nobody"), ("enough", "nobody")),
        (("bbbb", 1), ("bbbb", 1), ("too_few_staff", "too_few_staff"), ("too_few_staff", "too_few_staff")),
    ],
)
def test_while_staff_count_by_centre_a_room_uses_whom_others_do_not_need(
    a: tuple[str, int], b: tuple[str, int], morning: tuple[str, str], napping: tuple[str, str]
) -> None:
    groups = {"A": group(*a), "B": group(*b)}
    for moment, expected in ((MORNING, morning), (NAPPING, napping)):
        rooms = center_ratio([BY_CENTER], groups, moment).rooms
        assert (rooms["A"].reason, rooms["B"].reason) == expected


def test_whoever_is_free_elsewhere_makes_room_for_more_children() -> None:
    groups = {"A": group("bb", 1), "B": group("b", 2)}
    assert center_ratio([BY_CENTER], groups, MORNING).rooms["A"].children_more == 1
    assert center_ratio([BY_CENTER], groups, NAPPING).rooms["A"].children_more == 4


# -- the centre


def test_the_centre_is_the_sum_of_its_rooms_and_as_bad_as_the_worst() -> None:
    groups = {"A": group("bbp", 2), "B": group("ttttt?", 1), "C": group("", 1), "": group("s", 0)}
    judged = center_ratio([SUM], groups, MORNING)
    assert [judged.rooms[room_id].reason for room_id in groups] == ["enough", "too_few_staff", "nobody", "no_staff"]
    assert judged.center == RatioState(
        reason=RatioReason.NO_STAFF,
        children=10,
        bands=(BandCount("baby", 3), BandCount("two", 5), BandCount("three", 1), BandCount("school", 1)),
        of_unknown_age=1,
        staff=4,
        counted_percent=400,
        staff_needed=2 + 2 + 0 + 1,
        children_allowed=4 + 1 + 3 + 0,
        children_more=1 + 0 + 3 + 0,
    )
    assert judged.rule_set == SUM


def test_a_centre_without_children_is_calm_and_one_with_enough_adults_too() -> None:
    assert center_ratio([SUM], {}, MORNING).center.reason is RatioReason.NOBODY
    assert center_ratio([SUM], {"A": group("", 2)}, MORNING).center.reason is RatioReason.NOBODY
    assert center_ratio([SUM], {"A": group("b", 1)}, MORNING).center.reason is RatioReason.ENOUGH


WHOLE = msgspec.structs.replace(TOGETHER, scope=RatioScope.CENTER)


def test_where_the_rules_are_about_the_centre_adults_count_wherever_they_are() -> None:
    groups = {"A": group("bbb", 0), "B": group("pppppppp", 2)}
    judged = center_ratio([WHOLE], groups, MORNING)
    assert (judged.center.reason, judged.center.staff_needed) == (RatioReason.ENOUGH, 2)
    assert (judged.center.children_allowed, judged.center.children_more) == (11, 0)
    for state in judged.rooms.values():
        assert (state.reason, state.children_allowed, state.children_more) == (RatioReason.BY_CENTER, None, None)
    short = center_ratio([WHOLE], {**groups, "C": group("s", 0)}, MORNING)
    assert (short.center.reason, short.center.is_breach) == (RatioReason.TOO_FEW_STAFF, True)
    assert center_ratio([WHOLE], {"A": group("b", 0)}, MORNING).center.reason is RatioReason.NO_STAFF


def test_a_cap_is_that_of_a_room_also_where_the_rules_are_about_the_centre() -> None:
    spread = center_ratio([WHOLE], {"A": group("bbbb", 2), "B": group("bbbb", 2)}, MORNING)
    assert (spread.center.reason, spread.center.children_more) == (RatioReason.ENOUGH, 4)
    crowded = center_ratio([WHOLE], {"A": group("bbbbbbb", 2), "B": group("b", 2)}, MORNING)
    assert crowded.rooms["A"].reason is crowded.center.reason is RatioReason.GROUP_TOO_LARGE
    assert (crowded.rooms["A"].cap_exceeded, crowded.center.cap_exceeded) == (True, True)
    worse = center_ratio([WHOLE], {"A": group("bbbbbbb", 2)}, MORNING)
    assert (worse.center.reason, worse.center.cap_exceeded) == (RatioReason.TOO_FEW_STAFF, True)


# -- rules that are not there


@pytest.mark.parametrize(
    ("rules", "reason"),
    [
        ([], RatioReason.NO_RULES),
        ([msgspec.structs.replace(SUM, effective_from="2026-09-22")], RatioReason.NO_RULES),
        ([msgspec.structs.replace(SUM, mode="by_moonlight")], RatioReason.RULES_UNKNOWN),
    ],
)
def test_without_rules_people_are_counted_and_nothing_is_judged(rules: list[RatioRuleSet], reason: RatioReason) -> None:
    judged = center_ratio(rules, {"A": group("bb", 0), "B": group("", 1)}, MORNING)
    assert judged.rooms["A"] == RatioState(reason=reason, children=2)
    assert judged.center == RatioState(reason=reason, children=2, staff=1, counted_percent=100)
    assert not judged.center.is_breach


def test_each_day_is_judged_by_the_rules_of_its_day() -> None:
    later = msgspec.structs.replace(YOUNGEST, effective_from="2026-09-22")
    groups = {"A": group("bpp", 1)}
    found = [center_ratio([SUM, later], groups, LocalMoment(day, 0)) for day in (DAY, "2026-09-22")]
    assert [one.rooms["A"].reason for one in found] == [RatioReason.TOO_FEW_STAFF, RatioReason.ENOUGH]
