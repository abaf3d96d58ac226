"""The people of a centre, what must be known of a child, and who may collect it."""

from datetime import date, datetime
from enum import StrEnum
from typing import Any, Final

from sqlalchemy import CheckConstraint, ForeignKeyConstraint, Index, SmallInteger, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field, SQLModel

from server.models.columns import CODE_MAX, NAME_MAX, TEXT_MAX, TIMESTAMP, UUID_TEXT, one_of

EMERGENCY_RANK_MAX: Final = 99


class PersonKind(StrEnum):
    """What a person is to the centre."""

    CHILD = "child"
    ADULT = "adult"
    STAFF = "staff"


class AlertKind(StrEnum):
    """What an alert is about."""

    ALLERGY = "allergy"
    MEDICAL = "medical"
    MEDICATION = "medication"
    DIETARY = "dietary"
    CUSTODY = "custody"
    BEHAVIOUR = "behaviour"
    NOTE = "note"


class AlertSeverity(StrEnum):
    """How loudly an alert is shown."""

    INFO = "info"
    ATTENTION = "attention"
    CRITICAL = "critical"


class PickupStatus(StrEnum):
    """Whether an adult may collect a child; `not_authorised` always wins."""

    AUTHORISED = "authorised"
    TEMPORARY = "temporary"
    NOT_AUTHORISED = "not_authorised"
    SUSPENDED = "suspended"


class StaffRole(StrEnum):
    """What a member of staff is at the centre (not what the account may do)."""

    MANAGER = "manager"
    EDUCATOR = "educator"
    ASSISTANT = "assistant"
    SUPPORT = "support"


class Person(SQLModel, table=True):
    """A child, an adult who belongs to one, or a member of staff; `external_id` is its id elsewhere."""

    __tablename__ = "person"
    __table_args__ = (UniqueConstraint("center_id", "kind", "external_id"), one_of("kind", PersonKind))

    center_id: str = Field(primary_key=True, foreign_key="center.id", sa_type=UUID_TEXT)
    id: str = Field(primary_key=True, sa_type=UUID_TEXT)
    kind: str = Field(max_length=16)
    external_id: str = Field(max_length=CODE_MAX)
    given_name: str = Field(max_length=NAME_MAX)
    family_name: str = Field(max_length=NAME_MAX)
    preferred_name: str = Field(default="", max_length=NAME_MAX)
    birth_date: date | None = None
    phone: str = Field(default="", max_length=CODE_MAX)
    email: str = Field(default="", max_length=NAME_MAX)


class ChildProfile(SQLModel, table=True):
    """What only a child has: its home room, whether it is enrolled, and between which days (both included)."""

    __tablename__ = "child_profile"
    __table_args__ = (
        ForeignKeyConstraint(["center_id", "child_id"], ["person.center_id", "person.id"]),
        ForeignKeyConstraint(["center_id", "home_room_id"], ["room.center_id", "room.id"]),
        Index(None, "center_id", "home_room_id"),
        CheckConstraint("enrolled_to >= enrolled_from", name="enrolment"),
    )

    center_id: str = Field(primary_key=True, sa_type=UUID_TEXT)
    child_id: str = Field(primary_key=True, sa_type=UUID_TEXT)
    home_room_id: str | None = Field(default=None, sa_type=UUID_TEXT)
    enrolled: bool = True
    enrolled_from: date | None = None
    enrolled_to: date | None = None


class Alert(SQLModel, table=True):
    """Something a person must see before they act for this child."""

    __tablename__ = "alert"
    __table_args__ = (
        ForeignKeyConstraint(["center_id", "child_id"], ["person.center_id", "person.id"]),
        UniqueConstraint("center_id", "external_id"),
        Index(None, "center_id", "child_id"),
        one_of("kind", AlertKind),
        one_of("severity", AlertSeverity),
    )

    center_id: str = Field(primary_key=True, sa_type=UUID_TEXT)
    id: str = Field(primary_key=True, sa_type=UUID_TEXT)
    external_id: str = Field(max_length=CODE_MAX)
    child_id: str = Field(sa_type=UUID_TEXT)
    kind: str = Field(max_length=16)
    severity: str = Field(max_length=16)
    text: str = Field(max_length=TEXT_MAX)


class Relationship(SQLModel, table=True):
    """What an adult is to a child: rights are per child and per adult.

    A right that nobody has decided (None) is that of a legal guardian: theirs, and nobody else's. `emergency_rank` says
    whom to call first: 1.
    """

    __tablename__ = "relationship"
    __table_args__ = (
        ForeignKeyConstraint(["center_id", "child_id"], ["person.center_id", "person.id"]),
        ForeignKeyConstraint(["center_id", "adult_id"], ["person.center_id", "person.id"]),
        Index(None, "center_id", "adult_id"),
        CheckConstraint(f"emergency_rank BETWEEN 1 AND {EMERGENCY_RANK_MAX}", name="emergency_rank"),
    )

    center_id: str = Field(primary_key=True, sa_type=UUID_TEXT)
    child_id: str = Field(primary_key=True, sa_type=UUID_TEXT)
    adult_id: str = Field(primary_key=True, sa_type=UUID_TEXT)
    kind: str = Field(default="", max_length=CODE_MAX)
    legal_guardian: bool = False
    can_view: bool | None = None
    can_book: bool | None = None
    receives_notifications: bool | None = None
    emergency_rank: int | None = Field(default=None, sa_type=SmallInteger)


class GuardianAccount(SQLModel, table=True):
    """The log-in of an adult at a centre: each adult has one there, and each account is one adult there."""

    __tablename__ = "guardian_account"
    __table_args__ = (
        ForeignKeyConstraint(["center_id", "adult_id"], ["person.center_id", "person.id"]),
        UniqueConstraint("user_id", "center_id"),
    )

    center_id: str = Field(primary_key=True, sa_type=UUID_TEXT)
    adult_id: str = Field(primary_key=True, sa_type=UUID_TEXT)
    user_id: str = Field(foreign_key="user_account.id", sa_type=UUID_TEXT)
    linked_at: datetime = Field(sa_type=TIMESTAMP)
    linked_by: str | None = Field(default=None, foreign_key="user_account.id", sa_type=UUID_TEXT)


class PickupAuthorisation(SQLModel, table=True):
    """Whether this adult may collect this child, and between which days (both included).

    `history` holds a pair for each change of its status, oldest first: since when (UTC milliseconds), and what it was
    from then on; the first pair, since 0, is what was so before. Empty: the status never changed. `announced_by` is the
    account of the guardian who announced it for a day, and `withdrawn_at` when they took that back.
    """

    __tablename__ = "pickup_authorisation"
    __table_args__ = (
        ForeignKeyConstraint(["center_id", "child_id"], ["person.center_id", "person.id"]),
        ForeignKeyConstraint(["center_id", "adult_id"], ["person.center_id", "person.id"]),
        UniqueConstraint("center_id", "child_id", "adult_id"),
        Index(None, "center_id", "adult_id"),
        Index(None, "announced_by", postgresql_where=text("announced_by IS NOT NULL")),
        one_of("status", PickupStatus),
        CheckConstraint("valid_to >= valid_from", name="validity"),
    )

    center_id: str = Field(primary_key=True, sa_type=UUID_TEXT)
    id: str = Field(primary_key=True, sa_type=UUID_TEXT)
    child_id: str = Field(sa_type=UUID_TEXT)
    adult_id: str = Field(sa_type=UUID_TEXT)
    status: str = Field(max_length=16)
    valid_from: date | None = None
    valid_to: date | None = None
    history: list[Any] = Field(default_factory=list, sa_type=JSONB, sa_column_kwargs={"server_default": "[]"})
    announced_by: str | None = Field(default=None, foreign_key="user_account.id", sa_type=UUID_TEXT)
    withdrawn_at: datetime | None = Field(default=None, sa_type=TIMESTAMP)


class StaffProfile(SQLModel, table=True):
    """What only a member of staff has; employed between two days (both included), where somebody said which.

    `pin` is the JSON of a `sync.records.PinRecord`.
    """

    __tablename__ = "staff_profile"
    __table_args__ = (
        ForeignKeyConstraint(["center_id", "person_id"], ["person.center_id", "person.id"]),
        one_of("role", StaffRole),
        CheckConstraint("employed_to >= employed_from", name="employment"),
    )

    center_id: str = Field(primary_key=True, sa_type=UUID_TEXT)
    person_id: str = Field(primary_key=True, sa_type=UUID_TEXT)
    role: str = Field(max_length=16)
    counts_in_ratio: bool = True
    pin: bytes | None = None
    employed_from: date | None = None
    employed_to: date | None = None
