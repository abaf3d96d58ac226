"""Bookings of a centre: staff book for every child, parents for their own."""

from datetime import date, datetime
from typing import Annotated
from uuid import UUID
from zoneinfo import ZoneInfo

from fastapi import Depends, Path, Query, status

from server.controllers.api_router import api_router
from server.controllers.dependencies import CurrentUser, ServicesDep, require_role
from server.controllers.pagination import PageDep, next_cursor, read_moment
from server.schemas.base import Moment
from server.schemas.bookings import (
    BatchIn,
    BatchOut,
    BookingIn,
    BookingList,
    BookingOut,
    CancelIn,
    DecisionIn,
    RefusalOut,
    ResultOut,
    Status,
)
from server.services.access import ANYBODY_THERE, STAFF_AND_UP, Center
from server.services.bookings import (
    Cancellation,
    CancelledBy,
    Decision,
    Filter,
    IfFull,
    Listed,
    Wish,
)

BOOKINGS = "bookings"

router = api_router("/centers/{center_id}/bookings", tags=["planning"])
StaffedCenter = Annotated[Center, Depends(require_role(STAFF_AND_UP))]
VisitedCenter = Annotated[Center, Depends(require_role(ANYBODY_THERE))]
BookingIdInPath = Annotated[UUID, Path(description="Id of a booking")]


@router.get("")
async def list_bookings(  # noqa: PLR0913 - each is a part of the request
    center: VisitedCenter,
    user: CurrentUser,
    services: ServicesDep,
    page: PageDep,
    *,
    first_day: Annotated[date | None, Query(description="YYYY-MM-DD")] = None,
    last_day: Annotated[date | None, Query(description="YYYY-MM-DD")] = None,
    child_id: Annotated[UUID | None, Query(description="One child only; a parent must name one of theirs")] = None,
    service_id: Annotated[UUID | None, Query(description="One service only")] = None,
    booking_status: Annotated[Status | None, Query(alias="status", description="Only these")] = None,
    updated_since: Annotated[
        Moment | None, Query(description="`as_of` of an earlier answer: only what was made or changed since")
    ] = None,
) -> BookingList:
    """List bookings by their begin (staff; parents, of their own children).

    Nothing is ever taken away: what ended is there with its status. With `updated_since`, a place in the row of those
    that wait (`waitlist_position`) may be another one without a change of its booking.
    """
    wanted = Filter(
        first_day=first_day,
        last_day=last_day,
        child_id=str(child_id) if child_id else None,
        service_id=str(service_id) if service_id else None,
        status=booking_status or "",
        updated_since=updated_since,
    )
    key = page.after(BOOKINGS, read_moment, UUID)
    after = (key[0], str(key[1])) if key else None
    found = await services.bookings.page(center, user, wanted, after=after, limit=page.limit)
    items = [_booking_out(one, center) for one in found.items]
    as_of = found.as_of.astimezone(ZoneInfo(center.time_zone))
    return BookingList(items=items, next_cursor=next_cursor(BOOKINGS, found.after), as_of=as_of)


@router.post("", status_code=status.HTTP_201_CREATED)
async def book(center: VisitedCenter, body: BookingIn, user: CurrentUser, services: ServicesDep) -> BookingOut:
    """Book a place, or wait for one (staff; parents, for their own children, before it begins).

    Asking again with the same id and content gives the same booking; with other content it is refused (422).
    """
    return _booking_out(await services.bookings.book(center, user, _wish(body)), center)


@router.post("/batch")
async def book_batch(center: VisitedCenter, body: BatchIn, user: CurrentUser, services: ServicesDep) -> BatchOut:
    """Book up to a hundred at once: all or none of them, or each as far as it can be (as for one)."""
    wishes = [_wish(one) for one in body.items]
    if body.mode == "all":
        booked = await services.bookings.book_all(center, user, wishes)
        return BatchOut(
            items=[ResultOut(id=one.booking.id, booking=_booking_out(one, center), refusal=None) for one in booked]
        )
    results = await services.bookings.book_each(center, user, wishes)
    return BatchOut(
        items=[
            ResultOut(
                id=one.wish.id,
                booking=_booking_out(one.listed, center) if one.listed else None,
                refusal=RefusalOut(code=one.refusal.code, detail=one.refusal.detail) if one.refusal else None,
            )
            for one in results
        ]
    )


@router.get("/{booking_id}")
async def get_booking(
    center: VisitedCenter, booking_id: BookingIdInPath, user: CurrentUser, services: ServicesDep
) -> BookingOut:
    """Tell of one booking (staff; parents, of their own children)."""
    return _booking_out(await services.bookings.find(center, user, str(booking_id)), center)


@router.post("/{booking_id}/cancel")
async def cancel_booking(
    center: VisitedCenter, booking_id: BookingIdInPath, body: CancelIn, user: CurrentUser, services: ServicesDep
) -> BookingOut:
    """Give a place back; who waits for it gets it at once (staff; parents, of their own children)."""
    wanted = Cancellation(body.reason, CancelledBy(body.on_behalf_of))
    return _booking_out(await services.bookings.cancel(center, user, str(booking_id), wanted), center)


@router.post("/{booking_id}/decision")
async def decide_booking(
    center: StaffedCenter, booking_id: BookingIdInPath, body: DecisionIn, user: CurrentUser, services: ServicesDep
) -> BookingOut:
    """Answer a request, or somebody who waits (staff)."""
    decided = await services.bookings.decide(center, user, str(booking_id), Decision(body.decision), body.reason)
    return _booking_out(decided, center)


def _wish(body: BookingIn) -> Wish:
    return Wish(
        id=str(body.id),
        child_id=str(body.child_id),
        service_id=str(body.service_id),
        day=body.day,
        starts_at=body.starts_at,
        ends_at=body.ends_at,
        if_full=IfFull(body.if_full),
    )


def _booking_out(listed: Listed, center: Center) -> BookingOut:
    row, zone = listed.booking, ZoneInfo(center.time_zone)

    def local(moment: datetime | None) -> datetime | None:
        return moment.astimezone(zone) if moment else None

    return BookingOut(
        id=row.id,
        child_id=row.child_id,
        service_id=row.service_id,
        schedule_id=row.schedule_id,
        day=row.day,
        starts_at=row.starts_at.astimezone(zone),
        ends_at=row.ends_at.astimezone(zone),
        status=row.status,
        source=row.source,
        waitlist_position=listed.waitlist_position,
        answer_by=local(row.answer_by),
        chargeable=row.chargeable,
        cause=row.cause,
        reason=row.reason,
        made_by=row.made_by,
        created_at=row.created_at.astimezone(zone),
        changed_at=local(row.changed_at),
        cancelled_at=local(row.cancelled_at),
    )
