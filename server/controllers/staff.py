"""The members of staff of a centre."""

from typing import Annotated
from uuid import UUID

from fastapi import Depends, Response, status

from server.controllers.api_router import api_router
from server.controllers.children import given_values
from server.controllers.dependencies import CurrentUser, ServicesDep, require_role
from server.controllers.pagination import PageDep, next_id
from server.controllers.preconditions import ExpectedDep, set_etag
from server.schemas.staff import StaffChangeIn, StaffIn, StaffList, StaffOut
from server.services.access import MANAGER_AND_UP, Center
from server.services.staff import StaffMember

STAFF = "staff"

# ManagedCenter takes `center_id` from the path.
router = api_router("/centers/{center_id}", tags=["people"])
ManagedCenter = Annotated[Center, Depends(require_role(MANAGER_AND_UP))]


@router.get("/staff")
async def list_staff(center: ManagedCenter, services: ServicesDep, page: PageDep) -> StaffList:
    """List the members of staff of a centre by name (manager)."""
    found = await services.staff.page(center, after=page.after_id(STAFF), limit=page.limit)
    cursor = next_id(STAFF, found.after)
    return StaffList(items=[_out(one) for one in found.items], next_cursor=cursor)


@router.get("/staff/{person_id}")
async def get_member_of_staff(
    person_id: UUID, center: ManagedCenter, services: ServicesDep, response: Response
) -> StaffOut:
    """Read a member of staff (manager)."""
    return _tagged(await services.staff.one(center, str(person_id)), response)


@router.post("/staff", status_code=status.HTTP_201_CREATED)
async def create_member_of_staff(
    body: StaffIn, center: ManagedCenter, user: CurrentUser, services: ServicesDep, response: Response
) -> StaffOut:
    """Put somebody on the staff, and on every desk (manager). The same again with the same id changes nothing.

    It gives no log-in: an invitation does.
    """
    given = given_values(body)
    member = StaffMember(**{**given, "external_id": given.get("external_id") or given["id"]})
    return _tagged(await services.staff.create(center, user, member), response)


@router.patch("/staff/{person_id}")
async def change_member_of_staff(  # noqa: PLR0913 - each is a part of the request
    person_id: UUID,
    body: StaffChangeIn,
    center: ManagedCenter,
    user: CurrentUser,
    services: ServicesDep,
    expected: ExpectedDep,
    *,
    response: Response,
) -> StaffOut:
    """Change a member of staff on file and on every desk (manager; If-Match)."""
    changed = await services.staff.change(center, user, str(person_id), given_values(body), expected)
    return _tagged(changed, response)


def _out(member: StaffMember) -> StaffOut:
    return StaffOut(**{name: getattr(member, name) for name in StaffOut.model_fields})


def _tagged(member: StaffMember, response: Response) -> StaffOut:
    set_etag(response, member.etag)
    return _out(member)
