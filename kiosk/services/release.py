"""What must be thought of before a child is given to somebody: who that is, and what speaks against it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from kiosk.services.door import Approval
from kiosk.services.roster import NOT_TODAY, Collector, is_blocked
from sync.resemblance import Resemblance, resemblance

LIST_OLD: Final = "list_old"
NOT_ON_LIST: Final = "not_on_list"
NEAR_BLOCKED_NAME: Final = "near_blocked_name"
BLOCKED_TODAY: Final = "not_today"
NO_LIST: Final = "no_list"
CODE_MATCH: Final = "code_match"
IDENTITY_CHECKS: Final = (
    ("1", "known_to_staff", "I know this person"),
    ("2", "photo_id", "photo ID seen"),
    ("3", "safe_word", "safe word given"),
    ("4", "call_back", "called back by phone"),
    ("5", CODE_MATCH, "pick-up code of the slip"),
)
REFUSAL_REASONS: Final = (
    ("1", "not_authorised", "may not collect"),
    ("2", "identity_unclear", "identity not clear"),
    ("3", "unfit", "not fit to take care of a child"),
    ("4", "no_word_from_guardian", "no word from the guardian"),
    ("5", "other", "another reason"),
)


class Stop(StrEnum):
    """How much speaks against a collector."""

    NOTHING = "nothing"
    OVERRIDE = "override"
    NEVER = "never"


@dataclass(frozen=True)
class Doubt:
    """What speaks against a collector; `about` is who is meant by it, `warning` its code in the event."""

    stop: Stop = Stop.NOTHING
    warning: str = ""
    about: Collector | None = None


@dataclass(frozen=True, kw_only=True)
class Release:
    """To whom children are given, and how that was made sure of.

    `approval` is the word of a second member of staff, where something spoke against it, with `reason`.
    """

    adult_id: str = ""
    adult_name: str = ""
    identity_check: str = "none"
    auth_method: str = "staff_attested"
    warnings: tuple[str, ...] = ()
    reason: str = ""
    approval: Approval | None = field(default=None, compare=False)


@dataclass(frozen=True, kw_only=True)
class Refusal:
    """To whom children were not given, and why."""

    adult_id: str = ""
    adult_name: str = ""
    reason_code: str
    reason: str = ""


def doubt(known: Iterable[Collector], adult_id: str, adult_name: str) -> Doubt:
    """The strongest thing that speaks against an adult, of the list by id or by a typed name.

    Who may never collect wins over who may not today, and the same name over one that is close.
    """
    everybody = list(known)
    listed = [one for one in everybody if _is_meant(one, adult_id, adult_name)]
    blocked = sorted((one for one in everybody if is_blocked(one)), key=lambda one: one.status == NOT_TODAY)
    for one in blocked:
        if one in listed:
            is_today = one.status == NOT_TODAY
            return Doubt(Stop.OVERRIDE if is_today else Stop.NEVER, BLOCKED_TODAY if is_today else "", one)
    if listed:
        return Doubt()
    for one in blocked:
        if resemblance(adult_name, one.name) is Resemblance.NEAR:
            return Doubt(Stop.OVERRIDE, NEAR_BLOCKED_NAME, one)
    return Doubt(warning=NOT_ON_LIST)


def lacks_list(known: Sequence[Collector], *, is_on_file: bool) -> bool:
    """Whether nobody can look up who may collect a child: it has no file, and so no list; nobody is refused by name."""
    return not is_on_file and not known


def _is_meant(one: Collector, adult_id: str, adult_name: str) -> bool:
    if adult_id:
        return one.adult_id == adult_id
    return resemblance(adult_name, one.name) is Resemblance.SAME


def of_all(lists: Sequence[Sequence[Collector]]) -> tuple[Collector, ...]:
    """The adults of several children as one list: who may not collect one of them is shown as that, blocked ones last.

    Whoever stands on the list of some of them only is left out, unless blocked: a name must be typed for those.
    """
    strictest: dict[str, Collector] = {}
    for one in (one for known in lists for one in known):
        before = strictest.get(one.adult_id)
        if before is None or _strictness(one) > _strictness(before):
            strictest[one.adult_id] = one
    on_all = set.intersection(*({one.adult_id for one in known} for known in lists)) if lists else set()
    found = [one for one in strictest.values() if is_blocked(one) or one.adult_id in on_all]
    return tuple(sorted(found, key=lambda one: (_strictness(one), one.name, one.adult_id)))


def _strictness(one: Collector) -> int:
    return is_blocked(one) * (1 if one.status == NOT_TODAY else 2)


def is_list_old(data_as_of_ms: int | None, now_ms: int, *, old_ms: int) -> bool:
    """Whether a pick-up list is too old to be believed; by the desk's own clock, and one never received is."""
    return data_as_of_ms is None or now_ms - data_as_of_ms >= old_ms
