"""Who comes regularly."""

from datetime import time
from typing import Annotated
from uuid import UUID

from fastapi import Depends, Path, Query, status

from server.controllers.api_router import api_router
from server.controllers.dependencies import CurrentUser, ServicesDep, require_role
from server.controllers.pagination import PageDep
from server.schemas.schedules import (
    BookScheduleIn,
    EndedScheduleOut,
    EndScheduleIn,
    MadeOut,
    NewScheduleOut,
    ScheduleIn,
    ScheduleList,
    ScheduleOut,
)
from server.services.access import MANAGER_AND_UP, STAFF_AND_UP, Center
from server.services.day_windows import mask_of, weekdays_of
from server.services.schedules import Made, Schedule, ScheduleWish

router = api_router("/centers/{center_id}/schedules", tags=["planning"])
ManagedCenter = Annotated[Center, Depends(require_role(MANAGER_AND_UP))]
StaffedCenter = Annotated[Center, Depends(require_role(STAFF_AND_UP))]
ScheduleIdInPath = Annotated[UUID, Path(description="Id of a schedule")]


@router.get("")
async def list_schedules(
    center: StaffedCenter,
    services: ServicesDep,
    page: PageDep,
    child_id: Annotated[UUID | None, Query(description="One child only")] = None,
) -> ScheduleList:
    """List the schedules of a centre that have not ended (staff)."""
    found = await services.schedules.of_center(center, str(child_id) if child_id else None)
    shown, cursor = page.part("schedules", found, lambda one: one.id)
    return ScheduleList(items=[_schedule_out(one) for one in shown], next_cursor=cursor)


@router.post("", status_code=status.HTTP_201_CREATED)
async def create_schedule(
    center: ManagedCenter, body: ScheduleIn, user: CurrentUser, services: ServicesDep
) -> NewScheduleOut:
    """Begin a schedule and book its next eight weeks (manager); a job books on from then on.

    Days on which the centre is closed, or the child is booked already, are left out and named. Where there is no
    place the child waits.
    """
    wish = ScheduleWish(
        id=str(body.id),
        child_id=str(body.child_id),
        service_id=str(body.service_id),
        weekdays=mask_of(body.weekdays),
        first_day=body.first_day,
        last_day=body.last_day,
        from_time=time.fromisoformat(body.from_time) if body.from_time else None,
        to_time=time.fromisoformat(body.to_time) if body.to_time else None,
    )
    schedule, made = await services.schedules.create(center, user, wish)
    return NewScheduleOut(schedule=_schedule_out(schedule), made=_made_out(made))


@router.post("/{schedule_id}/bookings")
async def book_schedule(
    center: ManagedCenter, schedule_id: ScheduleIdInPath, body: BookScheduleIn, user: CurrentUser, services: ServicesDep
) -> MadeOut:
    """Book the days of a schedule further ahead (manager); what is booked already is not booked again."""
    return _made_out(await services.schedules.book(center, user, str(schedule_id), body.weeks))


@router.post("/{schedule_id}/end")
async def end_schedule(
    center: ManagedCenter, schedule_id: ScheduleIdInPath, body: EndScheduleIn, user: CurrentUser, services: ServicesDep
) -> EndedScheduleOut:
    """Let a schedule end, and give back what is booked after its last day (manager)."""
    schedule, cancelled = await services.schedules.end(center, user, str(schedule_id), body.last_day)
    return EndedScheduleOut(schedule=_schedule_out(schedule), cancelled=cancelled)


def _schedule_out(row: Schedule) -> ScheduleOut:
    return ScheduleOut(
        id=row.id,
        child_id=row.child_id,
        service_id=row.service_id,
        weekdays=weekdays_of(row.weekdays),
        first_day=row.first_day,
        last_day=row.last_day,
        from_time=f"{row.from_time:%H:%M}" if row.from_time else None,
        to_time=f"{row.to_time:%H:%M}" if row.to_time else None,
    )


def _made_out(made: Made) -> MadeOut:
    return MadeOut(
        confirmed=made.confirmed,
        waitlisted=made.waitlisted,
        closed=list(made.closed),
        booked_already=list(made.booked_already),
    )
