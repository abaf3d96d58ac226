"""What adults are to a child, and what they may know and do."""

from typing import Annotated
from uuid import UUID

from fastapi import Depends, Response, status

from server.controllers.api_router import api_router
from server.controllers.dependencies import CurrentUser, ServicesDep, require_role
from server.controllers.pagination import PageDep
from server.controllers.preconditions import ExpectedDep, MaybeExpectedDep, set_etag
from server.schemas.relationships import RelationshipIn, RelationshipList, RelationshipOut, RightsOut
from server.services.access import MANAGER_AND_UP, STAFF_AND_UP, Center
from server.services.relationships import Kinship, Stated

# ManagedCenter and StaffedCenter take `center_id` from the path.
router = api_router("/centers/{center_id}/children/{child_id}", tags=["people"])
ManagedCenter = Annotated[Center, Depends(require_role(MANAGER_AND_UP))]
StaffedCenter = Annotated[Center, Depends(require_role(STAFF_AND_UP))]


@router.get("/relationships")
async def list_relationships(
    child_id: UUID, center: StaffedCenter, user: CurrentUser, services: ServicesDep, page: PageDep
) -> RelationshipList:
    """List the adults of a child, those who are called first before the others (staff); the reading is noted."""
    found = await services.relationships.of_child(center, user, str(child_id))
    shown, cursor = page.part("relationships", found, lambda one: one.adult_id)
    return RelationshipList(items=[_out(kinship) for kinship in shown], next_cursor=cursor)


@router.put("/relationships/{adult_id}")
async def put_relationship(  # noqa: PLR0913 - each is a part of the request
    child_id: UUID,
    adult_id: UUID,
    body: RelationshipIn,
    center: ManagedCenter,
    user: CurrentUser,
    services: ServicesDep,
    *,
    expected: MaybeExpectedDep,
    response: Response,
) -> RelationshipOut:
    """Say what an adult is to a child and what they may do (manager; If-Match when something is there already)."""
    stated = Stated(**body.model_dump())
    kinship = await services.relationships.put(
        center, user, child_id=str(child_id), adult_id=str(adult_id), stated=stated, expected=expected
    )
    set_etag(response, kinship.etag)
    return _out(kinship)


@router.delete("/relationships/{adult_id}", status_code=status.HTTP_204_NO_CONTENT)
async def remove_relationship(
    child_id: UUID,
    adult_id: UUID,
    center: ManagedCenter,
    user: CurrentUser,
    services: ServicesDep,
    expected: ExpectedDep,
) -> None:
    """Say that an adult is nothing to a child (manager; If-Match); not while a pick-up is on file."""
    await services.relationships.remove(center, user, child_id=str(child_id), adult_id=str(adult_id), expected=expected)


def _out(kinship: Kinship) -> RelationshipOut:
    stated, rights = kinship.stated, kinship.rights
    return RelationshipOut(
        adult_id=kinship.adult_id,
        given_name=kinship.given_name,
        family_name=kinship.family_name,
        kind=stated.kind,
        legal_guardian=stated.legal_guardian,
        can_view=stated.can_view,
        can_book=stated.can_book,
        receives_notifications=stated.receives_notifications,
        emergency_rank=stated.emergency_rank,
        rights=RightsOut(
            can_view=rights.can_view,
            can_book=rights.can_book,
            receives_notifications=rights.receives_notifications,
        ),
        etag=f'"{kinship.etag}"',
    )
