"""Who may collect a child, and who must not."""

from typing import Annotated, Literal
from uuid import UUID
from zoneinfo import ZoneInfo

from fastapi import Depends, Query, Response, status

from server.controllers.api_router import api_router
from server.controllers.children import given_values
from server.controllers.dependencies import CurrentUser, ServicesDep, require_role
from server.controllers.pagination import PageDep
from server.controllers.preconditions import ExpectedDep, set_etag
from server.core.clock import datetime_of
from server.schemas.pickups import PickupChangeIn, PickupIn, PickupList, PickupOut, StatusSinceOut
from server.services.access import MANAGER_AND_UP, STAFF_AND_UP, Center
from server.services.pickups import NewPickup, Pickup

# ManagedCenter and StaffedCenter take `center_id` from the path.
router = api_router("/centers/{center_id}/children/{child_id}", tags=["people"])
ManagedCenter = Annotated[Center, Depends(require_role(MANAGER_AND_UP))]
StaffedCenter = Annotated[Center, Depends(require_role(STAFF_AND_UP))]


@router.get("/pickups")
async def list_pickups(
    child_id: UUID,
    center: StaffedCenter,
    user: CurrentUser,
    services: ServicesDep,
    page: PageDep,
    *,
    only: Annotated[Literal["current", "all"], Query(description="`all`: also whose last day is over")] = "current",
) -> PickupList:
    """List who may collect a child and who must not, by name (staff); the reading is noted."""
    asked = services.pickups.current if only == "current" else services.pickups.all
    found = [_out(center, pickup) for pickup in await asked(center, user, str(child_id))]
    shown, cursor = page.part("pickups", found, lambda one: one.id)
    return PickupList(items=list(shown), next_cursor=cursor)


@router.get("/pickups/{pickup_id}")
async def get_pickup(
    child_id: UUID, pickup_id: UUID, center: StaffedCenter, user: CurrentUser, services: ServicesDep, response: Response
) -> PickupOut:
    """Read one pick-up (staff); the reading is noted."""
    return _tagged(center, await services.pickups.one(center, user, str(child_id), str(pickup_id)), response)


@router.post("/pickups", status_code=status.HTTP_201_CREATED)
async def create_pickup(
    child_id: UUID, body: PickupIn, center: ManagedCenter, user: CurrentUser, services: ServicesDep, response: Response
) -> PickupOut:
    """Say whether an adult may collect a child; every desk knows (manager). The same with the same id again is one."""
    new = NewPickup(child_id=str(child_id), **given_values(body))
    return _tagged(center, await services.pickups.create(center, user, new), response)


@router.patch("/pickups/{pickup_id}")
async def change_pickup(  # noqa: PLR0913 - each is a part of the request
    child_id: UUID,
    pickup_id: UUID,
    body: PickupChangeIn,
    center: ManagedCenter,
    user: CurrentUser,
    services: ServicesDep,
    *,
    expected: ExpectedDep,
    response: Response,
) -> PickupOut:
    """Change whether, or when, an adult may collect (manager; If-Match); releases are judged anew by it at once."""
    changed = await services.pickups.change(
        center, user, child_id=str(child_id), pickup_id=str(pickup_id), changes=given_values(body), expected=expected
    )
    return _tagged(center, changed, response)


def _tagged(center: Center, pickup: Pickup, response: Response) -> PickupOut:
    set_etag(response, pickup.etag)
    return _out(center, pickup)


def _out(center: Center, pickup: Pickup) -> PickupOut:
    row, relationship, adult = pickup.rows
    zone = ZoneInfo(center.time_zone)
    return PickupOut(
        id=row.id,
        child_id=row.child_id,
        adult_id=row.adult_id,
        given_name=adult.given_name,
        family_name=adult.family_name,
        relationship=relationship.kind,
        status=row.status,
        valid_from=row.valid_from,
        valid_to=row.valid_to,
        history=[
            StatusSinceOut(since=datetime_of(since_ms).astimezone(zone) if since_ms else None, status=said)
            for since_ms, said in row.history
        ],
        announced=row.announced_by is not None,
        withdrawn_at=row.withdrawn_at.astimezone(zone) if row.withdrawn_at else None,
        etag=f'"{pickup.etag}"',
    )
