"""Closures of a centre, and periods whose figures stand."""

from typing import Annotated
from uuid import UUID
from zoneinfo import ZoneInfo

from fastapi import Depends, Path, status

from server.controllers.api_router import api_router
from server.controllers.dependencies import CurrentUser, ServicesDep, require_role
from server.controllers.pagination import PageDep, PageQuery
from server.schemas.center_days import DaysIn, DaysList, DaysOut
from server.services.access import MANAGER_AND_UP, STAFF_AND_UP, Center
from server.services.bundle import Services
from server.services.center_days import CalendarDays, CalendarKind, Days

router = api_router("/centers", tags=["centers"])
ManagedCenter = Annotated[Center, Depends(require_role(MANAGER_AND_UP))]
StaffedCenter = Annotated[Center, Depends(require_role(STAFF_AND_UP))]


@router.get("/{center_id}/closures")
async def list_closures(center: StaffedCenter, services: ServicesDep, page: PageDep) -> DaysList:
    """List the days on which a centre is closed (staff)."""
    return await _listed(services, center, CalendarKind.CLOSURE, page)


@router.post("/{center_id}/closures", status_code=status.HTTP_201_CREATED)
async def close(center: ManagedCenter, user: CurrentUser, services: ServicesDep, body: DaysIn) -> DaysOut:
    """Say that a centre is closed: its bookings are cancelled, and a child that comes is a finding (manager)."""
    days = Days(body.first_day, body.last_day, body.reason)
    return _days(center, await services.center_days.close(center, user, days))


@router.delete("/{center_id}/closures/{closure_id}", status_code=status.HTTP_204_NO_CONTENT)
async def open_again(
    center: ManagedCenter,
    user: CurrentUser,
    services: ServicesDep,
    closure_id: Annotated[UUID, Path(description="Id of a closure")],
) -> None:
    """Take a closure back (manager)."""
    await services.center_days.open_again(center, user, str(closure_id))


@router.get("/{center_id}/period-locks")
async def list_locks(center: StaffedCenter, services: ServicesDep, page: PageDep) -> DaysList:
    """List the periods whose figures stand (staff)."""
    return await _listed(services, center, CalendarKind.LOCK, page)


@router.post("/{center_id}/period-locks", status_code=status.HTTP_201_CREATED)
async def lock(center: ManagedCenter, user: CurrentUser, services: ServicesDep, body: DaysIn) -> DaysOut:
    """Let the figures of days that are over stand; what arrives later is an adjustment, and a finding (manager).

    A lock is never taken back.
    """
    days = Days(body.first_day, body.last_day, body.reason)
    return _days(center, await services.center_days.lock(center, user, days))


async def _listed(services: Services, center: Center, kind: CalendarKind, page: PageQuery) -> DaysList:
    found = await services.center_days.of_center(center, kind)
    shown, cursor = page.part(f"days {kind.value}", found, lambda one: one.id)
    return DaysList(items=[_days(center, one) for one in shown], next_cursor=cursor)


def _days(center: Center, row: CalendarDays) -> DaysOut:
    at = row.at.astimezone(ZoneInfo(center.time_zone))
    return DaysOut(id=row.id, first_day=row.first_day, last_day=row.last_day, reason=row.reason, at=at)
