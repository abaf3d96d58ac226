"""Copies of a child's file for who runs its centre: asked for here, and then among one's own (`my_exports`)."""

from typing import Annotated
from uuid import UUID

from fastapi import Depends, Path, status

from server.controllers.api_router import api_router
from server.controllers.dependencies import CurrentUser, ServicesDep, require_role
from server.controllers.my_exports import export_out
from server.schemas.exports import ExportOut
from server.services.access import MANAGER_AND_UP, Center

# ManagedCenter takes `center_id` from the path.
router = api_router("/centers/{center_id}/children/{child_id}/exports", tags=["exports"])
ManagedCenter = Annotated[Center, Depends(require_role(MANAGER_AND_UP))]


@router.post("", status_code=status.HTTP_202_ACCEPTED)
async def ask_for_child_export(
    center: ManagedCenter,
    child_id: Annotated[UUID, Path(description="Id of a child")],
    user: CurrentUser,
    services: ServicesDep,
) -> ExportOut:
    """Ask for a copy of a child's file (manager); it is among my exports, and nobody else may take it."""
    return export_out(await services.parents.exports.ask_for_child(center, user, str(child_id)))
