"""Where every chain stood, day by day, as the server signed it."""

from datetime import date, datetime

from sqlalchemy import BigInteger, Index, Text
from sqlmodel import Field, SQLModel

from server.models.columns import TIMESTAMP, UUID_TEXT


class SignedDay(SQLModel, table=True):
    """A sheet: its number and day (UTC), the digest of the one before, and who signed it (Ed25519, raw)."""

    __tablename__ = "signed_day"

    number: int = Field(primary_key=True, sa_type=BigInteger, sa_column_kwargs={"autoincrement": False})
    day: date
    signed_at: datetime = Field(sa_type=TIMESTAMP)
    previous: bytes
    public_key: bytes
    signature: bytes


class SignedHead(SQLModel, table=True):
    """A head of a sheet: which chain (`kind`, `chain_id`, `name`), and where it stood."""

    __tablename__ = "signed_head"
    __table_args__ = (Index(None, "kind", "chain_id", "name", "number"),)

    number: int = Field(primary_key=True, sa_type=BigInteger, sa_column_kwargs={"autoincrement": False})
    kind: str = Field(primary_key=True, sa_type=Text)
    chain_id: str = Field(primary_key=True, sa_type=UUID_TEXT)
    name: str = Field(primary_key=True, sa_type=Text)
    seq: int = Field(sa_type=BigInteger)
    hash: bytes
