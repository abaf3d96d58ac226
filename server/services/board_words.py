"""How a room stands, in one of five states and in words; what a finding or a silent desk comes to, in words."""

from datetime import datetime, tzinfo
from typing import Final

from server.core.clock import datetime_of
from server.services.board import RoomStatus
from sync.desk_coverage import DeskCoverage, Gap
from sync.findings import FindingKind
from sync.ratio import RatioReason, RatioState
from sync.ratio_rules import WHOLE_PERCENT

# One more child, and the next needs another adult or finds no room.
NEAR_CHILDREN: Final = 1
_CALM_TO_DANGER: Final = tuple(RoomStatus)

FINDING_WORDS: Final[dict[str, str]] = {
    FindingKind.TWO_COLLECTORS: "Two different people collected this child",
    FindingKind.RELEASED_ON_STALE_AUTHORISATION: "Handed over to somebody who was no longer allowed to collect",
    FindingKind.RELEASED_BY_OVERRIDE: "Handed over although something spoke against it, by a second person's word",
    FindingKind.POSSIBLE_MISSED_CHECK_OUT: "Came again without having left; a check-out may be missing",
    FindingKind.OVERLAPPING_STAYS: "Two desks disagree about when this child was in",
    FindingKind.CHECK_OUT_WITHOUT_CHECK_IN: "Left, and nobody saw this child come",
    FindingKind.MOVEMENT_AFTER_DEPARTURE: "Changed rooms after having left",
    FindingKind.PRESENCE_ON_CLOSURE: "Was in on a day on which the centre is closed",
    FindingKind.ADJUSTMENT_AFTER_LOCK: "Something was entered for days that are locked",
    FindingKind.TIME_UNCERTAIN: "The time of an entry is uncertain",
    FindingKind.UNKNOWN_REFERENCE: "An entry names somebody or a room that is not on file",
    FindingKind.ACTOR_NOT_ENTITLED: "Whoever recorded this, or the desk, was not entitled to",
    FindingKind.DISPUTED_BY_GUARDIAN: "A guardian says that this is not how it was",
}
OTHER_FINDING: Final = "Something was recorded that a person must look at"


def finding_words(kind: str) -> str:
    """Give a sentence for a kind of finding; one of a newer server has words of its own."""
    return FINDING_WORDS.get(kind, OTHER_FINDING)


def status_of(ratio: RatioState, capacity: int) -> RoomStatus:
    """Give the worse of what the ratio and the capacity (0: none is set) say of a room, or of a centre."""
    by_rules = _by_rules(ratio)
    by_capacity = _by_capacity(ratio.children, capacity)
    return max(by_rules, by_capacity, key=_CALM_TO_DANGER.index)


def _by_rules(ratio: RatioState) -> RoomStatus:
    if ratio.is_breach:
        return RoomStatus.BREACH
    if not ratio.children:
        return RoomStatus.OK
    if ratio.reason in {RatioReason.NO_RULES, RatioReason.RULES_UNKNOWN}:
        return RoomStatus.UNKNOWN
    if ratio.reason is RatioReason.BY_CENTER:
        return RoomStatus.OK
    return _by_room_left(ratio.children_more or 0)


def _by_capacity(children: int, capacity: int) -> RoomStatus:
    if not capacity or not children:
        return RoomStatus.OK
    return RoomStatus.BREACH if children > capacity else _by_room_left(capacity - children)


def _by_room_left(more: int) -> RoomStatus:
    if more > NEAR_CHILDREN:
        return RoomStatus.OK
    return RoomStatus.NEAR if more else RoomStatus.AT_LIMIT


def ratio_words(ratio: RatioState) -> str:
    """Say how many children and adults there are, and what the rules come to."""
    if not ratio.children:
        return "no children"
    there = f"{_children(ratio.children)}, {_adults(ratio.counted_percent)}"
    match ratio.reason:
        case RatioReason.NO_RULES:
            return f"{there}; this centre has no ratio rules"
        case RatioReason.RULES_UNKNOWN:
            return f"{there}; the ratio rules need a newer version of the server"
        case RatioReason.BY_CENTER:
            return f"{there}; the ratio is judged for the whole centre"
        case RatioReason.NO_STAFF:
            return f"{_children(ratio.children)} and nobody of the staff; {_needed(ratio)}"
        case RatioReason.TOO_FEW_STAFF:
            return f"{_per_adult(ratio)}, too few adults: {_needed(ratio)}"
        case RatioReason.GROUP_TOO_LARGE:
            return f"{_per_adult(ratio)}, {_too_large(ratio)}"
        case RatioReason.ENOUGH | RatioReason.NOBODY:
            return f"{_per_adult(ratio)}{_allowed(ratio)}, {_more(ratio)}"


def _per_adult(ratio: RatioState) -> str:
    """As people say it: one adult to so many children; half children are said as such."""
    if not ratio.counted_percent:
        return f"{_children(ratio.children)}, no adults"
    return f"1 : {_number(ratio.children * WHOLE_PERCENT / ratio.counted_percent)}"


def _allowed(ratio: RatioState) -> str:
    if ratio.children_allowed is None or not ratio.counted_percent:
        return ""
    return f" (at most {ratio.children_allowed} with {_adults(ratio.counted_percent)})"


def _more(ratio: RatioState) -> str:
    more = ratio.children_more or 0
    return f"{more} more {'child' if more == 1 else 'children'} before another adult" if more else "no more children"


def _too_large(ratio: RatioState) -> str:
    return f"a group may have {ratio.group_cap}" if ratio.group_cap else "a room has too large a group"


def _needed(ratio: RatioState) -> str:
    return f"{ratio.staff_needed} {'is' if ratio.staff_needed == 1 else 'are'} needed"


def _children(count: int) -> str:
    return f"{count} {'child' if count == 1 else 'children'}"


def _adults(counted_percent: int) -> str:
    if not counted_percent:
        return "no adults"
    return f"{_number(counted_percent / WHOLE_PERCENT)} {'adult' if counted_percent == WHOLE_PERCENT else 'adults'}"


def _number(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")


def gap_words(desk: DeskCoverage, now: datetime, zone: tzinfo) -> str:
    """Say why a desk could hold something that is not here; empty when it could not. Times are those of the zone."""
    if desk.gap is None:
        return ""
    if desk.gap is Gap.NEVER_HEARD or desk.heard_until_ms is None:
        return f"{desk.name} has never been heard"
    heard = datetime_of(desk.heard_until_ms).astimezone(zone)
    is_today = heard.date() == now.astimezone(zone).date()
    at = f"{heard:%H:%M}" if is_today else f"{heard:%Y-%m-%d %H:%M}"
    match desk.gap:
        case Gap.ENTRIES_WAIT:
            waiting = desk.waiting or 0
            said = f"{desk.name} had {waiting} {'entry' if waiting == 1 else 'entries'} to send at {at}"
            return said if desk.is_linked else f"{said} and has not been heard since"
        case Gap.QUEUE_UNKNOWN:
            return f"{desk.name} was heard at {at} and did not say what it has to send"
        case Gap.SILENT:
            return f"{desk.name} has not been heard since {at}"
