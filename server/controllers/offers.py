"""What a centre offers: services, their terms, and how full they are."""

from datetime import date, time
from typing import Annotated
from uuid import UUID
from zoneinfo import ZoneInfo

from fastapi import Depends, Path, Query, Response

from server.controllers.api_router import api_router
from server.controllers.dependencies import CurrentUser, ServicesDep, require_role
from server.controllers.pagination import PageDep
from server.controllers.preconditions import ExpectedDep, MaybeExpectedDep, set_etag
from server.core.money import money_text, read_money
from server.schemas.offers import (
    AvailabilityOut,
    AvailableDayOut,
    MoneyOut,
    ServiceIn,
    ServiceList,
    ServiceOut,
    TermsIn,
    TermsOut,
)
from server.services.access import ANYBODY_THERE, MANAGER_AND_UP, Center
from server.services.day_windows import mask_of, weekdays_of
from server.services.offers import Offer, OfferWish, ServiceTerms, ServiceUnit, TermsWish

router = api_router("/centers/{center_id}/services", tags=["planning"])
ManagedCenter = Annotated[Center, Depends(require_role(MANAGER_AND_UP))]
VisitedCenter = Annotated[Center, Depends(require_role(ANYBODY_THERE))]
ServiceIdInPath = Annotated[UUID, Path(description="Id of a service; of a new one, an id of yours")]


@router.get("")
async def list_services(center: VisitedCenter, services: ServicesDep, page: PageDep) -> ServiceList:
    """List what a centre offers, also what it does not offer any more (anybody with a role at the centre)."""
    shown, cursor = page.part("services", await services.offers.of_center(center), lambda one: one.service.id)
    return ServiceList(items=[_service_out(one) for one in shown], next_cursor=cursor)


@router.get("/{service_id}")
async def get_service(
    center: VisitedCenter, service_id: ServiceIdInPath, services: ServicesDep, response: Response
) -> ServiceOut:
    """Tell of one service (anybody with a role at the centre)."""
    return _tagged(await services.offers.find(center, str(service_id)), response)


@router.put("/{service_id}")
async def put_service(  # noqa: PLR0913 - each is a part of the request
    center: ManagedCenter,
    service_id: ServiceIdInPath,
    body: ServiceIn,
    user: CurrentUser,
    services: ServicesDep,
    expected: MaybeExpectedDep,
    *,
    response: Response,
) -> ServiceOut:
    """Make a service, or change it as a whole (manager; If-Match when it is there); more places go to those who wait.

    Fewer places than are taken are refused, and the days are named (409).
    """
    wanted = OfferWish(
        code=body.code,
        name=body.name,
        unit=ServiceUnit(body.unit),
        currency=body.currency,
        capacity=body.capacity,
        weekdays=mask_of(body.weekdays),
        from_time=time.fromisoformat(body.from_time),
        to_time=time.fromisoformat(body.to_time),
        room_id=str(body.room_id) if body.room_id else None,
        needs_approval=body.needs_approval,
        active=body.active,
    )
    return _tagged(await services.offers.put(center, user, str(service_id), wanted, expected), response)


@router.put("/{service_id}/terms/{effective_from}")
async def put_terms(  # noqa: PLR0913 - each is a part of the request
    center: ManagedCenter,
    service_id: ServiceIdInPath,
    effective_from: Annotated[date, Path(description="YYYY-MM-DD")],
    body: TermsIn,
    user: CurrentUser,
    services: ServicesDep,
    *,
    expected: ExpectedDep,
    response: Response,
) -> ServiceOut:
    """Let terms hold from a day on, until those of a later day do (manager; If-Match: the tag of the service).

    Never on days whose figures stand.
    """
    found = await services.offers.find(center, str(service_id))
    currency = found.service.currency
    wanted = TermsWish(
        price=read_money(body.price, currency, what="The price"),
        late_minute_price=read_money(body.late_minute_price, currency, what="The price of a late minute"),
        late_grace_min=body.late_grace_min,
        no_show_percent=body.no_show_percent,
        late_cancel_percent=body.late_cancel_percent,
        cancel_free_hours=body.cancel_free_hours,
        rounding_min=body.rounding_min,
        requires_booking=body.requires_booking,
    )
    offer = await services.offers.put_terms(center, user, str(service_id), effective_from, wanted, expected=expected)
    return _tagged(offer, response)


@router.get("/{service_id}/availability")
async def availability(
    center: VisitedCenter,
    service_id: ServiceIdInPath,
    services: ServicesDep,
    first_day: Annotated[date, Query(description="YYYY-MM-DD")],
    last_day: Annotated[date, Query(description="YYYY-MM-DD; at most 62 days")],
) -> AvailabilityOut:
    """Tell how full a service is, day by day (anybody with a role at the centre)."""
    offer = await services.offers.find(center, str(service_id))
    zone = ZoneInfo(center.time_zone)
    days = await services.offers.availability(center, str(service_id), first_day, last_day)
    items = [
        AvailableDayOut(
            day=one.day,
            starts_at=one.span.starts_at.astimezone(zone) if one.span else None,
            ends_at=one.span.ends_at.astimezone(zone) if one.span else None,
            is_closed=one.is_closed,
            capacity=offer.service.capacity if one.span else 0,
            confirmed=one.confirmed,
            requested=one.requested,
            waitlisted=one.waitlisted,
            free=one.free,
        )
        for one in days
    ]
    return AvailabilityOut(service_id=str(service_id), items=items)


def _tagged(offer: Offer, response: Response) -> ServiceOut:
    set_etag(response, offer.etag)
    return _service_out(offer)


def _service_out(offer: Offer) -> ServiceOut:
    row = offer.service
    return ServiceOut(
        id=row.id,
        code=row.code,
        name=row.name,
        unit=row.unit,
        currency=row.currency,
        capacity=row.capacity,
        weekdays=weekdays_of(row.weekdays),
        from_time=f"{row.from_time:%H:%M}",
        to_time=f"{row.to_time:%H:%M}",
        room_id=row.room_id,
        needs_approval=row.needs_approval,
        active=row.active,
        terms=[_terms_out(one, row.currency) for one in offer.terms],
    )


def _terms_out(row: ServiceTerms, currency: str) -> TermsOut:
    return TermsOut(
        effective_from=row.effective_from,
        version=row.version,
        price=MoneyOut(amount=money_text(row.price, currency), currency=currency),
        late_minute_price=MoneyOut(amount=money_text(row.late_minute_price, currency), currency=currency),
        late_grace_min=row.late_grace_min,
        no_show_percent=row.no_show_percent,
        late_cancel_percent=row.late_cancel_percent,
        cancel_free_hours=row.cancel_free_hours,
        rounding_min=row.rounding_min,
        requires_booking=row.requires_booking,
    )
