"""Organisations, their centres, and the rooms of a centre."""

from datetime import date, datetime, time
from enum import StrEnum

from sqlalchemy import CheckConstraint, UniqueConstraint
from sqlmodel import Field, SQLModel

from server.models.columns import CODE_MAX, NAME_MAX, TIMESTAMP, UUID_TEXT, one_of


class Organisation(SQLModel, table=True):
    """Who runs one or more centres."""

    __tablename__ = "organisation"

    id: str = Field(primary_key=True, sa_type=UUID_TEXT)
    name: str = Field(max_length=NAME_MAX, unique=True)


class Center(SQLModel, table=True):
    """A licensed premises; `time_zone` (IANA name) decides what "today" is, hours are local time."""

    __tablename__ = "center"

    id: str = Field(primary_key=True, sa_type=UUID_TEXT)
    organisation_id: str = Field(foreign_key="organisation.id", sa_type=UUID_TEXT, index=True)
    code: str = Field(max_length=CODE_MAX, unique=True)
    name: str = Field(max_length=NAME_MAX)
    time_zone: str = Field(max_length=CODE_MAX)
    opens_at: time | None = None
    closes_at: time | None = None


class Room(SQLModel, table=True):
    """A room of a centre; `capacity` counts children and is 0 when nobody set it."""

    __tablename__ = "room"
    __table_args__ = (
        UniqueConstraint("center_id", "external_id"),
        CheckConstraint("capacity BETWEEN 0 AND 1000", name="capacity"),
    )

    center_id: str = Field(primary_key=True, foreign_key="center.id", sa_type=UUID_TEXT)
    id: str = Field(primary_key=True, sa_type=UUID_TEXT)
    external_id: str = Field(max_length=CODE_MAX)
    name: str = Field(max_length=NAME_MAX)
    capacity: int = 0
    sort: int = 0


class CalendarKind(StrEnum):
    """What some days of a centre are."""

    CLOSURE = "closure"
    LOCK = "lock"


class CalendarDays(SQLModel, table=True):
    """Days (both included) on which the centre is closed, or whose figures stand since `at`; never changed."""

    __tablename__ = "center_calendar"
    __table_args__ = (one_of("kind", CalendarKind), CheckConstraint("last_day >= first_day", name="days"))

    center_id: str = Field(primary_key=True, foreign_key="center.id", sa_type=UUID_TEXT)
    id: str = Field(primary_key=True, sa_type=UUID_TEXT)
    kind: str = Field(max_length=16)
    first_day: date
    last_day: date
    reason: str = Field(default="", max_length=NAME_MAX)
    at: datetime = Field(sa_type=TIMESTAMP)
    made_by: str | None = Field(default=None, foreign_key="user_account.id", sa_type=UUID_TEXT)


class CenterRatioRules(SQLModel, table=True):
    """The ratio rules of a centre from a day of its calendar on; `body` is the JSON of a `RatioRuleSet`."""

    __tablename__ = "center_ratio_rules"

    center_id: str = Field(primary_key=True, foreign_key="center.id", sa_type=UUID_TEXT)
    effective_from: date = Field(primary_key=True)
    body: bytes
    created_at: datetime = Field(sa_type=TIMESTAMP)
