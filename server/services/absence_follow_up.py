"""An hour after a centre has opened: its managers are told how many children are missing, and where to look.

Guardians who chose it are asked about their own child, once for a day.
"""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

import structlog

from server.core.clock import Clock
from server.models.rooms import Center
from server.repositories import center_days, notices
from server.repositories.unit_of_work import UnitOfWork, UnitsOfWork
from server.services.absence_days import bounds_of, is_open_on, missing_children
from server.services.notifications import Notifications

GRACE: Final = timedelta(hours=1)
# A server that starts at noon still tells of the morning; in the evening nobody can do anything about it.
TOLD_WITHIN: Final = timedelta(hours=6)

ABSENCE_ASKED: Final = "absence_asked"

_log = structlog.get_logger(__name__)


class AbsenceFollowUp:
    """Tells managers of children who are expected, not here, and announced by nobody."""

    def __init__(self, units: UnitsOfWork, notifications: Notifications, clock: Clock) -> None:
        """Read and queue through `units`."""
        self._units = units
        self._notifications = notifications
        self._clock = clock

    async def run(self) -> int:
        """Look at every centre once, and give how many mails were queued; a day of a centre is told once.

        Raises:
            DatabaseUnavailable: some may be told; the next run goes on.

        """
        async with self._units.begin() as unit:
            centers = await center_days.opening_centers(unit.session)
        return sum([await self._look(center) for center in centers])

    async def _look(self, center: Center) -> int:
        now = self._clock.now()
        day = due_day(now, center)
        if day is None:
            return 0
        start, _ = bounds_of(day, center.time_zone)
        async with self._units.begin(origin="job") as unit:
            if not await is_open_on(unit.connection, center.id, day):
                return 0
            missing = [one.id for one in await missing_children(unit.connection, center, day, (start, now))]
            if not missing:
                return 0
            mails = await self._notifications.tell_missing(unit, center, day, len(missing))
            mails += await self._ask_guardians(unit, center, day, missing)
        if mails:
            _log.info("missing_children_told", center=center.id, children=len(missing), mails=mails)
        return mails

    async def _ask_guardians(self, unit: UnitOfWork, center: Center, day: date, missing: Sequence[str]) -> int:
        """Ask those who chose to be asked, of children whose time of the day has begun an hour ago."""
        found = await notices.hearers(unit.connection, center.id, missing)
        asked = [one for one in found if ABSENCE_ASKED in one.kinds]
        if not asked:
            return 0
        begun_by = self._clock.now() - GRACE
        ids = {one.child_id for one in asked}
        planned = await notices.planned(unit.connection, center.id, ids, day=day, begun_by=begun_by)
        return await self._notifications.ask_guardians(
            unit, center, day, [one for one in asked if one.child_id in planned]
        )


def due_day(now: datetime, center: Center) -> date | None:
    """Give the day of a centre whose missing children are to be told of now (UTC); None: of none.

    An opening time that does not exist on a day is the one counted with the offset before the change.
    """
    if center.opens_at is None:
        return None
    zone = ZoneInfo(center.time_zone)
    today = now.astimezone(zone).date()
    opened = datetime.combine(today, center.opens_at, zone).astimezone(now.tzinfo)
    return today if opened + GRACE <= now < opened + GRACE + TOLD_WITHIN else None
