"""What happens to bookings by the passing of time: the job that looks again.

A request that nobody answered in time gives its place back. Who waited until it began gets none any more. A child that
has left the centre gives back all that is ahead. And when a booking is over, it is said whether the child came.
"""

from datetime import datetime, timedelta
from typing import Final

import structlog

from server.core.clock import Clock
from server.models.planning import Booking, BookingStatus, EndCause
from server.repositories import bookings, offers
from server.repositories.unit_of_work import UnitsOfWork
from server.services.booking_steps import Ending, end_all
from sync.limits import REPLICA_DAYS

# What is left over is looked at a minute later.
SERVICES_A_RUN_MAX: Final = 200
BOOKINGS_A_RUN_MAX: Final = 500
# A child that is a little late is no no-show yet, and a fact takes its time to arrive. Within the days that a fold
# looks back, whatever arrives later changes the word.
SETTLE_AFTER: Final = timedelta(hours=1)
SETTLE_WITHIN: Final = timedelta(days=REPLICA_DAYS)

_log = structlog.get_logger(__name__)


class BookingUpkeep:
    """Ends what time ends."""

    def __init__(self, units: UnitsOfWork, clock: Clock) -> None:
        """Write through `units`."""
        self._units = units
        self._clock = clock

    async def run(self) -> int:
        """Look at all bookings once, and give how many ended. Doing it again ends nothing twice.

        Raises:
            DatabaseUnavailable: some may have ended; the next run goes on.

        """
        now = self._clock.now()
        async with self._units.begin() as unit:
            services = await bookings.overdue(unit.session, now, limit=SERVICES_A_RUN_MAX)
        ended = sum([await self._end(center_id, service_id, now) for center_id, service_id in services])
        async with self._units.begin(origin="job") as unit:
            since, before = now - SETTLE_WITHIN, now - SETTLE_AFTER
            settled = await bookings.settle_used(unit.session, since=since, before=before, now=now)
        if ended or settled:
            _log.info("bookings_kept_up", ended=ended, settled=settled)
        return ended

    async def _end(self, center_id: str, service_id: str, now: datetime) -> int:
        async with self._units.begin(origin="job") as unit:
            services = await offers.lock(unit.session, center_id, [service_id])
            found = await bookings.overdue_of(unit.session, center_id, service_id, now, limit=BOOKINGS_A_RUN_MAX)
            left = [booking for booking, is_enrolled in found if _has_left(booking, now, is_enrolled=is_enrolled)]
            expired = [
                booking for booking, is_enrolled in found if not _has_left(booking, now, is_enrolled=is_enrolled)
            ]
            gone = Ending(BookingStatus.CANCELLED_BY_CENTRE, EndCause.ENROLMENT_ENDED, now)
            late = Ending(BookingStatus.DECLINED, EndCause.EXPIRED, now)
            return await end_all(unit, services, left, gone) + await end_all(unit, services, expired, late)


def _has_left(booking: Booking, now: datetime, *, is_enrolled: bool) -> bool:
    return not is_enrolled and booking.starts_at > now
