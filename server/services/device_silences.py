"""A desk that is not heard while its centre is open: managers get one mail for each silence, webhooks are told."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

import structlog

from server.core.clock import Clock
from server.models.rooms import Center
from server.repositories import center_days, center_events, device_silences
from server.repositories.device_silences import HeardDesk
from server.repositories.unit_of_work import UnitsOfWork
from server.services.absence_days import is_open_on
from server.services.notifications import Notifications

# A desk says something every 5 s, and a restart of either side takes a minute; a router's, a few.
SILENT_AFTER: Final = timedelta(minutes=15)

_log = structlog.get_logger(__name__)


@dataclass(slots=True)
class Turned:
    """Desks that fell silent (with when they were last heard), and those that are heard again (silent since)."""

    silent: dict[str, datetime] = field(default_factory=dict)
    heard: dict[str, datetime] = field(default_factory=dict)


class DeviceSilences:
    """Looks which desks are heard."""

    def __init__(self, units: UnitsOfWork, notifications: Notifications, clock: Clock) -> None:
        """Read and write through `units`."""
        self._units = units
        self._notifications = notifications
        self._clock = clock

    async def run(self) -> int:
        """Look at every centre with opening hours once, and give how many desks fell silent or were heard again.

        Raises:
            DatabaseUnavailable: some may be told; the next run goes on.

        """
        async with self._units.begin() as unit:
            centers = await center_days.opening_centers(unit.session)
        return sum([await self._look(center) for center in centers])

    async def _look(self, center: Center) -> int:
        now = self._clock.now()
        async with self._units.begin(origin="job") as unit:
            connection = unit.connection
            await device_silences.forget_retired(connection, center.id)
            opened = opened_at(now, center)
            if opened is not None and not await is_open_on(connection, center.id, opened[1].date()):
                opened = None
            turned = turned_of(await device_silences.desks(connection, center.id), opened and opened[0], now)
            for device_id, heard_at in turned.silent.items():
                await device_silences.note(connection, center.id, device_id, heard_at)
            await device_silences.end(connection, center.id, list(turned.heard))
            if turned.silent:
                await self._notifications.tell_silent(unit, center, turned.silent)
            for kind, desks in (("device.silent", turned.silent), ("device.heard", turned.heard)):
                for device_id, since in desks.items():
                    detail = {"silent_since": since.isoformat()}
                    await center_events.note(connection, center.id, kind, device_id, detail, now)
        if turned.silent or turned.heard:
            _log.info("desks_turned", center=center.id, silent=len(turned.silent), heard=len(turned.heard))
        return len(turned.silent) + len(turned.heard)


def opened_at(now: datetime, center: Center) -> tuple[datetime, datetime] | None:
    """Give since when a centre is open (UTC, and in its own time); None: it is closed at `now` (UTC).

    Without a closing time it closes at midnight; one that is not after the opening is on the next day.
    """
    if center.opens_at is None:
        return None
    zone = ZoneInfo(center.time_zone)
    today = now.astimezone(zone).date()
    for day in (today, today - timedelta(days=1)):
        opens = datetime.combine(day, center.opens_at, zone)
        closes = datetime.combine(day + timedelta(days=1), datetime.min.time(), zone)
        if center.closes_at is not None:
            is_overnight = center.closes_at <= center.opens_at
            closes = datetime.combine(day + timedelta(days=is_overnight), center.closes_at, zone)
        if opens.astimezone(now.tzinfo) <= now < closes.astimezone(now.tzinfo):
            return opens.astimezone(now.tzinfo), opens
    return None


def turned_of(desks: Iterable[HeardDesk], opened: datetime | None, now: datetime) -> Turned:
    """Decide which desks fell silent and which are heard again; while the centre is closed (None) none falls silent.

    A desk may be off at night: what counts is how long it was not heard since the centre opened.
    """
    turned = Turned()
    for desk in desks:
        if desk.silent_since is not None:
            if desk.heard_at > desk.silent_since:
                turned.heard[desk.device_id] = desk.silent_since
        elif opened is not None and now - max(desk.heard_at, opened) >= SILENT_AFTER:
            turned.silent[desk.device_id] = desk.heard_at
    return turned
