"""Where a centre's integrators are told of what happens, what they were told, and what is in no log of devices."""

from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from sqlalchemy import ARRAY, BigInteger, CheckConstraint, ForeignKeyConstraint, Index, String, Text, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field, SQLModel

from server.models.columns import CODE_MAX, NAME_MAX, TIMESTAMP, UUID_TEXT, one_of

URL_MAX: Final = 500
MESSAGE_ID_MAX: Final = 100
REASON_MAX: Final = 100
KINDS_MAX: Final = 40


class WebhookState(StrEnum):
    """Whether a webhook is told of anything."""

    ACTIVE = "active"
    PAUSED = "paused"


class PauseReason(StrEnum):
    """Why a webhook is paused: somebody wanted it, it failed for days, or its receiver said that it is gone."""

    NONE = ""
    ASKED = "asked"
    FAILING = "failing"
    GONE = "gone"


class DeliveryOutcome(StrEnum):
    """What became of one attempt."""

    DELIVERED = "delivered"
    FAILED = "failed"


class Webhook(SQLModel, table=True):
    """An address that is told of what happens at a centre, and how far it has been told.

    `epoch` and `version` are its position in the change log, `number` that in `center_event`. Its secrets follow from
    its id and `secret_number`, and are stored nowhere. `not_before`: when it is looked at again; who delivers moves it
    ahead first, and `taking` names the taking. `ping_id` is a ping that waits.
    """

    __tablename__ = "webhook"
    __table_args__ = (
        one_of("state", WebhookState),
        one_of("pause_reason", PauseReason),
        CheckConstraint("(state = 'paused') = (pause_reason <> '')", name="pause"),
        CheckConstraint(f"cardinality(kinds) BETWEEN 1 AND {KINDS_MAX}", name="kinds"),
        Index(None, "not_before", postgresql_where=text("state = 'active'")),
    )

    center_id: str = Field(primary_key=True, foreign_key="center.id", sa_type=UUID_TEXT)
    id: str = Field(primary_key=True, sa_type=UUID_TEXT)
    url: str = Field(max_length=URL_MAX)
    description: str = Field(default="", max_length=NAME_MAX)
    kinds: list[str] = Field(sa_type=ARRAY(String))
    state: str = Field(default=WebhookState.ACTIVE.value, max_length=16)
    pause_reason: str = Field(default=PauseReason.NONE.value, max_length=16)
    revision: int = 1
    secret_number: int = 1
    rotated_at: datetime | None = Field(default=None, sa_type=TIMESTAMP)
    epoch: str | None = Field(default=None, sa_type=UUID_TEXT)
    version: int = Field(default=0, sa_type=BigInteger)
    number: int = Field(default=0, sa_type=BigInteger)
    ping_id: str | None = Field(default=None, sa_type=UUID_TEXT)
    attempts: int = 0
    failing_since: datetime | None = Field(default=None, sa_type=TIMESTAMP)
    last_error: str = Field(default="", max_length=REASON_MAX)
    delivered_at: datetime | None = Field(default=None, sa_type=TIMESTAMP)
    not_before: datetime = Field(sa_type=TIMESTAMP)
    taking: int = 0
    created_at: datetime = Field(sa_type=TIMESTAMP)
    created_by: str | None = Field(default=None, foreign_key="user_account.id", sa_type=UUID_TEXT)


class WebhookDelivery(SQLModel, table=True):
    """One attempt to tell a webhook of one thing; what was sent is not kept."""

    __tablename__ = "webhook_delivery"
    __table_args__ = (
        ForeignKeyConstraint(["center_id", "webhook_id"], ["webhook.center_id", "webhook.id"], ondelete="CASCADE"),
        one_of("outcome", DeliveryOutcome),
        Index(None, "center_id", "webhook_id", "id"),
        Index(None, "at"),
    )

    center_id: str = Field(primary_key=True, sa_type=UUID_TEXT)
    id: str = Field(primary_key=True, sa_type=UUID_TEXT)
    webhook_id: str = Field(sa_type=UUID_TEXT)
    message_id: str = Field(max_length=MESSAGE_ID_MAX)
    kind: str = Field(max_length=CODE_MAX)
    version: int | None = Field(default=None, sa_type=BigInteger)
    number: int | None = Field(default=None, sa_type=BigInteger)
    attempt: int
    at: datetime = Field(sa_type=TIMESTAMP)
    took_ms: int
    status: int | None = None
    outcome: str = Field(max_length=16)
    reason: str = Field(default="", max_length=REASON_MAX)


class CenterEventHead(SQLModel, table=True):
    """How many events of a centre were noted; there is a row once somebody listens."""

    __tablename__ = "center_event_head"

    center_id: str = Field(primary_key=True, sa_type=UUID_TEXT)
    number: int = Field(sa_type=BigInteger)


class CenterEvent(SQLModel, table=True):
    """Something that happened and is in no log of devices, noted by a trigger in the order of commits."""

    __tablename__ = "center_event"
    __table_args__ = (Index(None, "at"),)

    center_id: str = Field(primary_key=True, sa_type=UUID_TEXT)
    number: int = Field(primary_key=True, sa_type=BigInteger, sa_column_kwargs={"autoincrement": False})
    id: str = Field(sa_type=UUID_TEXT)
    kind: str = Field(max_length=CODE_MAX)
    entity_id: str = Field(sa_type=Text)
    child_id: str | None = Field(default=None, sa_type=UUID_TEXT)
    detail: dict[str, Any] = Field(sa_type=JSONB)
    at: datetime = Field(sa_type=TIMESTAMP)


class NotificationChoice(SQLModel, table=True):
    """Of what an account wants to be told by mail about a child; without a row, of nothing."""

    __tablename__ = "notification_choice"
    __table_args__ = (CheckConstraint("cardinality(kinds) BETWEEN 1 AND 20", name="kinds"),)

    center_id: str = Field(primary_key=True, sa_type=UUID_TEXT)
    user_id: str = Field(primary_key=True, foreign_key="user_account.id", sa_type=UUID_TEXT)
    child_id: str = Field(primary_key=True, sa_type=UUID_TEXT)
    kinds: list[str] = Field(sa_type=ARRAY(String))
    changed_at: datetime = Field(sa_type=TIMESTAMP)


class NoticePosition(SQLModel, table=True):
    """How far the guardians of a centre were told: positions as those of a webhook."""

    __tablename__ = "notice_position"

    center_id: str = Field(primary_key=True, sa_type=UUID_TEXT)
    epoch: str | None = Field(default=None, sa_type=UUID_TEXT)
    version: int = Field(sa_type=BigInteger)
    number: int = Field(sa_type=BigInteger)


class DeviceSilence(SQLModel, table=True):
    """A desk that should be heard and is not, and since when; the row is gone when it is heard again."""

    __tablename__ = "device_silence"

    center_id: str = Field(primary_key=True, sa_type=UUID_TEXT)
    device_id: str = Field(primary_key=True, sa_type=UUID_TEXT)
    since: datetime = Field(sa_type=TIMESTAMP)
