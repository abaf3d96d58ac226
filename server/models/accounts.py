"""Who can log in, and what they may do where."""

from datetime import datetime
from enum import IntEnum

from sqlalchemy import CheckConstraint, UniqueConstraint
from sqlmodel import Field, SQLModel

from server.models.columns import CODE_MAX, NAME_MAX, TIMESTAMP, UUID_TEXT


class RoleId(IntEnum):
    """The roles, by the ids they have in the table `role`."""

    PARENT = 1
    STAFF = 2
    MANAGER = 3
    ADMIN = 4


class Role(SQLModel, table=True):
    """What a member may do; the rows are made by the migration."""

    __tablename__ = "role"

    id: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    name: str = Field(max_length=CODE_MAX, unique=True)


class UserAccount(SQLModel, table=True):
    """A log-in; `email` is kept in lower case, `version` grows with each change of it or of its memberships."""

    __tablename__ = "user_account"
    __table_args__ = (CheckConstraint("email = lower(email)", name="email"),)

    id: str = Field(primary_key=True, sa_type=UUID_TEXT)
    organisation_id: str = Field(foreign_key="organisation.id", sa_type=UUID_TEXT, index=True)
    email: str = Field(max_length=NAME_MAX, unique=True)
    display_name: str = Field(max_length=NAME_MAX)
    password_hash: str = Field(max_length=256)
    is_active: bool = True
    created_at: datetime = Field(sa_type=TIMESTAMP)
    version: int = Field(default=1, sa_column_kwargs={"server_default": "1"})


class Membership(SQLModel, table=True):
    """A role of a user at one centre, or, without a centre, at all of the organisation (admins only)."""

    __tablename__ = "membership"
    __table_args__ = (
        UniqueConstraint("user_id", "center_id", "role_id", postgresql_nulls_not_distinct=True),
        CheckConstraint("(center_id IS NULL) = (role_id = 4)", name="scope"),
    )

    id: str = Field(primary_key=True, sa_type=UUID_TEXT)
    user_id: str = Field(foreign_key="user_account.id", sa_type=UUID_TEXT)
    center_id: str | None = Field(default=None, foreign_key="center.id", sa_type=UUID_TEXT, index=True)
    role_id: int = Field(foreign_key="role.id")
