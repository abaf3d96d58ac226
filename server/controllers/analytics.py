"""Figures over long periods, for managers: of a centre, and of all that they manage beside each other."""

import dataclasses
from datetime import date, datetime
from typing import Annotated, Any, Final
from zoneinfo import ZoneInfo

from fastapi import Depends, Header, Query, Response

from server.controllers.api_router import api_router
from server.controllers.dependencies import CurrentUser, ServicesDep, require_role
from server.core.etags import etag_of
from server.core.money import money_text
from server.schemas.analytics import (
    AnomaliesOut,
    AnomalyOut,
    AttendanceFiguresOut,
    BreachFiguresOut,
    CenterFiguresOut,
    CentersFiguresOut,
    FiguresOut,
    OccupancyOut,
    RecordsOut,
    RoomsOut,
    TimesOut,
    UsageFigureOut,
    UsageOut,
)
from server.schemas.offers import MoneyOut
from server.services.access import MANAGER_AND_UP, Center, User
from server.services.analytics_figures import Anomaly, BreachFigure, Period, UsageFigure
from server.services.bundle import Services

CENTERS_SHOWN_MAX: Final = 50
OF_CENTER: Final = "/centers/{center_id}/analytics"

router = api_router(tags=["analytics"])
ManagedCenter = Annotated[Center, Depends(require_role(MANAGER_AND_UP))]
First = Annotated[date, Query(alias="from", description="First day, YYYY-MM-DD")]
Last = Annotated[date, Query(alias="to", description="Last day, YYYY-MM-DD; it counts, too")]
IfNoneMatch = Annotated[str | None, Header(max_length=200)]
_SAME: Final[dict[int | str, dict[str, Any]]] = {304: {"description": "The figures are those you have"}}
_WORKED_OUT: Final = {"as_of": True, "items": {"__all__": {"as_of"}}}


@router.get(f"{OF_CENTER}/attendance", response_model=AttendanceFiguresOut, responses=_SAME)
async def attendance(
    center: ManagedCenter, services: ServicesDep, first: First, last: Last, if_none_match: IfNoneMatch = None
) -> Response:
    """Give how many of the booked children came, were announced, or stayed away, by day (managers)."""
    period, found = await services.analytics.attendance(center, first, last)
    return _answer(figures_out(AttendanceFiguresOut, center, period, found, ["bookings", "presence"]), if_none_match)


@router.get(f"{OF_CENTER}/occupancy", response_model=OccupancyOut, responses=_SAME)
async def occupancy(
    center: ManagedCenter, services: ServicesDep, first: First, last: Last, if_none_match: IfNoneMatch = None
) -> Response:
    """Give how full the centre is, by weekday and quarter of an hour, beside what is booked (managers)."""
    period, found = await services.analytics.occupancy(center, first, last)
    return _answer(figures_out(OccupancyOut, center, period, found, ["presence", "bookings"]), if_none_match)


@router.get(f"{OF_CENTER}/times", response_model=TimesOut, responses=_SAME)
async def times(
    center: ManagedCenter, services: ServicesDep, first: First, last: Last, if_none_match: IfNoneMatch = None
) -> Response:
    """Give when children come and leave, and how that lies to their bookings (managers)."""
    period, found = await services.analytics.times(center, first, last)
    return _answer(figures_out(TimesOut, center, period, found, ["presence", "bookings"]), if_none_match)


@router.get(f"{OF_CENTER}/rooms", response_model=RoomsOut, responses=_SAME)
async def rooms(
    center: ManagedCenter, services: ServicesDep, first: First, last: Last, if_none_match: IfNoneMatch = None
) -> Response:
    """Give how much each room is used, and by children of which age (managers)."""
    period, found = await services.analytics.rooms(center, first, last)
    return _answer(figures_out(RoomsOut, center, period, found, ["presence"]), if_none_match)


@router.get(f"{OF_CENTER}/records", response_model=RecordsOut, responses=_SAME)
async def records(
    center: ManagedCenter, services: ServicesDep, first: First, last: Last, if_none_match: IfNoneMatch = None
) -> Response:
    """Give how entries were made, by month: by whom attested, how long afterwards, how late sent (managers)."""
    period, found = await services.analytics.records(center, first, last)
    return _answer(figures_out(RecordsOut, center, period, found, ["entries", "presence"]), if_none_match)


@router.get(f"{OF_CENTER}/breaches", response_model=BreachFiguresOut, responses=_SAME)
async def breaches(
    center: ManagedCenter, services: ServicesDep, first: First, last: Last, if_none_match: IfNoneMatch = None
) -> Response:
    """Give when there were too few adults with the children; of at most 31 days (managers)."""
    period, found = await services.analytics.breaches(center, first, last)
    zone = ZoneInfo(center.time_zone)
    local = dataclasses.replace(found, breaches=tuple(_breach_at(one, zone) for one in found.breaches))
    return _answer(figures_out(BreachFiguresOut, center, period, local, ["presence"]), if_none_match)


@router.get(f"{OF_CENTER}/usage", response_model=UsageOut, responses=_SAME)
async def usage(
    center: ManagedCenter, services: ServicesDep, first: First, last: Last, if_none_match: IfNoneMatch = None
) -> Response:
    """Give what was used of the services, and what it comes to; of at most 366 days (managers)."""
    period, found = await services.analytics.usage(center, first, last)
    answer = UsageOut(
        **_period_of(center, period, ["bookings", "presence"]),
        rules_version=found.rules_version,
        figures=[usage_figure_out(one) for one in found.figures],
        totals=[MoneyOut(amount=amount, currency=currency) for currency, amount in found.totals],
    )
    return _answer(answer, if_none_match)


@router.get(f"{OF_CENTER}/anomalies", response_model=AnomaliesOut, responses=_SAME)
async def anomalies(
    center: ManagedCenter,
    user: CurrentUser,
    services: ServicesDep,
    first: First,
    last: Last,
    if_none_match: IfNoneMatch = None,
) -> Response:
    """Give what an auditor would look at: rounded times, entries while closed, a child at two centres (managers)."""
    others = {one.id: one.name for one in await managed_by(services, user)}
    period, found = await services.analytics.anomalies(center, first, last, others)
    answer = AnomaliesOut(
        **_period_of(center, period, ["entries", "presence"]),
        is_cut=found.is_cut,
        anomalies=[anomaly_out(center, one) for one in found.anomalies],
    )
    return _answer(answer, if_none_match)


@router.get("/analytics/centers", response_model=CentersFiguresOut, responses=_SAME)
async def of_centers(
    user: CurrentUser, services: ServicesDep, first: First, last: Last, if_none_match: IfNoneMatch = None
) -> Response:
    """Give the rates of all centres that you manage beside each other; of at most 366 days, and 50 centres."""
    mine = await managed_by(services, user)
    found = await services.analytics.of_centers(mine[:CENTERS_SHOWN_MAX], first, last)
    answer = CentersFiguresOut(
        first_day=first,
        last_day=last,
        is_cut=len(mine) > CENTERS_SHOWN_MAX,
        items=[
            CenterFiguresOut(
                center_id=center.id, code=center.code, name=center.name,
                **{**dataclasses.asdict(figures), "as_of": figures.as_of.astimezone(ZoneInfo(center.time_zone))},
            )
            for center, figures in found
        ],
    )  # fmt: skip
    return _answer(answer, if_none_match)


async def managed_by(services: Services, user: User) -> list[Center]:
    """Give the centres at which a user is a manager or more, by name."""
    return [center for center, roles in await services.centers.visible_to(user) if roles & MANAGER_AND_UP]


def figures_out(shape: type[FiguresOut], center: Center, period: Period, found: Any, basis: list[str]) -> FiguresOut:
    """Give figures as a document: the fields of the period, and those of the figures by their names."""
    plain = {field.name: getattr(found, field.name) for field in dataclasses.fields(found)}
    return shape.model_validate({**plain, **_period_of(center, period, basis)})


def usage_figure_out(figure: UsageFigure) -> UsageFigureOut:
    """Give a sum of usage as a document."""
    amount = MoneyOut(amount=money_text(figure.amount, figure.currency), currency=figure.currency)
    return UsageFigureOut(
        service_code=figure.service_code,
        kind=figure.kind,
        lines=figure.lines,
        quantity=format(figure.quantity.normalize(), "f"),
        unit=figure.unit,
        amount=amount if figure.currency else None,
        unpriced=figure.unpriced,
    )


def anomaly_out(center: Center, anomaly: Anomaly) -> AnomalyOut:
    """Give an anomaly as a document, with where the evidence of its stays is."""
    address = "/api/v1/attendance/stays/{}/evidence?center_id={}"
    return AnomalyOut(
        kind=anomaly.kind,
        at=anomaly.at.astimezone(ZoneInfo(center.time_zone)),
        reason=anomaly.reason,
        child_id=anomaly.child_id,
        staff_id=anomaly.staff_id,
        stay_ids=list(anomaly.stay_ids),
        evidence=[address.format(stay_id, center.id) for stay_id in anomaly.stay_ids],
    )


def _period_of(center: Center, period: Period, basis: list[str]) -> dict[str, Any]:
    return {
        "center_id": center.id,
        "first_day": period.first_day,
        "last_day": period.last_day,
        "time_zone": center.time_zone,
        "as_of": period.as_of.astimezone(ZoneInfo(center.time_zone)),
        "basis": basis,
    }


def _breach_at(breach: BreachFigure, zone: ZoneInfo) -> BreachFigure:
    to_at: datetime | None = breach.to_at.astimezone(zone) if breach.to_at else None
    return dataclasses.replace(breach, from_at=breach.from_at.astimezone(zone), to_at=to_at)


def _answer(figures: FiguresOut | CentersFiguresOut, if_none_match: str | None) -> Response:
    """The tag says nothing of when figures were worked out: the same ones have the same tag, and travel once."""
    tag = etag_of("analytics", figures.model_dump_json(exclude=_WORKED_OUT))  # type: ignore[arg-type]
    headers = {"etag": f'W/"{tag}"', "cache-control": "private, no-cache"}
    if if_none_match == headers["etag"]:
        return Response(status_code=304, headers=headers)
    return Response(figures.model_dump_json(), media_type="application/json", headers=headers)
