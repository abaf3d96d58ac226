"""Centres and their rooms."""

from typing import Annotated
from uuid import UUID

from fastapi import Depends, Response, status

from server.controllers.api_router import api_router
from server.controllers.children import given_values
from server.controllers.dependencies import CurrentUser, ServicesDep, require_role
from server.controllers.pagination import PageDep
from server.controllers.preconditions import ExpectedDep, set_etag
from server.schemas.centers import (
    CenterChangeIn,
    CenterIn,
    CenterList,
    CenterOut,
    RoomChangeIn,
    RoomIn,
    RoomList,
    RoomOut,
    SyncStateOut,
)
from server.services.access import ANYBODY_THERE, MANAGER_AND_UP, STAFF_AND_UP, Center, Room, User
from server.services.premises import NewCenter, NewRoom, etag_of_center, etag_of_room

router = api_router("/centers", tags=["centers"])
OwnCenter = Annotated[Center, Depends(require_role(ANYBODY_THERE))]
StaffedCenter = Annotated[Center, Depends(require_role(STAFF_AND_UP))]
ManagedCenter = Annotated[Center, Depends(require_role(MANAGER_AND_UP))]
_ONE = "/{center_id}"
_ROOMS = "/{center_id}/rooms"


@router.get("")
async def list_centers(user: CurrentUser, services: ServicesDep, page: PageDep) -> CenterList:
    """List the centres where I have a role."""
    shown, cursor = page.part("centers", await services.centers.visible_to(user), lambda one: one[0].id)
    return CenterList(items=[_center_out(center, user) for center, _ in shown], next_cursor=cursor)


@router.post("", status_code=status.HTTP_201_CREATED)
async def open_center(body: CenterIn, user: CurrentUser, services: ServicesDep, response: Response) -> CenterOut:
    """Open a centre of my organisation (admin). The same again with the same id changes nothing."""
    return _tagged(await services.premises.open(user, NewCenter(**given_values(body))), user, response)


@router.get(_ONE)
async def get_center(center: OwnCenter, user: CurrentUser, response: Response) -> CenterOut:
    """Read a centre where I have a role."""
    return _tagged(center, user, response)


@router.patch(_ONE)
async def change_center(
    body: CenterChangeIn,
    center: ManagedCenter,
    user: CurrentUser,
    services: ServicesDep,
    expected: ExpectedDep,
    *,
    response: Response,
) -> CenterOut:
    """Change the name or the hours of a centre, here and on every desk (manager; If-Match)."""
    return _tagged(await services.premises.change(center, user, given_values(body), expected), user, response)


@router.get(_ROOMS)
async def list_rooms(center: StaffedCenter, services: ServicesDep, page: PageDep) -> RoomList:
    """List the rooms of a centre (staff)."""
    shown, cursor = page.part("rooms", await services.centers.rooms(center), lambda one: one.id)
    return RoomList(items=[_room_out(room) for room in shown], next_cursor=cursor)


@router.post(_ROOMS, status_code=status.HTTP_201_CREATED)
async def create_room(
    body: RoomIn, center: ManagedCenter, user: CurrentUser, services: ServicesDep, response: Response
) -> RoomOut:
    """Put a room on every desk (manager). The same again with the same id changes nothing; no room is taken away."""
    given = given_values(body)
    new = NewRoom(**{**given, "external_id": given.get("external_id") or given["id"]})
    return _tagged_room(await services.premises.add_room(center, user, new), response)


@router.get(_ROOMS + "/{room_id}")
async def get_room(room_id: UUID, center: StaffedCenter, services: ServicesDep, response: Response) -> RoomOut:
    """Read a room of a centre (staff)."""
    return _tagged_room(await services.premises.room(center, str(room_id)), response)


@router.patch(_ROOMS + "/{room_id}")
async def change_room(  # noqa: PLR0913 - each is a part of the request
    room_id: UUID,
    body: RoomChangeIn,
    center: ManagedCenter,
    user: CurrentUser,
    services: ServicesDep,
    expected: ExpectedDep,
    *,
    response: Response,
) -> RoomOut:
    """Change a room, here and on every desk (manager; If-Match)."""
    changed = await services.premises.change_room(center, user, str(room_id), given_values(body), expected)
    return _tagged_room(changed, response)


@router.get(_ONE + "/sync-state")
async def sync_state(center: StaffedCenter, services: ServicesDep) -> SyncStateOut:
    """Tell what every device of the centre holds once it is up to date (staff); to compare replicas with."""
    state = await services.attendance.sync_state(center)
    return SyncStateOut(epoch=state.epoch, version=state.version, digests=state.digests)


def _center_out(center: Center, user: User) -> CenterOut:
    return CenterOut(
        id=center.id,
        code=center.code,
        name=center.name,
        time_zone=center.time_zone,
        opens_at=center.opens_at,
        closes_at=center.closes_at,
        organisation_id=center.organisation_id,
        roles=[role.name.lower() for role in sorted(user.roles_at(center))],
        etag=f'"{etag_of_center(center)}"',
    )


def _tagged(center: Center, user: User, response: Response) -> CenterOut:
    set_etag(response, etag_of_center(center))
    return _center_out(center, user)


def _room_out(room: Room) -> RoomOut:
    return RoomOut(
        id=room.id,
        external_id=room.external_id,
        name=room.name,
        capacity=room.capacity,
        sort=room.sort,
        etag=f'"{etag_of_room(room)}"',
    )


def _tagged_room(room: Room, response: Response) -> RoomOut:
    set_etag(response, etag_of_room(room))
    return _room_out(room)
