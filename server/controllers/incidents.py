"""What went wrong on desks."""

from typing import Annotated

from fastapi import Depends

from server.controllers.api_router import api_router
from server.controllers.dependencies import ServicesDep, require_role
from server.controllers.pagination import PageDep
from server.schemas.incidents import IncidentList, IncidentOut, RestoreOut
from server.services.access import MANAGER_AND_UP, Center
from server.services.incidents import IncidentRow, RestoredLife

router = api_router("/centers", tags=["devices"])
ManagedCenter = Annotated[Center, Depends(require_role(MANAGER_AND_UP))]


@router.get("/{center_id}/incidents")
async def list_incidents(center: ManagedCenter, services: ServicesDep, page: PageDep) -> IncidentList:
    """List what went wrong on the kiosks of a centre, and what each restore lost and got back (manager)."""
    found = await services.incidents.of_center(center)
    shown, cursor = page.part("incidents", found.incidents, lambda one: one.event_id)
    return IncidentList(
        items=[_incident(incident) for incident in shown],
        next_cursor=cursor,
        restores=[_restore(life) for life in found.restores],
    )


def _incident(incident: IncidentRow) -> IncidentOut:
    return IncidentOut(
        id=incident.event_id,
        device_id=incident.device_id,
        device_name=incident.device_name,
        incident=incident.incident,
        detail=dict(incident.detail),
        occurred_at=incident.occurred_at,
        received_at=incident.received_at,
    )


def _restore(life: RestoredLife) -> RestoreOut:
    return RestoreOut(
        epoch=life.epoch,
        version=life.from_version,
        restored_at=life.began_at,
        desks=life.desks,
        seen_version=life.seen_version,
        witnessed=life.witnessed,
        events=life.events,
    )
