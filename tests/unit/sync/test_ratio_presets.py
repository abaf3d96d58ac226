"""The presets, beside a table that was written by hand."""

import pytest

from sync.ratio_presets import EXAMPLE, PRESETS, preset
from sync.ratio_rules import check_rule_set

# From and before which month, children to an adult, and the most of a group.
BY_HAND = {
    "cfoc": (
        "youngest_present room",
        [(0, 12, 3, 6), (12, 24, 4, 8), (24, 36, 4, 8), (36, 48, 7, 14), (48, 72, 8, 16), (72, 108, 10, 20),
         (108, 156, 12, 24)],
    ),
    "naeyc_2018": (
        "youngest_present room",
        [(0, 15, 4, 0), (12, 36, 6, 0), (30, 60, 10, 0), (60, 72, 12, 0), (72, 156, 15, 0)],
    ),
    "england": ("sum_per_band room", [(0, 24, 3, 0), (24, 36, 5, 0), (36, 96, 8, 0)]),
    "england_qualified_teacher": ("sum_per_band room", [(0, 24, 3, 0), (24, 36, 5, 0), (36, 96, 13, 0)]),
    "australia": ("sum_per_band center", [(0, 24, 4, 0), (24, 36, 5, 0), (36, 72, 11, 0), (72, 156, 15, 0)]),
}  # fmt: skip


def test_the_presets_are_these() -> None:
    assert PRESETS.keys() == BY_HAND.keys()


@pytest.mark.parametrize("name", BY_HAND)
def test_a_preset_says_what_its_standard_says(name: str) -> None:
    how, bands = BY_HAND[name]
    rules = PRESETS[name]
    check_rule_set(rules)
    assert f"{rules.mode} {rules.scope}" == how
    told = [(band.from_months, band.to_months, band.children_per_adult, band.group_cap) for band in rules.bands]
    assert told == bands
    assert rules.relaxations == ()


@pytest.mark.parametrize("name", BY_HAND)
def test_a_preset_says_that_it_is_an_example(name: str) -> None:
    assert PRESETS[name].description.endswith(EXAMPLE)
    assert EXAMPLE == "An example: check your local law."


def test_a_preset_holds_from_the_day_that_is_asked_for() -> None:
    chosen = preset("england", "2026-09-01")
    assert chosen is not None
    assert (chosen.effective_from, chosen.bands) == ("2026-09-01", PRESETS["england"].bands)
    assert preset("atlantis", "2026-09-01") is None
