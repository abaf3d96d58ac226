"""Today's children by where they stand: here, expected, absent, gone home; with the names behind each number."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from msgspec import UNSET

from kiosk.messages import Presence
from kiosk.services.knowledge import Knowledge
from kiosk.services.roster import RosterLine, Span, roster
from sync.records import ChildRecord


class TodayState(StrEnum):
    """Where a child stands today, and what that is called."""

    HERE = "here"
    EXPECTED = "not yet here"
    ABSENT = "absent"
    LEFT = "gone home"


@dataclass(frozen=True)
class TodayLine:
    """A child of today; `why` says why it is not expected."""

    line: RosterLine
    state: TodayState
    why: str = ""


@dataclass(frozen=True)
class Today:
    """Everybody of the roster; `closed` says why nobody is expected, empty on a day on which the centre is open."""

    lines: tuple[TodayLine, ...]
    closed: str = ""

    def of(self, state: TodayState) -> tuple[TodayLine, ...]:
        """Those who stand so, in the order of the roster."""
        return tuple(one for one in self.lines if one.state is state)


def today(knowledge: Knowledge, day: str, span: Span) -> Today:
    """How all children stand on the centre's day (YYYY-MM-DD) with these bounds."""
    closed = closed_words(knowledge, day)
    return Today(tuple(_line(knowledge, one, closed) for one in roster(knowledge, span)), closed)


def closed_words(knowledge: Knowledge, day: str) -> str:
    """Why the centre is closed on a day (YYYY-MM-DD); empty when it is open. ISO dates compare as texts."""
    closures = () if knowledge.center.closures is UNSET else knowledge.center.closures
    return next((one.reason or "closed" for one in closures if one.first_day <= day <= one.last_day), "")


def announced_absence(_child: ChildRecord) -> str:
    """Why somebody said that the child does not come today; empty: nobody did, as far as records tell."""
    return ""


def _line(knowledge: Knowledge, line: RosterLine, closed: str) -> TodayLine:
    if line.status is Presence.IN:
        return TodayLine(line, TodayState.HERE)
    if line.status is Presence.OUT:
        return TodayLine(line, TodayState.LEFT)
    child = knowledge.children.get(line.child_id)
    why = (announced_absence(child) if child is not None else "") or closed
    return TodayLine(line, TodayState.ABSENT if why else TodayState.EXPECTED, why)


def counts(lines: Sequence[TodayLine]) -> dict[TodayState, int]:
    """How many stand how."""
    found = dict.fromkeys(TodayState, 0)
    for one in lines:
        found[one.state] += 1
    return found
