"""Shapes of log-in, of sessions, and of the links that come by mail."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field

from server.schemas.base import Input, Line, Output

REFRESH_TOKEN_CHARACTERS_MAX = 200
MAILED_TOKEN_CHARACTERS_MAX = 200
PASSWORD_CHARACTERS_MAX = 1_024  # the rules refuse more than 256, with a sentence


class AccessToken(Output):
    """An access token (RFC 6749 section 5.1); `expires_in` in seconds."""

    access_token: str
    token_type: Literal["bearer"] = "bearer"  # noqa: S105 - the word of the standard
    expires_in: int


class SessionTokens(AccessToken):
    """An access token and the refresh token that gets the next one; `refresh_expires_in` in seconds, if unused."""

    refresh_token: str
    refresh_expires_in: int


class RefreshIn(Input):
    """A refresh token, as it was given."""

    refresh_token: Annotated[str, Field(max_length=REFRESH_TOKEN_CHARACTERS_MAX)]


class SessionOut(Output):
    """One log-in that goes on; `client` is what the program said of itself, and `is_current` the one that asks."""

    id: str
    client: str
    created_at: datetime
    last_used_at: datetime
    expires_at: datetime
    is_current: bool


class SessionList(Output):
    """The log-ins of the user, the one used last first."""

    items: list[SessionOut]
    next_cursor: str


class RecoveryIn(Input):
    """For which address a new password is wanted."""

    email: Annotated[Line, Field(max_length=200)]


class RecoveryOut(Output):
    """What everybody is told, whether there is an account or not."""

    detail: str


class NewPasswordIn(Input):
    """The token of a mail, and the new password: 15 to 256 characters, any kind."""

    token: Annotated[str, Field(max_length=MAILED_TOKEN_CHARACTERS_MAX)]
    password: Annotated[str, Field(max_length=PASSWORD_CHARACTERS_MAX)]


class AcceptIn(Input):
    """The token of an invitation; name and password are needed by who has no account, and left alone by who has."""

    token: Annotated[str, Field(max_length=MAILED_TOKEN_CHARACTERS_MAX)]
    display_name: Annotated[Line, Field(max_length=200)] = ""
    password: Annotated[str, Field(max_length=PASSWORD_CHARACTERS_MAX)] = ""


class AcceptOut(Output):
    """Which account has the role now; `known` ones keep their name and password."""

    email: str
    account: Literal["new", "known"]
