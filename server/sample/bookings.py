"""The bookings of a sample centre: what a schedule has on each day, and what became of it."""

from collections.abc import Callable, Mapping, Sequence
from datetime import date, time
from typing import Final
from zoneinfo import ZoneInfo

from server.core.clock import datetime_of
from server.models.planning import BookingSource, BookingStatus, EndCause
from server.repositories import sample_rows
from server.repositories.sample_rows import BookingLine
from server.repositories.unit_of_work import UnitsOfWork
from server.sample.days import DAY_MS, Visit
from server.sample.towns import Tariff
from server.services.access import Center
from server.services.day_windows import Window

# The job books eight weeks ahead; who gives a day back in time does so a week before, who does not in the morning.
AHEAD_MS: Final = 56 * DAY_MS
EARLY_MS: Final = 7 * DAY_MS
MORNING_MS: Final = 7 * 3_600_000
WEEKDAYS: Final = 31


def tariff_hours(tariff: Tariff) -> tuple[time, time]:
    """Give the local hours of a service."""
    return time.fromisoformat(tariff.from_time), time.fromisoformat(tariff.to_time)


class BookingBook:
    """Collects the bookings of a centre and writes them in bulk."""

    def __init__(
        self, center: Center, services: Mapping[str, str], office_id: str, id_at: Callable[[int], str]
    ) -> None:
        """`services` are ids by code; `id_at` makes an id of a moment (UTC milliseconds)."""
        self.services = services
        self.office_id = office_id
        self.schedules: dict[str, str] = {}
        self._center = center
        self._zone = ZoneInfo(center.time_zone)
        self._id_at = id_at
        self._lines: list[BookingLine] = []

    def add(self, day: date, visits: Sequence[Visit], ids: Mapping[str, str], midnight_ms: int) -> None:
        """Note the booked days of children; `midnight_ms` is when the day begins at the centre."""
        self._lines += [self._line(day, visit, ids, midnight_ms) for visit in visits]

    async def flush(self, units: UnitsOfWork) -> int:
        """Write what was noted, and give how much it was."""
        lines, self._lines = self._lines, []
        async with units.begin(origin="sample") as unit:
            await sample_rows.add_bookings(unit.connection, lines)
        return len(lines)

    def _line(self, day: date, visit: Visit, ids: Mapping[str, str], midnight_ms: int) -> BookingLine:
        child = visit.child
        span = Window(WEEKDAYS, *tariff_hours(child.tariff)).span(day, self._zone)
        status = BookingStatus.ATTENDED if visit.came else BookingStatus.NO_SHOW
        cancelled_ms = None
        if visit.cancelled:
            status = BookingStatus.CANCELLED_BY_PARENT
            cancelled_ms = midnight_ms - EARLY_MS if visit.cancelled == "early" else midnight_ms + MORNING_MS
        return BookingLine(
            center_id=self._center.id,
            id=self._id_at(midnight_ms - AHEAD_MS),
            child_id=ids[child.external_id],
            service_id=self.services[child.tariff.code],
            schedule_id=self.schedules[child.external_id],
            day=day,
            starts_at=span.starts_at,
            ends_at=span.ends_at,
            status=status.value,
            source=BookingSource.SCHEDULE.value,
            cause=EndCause.PARENT.value if visit.cancelled else EndCause.NONE.value,
            chargeable=visit.cancelled == "late",
            reason="",
            content=b"",
            created_at=datetime_of(midnight_ms - AHEAD_MS),
            made_by=self.office_id,
            cancelled_at=None if cancelled_ms is None else datetime_of(cancelled_ms),
        )
