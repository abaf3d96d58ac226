"""Checking in and out by a parent's app, at a desk whose code it names."""

from typing import Annotated
from uuid import UUID

from fastapi import Path, status

from server.controllers.api_router import api_router
from server.controllers.dependencies import CurrentUser, ServicesDep
from server.schemas.my_attendance import AppEntryIn, AppEntryOut
from server.services.desk_entries import EventKind
from server.services.my_attendance import AppEntry

router = api_router("/my/children/{child_id}/attendance", tags=["families"])


@router.post("", status_code=status.HTTP_201_CREATED)
async def enter_by_app(
    child_id: Annotated[UUID, Path(description="Id of a child of mine")],
    body: AppEntryIn,
    user: CurrentUser,
    services: ServicesDep,
) -> AppEntryOut:
    """Say that a child of mine came or left just now, with the code of the desk at which I stand (guardian).

    It is entered once however often it is sent with one `event_id`. To check out, the pick-up list must let me.
    """
    entry = AppEntry(str(body.event_id), EventKind(body.kind), body.code)
    found = await services.parents.attendance.enter(user, str(child_id), entry)
    return AppEntryOut(
        event_id=found.entered.event_id,
        version=found.entered.version,
        needs_review=found.entered.needs_review,
        desk_name=found.desk_name,
    )
