"""What ratio rules come to for those who are there: adults needed, room for more, or a breach. Pure, for both programs.

| who is there                                   | what is said                                                       |
|------------------------------------------------|--------------------------------------------------------------------|
| no child                                       | `nobody`, no breach, whoever of the staff is there                 |
| children, and nobody who counts                | `no_staff`, a breach                                               |
| fewer counted adults than the rules want       | `too_few_staff`, a breach                                          |
| adults enough, more children than a group may  | `group_too_large`, a breach of the cap and not of the ratio        |
| children whose age nobody knows                | counted as the youngest band, and said (`of_unknown_age`)          |
| a room, where the rules are about the centre   | `by_center`: its numbers, and a breach only of the group cap       |
| people of whom nobody said the room            | a group of their own, "", judged as a room                         |
| no rules on that day                           | `no_rules`, no breach                                              |
| rules with a word that came later              | `rules_unknown`, no breach: this version cannot judge              |

A breach is told and never stops anybody. Adults are counted in percent of a whole one; what is needed are whole ones,
so that two who count half are one. While a relaxation lets staff count by centre, a room may use whom the other rooms
do not need, as long as one counted adult is in it.
"""

from bisect import bisect_right
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date
from enum import StrEnum
from fractions import Fraction
from math import ceil, floor
from typing import Annotated, Final

import msgspec

from sync.ratio_rules import (
    WHOLE_PERCENT,
    RatioMode,
    RatioRelaxation,
    RatioRounding,
    RatioRuleSet,
    RatioScope,
    age_months,
    band_at,
    in_force,
    parsed_day,
)


class ChildPresent(msgspec.Struct, frozen=True):
    """A child that is in; `birth_date` is YYYY-MM-DD, empty when nobody knows it."""

    child_id: str
    birth_date: str = ""


class StaffPresent(msgspec.Struct, frozen=True):
    """A member of staff who is in; `weight_percent` is what part of an adult he or she counts as."""

    person_id: str
    counts_in_ratio: bool = True
    weight_percent: Annotated[int, msgspec.Meta(ge=0, le=WHOLE_PERCENT)] = WHOLE_PERCENT

    @property
    def counted_percent(self) -> int:
        """How much of an adult counts."""
        return self.weight_percent if self.counts_in_ratio else 0


class Group(msgspec.Struct, frozen=True):
    """Who is together in a room."""

    children: tuple[ChildPresent, ...] = ()
    staff: tuple[StaffPresent, ...] = ()


class LocalMoment(msgspec.Struct, frozen=True):
    """A moment by the centre's clocks: the day (YYYY-MM-DD) and the minute of the day."""

    day: str
    minute: int


class RatioReason(StrEnum):
    """What was found, in one word."""

    ENOUGH = "enough"
    NOBODY = "nobody"
    BY_CENTER = "by_center"
    NO_RULES = "no_rules"
    RULES_UNKNOWN = "rules_unknown"
    GROUP_TOO_LARGE = "group_too_large"
    TOO_FEW_STAFF = "too_few_staff"
    NO_STAFF = "no_staff"


# From the mildest to the worst.
BREACHES: Final = (RatioReason.GROUP_TOO_LARGE, RatioReason.TOO_FEW_STAFF, RatioReason.NO_STAFF)


class BandCount(msgspec.Struct, frozen=True):
    """How many children of a band are there."""

    code: str
    children: int


class RatioState(msgspec.Struct, frozen=True, kw_only=True):
    """What the rules come to in a room, or in the centre.

    `bands` name each band of which children are there. `counted_percent` is what the staff there count as: 100 is one
    adult. `children_more` may come with them before another adult is needed, of the age that was asked about, or else
    of the youngest that is there. `children_allowed` is how many there may be: those who are there and so many more,
    or as many as are left when the oldest who are too many go. Both are None where nothing judges.
    """

    reason: RatioReason
    children: int = 0
    bands: tuple[BandCount, ...] = ()
    of_unknown_age: int = 0
    staff: int = 0
    counted_percent: int = 0
    staff_needed: int = 0
    children_allowed: int | None = None
    children_more: int | None = None
    group_cap: int = 0
    cap_exceeded: bool = False

    @property
    def is_breach(self) -> bool:
        """Whether the rules are broken."""
        return self.reason in BREACHES

    @property
    def percent_missing(self) -> int:
        """What is missing of adults, in percent of one."""
        return max(0, self.staff_needed * WHOLE_PERCENT - self.counted_percent)


class CenterRatio(msgspec.Struct, frozen=True):
    """The states of each room by its id, and that of the centre; `rule_set` is the one that held, if any did."""

    rule_set: RatioRuleSet | None
    rooms: dict[str, RatioState]
    center: RatioState


def center_ratio(
    rule_sets: Iterable[RatioRuleSet],
    groups: Mapping[str, Group],
    moment: LocalMoment,
    asked_months: int | None = None,
) -> CenterRatio:
    """Judge everybody who is in, by room id, at a local moment; `asked_months` is the age of who may come next.

    The rule sets are those of the centre with windows for times (`ratio_rules.at_hours`). Total: whatever stands in a
    birth date, it never raises on rules that `check_rule_set` let pass.
    """
    rule_set = in_force(rule_sets, moment.day)
    everybody = _together(groups.values())
    if rule_set is None or not rule_set.is_understood:
        reason = RatioReason.NO_RULES if rule_set is None else RatioReason.RULES_UNKNOWN
        unjudged = {room_id: _unjudged(group, reason) for room_id, group in groups.items()}
        return CenterRatio(rule_set, unjudged, _unjudged(everybody, reason))
    judge = _Judge(rule_set, moment, asked_months)
    if rule_set.scope == RatioScope.CENTER:
        rooms = {room_id: judge.room_by_center(group) for room_id, group in groups.items()}
        return CenterRatio(rule_set, rooms, judge.whole_center(everybody, rooms.values()))
    needed = {room_id: judge.needed_by(group) for room_id, group in groups.items()}
    spare = _counted_percent(everybody.staff) - sum(needed.values()) * WHOLE_PERCENT
    rooms = {room_id: judge.room(group, spare + needed[room_id] * WHOLE_PERCENT) for room_id, group in groups.items()}
    return CenterRatio(rule_set, rooms, _sum_of_rooms(everybody, judge.bands_of(everybody), rooms.values()))


class _Count(msgspec.Struct, frozen=True):
    """Children by the number of their band, and how many of them only because nobody knows their age."""

    by_band: tuple[int, ...]
    of_unknown_age: int


class _Judge:
    """One rule set at one moment: the part of an adult that a child of each band takes, relaxed as the hour says."""

    def __init__(self, rule_set: RatioRuleSet, moment: LocalMoment, asked_months: int | None) -> None:
        relaxed = [one for one in rule_set.relaxations if one.holds(moment.minute)]
        self._rule_set = rule_set
        self._day = parsed_day(moment.day)
        self._shares = _shares(rule_set, relaxed)
        self._caps = [band.group_cap for band in rule_set.bands]
        self._staff_by_center = any(one.staff_by_center for one in relaxed)
        self._asked_band = None if asked_months is None else band_at(rule_set, asked_months)

    def needed_by(self, group: Group) -> int:
        """How many whole adults a group needs."""
        return self._needed(self._count(group.children).by_band)

    def bands_of(self, group: Group) -> tuple[BandCount, ...]:
        """The bands of which there are children."""
        counts = self._count(group.children).by_band
        return tuple(BandCount(band.code, n) for band, n in zip(self._rule_set.bands, counts, strict=True) if n)

    def room(self, group: Group, free_percent: int) -> RatioState:
        """A room by itself; `free_percent` is what the rest of the centre leaves to it, its own staff included."""
        own = _counted_percent(group.staff)
        available = max(own, free_percent) if self._staff_by_center and own else own
        return self._judged(group, available, self._caps)

    def room_by_center(self, group: Group) -> RatioState:
        """A room whose adults may be elsewhere: nothing of it is judged but the size of the group."""
        state = self._judged(group, _counted_percent(group.staff), self._caps)
        reason = RatioReason.GROUP_TOO_LARGE if state.cap_exceeded else RatioReason.BY_CENTER
        return msgspec.structs.replace(state, reason=reason, children_allowed=None, children_more=None)

    def whole_center(self, everybody: Group, rooms: Iterable[RatioState]) -> RatioState:
        """All of the centre as one group for the ratio; a cap is that of a room."""
        state = self._judged(everybody, _counted_percent(everybody.staff), [0] * len(self._caps))
        exceeded = any(room.cap_exceeded for room in rooms)
        if exceeded and state.reason is RatioReason.ENOUGH:
            state = msgspec.structs.replace(state, reason=RatioReason.GROUP_TOO_LARGE)
        return msgspec.structs.replace(state, cap_exceeded=exceeded)

    def _judged(self, group: Group, available_percent: int, caps: Sequence[int]) -> RatioState:
        count = self._count(group.children)
        children, needed = sum(count.by_band), self._needed(count.by_band)
        own, adults = _counted_percent(group.staff), available_percent // WHOLE_PERCENT
        cap = caps[_youngest(count.by_band)] if children else 0
        exceeded = bool(cap) and children > cap
        more = self._more(count.by_band, adults, caps)
        allowed = children + more if needed <= adults else self._remaining(count.by_band, adults)
        return RatioState(
            reason=_reason(children, own, adults - needed, exceeded=exceeded),
            children=children,
            bands=self.bands_of(group),
            of_unknown_age=count.of_unknown_age,
            staff=len(group.staff),
            counted_percent=own,
            staff_needed=needed,
            children_allowed=min(allowed, cap) if cap else allowed,
            children_more=more,
            group_cap=cap,
            cap_exceeded=exceeded,
        )

    def _count(self, children: Iterable[ChildPresent]) -> _Count:
        counts = [0] * len(self._rule_set.bands)
        unknown = 0
        for child in children:
            months = _months(child.birth_date, self._day)
            unknown += months is None
            counts[0 if months is None else band_at(self._rule_set, months)] += 1
        return _Count(tuple(counts), unknown)

    def _needed(self, counts: Sequence[int]) -> int:
        if self._rule_set.mode == RatioMode.YOUNGEST_PRESENT:
            return ceil(sum(counts) * self._shares[_youngest(counts)])
        parts = [children * share for children, share in zip(counts, self._shares, strict=True)]
        if self._rule_set.mode == RatioMode.SUM_PER_BAND and self._rule_set.rounding == RatioRounding.EACH_BAND:
            return sum(map(ceil, parts))
        return ceil(sum(parts))

    def _more(self, counts: Sequence[int], adults: int, caps: Sequence[int]) -> int:
        """How many children may come before the adults are too few, or the group too large."""
        present = [index for index, children in enumerate(counts) if children]
        band = _youngest(counts) if self._asked_band is None else self._asked_band
        most = floor(adults / self._shares[band])
        cap = caps[min([band, *present])]
        if cap:
            most = min(most, max(0, cap - sum(counts)))
        return _last(most, adults, lambda more: self._needed(_changed(counts, band, more)))

    def _remaining(self, counts: Sequence[int], adults: int) -> int:
        """How many children are left when so many of the oldest have gone that the adults are enough."""
        return _last(sum(counts), adults, lambda left: self._needed(_youngest_of(counts, left)))


def _shares(rule_set: RatioRuleSet, relaxed: Sequence[RatioRelaxation]) -> tuple[Fraction, ...]:
    """The part of an adult that a child of each band takes; of several relaxations the one that eases most counts."""
    shares = []
    for band in rule_set.bands:
        weighed = rule_set.mode == RatioMode.WEIGHTED
        share = Fraction(band.weight, rule_set.adult_carries) if weighed else Fraction(1, band.children_per_adult)
        eased = [_eased(share, one) for one in relaxed if band.from_months >= one.from_months]
        shares.append(min([share, *eased]))
    return tuple(shares)


def _eased(share: Fraction, relaxation: RatioRelaxation) -> Fraction:
    if relaxation.children_per_adult:
        return Fraction(1, relaxation.children_per_adult)
    return share * Fraction(WHOLE_PERCENT, relaxation.factor_percent)


def _reason(children: int, counted_percent: int, adults_spare: int, *, exceeded: bool) -> RatioReason:
    if not children:
        return RatioReason.NOBODY
    if not counted_percent:
        return RatioReason.NO_STAFF
    if adults_spare < 0:
        return RatioReason.TOO_FEW_STAFF
    return RatioReason.GROUP_TOO_LARGE if exceeded else RatioReason.ENOUGH


def _sum_of_rooms(everybody: Group, bands: tuple[BandCount, ...], rooms: Iterable[RatioState]) -> RatioState:
    """The centre where each room is judged: the sums of its rooms, and the worst that is said of any."""
    listed = list(rooms)
    found = [state.reason for state in listed if state.is_breach]
    calm = RatioReason.ENOUGH if everybody.children else RatioReason.NOBODY
    return RatioState(
        reason=max(found, key=BREACHES.index, default=calm),
        children=len(everybody.children),
        bands=bands,
        of_unknown_age=sum(state.of_unknown_age for state in listed),
        staff=len(everybody.staff),
        counted_percent=_counted_percent(everybody.staff),
        staff_needed=sum(state.staff_needed for state in listed),
        children_allowed=sum(state.children_allowed or 0 for state in listed),
        children_more=sum(state.children_more or 0 for state in listed),
        cap_exceeded=any(state.cap_exceeded for state in listed),
    )


def _unjudged(group: Group, reason: RatioReason) -> RatioState:
    counted = _counted_percent(group.staff)
    return RatioState(reason=reason, children=len(group.children), staff=len(group.staff), counted_percent=counted)


def _together(groups: Iterable[Group]) -> Group:
    listed = list(groups)
    children = tuple(child for group in listed for child in group.children)
    return Group(children, tuple(adult for group in listed for adult in group.staff))


def _counted_percent(staff: Iterable[StaffPresent]) -> int:
    return sum(adult.counted_percent for adult in staff)


def _months(birth_date: str, day: date | None) -> int | None:
    """Completed months, or None when they are not known: no date, none of the calendar, or one still to come."""
    birth = parsed_day(birth_date)
    if birth is None or day is None or birth > day:
        return None
    return age_months(birth, day)


def _youngest(counts: Sequence[int]) -> int:
    """The number of the youngest band of which there are children; of nobody, that of the youngest there is."""
    return next((index for index, children in enumerate(counts) if children), 0)


def _changed(counts: Sequence[int], band: int, more: int) -> list[int]:
    return [children + more * (index == band) for index, children in enumerate(counts)]


def _youngest_of(counts: Sequence[int], left: int) -> list[int]:
    kept = []
    for children in counts:
        kept.append(min(children, left))
        left -= kept[-1]
    return kept


def _last(most: int, adults: int, needed: Callable[[int], int]) -> int:
    """The greatest number up to `most` that so many adults are enough for, or 0; what is needed grows with it."""
    return max(0, bisect_right(range(most + 1), adults, key=needed) - 1)
