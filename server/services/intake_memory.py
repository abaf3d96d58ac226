"""What the intake still knows of centres whose logs end where it left them: nothing of it need be read again.

Every fact enters with a version of its centre's log. So while the head that is locked is the one that the last
transaction here left behind, no fact has come since, and none has gone.
"""

from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Final

from server.repositories.projections import Fresh, NewStay
from sync.change_log import Head
from sync.intake import Intake

# About 1 KiB each: 50 MiB.
FACTS_MAX: Final = 50_000


@dataclass(slots=True)
class Remembered:
    """An intake, the children it knows, and from when on (UTC milliseconds) it has the facts of each.

    `fresh` is for each subject an arrival that found nobody in, from which it can be folded; None: from the first fact.
    `asked` are events that acts name and that were looked for. `clean` says of whom there are no reviews, and since
    which of their stays. `stays` are the rows of the last stays of each, by number, as they stand in the table.
    """

    intake: Intake
    children: set[str] = field(default_factory=set)
    since_ms: dict[str, int] = field(default_factory=dict)
    fresh: dict[str, Fresh | None] = field(default_factory=dict)
    asked: set[str] = field(default_factory=set)
    clean: dict[str, int] = field(default_factory=dict)
    stays: dict[str, dict[int, NewStay]] = field(default_factory=dict)


class IntakeMemory:
    """Intakes by centre, each with the head at which it is true; the ones used longest ago go first."""

    def __init__(self, *, facts_max: int = FACTS_MAX) -> None:
        """Hold nothing yet, and never more than `facts_max` facts."""
        self._facts_max = facts_max
        self._facts = 0
        self._held: OrderedDict[str, tuple[Head, Remembered, int]] = OrderedDict()

    def take(self, center_id: str, head: Head) -> Remembered | None:
        """Give what is known of a centre at this head, and forget it: it is kept again once it is true again."""
        found = self._held.pop(center_id, None)
        if found is None:
            return None
        known_head, remembered, facts = found
        self._facts -= facts
        return remembered if known_head == head else None

    def keep(self, center_id: str, head: Head, remembered: Remembered) -> None:
        """Remember what is true at this head, which is committed."""
        self.take(center_id, head)
        facts = len(remembered.intake)
        self._held[center_id] = (head, remembered, facts)
        self._facts += facts
        while self._facts > self._facts_max:
            _, (_, _, dropped) = self._held.popitem(last=False)
            self._facts -= dropped
