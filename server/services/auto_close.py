"""The end of a centre's day: whom nobody saw leave is assumed to have left, and is shown so.

An assumption is an event of its own kind, by the server's own desk. The real departure takes its place whenever it
arrives. It is written down an hour after closing, not at once: a child who waits for a late parent is in the building,
and a desk that was cut off may still tell of departures.
"""

import uuid
from datetime import date, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

import structlog

from server.core.clock import Clock, datetime_of, ms_of, utc_offset_min
from server.repositories import center_days
from server.repositories.center_days import ClosingCenter, OpenStay
from server.repositories.unit_of_work import UnitsOfWork
from server.services.server_desk import ServerDesk
from sync.attendance import AttendanceEvent, EventKind, decode_event
from sync.journal import Outcome

GRACE: Final = timedelta(hours=1)
# A large centre; what is left over is closed a minute later.
STAYS_A_RUN_MAX: Final = 500
_NAMESPACE: Final = uuid.UUID("5b0c9e0e-8a4e-5d5c-9f0e-2f6f6a0f8f11")

_log = structlog.get_logger(__name__)


class AutoClose:
    """Closes the stays that are still open when a centre has closed."""

    def __init__(self, units: UnitsOfWork, desk: ServerDesk, clock: Clock) -> None:
        """Write down through `desk`."""
        self._units = units
        self._desk = desk
        self._clock = clock

    async def run(self) -> int:
        """Look at every centre once, and give how many stays were closed. Doing it again closes nothing twice.

        Raises:
            DatabaseUnavailable: some may be closed; the next run goes on.

        """
        async with self._units.read() as connection:
            centers = await center_days.closing_centers(connection)
        return sum([await self._close(center) for center in centers])

    async def _close(self, center: ClosingCenter) -> int:
        closed_at = last_closing(self._clock.now() - GRACE, center.closes_at, center.time_zone)
        async with self._units.read() as connection:
            stays = await center_days.open_stays(connection, center.id, before=closed_at, limit=STAYS_A_RUN_MAX)
        closed = 0
        for stay in stays:
            outcome = await self._desk.record(self._event(center, stay, closed_at))
            closed += outcome.outcome in (Outcome.APPLIED, Outcome.CONFLICT)
        if stays:
            _log.info("stays_auto_closed", center=center.id, stays=closed, found=len(stays))
        return closed

    def _event(self, center: ClosingCenter, stay: OpenStay, closed_at: datetime) -> AttendanceEvent:
        began = decode_event(stay.body)
        return AttendanceEvent(
            # Two servers, or one that was stopped half-way, make one event of one end, the same to the last byte; when
            # it was written down is when it was received.
            event_id=str(uuid.uuid5(_NAMESPACE, f"{stay.stay_id} {ms_of(closed_at)}")),
            kind=EventKind.AUTO_CLOSE,
            center_id=center.id,
            child_id=began.child_id,
            person_id=began.person_id,
            provisional_name=began.provisional_name,
            occurred_at_ms=ms_of(closed_at),
            recorded_at_ms=ms_of(closed_at),
            utc_offset_min=utc_offset_min(ms_of(closed_at), center.time_zone),
            clock_offset_ms=0,
            clock_error_ms=0,
            auth_method="auto",
        )


def last_closing(now: datetime, closes_at: time, time_zone: str) -> datetime:
    """Give the last moment (UTC) at or before `now` at which a centre closed by its own clock.

    Where the clocks are set back and the hour comes twice, the second one counts; where they are set forward over it,
    the same time after the change.
    """
    zone = ZoneInfo(time_zone)
    today = now.astimezone(zone).date()
    closing = _closing_on(today, closes_at, zone)
    return closing if closing <= now else _closing_on(today - timedelta(days=1), closes_at, zone)


def _closing_on(day: date, closes_at: time, zone: ZoneInfo) -> datetime:
    # Of a time that does not exist, fold 0 is the one counted with the offset before: it lies behind the gap.
    both = [datetime.combine(day, closes_at.replace(tzinfo=zone, fold=fold)) for fold in (0, 1)]
    return datetime_of(max(round(one.timestamp() * 1_000) for one in both))
