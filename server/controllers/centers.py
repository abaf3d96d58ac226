"""Centres and their rooms."""

from typing import Annotated

from fastapi import APIRouter, Depends

from server.controllers.dependencies import CurrentUser, ServicesDep, require_role
from server.schemas.centers import CenterList, CenterOut, RoomList, RoomOut, SyncStateOut
from server.services.access import STAFF_AND_UP, Center, Room

router = APIRouter(prefix="/centers", tags=["centers"])
StaffedCenter = Annotated[Center, Depends(require_role(STAFF_AND_UP))]


@router.get("")
async def list_centers(user: CurrentUser, services: ServicesDep) -> CenterList:
    """List the centres where I have a role."""
    found = await services.centers.visible_to(user)
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
        for center, roles in found
    ]
    return CenterList(items=items)


@router.get("/{center_id}/rooms")  # noqa: FAST003 - StaffedCenter takes it
async def list_rooms(center: StaffedCenter, services: ServicesDep) -> RoomList:
    """List the rooms of a centre (staff)."""
    rooms = await services.centers.rooms(center)
    return RoomList(items=[_room_out(room) for room in rooms])


@router.get("/{center_id}/sync-state")  # noqa: FAST003 - StaffedCenter takes it
async def sync_state(center: StaffedCenter, services: ServicesDep) -> SyncStateOut:
    """Tell what every device of the centre holds once it is up to date (staff); to compare replicas with."""
    state = await services.attendance.sync_state(center)
    return SyncStateOut(epoch=state.epoch, version=state.version, digests=state.digests)


def _room_out(room: Room) -> RoomOut:
    return RoomOut(id=room.id, external_id=room.external_id, name=room.name, capacity=room.capacity)
