"""Who asked for the data that is held of them or of a child, what became of it, and the file while it can be taken."""

from datetime import datetime
from enum import StrEnum
from typing import Final

from sqlalchemy import ARRAY, BigInteger, CheckConstraint, ForeignKey, Index, text
from sqlmodel import Field, SQLModel

from server.models.columns import TIMESTAMP, UUID_TEXT, one_of

PART_BYTES: Final = 256 * 1024
SEALED_BYTES_MAX: Final = PART_BYTES + 16


class ExportKind(StrEnum):
    """Of what: an account with the children whom it may see, or the file of one child at a centre."""

    FAMILY = "family"
    CHILD = "child"


class ExportState(StrEnum):
    """How far it is; the last three are its end, and with them the file is gone."""

    QUEUED = "queued"
    MADE = "made"
    TAKEN = "taken"
    EXPIRED = "expired"
    ENDED = "ended"


class ExportCause(StrEnum):
    """Why it ended without being taken."""

    NONE = ""
    WITHDRAWN = "withdrawn"
    REPLACED = "replaced"
    RIGHTS = "rights"
    ERASED = "erased"
    TOO_LARGE = "too_large"
    FAILED = "failed"


class DataExport(SQLModel, table=True):
    """One request. `child_ids`: who is in it, `booked_ids`: with whose bookings; of a family known once it is made.

    `salt` is what the key of the file follows from, drawn for each `attempts`; `parts` and `size_bytes` count the file.
    """

    __tablename__ = "data_export"
    __table_args__ = (
        one_of("kind", ExportKind),
        one_of("state", ExportState),
        one_of("cause", ExportCause),
        CheckConstraint("(kind = 'child') = (child_id IS NOT NULL AND center_id IS NOT NULL)", name="subject"),
        CheckConstraint("salt IS NULL OR octet_length(salt) = 32", name="salt"),
        Index(None, "user_id", "id"),
        Index("ix_data_export_open", "state", "not_before", postgresql_where=text("state IN ('queued', 'made')")),
    )

    id: str = Field(primary_key=True, sa_type=UUID_TEXT)
    organisation_id: str = Field(foreign_key="organisation.id", sa_type=UUID_TEXT)
    user_id: str = Field(foreign_key="user_account.id", sa_type=UUID_TEXT)
    kind: str = Field(max_length=16)
    center_id: str | None = Field(default=None, foreign_key="center.id", sa_type=UUID_TEXT)
    child_id: str | None = Field(default=None, sa_type=UUID_TEXT)
    child_ids: list[str] = Field(default_factory=list, sa_type=ARRAY(UUID_TEXT))
    booked_ids: list[str] = Field(default_factory=list, sa_type=ARRAY(UUID_TEXT))
    state: str = Field(default=ExportState.QUEUED.value, max_length=16)
    cause: str = Field(default=ExportCause.NONE.value, max_length=16)
    attempts: int = 0
    not_before: datetime = Field(sa_type=TIMESTAMP)
    salt: bytes | None = None
    parts: int = 0
    size_bytes: int = Field(default=0, sa_type=BigInteger)
    asked_at: datetime = Field(sa_type=TIMESTAMP)
    made_at: datetime | None = Field(default=None, sa_type=TIMESTAMP)
    expires_at: datetime | None = Field(default=None, sa_type=TIMESTAMP)
    ended_at: datetime | None = Field(default=None, sa_type=TIMESTAMP)


class DataExportPart(SQLModel, table=True):
    """A sealed part of the file of an export; see `server.core.sealed_parts`."""

    __tablename__ = "data_export_part"
    __table_args__ = (CheckConstraint(f"octet_length(body) <= {SEALED_BYTES_MAX}", name="body"),)

    export_id: str = Field(
        primary_key=True, sa_type=UUID_TEXT, sa_column_args=[ForeignKey("data_export.id", ondelete="CASCADE")]
    )
    number: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    organisation_id: str = Field(sa_type=UUID_TEXT)
    body: bytes
