"""The user who asks."""

from fastapi import APIRouter

from server.controllers.dependencies import CurrentUser
from server.schemas.auth import Me, Membership

router = APIRouter(prefix="/users", tags=["users"])


@router.get("/me")
async def me(user: CurrentUser) -> Me:
    """Who am I, and what may I do where?"""
    memberships = [Membership(role=grant.role.name.lower(), center_id=grant.center_id) for grant in user.grants]
    return Me(id=user.id, email=user.email, display_name=user.display_name, memberships=memberships)
