"""Cards and fobs by which desks find a child or an adult."""

from datetime import datetime
from enum import StrEnum

from sqlalchemy import ForeignKeyConstraint, Index, text
from sqlmodel import Field, SQLModel

from server.models.columns import CODE_MAX, TIMESTAMP, UUID_TEXT, one_of


class CredentialKind(StrEnum):
    """By what somebody is found."""

    BARCODE = "barcode"


class Credential(SQLModel, table=True):
    """A card of a person: what its text comes to under the centre's key (`sync.barcodes`), and the text nowhere.

    `label` is what people call it. One that was revoked stays, so that desks can say so.
    """

    __tablename__ = "credential"
    __table_args__ = (
        ForeignKeyConstraint(["center_id", "person_id"], ["person.center_id", "person.id"]),
        Index(None, "center_id", "person_id"),
        Index("uq_credential_active", "center_id", "seal", unique=True, postgresql_where=text("revoked_at IS NULL")),
        one_of("kind", CredentialKind),
    )

    center_id: str = Field(primary_key=True, sa_type=UUID_TEXT)
    id: str = Field(primary_key=True, sa_type=UUID_TEXT)
    kind: str = Field(max_length=16)
    person_id: str = Field(sa_type=UUID_TEXT)
    label: str = Field(default="", max_length=CODE_MAX)
    seal: str = Field(max_length=64)
    pepper_id: str = Field(max_length=32)
    created_at: datetime = Field(sa_type=TIMESTAMP)
    created_by: str | None = Field(default=None, foreign_key="user_account.id", sa_type=UUID_TEXT)
    revoked_at: datetime | None = Field(default=None, sa_type=TIMESTAMP)
    revoked_by: str | None = Field(default=None, foreign_key="user_account.id", sa_type=UUID_TEXT)
