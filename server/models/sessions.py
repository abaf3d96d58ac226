"""Who is signed in where, who was invited, who forgot a password, and how often somebody tried."""

from datetime import datetime
from typing import Final

from sqlalchemy import CheckConstraint, UniqueConstraint
from sqlmodel import Field, SQLModel

from server.models.columns import NAME_MAX, TIMESTAMP, UUID_TEXT

CLIENT_WORDS_MAX: Final = 200


class UserSession(SQLModel, table=True):
    """One log-in that goes on until it ends; `client` is what the program said of itself.

    A refresh token is known by its digest only. The one before the current one is remembered too, with the salt that
    makes the current one of it, so that a repeat can be answered as the first time.
    """

    __tablename__ = "user_session"
    __table_args__ = (
        CheckConstraint(
            "octet_length(current_digest) = 32 AND (previous_digest IS NULL) = (salt IS NULL)", name="digests"
        ),
    )

    id: str = Field(primary_key=True, sa_type=UUID_TEXT)
    user_id: str = Field(foreign_key="user_account.id", sa_type=UUID_TEXT, index=True)
    client: str = Field(max_length=CLIENT_WORDS_MAX)
    created_at: datetime = Field(sa_type=TIMESTAMP)
    last_used_at: datetime = Field(sa_type=TIMESTAMP)
    expires_at: datetime = Field(sa_type=TIMESTAMP, index=True)
    current_digest: bytes
    previous_digest: bytes | None = None
    salt: bytes | None = None


class Invitation(SQLModel, table=True):
    """Somebody who was asked to join a centre with a role; an admin joins the organisation of the centre."""

    __tablename__ = "invitation"
    __table_args__ = (
        UniqueConstraint("center_id", "email"),
        CheckConstraint("email = lower(email)", name="email"),
    )

    id: str = Field(primary_key=True, sa_type=UUID_TEXT)
    center_id: str = Field(foreign_key="center.id", sa_type=UUID_TEXT)
    email: str = Field(max_length=NAME_MAX)
    role_id: int = Field(foreign_key="role.id")
    invited_by: str = Field(foreign_key="user_account.id", sa_type=UUID_TEXT)
    created_at: datetime = Field(sa_type=TIMESTAMP)
    expires_at: datetime = Field(sa_type=TIMESTAMP)


class RecoveryRequest(SQLModel, table=True):
    """An address for which somebody asked to set a new password; nobody looked yet whose it is."""

    __tablename__ = "recovery_request"

    id: str = Field(primary_key=True, sa_type=UUID_TEXT)
    email: str = Field(max_length=NAME_MAX)
    created_at: datetime = Field(sa_type=TIMESTAMP)


class PasswordRecovery(SQLModel, table=True):
    """The right to set a new password once; the token of it follows from its id and SECRET_KEY."""

    __tablename__ = "password_recovery"

    id: str = Field(primary_key=True, sa_type=UUID_TEXT)
    user_id: str = Field(foreign_key="user_account.id", sa_type=UUID_TEXT, index=True)
    expires_at: datetime = Field(sa_type=TIMESTAMP)


class Throttle(SQLModel, table=True):
    """How much was taken under a limit: at `full_at` nothing is, and the row means as much as none."""

    __tablename__ = "throttle"
    __table_args__ = (CheckConstraint("octet_length(key) = 16", name="key"),)

    key: bytes = Field(primary_key=True)
    full_at: datetime = Field(sa_type=TIMESTAMP, index=True)
