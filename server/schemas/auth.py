"""Shapes of log-in and of the user's own account."""

from typing import Literal

from server.schemas.base import Output


class AccessToken(Output):
    """An access token (RFC 6749 section 5.1); `expires_in` in seconds."""

    access_token: str
    token_type: Literal["bearer"] = "bearer"  # noqa: S105 - the word of the standard
    expires_in: int


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
