"""The people of a centre who can sign in, and invitations to them."""

from typing import Annotated
from uuid import UUID

from fastapi import Depends, Response, status

from server.controllers.api_router import api_router
from server.controllers.dependencies import CurrentUser, ServicesDep, require_role
from server.controllers.pagination import PageDep, next_id
from server.controllers.preconditions import ExpectedDep, set_etag
from server.schemas.users import (
    InvitationIn,
    InvitationList,
    InvitationOut,
    InvitedOut,
    MemberChangeIn,
    MemberList,
    MemberOut,
)
from server.services.access import MANAGER_AND_UP, Center, RoleId
from server.services.invitations import Invitation
from server.services.members import Member, MemberChange

USERS = "users"
INVITATIONS = "invitations"

# ManagedCenter takes `center_id` from the path.
router = api_router("/centers/{center_id}", tags=["users"])
ManagedCenter = Annotated[Center, Depends(require_role(MANAGER_AND_UP))]


@router.get("/users")
async def list_users(center: ManagedCenter, services: ServicesDep, page: PageDep) -> MemberList:
    """List the people with a role at a centre, and the admins of its organisation (manager)."""
    found = await services.members.page(center, after=page.after_id(USERS), limit=page.limit)
    cursor = next_id(USERS, found.after)
    return MemberList(items=[_member_out(one) for one in found.items], next_cursor=cursor)


@router.get("/users/{user_id}")
async def get_user(user_id: UUID, center: ManagedCenter, services: ServicesDep, response: Response) -> MemberOut:
    """Read one of the people of a centre (manager)."""
    return _tagged(await services.members.one(center, str(user_id)), response)


@router.patch("/users/{user_id}")
async def change_user(  # noqa: PLR0913 - each is a part of the request
    user_id: UUID,
    body: MemberChangeIn,
    center: ManagedCenter,
    user: CurrentUser,
    services: ServicesDep,
    expected: ExpectedDep,
    *,
    response: Response,
) -> MemberOut:
    """Change somebody's roles at a centre, or switch their account off or on (manager; If-Match).

    What they may do changes at once. Only an admin makes admins and changes them; a manager switches off only who is at
    no centre of somebody else. Nobody takes a role from themselves, and the last admin stays.
    """
    roles = frozenset(RoleId[name.upper()] for name in body.roles) if body.roles is not None else None
    change = MemberChange(roles, body.is_active)
    return _tagged(await services.members.change(user, center, str(user_id), change, expected), response)


@router.delete("/users/{user_id}", status_code=status.HTTP_204_NO_CONTENT)
async def remove_user(
    user_id: UUID, center: ManagedCenter, user: CurrentUser, services: ServicesDep, expected: ExpectedDep
) -> None:
    """Take all roles at a centre from somebody; their account stays (manager; If-Match)."""
    await services.members.remove(user, center, str(user_id), expected)


@router.post("/invitations", status_code=status.HTTP_202_ACCEPTED)
async def invite(body: InvitationIn, center: ManagedCenter, user: CurrentUser, services: ServicesDep) -> InvitedOut:
    """Invite somebody by mail (manager). The answer does not tell whether the address has an account."""
    invited = await services.invitations.invite(user, center, body.email, RoleId[body.role.upper()])
    return InvitedOut(email=invited.email, role=invited.role.name.lower(), expires_at=invited.expires_at)


@router.get("/invitations")
async def list_invitations(center: ManagedCenter, services: ServicesDep, page: PageDep) -> InvitationList:
    """List the invitations that nobody accepted yet (manager)."""
    found = await services.invitations.page(center, after=page.after_id(INVITATIONS), limit=page.limit)
    cursor = next_id(INVITATIONS, found.after)
    return InvitationList(items=[_invitation_out(one) for one in found.items], next_cursor=cursor)


@router.delete("/invitations/{invitation_id}", status_code=status.HTTP_204_NO_CONTENT)
async def withdraw_invitation(
    invitation_id: UUID, center: ManagedCenter, user: CurrentUser, services: ServicesDep
) -> None:
    """Take an invitation back (manager); its link opens nothing any more."""
    await services.invitations.withdraw(user, center, str(invitation_id))


def _tagged(member: Member, response: Response) -> MemberOut:
    set_etag(response, member.etag)
    return _member_out(member)


def _member_out(member: Member) -> MemberOut:
    return MemberOut(
        id=member.id,
        email=member.email,
        display_name=member.display_name,
        is_active=member.is_active,
        roles=[role.name.lower() for role in member.roles],
        etag=f'"{member.etag}"',
    )


def _invitation_out(invitation: Invitation) -> InvitationOut:
    return InvitationOut(
        id=invitation.id,
        email=invitation.email,
        role=RoleId(invitation.role_id).name.lower(),
        created_at=invitation.created_at,
        expires_at=invitation.expires_at,
    )
