"""The user who asks: who they are, and what they change of their own account."""

from fastapi import Response, status

from server.controllers.api_router import api_router
from server.controllers.dependencies import CurrentUser, ServicesDep
from server.controllers.preconditions import ExpectedDep, set_etag
from server.schemas.users import Me, MeChange, Membership, OwnErasureIn, PasswordChange
from server.services.access import User

router = api_router("/users", tags=["users"])


@router.get("/me")
async def me(user: CurrentUser, response: Response) -> Me:
    """Who am I, and what may I do where?"""
    return _me(user, response)


@router.patch("/me")
async def change_me(
    body: MeChange, user: CurrentUser, services: ServicesDep, expected: ExpectedDep, response: Response
) -> Me:
    """Change the name that others see (If-Match: the ETag of `GET /users/me`)."""
    return _me(await services.own_account.rename(user, body.display_name, expected), response)


@router.post("/me/password", status_code=status.HTTP_204_NO_CONTENT)
async def change_password(body: PasswordChange, user: CurrentUser, services: ServicesDep) -> None:
    """Change my password; I am signed out everywhere but here."""
    await services.own_account.change_password(user, body.old_password, body.new_password)


@router.post("/me/erasure", status_code=status.HTTP_204_NO_CONTENT)
async def erase_me(body: OwnErasureIn, user: CurrentUser, services: ServicesDep) -> None:
    """Erase my account for good, with my password again; what a centre has on file of me, the centre erases."""
    await services.own_erasure.erase(user, body.password)


def _me(user: User, response: Response) -> Me:
    set_etag(response, user.etag)
    memberships = [Membership(role=grant.role.name.lower(), center_id=grant.center_id) for grant in user.grants]
    return Me(id=user.id, email=user.email, display_name=user.display_name, memberships=memberships)
