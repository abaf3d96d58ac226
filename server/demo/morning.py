"""The morning that the demonstration plays: who comes to which desk when, and when a link is cut. Pure and seeded."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from random import Random
from typing import Final

DESK_ONE: Final = "Desk 1"
DESK_TWO: Final = "Desk 2"
CHILDREN_MIN: Final = 24


class Action(Enum):
    """What happens in a step."""

    CHECK_IN = "check_in"
    CHECK_OUT = "check_out"
    CUT_LINK = "cut_link"
    RESTORE_LINK = "restore_link"


@dataclass(frozen=True)
class Step:
    """One step; `at` is a fraction of the time the morning takes, from 0 to 1."""

    at: float
    desk: str
    action: Action
    child_id: str = ""


def plan(children: Sequence[str], luck: Random) -> tuple[Step, ...]:
    """The steps of a morning for these children (ids), in order of time.

    Arrivals at both desks; then Desk 2 loses its link and goes on, two families meet both desks at once; the link
    comes back; some children are collected early.

    Raises:
        ValueError: there are fewer than `CHILDREN_MIN` children.

    """
    if len(children) < CHILDREN_MIN:
        message = f"the morning needs {CHILDREN_MIN} children, there are {len(children)}"
        raise ValueError(message)
    order = luck.sample(list(children), k=CHILDREN_MIN)
    early, both, apart, late = order[:10], order[10:12], order[12:20], order[20:24]
    steps = [
        *_spread(Action.CHECK_IN, early, (DESK_ONE, DESK_TWO), 0.00, 0.40),
        Step(0.42, DESK_TWO, Action.CUT_LINK),
        *_spread(Action.CHECK_IN, apart, (DESK_TWO, DESK_ONE), 0.45, 0.62),
        *_spread(Action.CHECK_IN, both, (DESK_ONE,), 0.50, 0.56),
        *_spread(Action.CHECK_IN, both, (DESK_TWO,), 0.52, 0.58),
        Step(0.65, DESK_TWO, Action.RESTORE_LINK),
        *_spread(Action.CHECK_IN, late, (DESK_ONE, DESK_TWO), 0.70, 0.85),
        *_spread(Action.CHECK_OUT, early[:3], (DESK_ONE,), 0.86, 0.95),
    ]
    return tuple(sorted(steps, key=lambda step: step.at))


def _spread(action: Action, children: Sequence[str], desks: Sequence[str], start: float, end: float) -> list[Step]:
    """The same action for each child, evenly from `start` to `end`, the desks taking turns."""
    width = (end - start) / len(children)
    return [
        Step(start + index * width, desks[index % len(desks)], action, child_id)
        for index, child_id in enumerate(children)
    ]
