"""When an absence excuses a child from a booking; pure.

It does when it was announced before the booking began, or is justified, and stands: an arrival within it has ended it
for all that is booked behind (decision 0031).
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final

from sync.limits import REPLICA_DAYS

# As a desk does, which holds no older days. Whoever asks for fewer days before gets the same answer for the same day.
ARRIVALS_BACK: Final = timedelta(days=REPLICA_DAYS)


@dataclass(frozen=True, slots=True)
class Arrival:
    """When a child came, and on which day of its centre."""

    day: date
    at: datetime


@dataclass(frozen=True, slots=True)
class Announced:
    """An absence that stands, of days both included: when the family said so, and what follows from it."""

    first_day: date
    last_day: date
    told_at: datetime
    billable: bool = True
    justified: bool = False

    def excuses(self, day: date, begins: datetime, arrivals: Collection[Arrival]) -> bool:
        """Whether the child need not come to what is booked on a day from a moment on."""
        if not self.first_day <= day <= self.last_day or not (self.justified or self.told_at <= begins):
            return False
        return not any(self.first_day <= one.day and begins - ARRIVALS_BACK <= one.at < begins for one in arrivals)
