"""What people decided of entries that were kept aside."""

from datetime import datetime
from enum import StrEnum

from sqlmodel import Field, SQLModel

from server.models.columns import TEXT_MAX, TIMESTAMP, UUID_TEXT, one_of


class SetAsideVerdict(StrEnum):
    """What became of an entry: an event says again what it told, or it was looked at and nothing follows."""

    TAKEN_IN = "taken_in"
    DISMISSED = "dismissed"


class SetAsideAnswer(SQLModel, table=True):
    """An answer to one entry, known by its hash. `event_id`: the event that tells it now; none when it was dismissed.

    The entry itself and what its desk was told never change.
    """

    __tablename__ = "set_aside_answer"
    __table_args__ = (one_of("verdict", SetAsideVerdict),)

    center_id: str = Field(primary_key=True, sa_type=UUID_TEXT)
    entry_hash: bytes = Field(primary_key=True)
    verdict: str = Field(max_length=16)
    event_id: str | None = Field(default=None, sa_type=UUID_TEXT)
    reason: str = Field(default="", max_length=TEXT_MAX)
    answered_at: datetime = Field(sa_type=TIMESTAMP)
    answered_by: str | None = Field(default=None, foreign_key="user_account.id", sa_type=UUID_TEXT)
