"""The kiosks of a centre, how they come to be trusted, and the nonces they sign."""

from datetime import datetime
from enum import StrEnum

from sqlalchemy import CheckConstraint, UniqueConstraint
from sqlmodel import Field, SQLModel

from server.models.columns import CODE_MAX, NAME_MAX, TIMESTAMP, UUID_TEXT, one_of


class DeviceState(StrEnum):
    """Whether a device may speak for its centre."""

    ACTIVE = "active"
    SUSPENDED = "suspended"
    REVOKED = "revoked"


class DeviceKind(StrEnum):
    """Where a device stands: at a desk, or in the server itself, which writes down what people enter there."""

    KIOSK = "kiosk"
    SERVER = "server"


class Device(SQLModel, table=True):
    """An enrolled kiosk, or the server's own desk; `public_key` is its raw Ed25519 key (32 bytes)."""

    __tablename__ = "device"
    __table_args__ = (
        UniqueConstraint("center_id", "id"),
        one_of("state", DeviceState),
        one_of("kind", DeviceKind),
        CheckConstraint("octet_length(public_key) = 32", name="public_key"),
    )

    id: str = Field(primary_key=True, sa_type=UUID_TEXT)
    center_id: str = Field(foreign_key="center.id", sa_type=UUID_TEXT)
    name: str = Field(max_length=NAME_MAX)
    state: str = Field(default=DeviceState.ACTIVE, max_length=16)
    public_key: bytes = Field(unique=True)
    app_version: str = Field(default="", max_length=CODE_MAX)
    created_at: datetime = Field(sa_type=TIMESTAMP)
    last_seen_at: datetime | None = Field(default=None, sa_type=TIMESTAMP)
    kind: str = Field(default=DeviceKind.KIOSK, max_length=16, sa_column_kwargs={"server_default": "kiosk"})


class EnrolmentCode(SQLModel, table=True):
    """A one-time code; `selector` is its first half, the rest is known only as a keyed hash."""

    __tablename__ = "enrolment_code"
    __table_args__ = (CheckConstraint("tries_left >= 0", name="tries_left"),)

    selector: str = Field(primary_key=True, max_length=8)
    secret_hash: bytes
    center_id: str = Field(foreign_key="center.id", sa_type=UUID_TEXT, index=True)
    device_name: str = Field(default="", max_length=NAME_MAX)
    expires_at: datetime = Field(sa_type=TIMESTAMP)
    tries_left: int
    used_by: str | None = Field(default=None, foreign_key="device.id", sa_type=UUID_TEXT)


class DeviceNonce(SQLModel, table=True):
    """A challenge that a device may answer once, before it expires."""

    __tablename__ = "device_nonce"

    device_id: str = Field(primary_key=True, foreign_key="device.id", sa_type=UUID_TEXT)
    nonce: bytes = Field(primary_key=True)
    expires_at: datetime = Field(sa_type=TIMESTAMP)
