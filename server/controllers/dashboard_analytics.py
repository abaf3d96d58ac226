"""The page of figures over time: charts drawn here, each with a table of the same numbers; it needs no script."""

import dataclasses
from collections.abc import Iterable, Sequence
from datetime import date, timedelta
from typing import Annotated, Final
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Depends, Query, Request, Response

from server.controllers.analytics import managed_by, usage_figure_out
from server.controllers.dependencies import CenterIdInPath, ServicesDep
from server.controllers.page_route import PageRoute, PageUser, center_frame, framed, page_response
from server.core.errors import InvalidInput
from server.services.access import MANAGER_AND_UP, Center
from server.services.analytics import BREACH_DAYS_MAX, USAGE_DAYS_MAX
from server.services.analytics_figures import Mark, Occupancy, Period, Times
from server.services.bundle import Services
from server.web.charts import DAY_NAMES, Bars, Drawing, Line, curve, heat_map, histogram, told
from server.web.dashboard import Frame

PATH: Final = "/dashboard/centers/{center_id}/analytics"
# Four weeks: each weekday has been there as often as the others.
PERIOD_DAYS: Final = 28
ANOMALIES_SHOWN_MAX: Final = 50
BREACHES_SHOWN_MAX: Final = 50
_HOUR: Final = 60
_DAY_MIN: Final = 24 * 60
_QUARTER: Final = 15

router = APIRouter(route_class=PageRoute, include_in_schema=False)


async def managed_page_center(center_id: CenterIdInPath, user: PageUser, services: ServicesDep) -> Center:
    """Give the centre of a page that is for its managers. Raises NotFound, NotEntitled."""
    return await services.centers.entitled(user, str(center_id), MANAGER_AND_UP)


ManagedPageCenter = Annotated[Center, Depends(managed_page_center)]


@router.get(PATH)
async def analytics(
    request: Request,
    center: ManagedPageCenter,
    user: PageUser,
    services: ServicesDep,
    *,
    first: Annotated[str, Query(alias="from", max_length=10)] = "",
    last: Annotated[str, Query(alias="to", max_length=10)] = "",
) -> Response:
    """Show figures of a period to the managers of a centre: four weeks up to yesterday when nobody says which."""
    period = _period(first, last, services.analytics.today(center))
    frame = framed(request, services, user, title="Figures", section="analytics")
    frame = dataclasses.replace(frame, center=center_frame(center, user))
    others = {one.id: one.name for one in await managed_by(services, user)}
    return await _page(frame, center, services, period, others)


async def _page(
    frame: Frame, center: Center, services: Services, period: tuple[date, date], others: dict[str, str]
) -> Response:
    asked = services.analytics
    about, came = await asked.attendance(center, *period)
    _, full = await asked.occupancy(center, *period)
    _, times = await asked.times(center, *period)
    _, rooms = await asked.rooms(center, *period)
    _, recorded = await asked.records(center, *period)
    _, odd = await asked.anomalies(center, *period, others)
    length = (period[1] - period[0]).days + 1
    usage = (await asked.usage(center, *period))[1] if length <= USAGE_DAYS_MAX else None
    breaches = (await asked.breaches(center, *period))[1] if length <= BREACH_DAYS_MAX else None
    zone = ZoneInfo(center.time_zone)
    return page_response(
        "analytics",
        frame,
        about=about,
        as_of=about.as_of.astimezone(zone),
        came=came,
        charts=_charts(center, about, full, times),
        curve=_average_day(full),
        week=_hours(full.marks),
        full=full,
        times=times,
        rooms=rooms,
        recorded=recorded,
        usage=[usage_figure_out(one) for one in usage.figures] if usage else None,
        totals=usage.totals if usage else (),
        breaches=breaches,
        breaches_shown=breaches.breaches[:BREACHES_SHOWN_MAX] if breaches else (),
        anomalies=odd.anomalies[:ANOMALIES_SHOWN_MAX],
        anomalies_cut=odd.is_cut or len(odd.anomalies) > ANOMALIES_SHOWN_MAX,
        zone=zone,
        told=told,
        day_names=DAY_NAMES,
    )


def _period(first: str, last: str, today: date) -> tuple[date, date]:
    try:
        end = date.fromisoformat(last) if last else today - timedelta(days=1)
        begin = date.fromisoformat(first) if first else end - timedelta(days=PERIOD_DAYS - 1)
    except (ValueError, OverflowError):
        raise InvalidInput("Write the days as 2026-09-21") from None
    return begin, end


def _charts(center: Center, about: Period, full: Occupancy, times: Times) -> dict[str, Drawing]:
    span = _open_minutes(center, full.marks, times)
    days = f"{about.first_day} to {about.last_day}"
    day = _average_day(full)
    limit = [(span[0], float(full.capacity)), (span[1], float(full.capacity))] if full.capacity else []
    return {
        "curve": curve(
            f"Children in and expected at each quarter of an hour, on average of open days, {days}; "
            f"the rooms hold {full.capacity}",
            [
                Line("limit", limit),
                Line("expected", [(minute, booked) for minute, _, booked, _ in day]),
                Line("present", [(minute, present) for minute, present, _, _ in day]),
            ],
            span,
        ),
        "week": heat_map(
            f"Children in at each full hour, on average, by weekday, {days}; {full.capacity} is full",
            _hours(full.marks),
            (span[0] // _HOUR, -(-span[1] // _HOUR)),
            full=float(full.capacity),
        ),
        "times": histogram(
            f"Arrivals and departures by quarter of an hour, {days}",
            [
                Bars("came", {one.minute: one.came for one in times.quarters}),
                Bars("went", {one.minute: one.went for one in times.quarters}),
            ],
            span,
            step=_QUARTER,
        ),
    }


def _average_day(full: Occupancy) -> list[tuple[int, float, float, int]]:
    """Minute, children in and children booked on average of all open days, and in at most."""
    by_minute: dict[int, list[Mark]] = {}
    for mark in full.marks:
        by_minute.setdefault(mark.minute, []).append(mark)
    days = max(full.open_days, 1)
    return [
        (
            minute,
            round(sum(mark.present * mark.marks for mark in marks) / days, 1),
            round(sum(mark.booked * mark.marks for mark in marks) / days, 1),
            max(mark.present_most for mark in marks),
        )
        for minute, marks in sorted(by_minute.items())
    ]


def _hours(marks: Iterable[Mark]) -> dict[tuple[int, int], float]:
    return {(mark.weekday, mark.minute // _HOUR): mark.present for mark in marks if mark.minute % _HOUR == 0}


def _open_minutes(center: Center, marks: Sequence[Mark], times: Times) -> tuple[int, int]:
    """The hours of the centre, and those around them in which somebody was there."""
    told_ = [mark.minute for mark in marks] + [one.minute for one in times.quarters]
    if center.opens_at and center.closes_at:
        told_ += [at.hour * _HOUR + at.minute for at in (center.opens_at, center.closes_at)]
    if not told_:
        return (7 * _HOUR, 18 * _HOUR)
    return (min(told_) // _HOUR * _HOUR, min(_DAY_MIN, (max(told_) // _HOUR + 1) * _HOUR))
