"""Photos of the children and adults of a centre."""

from typing import Annotated
from uuid import UUID
from zoneinfo import ZoneInfo

from fastapi import Depends, Header, Response, status

from server.controllers.api_router import api_router
from server.controllers.dependencies import CurrentUser, ServicesDep, require_role
from server.controllers.photo_files import PHOTO_BODY, PHOTO_RESPONSES, IfNoneMatch, UploadDep, photo_response
from server.controllers.preconditions import IF_MATCH_CHARACTERS_MAX, ExpectedDep, read_if_match, set_etag
from server.schemas.photos import PhotoOut
from server.services.access import MANAGER_AND_UP, STAFF_AND_UP, Center
from server.services.photos import Shown, Whose, WhoseKind

# ManagedCenter and StaffedCenter take `center_id` from the path.
router = api_router("/centers/{center_id}", tags=["people"])
ManagedCenter = Annotated[Center, Depends(require_role(MANAGER_AND_UP))]
StaffedCenter = Annotated[Center, Depends(require_role(STAFF_AND_UP))]
IfMatch = Annotated[
    str | None, Header(max_length=IF_MATCH_CHARACTERS_MAX, description="The ETag of what is there; without: nothing is")
]


@router.get("/children/{child_id}/photo", response_class=Response, responses=PHOTO_RESPONSES)
async def get_child_photo(
    child_id: UUID,
    center: StaffedCenter,
    user: CurrentUser,
    services: ServicesDep,
    if_none_match: IfNoneMatch = None,
) -> Response:
    """Give the photo of a child (staff); the reading is noted."""
    return photo_response(await services.photos.one(center, user, _child(child_id)), if_none_match)


@router.put("/children/{child_id}/photo", openapi_extra=PHOTO_BODY)
async def put_child_photo(  # noqa: PLR0913 - each is a part of the request
    child_id: UUID,
    upload: UploadDep,
    center: ManagedCenter,
    user: CurrentUser,
    services: ServicesDep,
    *,
    response: Response,
    if_match: IfMatch = None,
) -> PhotoOut:
    """Keep a photo of a child: JPEG, PNG or WebP of at most 1 MiB (manager; If-Match when there is one already).

    It is drawn anew: where and when it was taken, and whatever else is in the file, is not kept. Desks get a small
    picture of it.
    """
    expected = read_if_match(if_match) if if_match is not None else None
    return _tagged(await services.photos.put(center, user, _child(child_id), upload, expected), center, response)


@router.delete("/children/{child_id}/photo", status_code=status.HTTP_204_NO_CONTENT)
async def remove_child_photo(
    child_id: UUID, center: ManagedCenter, user: CurrentUser, services: ServicesDep, expected: ExpectedDep
) -> None:
    """Take the photo of a child away, here and from every desk (manager; If-Match)."""
    await services.photos.remove(center, user, _child(child_id), expected)


@router.get("/adults/{adult_id}/photo", response_class=Response, responses=PHOTO_RESPONSES)
async def get_adult_photo(
    adult_id: UUID,
    center: StaffedCenter,
    user: CurrentUser,
    services: ServicesDep,
    if_none_match: IfNoneMatch = None,
) -> Response:
    """Give the photo of an adult (staff)."""
    return photo_response(await services.photos.one(center, user, _adult(adult_id)), if_none_match)


@router.put("/adults/{adult_id}/photo", openapi_extra=PHOTO_BODY)
async def put_adult_photo(  # noqa: PLR0913 - each is a part of the request
    adult_id: UUID,
    upload: UploadDep,
    center: ManagedCenter,
    user: CurrentUser,
    services: ServicesDep,
    *,
    response: Response,
    if_match: IfMatch = None,
) -> PhotoOut:
    """Keep a photo of an adult, as one of a child (manager; If-Match when there is one already)."""
    expected = read_if_match(if_match) if if_match is not None else None
    return _tagged(await services.photos.put(center, user, _adult(adult_id), upload, expected), center, response)


@router.delete("/adults/{adult_id}/photo", status_code=status.HTTP_204_NO_CONTENT)
async def remove_adult_photo(
    adult_id: UUID, center: ManagedCenter, user: CurrentUser, services: ServicesDep, expected: ExpectedDep
) -> None:
    """Take the photo of an adult away, here and from every desk (manager; If-Match)."""
    await services.photos.remove(center, user, _adult(adult_id), expected)


def _child(child_id: UUID) -> Whose:
    return Whose(WhoseKind.CHILD, str(child_id))


def _adult(adult_id: UUID) -> Whose:
    return Whose(WhoseKind.ADULT, str(adult_id))


def _tagged(photo: Shown, center: Center, response: Response) -> PhotoOut:
    set_etag(response, photo.etag)
    return PhotoOut(
        width=photo.width,
        height=photo.height,
        bytes=len(photo.body),
        set_at=photo.set_at.astimezone(ZoneInfo(center.time_zone)),
        etag=f'"{photo.etag}"',
    )
