"""Children by a letter for their age, adults, and rule sets of each mode, for the tables and laws of ratio."""

from typing import Any

import msgspec

from sync.ratio import ChildPresent, Group, LocalMoment, RatioState, StaffPresent, center_ratio
from sync.ratio_rules import RatioBand, RatioMode, RatioRelaxation, RatioRounding, RatioRuleSet, check_rule_set

DAY = "2026-09-21"
MORNING = LocalMoment(DAY, 600)
NAPPING = LocalMoment(DAY, 780)
# On that day: 11 months, 24 months, 36 months, 6 years.
BORN = {"b": "2025-10-01", "t": "2024-09-21", "p": "2023-09-21", "s": "2020-09-21", "?": ""}
BANDS = (
    RatioBand(code="baby", from_months=0, to_months=24, children_per_adult=3, group_cap=6, weight=4),
    RatioBand(code="two", from_months=24, to_months=36, children_per_adult=5, group_cap=10, weight=2),
    RatioBand(code="three", from_months=36, to_months=72, children_per_adult=8, weight=1),
    RatioBand(code="school", from_months=72, to_months=156, children_per_adult=15, weight=1),
)
SUM = RatioRuleSet(name="Sum", effective_from="2026-01-01", mode=RatioMode.SUM_PER_BAND, bands=BANDS, adult_carries=8)
YOUNGEST = msgspec.structs.replace(SUM, mode=RatioMode.YOUNGEST_PRESENT)
TOGETHER = msgspec.structs.replace(SUM, rounding=RatioRounding.TOGETHER)
WEIGHTED = msgspec.structs.replace(SUM, mode=RatioMode.WEIGHTED)
ALL = (SUM, YOUNGEST, TOGETHER, WEIGHTED)
NAP = RatioRelaxation(kind="nap", from_minute=720, to_minute=840, factor_percent=200)


def children(letters: str) -> tuple[ChildPresent, ...]:
    return tuple(ChildPresent(str(number), BORN[letter]) for number, letter in enumerate(letters))


def adults(*percents: int) -> tuple[StaffPresent, ...]:
    return tuple(StaffPresent(str(number), weight_percent=percent) for number, percent in enumerate(percents))


def group(letters: str, staff: int) -> Group:
    return Group(children(letters), adults(*[100] * staff))


def room(rules: RatioRuleSet, who: Group, moment: LocalMoment = MORNING, asked: int | None = None) -> RatioState:
    check_rule_set(rules)
    return center_ratio([rules], {"A": who}, moment, asked).rooms["A"]


def relaxed(rules: RatioRuleSet, **changes: Any) -> RatioRuleSet:
    return msgspec.structs.replace(rules, relaxations=(msgspec.structs.replace(NAP, **changes),))
