"""Who collects a guardian's child for a day."""

from typing import Annotated
from uuid import UUID

from fastapi import Path, Response, status

from server.controllers.api_router import api_router
from server.controllers.dependencies import CurrentUser, ServicesDep
from server.controllers.pagination import PageDep
from server.schemas.my_pickups import AnnouncementIn, AnnouncementList, AnnouncementOut
from server.services.my_pickups import Announcement, PickupRows

router = api_router("/my/children/{child_id}", tags=["families"])
ChildId = Annotated[UUID, Path(description="Id of a child of mine")]
_NO_STORE = {"cache-control": "no-store"}


@router.get("/pickups")
async def my_pickups(
    child_id: ChildId, user: CurrentUser, services: ServicesDep, page: PageDep, response: Response
) -> AnnouncementList:
    """List whom I announced to collect a child of mine, today and later (guardian); not what others arranged."""
    response.headers.update(_NO_STORE)
    found = [_out(rows) for rows in await services.parents.pickups.mine(user, str(child_id))]
    shown, cursor = page.part("my pickups", found, lambda one: one.id)
    return AnnouncementList(items=list(shown), next_cursor=cursor)


@router.post("/pickups", status_code=status.HTTP_201_CREATED)
async def announce_pickup(
    child_id: ChildId, body: AnnouncementIn, user: CurrentUser, services: ServicesDep, response: Response
) -> AnnouncementOut:
    """Say who collects a child of mine on one day; every desk knows (legal guardian, with the password again).

    It does not lift what the centre decided: for whoever may be somebody who must not collect, the centre is asked.
    """
    response.headers.update(_NO_STORE)
    announced = Announcement(
        id=str(body.id),
        given_name=body.given_name,
        family_name=body.family_name,
        phone=body.phone,
        relationship=body.relationship,
        day=body.day,
    )
    return _out(await services.parents.pickups.announce(user, str(child_id), announced, body.password))


@router.delete("/pickups/{pickup_id}")
async def withdraw_pickup(
    child_id: ChildId, pickup_id: UUID, user: CurrentUser, services: ServicesDep, response: Response
) -> AnnouncementOut:
    """Take an announcement of mine back; nobody is given to this person on it any more (guardian)."""
    response.headers.update(_NO_STORE)
    return _out(await services.parents.pickups.withdraw(user, str(child_id), str(pickup_id)))


def _out(rows: PickupRows) -> AnnouncementOut:
    pickup, relationship, adult = rows
    return AnnouncementOut(
        id=pickup.id,
        child_id=pickup.child_id,
        given_name=adult.given_name,
        family_name=adult.family_name,
        phone=adult.phone,
        relationship=relationship.kind,
        day=pickup.valid_to,
        status=pickup.status,
        withdrawn_at=pickup.withdrawn_at,
    )
