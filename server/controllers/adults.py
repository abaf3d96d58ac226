"""Guardians and contacts of a centre, and the accounts they sign in with."""

from typing import Annotated
from uuid import UUID
from zoneinfo import ZoneInfo

from fastapi import Depends, Response, status

from server.controllers.api_router import api_router
from server.controllers.children import given_values
from server.controllers.dependencies import CurrentUser, ServicesDep, require_role
from server.controllers.pagination import PageDep, next_id
from server.controllers.preconditions import ExpectedDep, set_etag
from server.schemas.adults import AccountLinkIn, AccountLinkOut, AdultChangeIn, AdultIn, AdultList, AdultOut
from server.services.access import MANAGER_AND_UP, STAFF_AND_UP, Center
from server.services.adults import Adult

ADULTS = "adults"

# ManagedCenter and StaffedCenter take `center_id` from the path.
router = api_router("/centers/{center_id}", tags=["people"])
ManagedCenter = Annotated[Center, Depends(require_role(MANAGER_AND_UP))]
StaffedCenter = Annotated[Center, Depends(require_role(STAFF_AND_UP))]


@router.get("/adults")
async def list_adults(center: StaffedCenter, services: ServicesDep, page: PageDep) -> AdultList:
    """List the adults of a centre by name (staff)."""
    found = await services.adults.page(center, after=page.after_id(ADULTS), limit=page.limit)
    cursor = next_id(ADULTS, found.after)
    return AdultList(items=[_adult_out(adult) for adult in found.items], next_cursor=cursor)


@router.get("/adults/{adult_id}")
async def get_adult(adult_id: UUID, center: StaffedCenter, services: ServicesDep, response: Response) -> AdultOut:
    """Read an adult (staff)."""
    return _tagged(await services.adults.one(center, str(adult_id)), response)


@router.post("/adults", status_code=status.HTTP_201_CREATED)
async def create_adult(
    body: AdultIn, center: ManagedCenter, user: CurrentUser, services: ServicesDep, response: Response
) -> AdultOut:
    """Put an adult on file, and on every desk (manager). The same again with the same id changes nothing."""
    given = given_values(body)
    adult = Adult(**{**given, "external_id": given.get("external_id") or given["id"]})
    return _tagged(await services.adults.create(center, user, adult), response)


@router.patch("/adults/{adult_id}")
async def change_adult(  # noqa: PLR0913 - each is a part of the request
    adult_id: UUID,
    body: AdultChangeIn,
    center: ManagedCenter,
    user: CurrentUser,
    services: ServicesDep,
    expected: ExpectedDep,
    *,
    response: Response,
) -> AdultOut:
    """Change an adult on file and on every desk (manager; If-Match)."""
    changed = await services.adults.change(center, user, str(adult_id), given_values(body), expected)
    return _tagged(changed, response)


@router.put("/adults/{adult_id}/account")
async def link_account(
    adult_id: UUID, body: AccountLinkIn, center: ManagedCenter, user: CurrentUser, services: ServicesDep
) -> AccountLinkOut:
    """Say which account is this adult's: it sees the children whom the adult may see (manager).

    The account must have a role at the centre, such as that of a parent.
    """
    link = await services.guardian_accounts.link(center, user, str(adult_id), str(body.user_id))
    at = link.linked_at.astimezone(ZoneInfo(center.time_zone))
    return AccountLinkOut(adult_id=link.adult_id, user_id=link.user_id, linked_at=at)


@router.delete("/adults/{adult_id}/account", status_code=status.HTTP_204_NO_CONTENT)
async def unlink_account(adult_id: UUID, center: ManagedCenter, user: CurrentUser, services: ServicesDep) -> None:
    """Take the account from an adult; it sees none of their children any more, and its announcements end (manager)."""
    await services.guardian_accounts.unlink(center, user, str(adult_id))


def _adult_out(adult: Adult) -> AdultOut:
    return AdultOut(**{name: getattr(adult, name) for name in AdultOut.model_fields})


def _tagged(adult: Adult, response: Response) -> AdultOut:
    set_etag(response, adult.etag)
    return _adult_out(adult)
