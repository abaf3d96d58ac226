"""What a desk does beside its door: roll-calls, people, rooms, corrections, today, labels, and its own health."""

from collections.abc import Callable

from kiosk.services.corrections import Corrections
from kiosk.services.health import DeskHealth
from kiosk.services.label_desk import Labels
from kiosk.services.moves import Moves
from kiosk.services.opening import OpenFolder
from kiosk.services.recorder import DeskParts
from kiosk.services.rollcall_desk import RollCalls
from kiosk.services.today import Today, today
from kiosk.services.visits import Visits


class Building:
    """The use-cases of the day, each noun by itself; all are made from the parts of one desk."""

    def __init__(self, parts: DeskParts, opened: Callable[[], OpenFolder], new_id: Callable[[], str]) -> None:
        self.rollcalls = RollCalls(parts, opened, new_id)
        self.visits = Visits(parts, new_id)
        self.moves = Moves(parts)
        self.corrections = Corrections(parts)
        self.health = DeskHealth(parts, opened)
        self.labels = Labels(parts, opened)
        self._following = parts.following
        self._refusals = parts.refusals

    async def today(self) -> Today:
        """Today's children by where they stand; raises DeskError locked or revoked."""
        self._refusals.require_unlocked()
        following = self._following
        return today(following.knowledge, following.today(), following.span_of_today())
