"""Who is signed in to the dashboard in which browser."""

from datetime import datetime
from typing import Final

from sqlalchemy import CheckConstraint, Index
from sqlmodel import Field, SQLModel

from server.models.columns import NAME_MAX, TIMESTAMP, UUID_TEXT

CLIENT_MAX: Final = NAME_MAX


class BrowserSession(SQLModel, table=True):
    """One browser that somebody signed in with.

    `token_hash` is the SHA-256 of the cookie, which has 256 bits of luck. `password_mark` is that of the password's
    hash as it was then: with another password the session is no good any more.
    """

    __tablename__ = "browser_session"
    __table_args__ = (
        CheckConstraint("octet_length(token_hash) = 32", name="token_hash"),
        CheckConstraint("octet_length(password_mark) = 32", name="password_mark"),
        Index(None, "user_id", "last_used_at"),
        Index(None, "last_used_at"),
    )

    id: str = Field(primary_key=True, sa_type=UUID_TEXT)
    user_id: str = Field(foreign_key="user_account.id", sa_type=UUID_TEXT)
    token_hash: bytes = Field(unique=True)
    password_mark: bytes
    client: str = Field(max_length=CLIENT_MAX)
    made_at: datetime = Field(sa_type=TIMESTAMP)
    last_used_at: datetime = Field(sa_type=TIMESTAMP)
