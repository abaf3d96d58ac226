"""Findings: contradictions that only a person can settle, each with a key that stays the same on every machine."""

from enum import StrEnum
from typing import Final

import msgspec


class FindingKind(StrEnum):
    """A contradiction, or a fact that somebody should know of."""

    POSSIBLE_MISSED_CHECK_OUT = "possible_missed_check_out"
    OVERLAPPING_STAYS = "overlapping_stays"
    CHECK_OUT_WITHOUT_CHECK_IN = "check_out_without_check_in"
    TWO_COLLECTORS = "two_collectors"
    MOVEMENT_AFTER_DEPARTURE = "movement_after_departure"
    RELEASED_ON_STALE_AUTHORISATION = "released_on_stale_authorisation"
    PRESENCE_ON_CLOSURE = "presence_on_closure"
    ADJUSTMENT_AFTER_LOCK = "adjustment_after_lock"
    TIME_UNCERTAIN = "time_uncertain"
    UNKNOWN_REFERENCE = "unknown_reference"
    ACTOR_NOT_ENTITLED = "actor_not_entitled"
    DISPUTED_BY_GUARDIAN = "disputed_by_guardian"
    RELEASED_BY_OVERRIDE = "released_by_override"


CRITICAL_FINDINGS: Final = frozenset(
    {
        FindingKind.TWO_COLLECTORS,
        FindingKind.RELEASED_ON_STALE_AUTHORISATION,
        FindingKind.RELEASED_BY_OVERRIDE,
    }
)


class Finding(msgspec.Struct, gc=False, frozen=True, order=True):
    """A question for a person: its kind, and the events that contradict each other, oldest first.

    `since_ms` is since when (UTC milliseconds) the desk had been wrong about what it relied on; 0 where that is not
    the question.
    """

    kind: FindingKind
    event_ids: tuple[str, ...]
    since_ms: int = 0

    @property
    def is_critical(self) -> bool:
        """Whether a manager must be told at once."""
        return self.kind in CRITICAL_FINDINGS

    @property
    def key(self) -> str:
        """What an answer names. It depends on kind and events alone, so that nothing else asks a question again."""
        return ":".join((self.kind, *sorted(self.event_ids)))


class Answer(msgspec.Struct, gc=False, frozen=True, order=True):
    """What a person said to a finding: its key, the answer, and the `review_resolved` event that says so."""

    finding: str
    answer: str
    event_id: str
