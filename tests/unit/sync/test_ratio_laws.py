"""Laws of ratio: what holds for whoever is there, by rules of every mode."""

from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from sync.ratio import Group, LocalMoment, StaffPresent
from sync.ratio_rules import RatioRuleSet
from tests.unit.sync.ratio_people import ALL, MORNING, NAPPING, SUM, TOGETHER, adults, children, group, relaxed, room

who_is_there = st.text("btps?", max_size=12)
staff = st.lists(st.integers(0, 100), max_size=5).map(lambda percents: adults(*percents))
rule_sets = st.sampled_from(ALL)
moments = st.sampled_from([MORNING, NAPPING])
uncapped = rule_sets.map(
    lambda rules: msgspec.structs.replace(
        rules, bands=tuple(msgspec.structs.replace(band, group_cap=0) for band in rules.bands)
    )
)


@given(rule_sets, who_is_there, staff, staff)
def test_more_staff_never_makes_a_breach(
    rules: RatioRuleSet, letters: str, some: tuple[StaffPresent, ...], more: tuple[StaffPresent, ...]
) -> None:
    before, after = (room(rules, Group(children(letters), there)) for there in (some, (*some, *more)))
    assert before.is_breach or not after.is_breach
    assert (before.children_more or 0) <= (after.children_more or 0)


@given(rule_sets, who_is_there, staff, st.data())
def test_a_child_that_goes_never_makes_a_breach(
    rules: RatioRuleSet, letters: str, there: tuple[StaffPresent, ...], data: st.DataObject
) -> None:
    gone = data.draw(st.integers(0, max(0, len(letters) - 1)))
    before = room(rules, Group(children(letters), there))
    after = room(rules, Group(children(letters[:gone] + letters[gone + 1 :]), there))
    assert before.is_breach or not after.is_breach
    assert after.staff_needed <= before.staff_needed


@given(uncapped, who_is_there, staff)
def test_as_many_more_as_are_said_are_no_breach_and_one_more_is(
    rules: RatioRuleSet, letters: str, there: tuple[StaffPresent, ...]
) -> None:
    state = room(rules, Group(children(letters), there))
    if state.is_breach or not state.counted_percent // 100:
        assert state.children_more == 0
        return
    youngest = next((letter for letter in "?btps" if letter in letters), "b")
    with_them, one_more = (
        room(rules, Group(children(letters + youngest * more), there))
        for more in (state.children_more or 0, (state.children_more or 0) + 1)
    )
    assert not with_them.is_breach
    assert one_more.is_breach


@given(uncapped, who_is_there.filter(bool), staff)
def test_as_many_as_are_allowed_of_the_youngest_are_no_breach(
    rules: RatioRuleSet, letters: str, there: tuple[StaffPresent, ...]
) -> None:
    state = room(rules, Group(children(letters), there))
    if state.is_breach:
        ordered = "".join(sorted(letters, key="?btps".index))
        left, allowed = ordered[: state.children_allowed], state.children_allowed or 0
        assert allowed < len(letters)
        assert not room(rules, Group(children(left), there)).is_breach
        assert room(rules, Group(children(ordered[: allowed + 1]), there)).is_breach


@given(rule_sets, who_is_there, staff, st.integers(100, 400), st.integers(0, 1))
def test_a_relaxation_never_makes_a_breach(
    rules: RatioRuleSet, letters: str, there: tuple[StaffPresent, ...], factor: int, by_center: int
) -> None:
    eased = relaxed(rules, factor_percent=factor, staff_by_center=by_center == 1 or factor == 100)
    who = Group(children(letters), there)
    assert room(eased, who, MORNING).is_breach or not room(eased, who, NAPPING).is_breach


@given(who_is_there)
def test_rounding_together_never_needs_more_than_rounding_each_band(letters: str) -> None:
    who = group(letters, 0)
    assert room(TOGETHER, who).staff_needed <= room(SUM, who).staff_needed


@given(rule_sets, who_is_there, staff, moments, st.randoms(use_true_random=False))
def test_the_order_in_which_people_are_named_changes_nothing(
    rules: RatioRuleSet, letters: str, there: tuple[StaffPresent, ...], moment: LocalMoment, luck: Any
) -> None:
    mixed = list(children(letters)), list(there)
    for people in mixed:
        luck.shuffle(people)
    assert room(rules, Group(tuple(mixed[0]), tuple(mixed[1])), moment) == room(
        rules, Group(children(letters), there), moment
    )
