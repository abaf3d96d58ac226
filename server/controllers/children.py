"""The children of a centre."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import Depends, Query, Response, status

from server.controllers.api_router import api_router
from server.controllers.dependencies import CurrentUser, ServicesDep, require_role
from server.controllers.pagination import PageDep, next_id
from server.controllers.preconditions import ExpectedDep, set_etag
from server.schemas.base import Input
from server.schemas.children import ChildChangeIn, ChildIn, ChildList, ChildOut, ListedChildOut
from server.services.access import MANAGER_AND_UP, STAFF_AND_UP, Center
from server.services.children import Child, ChildFilter

CHILDREN = "children"
VERSION_MAX = 2**63 - 1

# ManagedCenter and StaffedCenter take `center_id` from the path.
router = api_router("/centers/{center_id}", tags=["people"])
ManagedCenter = Annotated[Center, Depends(require_role(MANAGER_AND_UP))]
StaffedCenter = Annotated[Center, Depends(require_role(STAFF_AND_UP))]


@router.get("/children")
async def list_children(
    center: StaffedCenter,
    services: ServicesDep,
    page: PageDep,
    *,
    enrolled: Annotated[bool | None, Query(description="Only these")] = None,
    room_id: Annotated[UUID | None, Query(description="Only those whose own room this is")] = None,
    updated_since: Annotated[
        int, Query(ge=0, le=VERSION_MAX, description="`version` of an earlier answer: only what changed after it")
    ] = 0,
) -> ChildList:
    """List the children of a centre by name (staff).

    A child that moved to another centre is on no list any more, with `updated_since` neither.
    """
    wanted = ChildFilter(enrolled, str(room_id) if room_id else None, updated_since)
    after = page.after_id(CHILDREN)
    found = await services.children.page(center, wanted, after=after, limit=page.limit)
    return ChildList(
        items=[ListedChildOut(**child_values(child), version=version) for child, version in found.items],
        next_cursor=next_id(CHILDREN, found.after),
        version=found.version,
    )


@router.get("/children/{child_id}")
async def get_child(
    child_id: UUID, center: StaffedCenter, user: CurrentUser, services: ServicesDep, response: Response
) -> ChildOut:
    """Read a child (staff); the reading is noted."""
    return _tagged(await services.children.one(center, user, str(child_id)), response)


@router.post("/children", status_code=status.HTTP_201_CREATED)
async def create_child(
    body: ChildIn, center: ManagedCenter, user: CurrentUser, services: ServicesDep, response: Response
) -> ChildOut:
    """Put a child on the roster, and on every desk (manager). The same again with the same id changes nothing."""
    given = given_values(body)
    child = Child(**{**given, "external_id": given.get("external_id") or given["id"]})
    return _tagged(await services.children.create(center, user, child), response)


@router.patch("/children/{child_id}")
async def change_child(  # noqa: PLR0913 - each is a part of the request
    child_id: UUID,
    body: ChildChangeIn,
    center: ManagedCenter,
    user: CurrentUser,
    services: ServicesDep,
    expected: ExpectedDep,
    *,
    response: Response,
) -> ChildOut:
    """Change a child on the roster and on every desk (manager; If-Match)."""
    changed = await services.children.change(center, user, str(child_id), given_values(body), expected)
    return _tagged(changed, response)


def given_values(body: Input) -> dict[str, Any]:
    """Give what was sent, ids as texts; what was left out is not there."""
    given = body.model_dump(exclude_unset=True)
    return {name: str(value) if isinstance(value, UUID) else value for name, value in given.items()}


def child_values(child: Child) -> dict[str, Any]:
    """Give the fields of a child."""
    return {name: getattr(child, name) for name in ChildOut.model_fields}


def _tagged(child: Child, response: Response) -> ChildOut:
    set_etag(response, child.etag)
    return ChildOut(**child_values(child))
