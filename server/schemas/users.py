"""Shapes of users: one's own account, the people of a centre, and invitations."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field

from server.schemas.auth import PASSWORD_CHARACTERS_MAX
from server.schemas.base import Input, Line, Output

RoleName = Literal["parent", "staff", "manager", "admin"]


class Membership(Output):
    """A role, at one centre or, without one, at all of the organisation."""

    role: str
    center_id: str | None


class Me(Output):
    """The user who asks."""

    id: str
    email: str
    display_name: str
    memberships: list[Membership]


class MeChange(Input):
    """What may be changed of one's own account."""

    display_name: Annotated[Line, Field(min_length=1, max_length=200)]


class PasswordChange(Input):
    """The password as it is, and as it is to be: 15 to 256 characters, any kind."""

    old_password: Annotated[str, Field(max_length=PASSWORD_CHARACTERS_MAX)]
    new_password: Annotated[str, Field(max_length=PASSWORD_CHARACTERS_MAX)]


class OwnErasureIn(Input):
    """My password again."""

    password: str = Field(min_length=1, max_length=PASSWORD_CHARACTERS_MAX, repr=False)


class MemberOut(Output):
    """Somebody with roles at a centre; `etag` is what a change of them sends as If-Match."""

    id: str
    email: str
    display_name: str
    is_active: bool
    roles: list[str]
    etag: str


class MemberList(Output):
    """Some people of a centre, in the order in which their accounts were made; no `next_cursor` at the end."""

    items: list[MemberOut]
    next_cursor: str


class MemberChangeIn(Input):
    """What to change; what is left out stays as it is. `roles` are all roles at this centre from now on."""

    roles: Annotated[list[RoleName], Field(min_length=1, max_length=4)] | None = None
    is_active: bool | None = None


class InvitationIn(Input):
    """Whom to invite as what; an admin is one for the whole organisation."""

    email: Annotated[Line, Field(max_length=200)]
    role: RoleName


class InvitedOut(Output):
    """What was done; it does not tell whether the address had an account."""

    email: str
    role: str
    expires_at: datetime


class InvitationOut(Output):
    """An invitation that nobody accepted yet."""

    id: str
    email: str
    role: str
    created_at: datetime
    expires_at: datetime


class InvitationList(Output):
    """Some open invitations, the oldest first; no `next_cursor` at the end."""

    items: list[InvitationOut]
    next_cursor: str
