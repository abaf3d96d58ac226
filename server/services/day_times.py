"""When each child is expected today, kept for a minute: boards are made many times a second, plans change rarely."""

from collections.abc import Mapping
from datetime import datetime
from typing import Final

from server.core.clock import ms_of
from server.models.rooms import Center
from server.services.day_windows import Span
from server.services.expected import Expected

MINUTE_MS: Final = 60_000
# Centres with somebody who watches; one has a thousand children with a time or two at most.
CENTERS_MAX: Final = 200

Times = Mapping[str, tuple[Span, ...]]
"""The booked and scheduled times of each child that has any, by its id, the earliest first."""


class DayTimes:
    """Asks who is expected once in a minute for each centre."""

    def __init__(self, expected: Expected) -> None:
        """Ask `expected`."""
        self._expected = expected
        self._known: dict[str, tuple[int, Times]] = {}

    def known(self, center_id: str, now: datetime) -> Times | None:
        """Give them without asking; None when they were not asked for within this minute."""
        known = self._known.get(center_id)
        return known[1] if known is not None and known[0] == ms_of(now) // MINUTE_MS else None

    async def of(self, center: Center, now: datetime) -> Times:
        """Give the times of the day as they were known within this minute. Raises DatabaseUnavailable."""
        known = self.known(center.id, now)
        if known is not None:
            return known
        minute = ms_of(now) // MINUTE_MS
        found = await self._expected.of_day(center, None)
        times = {one.child.id: tuple(time.span for time in one.times) for one in found.children}
        if len(self._known) >= CENTERS_MAX:
            self._known.clear()
        self._known[center.id] = (minute, times)
        return times
