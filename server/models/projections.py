"""What the facts of a centre come to, as tables: computed from them, rebuilt at any time, and edited by nobody.

No row here refers to another table, as in `server.models.sync`.
"""

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import ARRAY, Index, Integer, Text, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field, SQLModel

from server.models.columns import TIMESTAMP, UUID_TEXT, one_of


class SubjectKind(StrEnum):
    """Who the events of a subject are about."""

    CHILD = "child"
    PERSON = "person"
    OTHER = "other"


class ReviewState(StrEnum):
    """Whether a person still has to say something."""

    OPEN = "open"
    ANSWERED = "answered"


class Severity(StrEnum):
    """Whether a manager is told at once."""

    CRITICAL = "critical"
    NORMAL = "normal"


class StayRow(SQLModel, table=True):
    """One stay of a subject, as `sync.stays.Stay`; `ordinal` counts from 0 since the first fact.

    `stay_id` is the event of its arrival, or of its departure when nobody saw the subject come. `began_at` is the
    corrected time of the arrival. `rooms` are pairs of UTC milliseconds and a room's id.
    """

    __tablename__ = "stay"
    __table_args__ = (
        one_of("subject_kind", SubjectKind),
        Index(None, "center_id", "started_at"),
        Index("ix_stay_center_id_open", "center_id", postgresql_where=text("ended_at IS NULL")),
    )

    center_id: str = Field(primary_key=True, sa_type=UUID_TEXT)
    subject_id: str = Field(primary_key=True, sa_type=UUID_TEXT)
    ordinal: int = Field(primary_key=True, sa_type=Integer, sa_column_kwargs={"autoincrement": False})
    stay_id: str = Field(sa_type=UUID_TEXT)
    subject_kind: str = Field(sa_type=Text)
    is_fresh: bool
    began_at: datetime | None = Field(default=None, sa_type=TIMESTAMP)
    started_at: datetime | None = Field(default=None, sa_type=TIMESTAMP)
    ended_at: datetime | None = Field(default=None, sa_type=TIMESTAMP)
    check_in: str | None = Field(default=None, sa_type=UUID_TEXT)
    check_out: str | None = Field(default=None, sa_type=UUID_TEXT)
    corroborated_by: list[str] = Field(sa_type=ARRAY(UUID_TEXT))
    disputed: bool
    assumed: bool
    rooms: list[Any] = Field(sa_type=JSONB)


class ReviewRow(SQLModel, table=True):
    """One finding of a subject; `finding` is its key. `span` is the ordinal of the stay that it was found with.

    `since`: since when the desk had been wrong about what it relied on. `found_at`: when the server got the last of
    its events. An answered one is closed by the event `answered_by`, and tells no more of itself than its key does.
    """

    __tablename__ = "review"
    __table_args__ = (
        one_of("subject_kind", SubjectKind),
        one_of("severity", Severity),
        one_of("state", ReviewState),
        Index(None, "center_id", "state", "found_at"),
    )

    center_id: str = Field(primary_key=True, sa_type=UUID_TEXT)
    subject_id: str = Field(primary_key=True, sa_type=UUID_TEXT)
    finding: str = Field(primary_key=True, sa_type=Text)
    subject_kind: str = Field(sa_type=Text)
    kind: str = Field(sa_type=Text)
    severity: str = Field(sa_type=Text)
    state: str = Field(sa_type=Text)
    span: int = Field(sa_type=Integer)
    event_ids: list[str] = Field(sa_type=ARRAY(UUID_TEXT))
    since: datetime | None = Field(default=None, sa_type=TIMESTAMP)
    found_at: datetime | None = Field(default=None, sa_type=TIMESTAMP)
    answer: str = Field(sa_type=Text)
    answered_by: str | None = Field(default=None, sa_type=UUID_TEXT)


class ProjectionState(SQLModel, table=True):
    """By which rules the projections of a centre were last rebuilt from scratch; see `server.services.projections`."""

    __tablename__ = "projection_state"

    center_id: str = Field(primary_key=True, sa_type=UUID_TEXT)
    rules: int = Field(sa_type=Integer)
