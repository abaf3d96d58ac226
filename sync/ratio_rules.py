"""Ratio rules as data: how many children of which age one counted adult may have, from which day on, and when not.

A rule set is what a centre was told by its law or its accreditor, written down once and dated. Nothing here is law:
the presets (`ratio_presets`) are examples. `ratio` says what a rule set comes to for those who are there.

Ages are completed months on the centre's own calendar day. Who was born on a day that a month does not have (the 29th
of February, a 31st) completes a month on the first day after it, so that a child is rather too young than too old.
"""

from collections.abc import Iterable
from datetime import date
from enum import StrEnum
from itertools import pairwise
from typing import Annotated, Final

import msgspec

from sync.attendance_events import Code, Line

MONTHS_PER_YEAR: Final = 12
MINUTES_PER_DAY: Final = 24 * 60
WHOLE_PERCENT: Final = 100

# Nobody is a child of a centre at 21.
AGE_MONTHS_MAX: Final = 21 * MONTHS_PER_YEAR
# The finest table that was seen has seven bands (CFOC); as many again, and more.
BANDS_MAX: Final = 16
RELAXATIONS_MAX: Final = 8
# A centre's rules change every few years. With every text at its longest in letters of four bytes a set is 5.6 KiB, and
# eight of them are 45 KiB, which leaves room in a record of 64 KiB; a test makes the largest.
RULE_SETS_MAX: Final = 8
CHILDREN_PER_ADULT_MAX: Final = 100
GROUP_CAP_MAX: Final = 1_000
WEIGHT_MAX: Final = 10_000
# "Half the adults" is 200; nobody lets more than ten times the children be with one adult.
FACTOR_PERCENT_MAX: Final = 1_000

Day = Annotated[str, msgspec.Meta(pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$")]
AgeMonths = Annotated[int, msgspec.Meta(ge=0, le=AGE_MONTHS_MAX)]
ChildrenPerAdult = Annotated[int, msgspec.Meta(ge=0, le=CHILDREN_PER_ADULT_MAX)]
MinuteOfDay = Annotated[int, msgspec.Meta(ge=0, lt=MINUTES_PER_DAY)]
Weight = Annotated[int, msgspec.Meta(ge=0, le=WEIGHT_MAX)]


class RatioMode(StrEnum):
    """What counts when children of several bands are together.

    `YOUNGEST_PRESENT`: all of them count as the youngest. `SUM_PER_BAND`: each as its own band says, added up.
    `WEIGHTED`: each has the weight of its band, and an adult can carry so much.
    """

    YOUNGEST_PRESENT = "youngest_present"
    SUM_PER_BAND = "sum_per_band"
    WEIGHTED = "weighted"


class RatioRounding(StrEnum):
    """Where parts of an adult become whole ones, when bands are added up: for each band, or once for all together."""

    EACH_BAND = "each_band"
    TOGETHER = "together"


class RatioScope(StrEnum):
    """Where the adults must be: in the room of the children, or anywhere in the centre."""

    ROOM = "room"
    CENTER = "center"


class RelaxationKind(StrEnum):
    """Why there may be fewer adults for a while."""

    NAP = "nap"
    OPENING = "opening"
    CLOSING = "closing"


class RatioBand(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Children of `from_months` up to and without `to_months` completed months.

    `children_per_adult` holds for the modes that count children, `weight` for the one that weighs them. `group_cap` is
    how many children one group may have whose youngest is of this band, however many adults there are; 0: no cap.
    """

    code: Code
    from_months: AgeMonths
    to_months: AgeMonths
    children_per_adult: ChildrenPerAdult = 0
    group_cap: Annotated[int, msgspec.Meta(ge=0, le=GROUP_CAP_MAX)] = 0
    weight: Weight = 0


class RatioRelaxation(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A time of the day in which fewer adults are enough, and what that means.

    The time is a window of local minutes of the day, `from_minute` up to and without `to_minute`, over midnight when it
    ends before it begins; or, for opening and closing, `minutes` after the centre opens or before it closes. It changes
    the bands that begin at `from_months` or later: by `factor_percent` (200: twice the children for each adult; 150
    lets two adults have nine instead of six), or to `children_per_adult` for each of them, which never makes a band
    stricter. `staff_by_center`: adults count wherever in the centre they are, as long as one is in the room.
    """

    kind: Code
    from_minute: MinuteOfDay | None = None
    to_minute: MinuteOfDay | None = None
    minutes: Annotated[int, msgspec.Meta(ge=0, lt=MINUTES_PER_DAY)] = 0
    from_months: AgeMonths = 0
    factor_percent: Annotated[int, msgspec.Meta(ge=WHOLE_PERCENT, le=FACTOR_PERCENT_MAX)] = WHOLE_PERCENT
    children_per_adult: ChildrenPerAdult = 0
    staff_by_center: bool = False

    def holds(self, minute: int) -> bool:
        """Whether the window holds this local minute of the day; without a window, never."""
        if self.from_minute is None or self.to_minute is None:
            return False
        if self.from_minute < self.to_minute:
            return self.from_minute <= minute < self.to_minute
        return minute >= self.from_minute or minute < self.to_minute


class RatioRuleSet(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The rules of a centre from a day on (YYYY-MM-DD, its own calendar), until a later set takes over.

    Modes, roundings, scopes and kinds are words that a later version may add to: an earlier one keeps a set with a word
    it does not know, and says that it cannot judge by it (`is_understood`). `adult_carries` is the weight that one
    counted adult can carry.
    """

    name: Line
    effective_from: Day
    mode: Code
    bands: Annotated[tuple[RatioBand, ...], msgspec.Meta(min_length=1, max_length=BANDS_MAX)]
    scope: Code = RatioScope.ROOM.value
    rounding: Code = RatioRounding.EACH_BAND.value
    adult_carries: Weight = 0
    relaxations: Annotated[tuple[RatioRelaxation, ...], msgspec.Meta(max_length=RELAXATIONS_MAX)] = ()
    description: Line = ""

    @property
    def is_understood(self) -> bool:
        """Whether this version knows each word that decides."""
        return self.mode in _MODES and self.scope in _SCOPES and self.rounding in _ROUNDINGS


class OpeningHours(msgspec.Struct, frozen=True):
    """When the centre opens and closes, in local minutes of the day; None: nobody said."""

    opens_minute: int | None = None
    closes_minute: int | None = None


_MODES: Final = frozenset(mode.value for mode in RatioMode)
_SCOPES: Final = frozenset(scope.value for scope in RatioScope)
_ROUNDINGS: Final = frozenset(rounding.value for rounding in RatioRounding)
_KINDS: Final = frozenset(kind.value for kind in RelaxationKind)


def check_rule_set(rule_set: RatioRuleSet) -> None:
    """See that a rule set can be judged by, and that doubt about a child's age is on the safe side.

    Raises:
        msgspec.ValidationError: it is not so; the message is a sentence for whoever wrote the rules.

    """
    msgspec.convert(msgspec.to_builtins(rule_set), RatioRuleSet)  # the bounds, also of what was made without them
    _refuse_unless(bool(rule_set.name.strip()), "a rule set has a name")
    _refuse_unless(parsed_day(rule_set.effective_from) is not None, "effective_from is a day of the calendar")
    _refuse_unless(rule_set.mode in _MODES, f"mode is one of {', '.join(sorted(_MODES))}")
    _refuse_unless(rule_set.scope in _SCOPES, f"scope is one of {', '.join(sorted(_SCOPES))}")
    _refuse_unless(rule_set.rounding in _ROUNDINGS, f"rounding is one of {', '.join(sorted(_ROUNDINGS))}")
    _check_bands(rule_set)
    for relaxation in rule_set.relaxations:
        _check_relaxation(relaxation)


def check_rule_sets(rule_sets: Iterable[RatioRuleSet]) -> None:
    """See that each set is right, that there are at most `RULE_SETS_MAX`, and one for a day; as `check_rule_set`."""
    listed = list(rule_sets)
    _refuse_unless(len(listed) <= RULE_SETS_MAX, f"a centre has at most {RULE_SETS_MAX} rule sets")
    days = {rule_set.effective_from for rule_set in listed}
    _refuse_unless(len(days) == len(listed), "two rule sets cannot begin on one day")
    for rule_set in listed:
        check_rule_set(rule_set)


def in_force(rule_sets: Iterable[RatioRuleSet], day: str) -> RatioRuleSet | None:
    """The set that holds on a day (YYYY-MM-DD): the last one that began on it or before; None when none had."""
    begun = [rule_set for rule_set in rule_sets if rule_set.effective_from <= day]
    return max(begun, key=lambda rule_set: rule_set.effective_from, default=None)


def at_hours(rule_set: RatioRuleSet, hours: OpeningHours) -> RatioRuleSet:
    """The same rules with each time after opening and before closing as a window of the day.

    Desks hold rules in this form: they do not know the hours. Where the hours are not known, such a time never comes.
    """
    relaxations = tuple(_at_hours(relaxation, hours) for relaxation in rule_set.relaxations)
    return msgspec.structs.replace(rule_set, relaxations=relaxations)


def parsed_day(text: str) -> date | None:
    """A day of the calendar from YYYY-MM-DD; None when it is none."""
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


def age_months(birth: date, day: date) -> int:
    """Completed months on a day; below zero for a child that is not born yet."""
    months = (day.year - birth.year) * MONTHS_PER_YEAR + day.month - birth.month
    return months if day.day >= birth.day else months - 1


def band_at(rule_set: RatioRuleSet, months: int) -> int:
    """The number of the band of an age: the youngest that holds it; an age above all has the oldest band."""
    for index, band in enumerate(rule_set.bands):
        if months < band.to_months:
            return index
    return len(rule_set.bands) - 1


def _check_bands(rule_set: RatioRuleSet) -> None:
    bands = rule_set.bands
    _refuse_unless(bands[0].from_months == 0, "the first band begins at 0 months: a baby has a band, too")
    _refuse_unless(all(band.code for band in bands), "each band has a code")
    _refuse_unless(len({band.code for band in bands}) == len(bands), "two bands cannot have one code")
    _refuse_unless(all(band.from_months < band.to_months for band in bands), "a band ends after it begins")
    for younger, older in pairwise(bands):
        in_order = younger.from_months < older.from_months and younger.to_months < older.to_months
        _refuse_unless(in_order, "bands stand from the youngest to the oldest")
        _refuse_unless(older.from_months <= younger.to_months, "no age lies between two bands")
    if rule_set.mode == RatioMode.WEIGHTED:
        weights = [band.weight for band in bands]
        _refuse_unless(min(weights) >= 1, "where children are weighed, each band has a weight")
        _refuse_unless(weights[0] <= rule_set.adult_carries, "an adult can carry at least one of the youngest")
        _refuse_unless(weights == sorted(weights, reverse=True), "an older child weighs no more than a younger one")
        return
    counts = [band.children_per_adult for band in bands]
    _refuse_unless(min(counts) >= 1, "each band says how many children one adult may have")
    _refuse_unless(counts == sorted(counts), "one adult may have no fewer of the older children")


def _check_relaxation(relaxation: RatioRelaxation) -> None:
    kind, minutes = relaxation.kind, relaxation.minutes
    window = (relaxation.from_minute, relaxation.to_minute)
    _refuse_unless(kind in _KINDS, f"the kind of a relaxation is one of {', '.join(sorted(_KINDS))}")
    _refuse_unless(window.count(None) != 1, "a window has a beginning and an end")
    _refuse_unless((minutes == 0) != (window == (None, None)), "a relaxation has a window, or minutes: one of the two")
    _refuse_unless(minutes == 0 or kind != RelaxationKind.NAP, "a nap has a window: it begins with no door")
    _refuse_unless(window[0] is None or window[0] != window[1], "a window ends at another minute than it begins")
    factor, number = relaxation.factor_percent != WHOLE_PERCENT, relaxation.children_per_adult != 0
    _refuse_unless(not (factor and number), "a relaxation has a factor, or a number of children: not both")
    _refuse_unless(factor or number or relaxation.staff_by_center, "a relaxation changes something")


def _refuse_unless(holds: bool, sentence: str) -> None:  # noqa: FBT001 - the condition is what is said
    if not holds:
        raise msgspec.ValidationError(sentence)


def _at_hours(relaxation: RatioRelaxation, hours: OpeningHours) -> RatioRelaxation:
    if not relaxation.minutes:
        return relaxation
    first, last = _window(relaxation, hours)
    return msgspec.structs.replace(relaxation, from_minute=first, to_minute=last, minutes=0)


def _window(relaxation: RatioRelaxation, hours: OpeningHours) -> tuple[int | None, int | None]:
    opens, closes, minutes = hours.opens_minute, hours.closes_minute, relaxation.minutes
    if relaxation.kind == RelaxationKind.OPENING and opens is not None:
        return opens, (opens + minutes) % MINUTES_PER_DAY
    if relaxation.kind == RelaxationKind.CLOSING and closes is not None:
        return (closes - minutes) % MINUTES_PER_DAY, closes
    return None, None
