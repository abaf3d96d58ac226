"""What a person may answer to each kind of finding, and what follows from it.

| finding                         | answers (what follows)                                                        |
|---------------------------------|-------------------------------------------------------------------------------|
| possible_missed_check_out       | left_between (a departure then), never_left, second_wrong (last voided)       |
| overlapping_stays               | stands, other_desk_wrong (second voided), left_then (a departure then)        |
| check_out_without_check_in      | came_unseen, wrong (voided)                                                   |
| two_collectors                  | first_collected (last voided), second_collected (first voided), both_there    |
| movement_after_departure        | stands, move_wrong (last voided)                                              |
| released_on_stale_authorisation | in_order, not_in_order                                                        |
| presence_on_closure             | was_open, wrong (voided)                                                      |
| adjustment_after_lock           | adjusted, wrong (voided)                                                      |
| time_uncertain                  | time_right, time_corrected (corrected), wrong (voided)                        |
| unknown_reference               | known, wrong (voided)                                                         |
| actor_not_entitled              | in_order, wrong (voided)                                                      |
| released_by_override            | in_order, not_in_order                                                        |
| disputed_by_guardian            | stands, event_wrong (all but the dispute voided), time_corrected (the same)   |

An answer is a `review_resolved` event, and acts as `sync.amendments` says. What nothing follows from closes the finding
and leaves everything as it is. A later answer takes the place of an earlier one.
"""

from collections.abc import Callable
from enum import StrEnum
from typing import Final

import msgspec

from sync.findings import FindingKind


class Need(StrEnum):
    """A time that goes with an answer."""

    NOTHING = "nothing"
    LEFT_AT = "left_at"
    OCCURRED_AT = "occurred_at"


class Which(StrEnum):
    """Which of a finding's events an answer acts upon, in their order."""

    NONE = "none"
    FIRST = "first"
    SECOND = "second"
    LAST = "last"
    ALL = "all"
    ALL_BUT_LAST = "all_but_last"


class PossibleAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """An answer by its code, what it says and what follows, for people; the time it needs; the events it acts upon.

    With `Need.OCCURRED_AT` these are corrected, otherwise they no longer count.
    """

    code: str
    says: str
    consequence: str
    needs: Need = Need.NOTHING
    which: Which = Which.NONE

    def named(self, event_ids: tuple[str, ...]) -> tuple[str, ...]:
        """Those of a finding's events that it acts upon."""
        return _PARTS[self.which](event_ids)


_PARTS: Final[dict[Which, Callable[[tuple[str, ...]], tuple[str, ...]]]] = {
    Which.NONE: lambda _ids: (),
    Which.FIRST: lambda ids: ids[:1],
    Which.SECOND: lambda ids: ids[1:2],
    Which.LAST: lambda ids: ids[-1:],
    Which.ALL: lambda ids: ids,
    Which.ALL_BUT_LAST: lambda ids: ids[:-1],
}
_AS_IT_IS: Final = "Everything stays as it is."


def _wrong(what: str, consequence: str, *, code: str = "wrong", which: Which = Which.ALL) -> PossibleAnswer:
    return PossibleAnswer(code=code, says=what, consequence=consequence, which=which)


def _plain(code: str, says: str, consequence: str = _AS_IT_IS) -> PossibleAnswer:
    return PossibleAnswer(code=code, says=says, consequence=consequence)


_EVENT_WRONG: Final = _wrong("It was entered by mistake.", "The event no longer counts; it stays in the log.")
POSSIBLE_ANSWERS: Final[dict[FindingKind, tuple[PossibleAnswer, ...]]] = {
    FindingKind.POSSIBLE_MISSED_CHECK_OUT: (
        PossibleAnswer(
            code="left_between",
            says="The child left in between, and nobody wrote it down.",
            consequence="The stay ends at that time, and the second arrival begins another.",
            needs=Need.LEFT_AT,
        ),
        _plain("never_left", "The child was here all the time.", "One stay, and the second arrival bears it out."),
        _wrong(
            "The second arrival was a mistake.",
            "It no longer counts; it stays in the log.",
            code="second_wrong",
            which=Which.LAST,
        ),
    ),
    FindingKind.OVERLAPPING_STAYS: (
        _plain("stands", "The child left and came again.", "Two stays that meet at the second arrival."),
        _wrong(
            "The other desk's arrival was a mistake.",
            "It no longer counts: the child left with the departure.",
            code="other_desk_wrong",
            which=Which.SECOND,
        ),
        PossibleAnswer(
            code="left_then",
            says="The child has left, at this time.",
            consequence="The stay ends at that time.",
            needs=Need.LEFT_AT,
        ),
    ),
    FindingKind.CHECK_OUT_WITHOUT_CHECK_IN: (
        _plain("came_unseen", "The child had come, and nobody wrote it down.", "A stay with an unknown start."),
        _EVENT_WRONG,
    ),
    FindingKind.TWO_COLLECTORS: (
        _wrong("The first one collected the child.", "The second departure no longer counts.", code="first_collected",
               which=Which.LAST),
        _wrong("The second one collected the child.", "The first departure no longer counts.", code="second_collected",
               which=Which.FIRST),
        _plain("both_there", "Both were there."),
    ),
    FindingKind.MOVEMENT_AFTER_DEPARTURE: (
        _plain("stands", "The child had left.", "The move stays without effect."),
        _wrong("The move was a mistake.", "It no longer counts.", code="move_wrong", which=Which.LAST),
    ),
    FindingKind.RELEASED_ON_STALE_AUTHORISATION: (
        _plain("in_order", "A guardian agreed to this release."),
        _plain("not_in_order", "The child should not have been given to this person.",
               "The release stands, on record as an incident."),
    ),
    FindingKind.PRESENCE_ON_CLOSURE: (_plain("was_open", "The centre was open, or somebody was let in."), _EVENT_WRONG),
    FindingKind.ADJUSTMENT_AFTER_LOCK: (
        _plain("adjusted", "It is right, and goes into an adjustment.", "The locked figures stay as they were."),
        _EVENT_WRONG,
    ),
    FindingKind.TIME_UNCERTAIN: (
        _plain("time_right", "The time is right."),
        PossibleAnswer(
            code="time_corrected",
            says="It happened at another time.",
            consequence="The event counts at that time.",
            needs=Need.OCCURRED_AT,
            which=Which.ALL,
        ),
        _EVENT_WRONG,
    ),
    FindingKind.UNKNOWN_REFERENCE: (_plain("known", "It is known who or what is meant."), _EVENT_WRONG),
    FindingKind.ACTOR_NOT_ENTITLED: (_plain("in_order", "It was in order."), _EVENT_WRONG),
    FindingKind.RELEASED_BY_OVERRIDE: (
        _plain("in_order", "The release was right: it was checked who this person is."),
        _plain("not_in_order", "The child should not have been given to this person.",
               "The release stands, on record as an incident."),
    ),
    FindingKind.DISPUTED_BY_GUARDIAN: (
        _plain("stands", "The record is right."),
        _wrong("The guardian is right: it did not happen.", "The disputed events no longer count.", code="event_wrong",
               which=Which.ALL_BUT_LAST),
        PossibleAnswer(
            code="time_corrected",
            says="It happened at another time.",
            consequence="The disputed events count at that time.",
            needs=Need.OCCURRED_AT,
            which=Which.ALL_BUT_LAST,
        ),
    ),
}  # fmt: skip


def possible_answers(kind: FindingKind) -> tuple[PossibleAnswer, ...]:
    """What may be answered to a finding of this kind."""
    return POSSIBLE_ANSWERS[kind]
