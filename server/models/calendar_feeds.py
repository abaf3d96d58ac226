"""Which account has an address at which a calendar program reads its bookings."""

from datetime import datetime

from sqlalchemy import CheckConstraint
from sqlmodel import Field, SQLModel

from server.models.columns import TIMESTAMP, UUID_TEXT


class CalendarFeed(SQLModel, table=True):
    """The one feed of an account; `token_hash` is the SHA-256 of what is in its address, which has 256 bits of luck."""

    __tablename__ = "calendar_feed"
    __table_args__ = (CheckConstraint("octet_length(token_hash) = 32", name="token_hash"),)

    user_id: str = Field(primary_key=True, foreign_key="user_account.id", sa_type=UUID_TEXT)
    token_hash: bytes = Field(unique=True)
    made_at: datetime = Field(sa_type=TIMESTAMP)
    last_read_at: datetime | None = Field(default=None, sa_type=TIMESTAMP)
