"""Who did or read what: chains of entries that are only ever appended to."""

from datetime import datetime

from sqlalchemy import BigInteger, Index, Text
from sqlmodel import Field, SQLModel

from server.models.columns import TIMESTAMP, UUID_TEXT


class AuditHead(SQLModel, table=True):
    """The end of a chain: that of a centre, or of an organisation for what belongs to none of its centres."""

    __tablename__ = "audit_head"

    chain_id: str = Field(primary_key=True, sa_type=UUID_TEXT)
    seq: int = Field(sa_type=BigInteger)
    hash: bytes


class AuditEntryRow(SQLModel, table=True):
    """One act, as `core.audit_chain` covers it; ids and names of routes, and nothing that anybody typed."""

    __tablename__ = "audit_entry"
    __table_args__ = (Index(None, "chain_id", "entity_id", "seq"), Index(None, "chain_id", "actor", "seq"))

    chain_id: str = Field(primary_key=True, sa_type=UUID_TEXT)
    seq: int = Field(primary_key=True, sa_type=BigInteger)
    at: datetime = Field(sa_type=TIMESTAMP)
    actor: str = Field(sa_type=Text)
    verb: str = Field(sa_type=Text)
    entity: str = Field(sa_type=Text)
    entity_id: str = Field(sa_type=Text)
    part: str = Field(sa_type=Text)
    route: str = Field(sa_type=Text)
    request_id: str = Field(sa_type=Text)
    hash: bytes
