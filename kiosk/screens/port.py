"""What the screens ask of the world: a desk and a clock, as small as they can be."""

from collections.abc import Sequence
from typing import Protocol

from kiosk.messages import DeskStatus, Quarantined
from kiosk.services.building import Building
from kiosk.services.desk import Collector, Recorded, RosterLine, Wish
from kiosk.services.subscription import Subscription


class WallClock(Protocol):
    """Knows the time of day."""

    def wall_ms(self) -> int:
        """Milliseconds since the Unix epoch, UTC."""
        ...


class DeskPort(Protocol):
    """The desk as a person uses it; every method may raise DeskError, which says what to do."""

    @property
    def building(self) -> Building:
        """Roll-calls, staff and visitors, rooms, corrections, today, and how the desk itself is."""
        ...

    @property
    def quarantined(self) -> Quarantined | None:
        """What became of a replica that could not be trusted when the desk was opened."""
        ...

    async def roster(self) -> Sequence[RosterLine]:
        """Every child of today's roster, in the order to show."""
        ...

    async def search(self, text: str) -> Sequence[RosterLine]:
        """The children whose name fits, best first; accents and the order of words do not matter."""
        ...

    async def collectors(self, child_id: str) -> Sequence[Collector]:
        """Who may and who may not collect this child."""
        ...

    async def check_in(self, child_id: str) -> Recorded:
        """Record that a child came; durable when this returns."""
        ...

    async def check_out(self, child_id: str, *, adult_id: str = "", adult_name: str = "") -> Recorded:
        """Record that a child left, and with whom; durable when this returns."""
        ...

    async def record(self, *wishes: Wish) -> tuple[Recorded, ...]:
        """Record anything, of whatever subject, together: all or none; durable when this returns."""
        ...

    async def status(self) -> DeskStatus:
        """Everything for the status line."""
        ...

    async def run_link(self) -> None:
        """Keep in touch with the server until cancelled."""
        ...

    def subscribe(self) -> Subscription:
        """The desk's messages from now on."""
        ...
