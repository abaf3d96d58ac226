"""What went wrong on a device or in its journal, for people: told by the device, or noticed by the server."""

from datetime import datetime

from sqlalchemy import Index, Text
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field, SQLModel

from server.models.columns import TIMESTAMP, UUID_TEXT

Detail = dict[str, int | str]


class DeviceIncidentRow(SQLModel, table=True):
    """One incident, as `sync.incidents` names it; never changed."""

    __tablename__ = "device_incident"
    __table_args__ = (Index(None, "center_id", "received_at"),)

    center_id: str = Field(primary_key=True, sa_type=UUID_TEXT)
    event_id: str = Field(primary_key=True, sa_type=UUID_TEXT)
    device_id: str = Field(sa_type=UUID_TEXT)
    incident: str = Field(sa_type=Text)
    detail: Detail = Field(sa_type=JSONB)
    occurred_at: datetime = Field(sa_type=TIMESTAMP)
    received_at: datetime = Field(sa_type=TIMESTAMP)
