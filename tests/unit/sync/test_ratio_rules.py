"""Ratio rules as data: what a rule set may say, ages to the day, which set holds when, and hours as windows."""

from datetime import date
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync.limits import RECORD_BODY_BYTES_MAX
from sync.ratio_rules import (
    BANDS_MAX,
    RELAXATIONS_MAX,
    RULE_SETS_MAX,
    OpeningHours,
    RatioBand,
    RatioMode,
    RatioRelaxation,
    RatioRounding,
    RatioRuleSet,
    RatioScope,
    age_months,
    at_hours,
    band_at,
    check_rule_set,
    check_rule_sets,
    in_force,
    parsed_day,
)
from sync.records import CenterRecord, encode_record

BABIES = RatioBand(code="babies", from_months=0, to_months=24, children_per_adult=3, weight=4)
TWOS = RatioBand(code="twos", from_months=24, to_months=36, children_per_adult=5, weight=2)
RULES = RatioRuleSet(
    name="Here", effective_from="2026-01-01", mode=RatioMode.SUM_PER_BAND, bands=(BABIES, TWOS), adult_carries=8
)
NAP = RatioRelaxation(kind="nap", from_minute=720, to_minute=840, factor_percent=200)


def replaced(struct: msgspec.Struct, **changes: Any) -> Any:
    return msgspec.structs.replace(struct, **changes)


# -- what a rule set may say


@pytest.mark.parametrize(
    "rules",
    [
        RULES,
        replaced(RULES, mode=RatioMode.YOUNGEST_PRESENT, scope=RatioScope.CENTER, rounding=RatioRounding.TOGETHER),
        replaced(RULES, mode=RatioMode.WEIGHTED, bands=(replaced(BABIES, children_per_adult=0), TWOS)),
        replaced(RULES, bands=(BABIES, replaced(TWOS, from_months=18))),
        replaced(RULES, relaxations=(NAP, replaced(NAP, from_minute=1_320, to_minute=360))),
        replaced(RULES, relaxations=(replaced(NAP, factor_percent=100, staff_by_center=True),)),
        replaced(RULES, relaxations=(RatioRelaxation(kind="opening", minutes=60, children_per_adult=8),)),
        replaced(RULES, relaxations=(replaced(NAP, kind="closing"),)),
    ],
)
def test_rules_that_can_be_judged_by_are_let_pass(rules: RatioRuleSet) -> None:
    check_rule_set(rules)
    assert rules.is_understood
    assert msgspec.json.decode(msgspec.json.encode(rules), type=RatioRuleSet) == rules


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"name": " "}, "a rule set has a name"),
        ({"name": "a\nb"}, "regex"),
        ({"effective_from": "2026-02-30"}, "effective_from is a day of the calendar"),
        ({"effective_from": "soon"}, "regex"),
        ({"mode": "oldest_present"}, "mode is one of sum_per_band, weighted, youngest_present"),
        ({"scope": "country"}, "scope is one of center, room"),
        ({"rounding": "down"}, "rounding is one of each_band, together"),
        ({"bands": ()}, "length >= 1"),
        ({"bands": (replaced(BABIES, from_months=1), TWOS)}, "the first band begins at 0 months"),
        ({"bands": (replaced(BABIES, code=""), TWOS)}, "each band has a code"),
        ({"bands": (BABIES, replaced(TWOS, code="babies"))}, "two bands cannot have one code"),
        ({"bands": (replaced(BABIES, to_months=0),)}, "a band ends after it begins"),
        ({"bands": (BABIES, replaced(TWOS, from_months=0))}, "from the youngest to the oldest"),
        ({"bands": (BABIES, replaced(TWOS, from_months=12, to_months=24))}, "from the youngest to the oldest"),
        ({"bands": (BABIES, replaced(TWOS, from_months=25))}, "no age lies between two bands"),
        ({"bands": (BABIES, replaced(TWOS, to_months=253))}, "<= 252"),
        ({"bands": (replaced(BABIES, children_per_adult=0), TWOS)}, "how many children one adult may have"),
        ({"bands": (replaced(BABIES, children_per_adult=6), TWOS)}, "no fewer of the older children"),
        ({"bands": (replaced(BABIES, children_per_adult=101), TWOS)}, "<= 100"),
        ({"mode": "weighted", "bands": (replaced(BABIES, weight=0), TWOS)}, "each band has a weight"),
        ({"mode": "weighted", "bands": (replaced(BABIES, weight=1), TWOS)}, "weighs no more than a younger"),
        ({"mode": "weighted", "adult_carries": 3}, "carry at least one of the youngest"),
        ({"relaxations": (NAP,) * 9}, "length <= 8"),
    ],
)
def test_rules_that_cannot_be_judged_by_are_refused_with_a_sentence(changes: dict[str, Any], sentence: str) -> None:
    with pytest.raises(msgspec.ValidationError, match=sentence):
        check_rule_set(replaced(RULES, **changes))


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"kind": "lunch"}, "the kind of a relaxation is one of closing, nap, opening"),
        ({"from_minute": None}, "a window has a beginning and an end"),
        ({"to_minute": None}, "a window has a beginning and an end"),
        ({"minutes": 30, "kind": "opening"}, "one of the two"),
        ({"from_minute": None, "to_minute": None}, "one of the two"),
        ({"from_minute": None, "to_minute": None, "minutes": 30}, "a nap has a window"),
        ({"to_minute": 720}, "ends at another minute"),
        ({"to_minute": 1_440}, "< 1440|<= 1439"),
        ({"children_per_adult": 8}, "not both"),
        ({"factor_percent": 100}, "changes something"),
        ({"factor_percent": 99}, ">= 100"),
    ],
)
def test_a_relaxation_that_makes_no_sense_is_refused_with_a_sentence(changes: dict[str, Any], sentence: str) -> None:
    with pytest.raises(msgspec.ValidationError, match=sentence):
        check_rule_set(replaced(RULES, relaxations=(replaced(NAP, **changes),)))


def test_a_centre_has_a_few_sets_each_from_a_day_of_its_own() -> None:
    sets = [replaced(RULES, effective_from=f"2026-01-0{day}") for day in range(1, RULE_SETS_MAX + 2)]
    check_rule_sets(sets[:RULE_SETS_MAX])
    with pytest.raises(msgspec.ValidationError, match="at most 8 rule sets"):
        check_rule_sets(sets)
    with pytest.raises(msgspec.ValidationError, match="two rule sets cannot begin on one day"):
        check_rule_sets([RULES, RULES])
    with pytest.raises(msgspec.ValidationError, match="has a name"):
        check_rule_sets([replaced(RULES, name="")])


def test_as_many_rules_as_there_may_be_fit_a_record() -> None:
    band = RatioBand(
        code="b" * 40, from_months=252, to_months=252, children_per_adult=100, group_cap=1_000, weight=10_000
    )
    longest = RatioRelaxation(
        kind="k" * 40, from_minute=1_439, to_minute=1_439, minutes=1_439, from_months=252, factor_percent=1_000,
        children_per_adult=100, staff_by_center=True,
    )  # fmt: skip
    largest = RatioRuleSet(
        name="\U0001f9d2" * 200, effective_from="2026-01-01", mode="m" * 40, bands=(band,) * BANDS_MAX,
        scope="s" * 40, rounding="r" * 40, adult_carries=10_000, relaxations=(longest,) * RELAXATIONS_MAX,
        description="\U0001f9d2" * 200,
    )  # fmt: skip
    record = CenterRecord(code="c" * 64, name="\U0001f9d2" * 200, time_zone="z" * 64)
    body = encode_record(replaced(record, ratio_rules=(largest,) * RULE_SETS_MAX))
    assert len(body) <= RECORD_BODY_BYTES_MAX
    assert msgspec.json.decode(body, type=CenterRecord).ratio_rules == (largest,) * RULE_SETS_MAX


def test_a_word_that_came_later_is_kept_and_not_understood() -> None:
    for field in ("mode", "scope", "rounding"):
        newer = replaced(RULES, **{field: "by_moonlight"})
        assert msgspec.json.decode(msgspec.json.encode(newer), type=RatioRuleSet) == newer
        assert not newer.is_understood


# -- ages


@pytest.mark.parametrize(
    ("birth", "day", "months"),
    [
        ("2024-03-10", "2026-03-09", 23),
        ("2024-03-10", "2026-03-10", 24),
        ("2024-12-31", "2025-01-01", 0),
        ("2024-12-31", "2025-01-31", 1),
        ("2024-02-29", "2025-02-28", 11),
        ("2024-02-29", "2025-03-01", 12),
        ("2024-02-29", "2028-02-28", 47),
        ("2024-02-29", "2028-02-29", 48),
        ("2025-01-31", "2025-02-28", 0),
        ("2025-01-31", "2025-03-01", 1),
        ("2025-03-31", "2025-04-30", 0),
        ("2025-03-31", "2025-05-01", 1),
        ("2026-01-02", "2026-01-01", -1),
        ("2026-01-01", "2026-01-01", 0),
    ],
)
def test_an_age_is_in_completed_months(birth: str, day: str, months: int) -> None:
    assert age_months(date.fromisoformat(birth), date.fromisoformat(day)) == months


days = st.dates(date(2000, 1, 1), date(2099, 12, 31))


@given(days, days, days)
def test_nobody_gets_younger_and_the_older_is_never_younger(birth: date, one: date, other: date) -> None:
    first, second = sorted((one, other))
    assert age_months(birth, first) <= age_months(birth, second)
    assert age_months(first, birth) >= age_months(second, birth)


def test_the_youngest_band_that_holds_an_age_counts() -> None:
    overlapping = replaced(RULES, bands=(BABIES, replaced(TWOS, from_months=12)))
    assert [band_at(overlapping, months) for months in (-1, 0, 12, 23, 24, 35, 36, 300)] == [0, 0, 0, 0, 1, 1, 1, 1]


# -- which set holds, and when


def test_the_last_set_that_has_begun_is_in_force() -> None:
    first, second = RULES, replaced(RULES, name="Later", effective_from="2026-07-01")
    asked = ["2025-12-31", "2026-01-01", "2026-06-30", "2026-07-01", "2030-01-01"]
    assert [in_force((second, first), day) for day in asked] == [None, first, first, second, second]
    assert in_force((), "2026-01-01") is None


def test_a_day_that_is_none_is_no_day() -> None:
    assert parsed_day("2026-02-28") == date(2026, 2, 28)
    assert [parsed_day(text) for text in ("", "2026-02-29", "28.02.2026")] == [None, None, None]


@pytest.mark.parametrize(
    ("window", "inside", "outside"),
    [
        ((720, 840), (720, 839), (719, 840)),
        ((1_320, 360), (1_320, 1_439, 0, 359), (360, 1_319)),
        ((None, None), (), (0, 720)),
    ],
)
def test_a_window_holds_its_first_minute_and_not_its_last(
    window: tuple[int | None, int | None], inside: tuple[int, ...], outside: tuple[int, ...]
) -> None:
    relaxation = replaced(NAP, from_minute=window[0], to_minute=window[1])
    assert [relaxation.holds(minute) for minute in inside] == [True] * len(inside)
    assert [relaxation.holds(minute) for minute in outside] == [False] * len(outside)


OPENING = RatioRelaxation(kind="opening", minutes=60, children_per_adult=8)
CLOSING = RatioRelaxation(kind="closing", minutes=30, children_per_adult=8)


@pytest.mark.parametrize(
    ("hours", "windows"),
    [
        (OpeningHours(420, 1_080), [(720, 840), (420, 480), (1_050, 1_080)]),
        (OpeningHours(1_410, 15), [(720, 840), (1_410, 30), (1_425, 15)]),
        (OpeningHours(), [(720, 840), (None, None), (None, None)]),
        (OpeningHours(opens_minute=420), [(720, 840), (420, 480), (None, None)]),
    ],
)
def test_times_after_opening_and_before_closing_become_windows(
    hours: OpeningHours, windows: list[tuple[int | None, int | None]]
) -> None:
    resolved = at_hours(replaced(RULES, relaxations=(NAP, OPENING, CLOSING)), hours)
    assert [(one.from_minute, one.to_minute) for one in resolved.relaxations] == windows
    assert [one.minutes for one in resolved.relaxations] == [0, 0, 0]
    assert at_hours(resolved, hours) == resolved
