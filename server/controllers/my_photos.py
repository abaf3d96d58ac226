"""Photos for a guardian: of their children, and of whom they announced to collect them."""

from typing import Annotated
from uuid import UUID

from fastapi import Path, Response

from server.controllers.api_router import api_router
from server.controllers.dependencies import CurrentUser, ServicesDep
from server.controllers.photo_files import PHOTO_RESPONSES, IfNoneMatch, photo_response

router = api_router("/my/children/{child_id}", tags=["families"])
ChildId = Annotated[UUID, Path(description="Id of a child of mine")]


@router.get("/photo", response_class=Response, responses=PHOTO_RESPONSES)
async def my_child_photo(
    child_id: ChildId, user: CurrentUser, services: ServicesDep, if_none_match: IfNoneMatch = None
) -> Response:
    """Give the photo of a child of mine (guardian)."""
    return photo_response(await services.photos.of_my_child(user, str(child_id)), if_none_match)


@router.get("/pickups/{pickup_id}/photo", response_class=Response, responses=PHOTO_RESPONSES)
async def my_pickup_photo(
    child_id: ChildId, pickup_id: UUID, user: CurrentUser, services: ServicesDep, if_none_match: IfNoneMatch = None
) -> Response:
    """Give the photo of whom I announced to collect a child of mine (guardian); not of whom others arranged."""
    return photo_response(await services.photos.of_my_pickup(user, str(child_id), str(pickup_id)), if_none_match)
