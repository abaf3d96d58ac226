"""Photos of children and of the adults who belong to them."""

from datetime import datetime
from typing import Final

from sqlalchemy import CheckConstraint, ForeignKeyConstraint, SmallInteger
from sqlmodel import Field, SQLModel

from server.models.columns import TIMESTAMP, UUID_TEXT

BODY_BYTES_MAX: Final = 256 * 1024
PICTURE_BYTES_MAX: Final = 2 * 1024


class Photo(SQLModel, table=True):
    """A photo as it is kept: a JPEG that the server drew itself, and what of it devices hold.

    `picture` is the JSON of a `sync.records.PictureRecord`. `tag` is the SHA-256 of the body in hex.
    """

    __tablename__ = "photo"
    __table_args__ = (
        ForeignKeyConstraint(["center_id", "person_id"], ["person.center_id", "person.id"]),
        CheckConstraint(f"length(body) <= {BODY_BYTES_MAX}", name="body"),
        CheckConstraint(f"length(picture) <= {PICTURE_BYTES_MAX}", name="picture"),
    )

    center_id: str = Field(primary_key=True, sa_type=UUID_TEXT)
    person_id: str = Field(primary_key=True, sa_type=UUID_TEXT)
    body: bytes
    width: int = Field(sa_type=SmallInteger)
    height: int = Field(sa_type=SmallInteger)
    tag: str = Field(max_length=64)
    picture: bytes
    set_at: datetime = Field(sa_type=TIMESTAMP)
    set_by: str | None = Field(default=None, foreign_key="user_account.id", sa_type=UUID_TEXT)
