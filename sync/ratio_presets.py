"""Rule sets of well-known standards, as examples to begin with: what holds for a centre is what its own law says.

Ages at which school begins are no ages but days of a calendar; here they are the later ones, so that a child counts
with the younger band rather than with the older.
"""

from typing import Final

import msgspec

from sync.ratio_rules import (
    MONTHS_PER_YEAR,
    RatioBand,
    RatioMode,
    RatioRounding,
    RatioRuleSet,
    RatioScope,
)

EXAMPLE: Final = "An example: check your local law."
CAP_PER_RATIO: Final = 2  # CFOC: a group is at most as many children as two adults may have

_ANY_DAY: Final = "2000-01-01"


def preset(name: str, effective_from: str) -> RatioRuleSet | None:
    """The example of this name, in force from a day (YYYY-MM-DD) on; None when there is none."""
    found = PRESETS.get(name)
    return None if found is None else msgspec.structs.replace(found, effective_from=effective_from)


def _years(code: str, first: int, before: int, children: int, *, group_cap: int = 0) -> RatioBand:
    return _months(code, first * MONTHS_PER_YEAR, before * MONTHS_PER_YEAR, children, group_cap=group_cap)


def _months(code: str, first: int, before: int, children: int, *, group_cap: int = 0) -> RatioBand:
    return RatioBand(code=code, from_months=first, to_months=before, children_per_adult=children, group_cap=group_cap)


def _cfoc(code: str, first: int, before: int, children: int) -> RatioBand:
    return _years(code, first, before, children, group_cap=CAP_PER_RATIO * children)


def _england(name: str, *, from_three: int, words: str) -> RatioRuleSet:
    return RatioRuleSet(
        name=name,
        description=f"Early years in England, {words}. {EXAMPLE}",
        effective_from=_ANY_DAY,
        mode=RatioMode.SUM_PER_BAND,
        bands=(
            _years("under_2", 0, 2, 3),
            _years("age_2", 2, 3, 5),
            _years("age_3_to_7", 3, 8, from_three),
        ),
    )


PRESETS: Final[dict[str, RatioRuleSet]] = {
    "cfoc": RatioRuleSet(
        name="CFOC",
        description=f"Caring for Our Children, centres; group caps are twice the ratio. {EXAMPLE}",
        effective_from=_ANY_DAY,
        mode=RatioMode.YOUNGEST_PRESENT,
        bands=(
            _cfoc("under_1", 0, 1, 3),
            _cfoc("age_1", 1, 2, 4),
            _cfoc("age_2", 2, 3, 4),
            _cfoc("age_3", 3, 4, 7),
            _cfoc("age_4_to_5", 4, 6, 8),
            _cfoc("age_6_to_8", 6, 9, 10),
            _cfoc("age_9_to_12", 9, 13, 12),
        ),
    ),
    "naeyc_2018": RatioRuleSet(
        name="NAEYC 2018",
        description=f"NAEYC accreditation, 2018; where ages overlap the younger group counts. {EXAMPLE}",
        effective_from=_ANY_DAY,
        mode=RatioMode.YOUNGEST_PRESENT,
        bands=(
            _months("infant", 0, 15, 4),
            _months("toddler", 12, 36, 6),
            _months("preschool", 30, 60, 10),
            _months("kindergarten", 60, 72, 12),
            _months("school_age", 72, 156, 15),
        ),
    ),
    "england": _england("England", from_three=8, words="without a qualified teacher"),
    "england_qualified_teacher": _england(
        "England, qualified teacher", from_three=13, words="with a qualified teacher for the children from 3 on"
    ),
    "australia": RatioRuleSet(
        name="Australia",
        description=f"National Quality Framework, centre-based; school from 6 on. {EXAMPLE}",
        effective_from=_ANY_DAY,
        mode=RatioMode.SUM_PER_BAND,
        rounding=RatioRounding.TOGETHER,
        scope=RatioScope.CENTER,
        bands=(
            _years("under_2", 0, 2, 4),
            _years("age_2", 2, 3, 5),
            _years("age_3_to_school", 3, 6, 11),
            _years("school_age", 6, 13, 15),
        ),
    ),
}
