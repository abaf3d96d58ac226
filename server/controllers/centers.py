"""Centres and their rooms."""

from typing import Annotated

from fastapi import Depends

from server.controllers.api_router import api_router
from server.controllers.dependencies import CurrentUser, ServicesDep, require_role
from server.controllers.pagination import PageDep
from server.schemas.centers import CenterList, CenterOut, RoomList, RoomOut, SyncStateOut
from server.services.access import STAFF_AND_UP, Center, Room

router = api_router("/centers", tags=["centers"])
StaffedCenter = Annotated[Center, Depends(require_role(STAFF_AND_UP))]


@router.get("")
async def list_centers(user: CurrentUser, services: ServicesDep, page: PageDep) -> CenterList:
    """List the centres where I have a role."""
    shown, cursor = page.part("centers", await services.centers.visible_to(user), lambda one: one[0].id)
    items = [
        CenterOut(
            id=center.id,
            code=center.code,
            name=center.name,
            time_zone=center.time_zone,
            opens_at=center.opens_at,
            closes_at=center.closes_at,
            roles=[role.name.lower() for role in sorted(roles)],
        )
        for center, roles in shown
    ]
    return CenterList(items=items, next_cursor=cursor)


@router.get("/{center_id}/rooms")
async def list_rooms(center: StaffedCenter, services: ServicesDep, page: PageDep) -> RoomList:
    """List the rooms of a centre (staff)."""
    shown, cursor = page.part("rooms", await services.centers.rooms(center), lambda one: one.id)
    return RoomList(items=[_room_out(room) for room in shown], next_cursor=cursor)


@router.get("/{center_id}/sync-state")
async def sync_state(center: StaffedCenter, services: ServicesDep) -> SyncStateOut:
    """Tell what every device of the centre holds once it is up to date (staff); to compare replicas with."""
    state = await services.attendance.sync_state(center)
    return SyncStateOut(epoch=state.epoch, version=state.version, digests=state.digests)


def _room_out(room: Room) -> RoomOut:
    return RoomOut(id=room.id, external_id=room.external_id, name=room.name, capacity=room.capacity)
