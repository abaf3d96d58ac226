"""When a child is announced not to come, and what the centre did when it did not come without a word."""

from datetime import date, datetime
from enum import StrEnum

from sqlalchemy import CheckConstraint, ForeignKeyConstraint, Index
from sqlmodel import Field, SQLModel

from server.models.columns import NAME_MAX, TEXT_MAX, TIMESTAMP, UUID_TEXT, one_of


class AbsenceKind(StrEnum):
    """Why a child does not come; `unexplained`: it did not, and nobody knows why."""

    SICK = "sick"
    HOLIDAY = "holiday"
    APPOINTMENT = "appointment"
    OTHER = "other"
    UNEXPLAINED = "unexplained"


class FollowUpResult(StrEnum):
    """What came of a call to the family of a child that did not come."""

    REACHED = "reached"
    NO_ANSWER = "no_answer"
    MESSAGE_LEFT = "message_left"
    OTHER = "other"


class Absence(SQLModel, table=True):
    """Days (both included) on which a child is announced not to come; kept when it is withdrawn.

    `informed_at` and `informed_by`: when the family said so, and who of it. Of these rows devices hold the days and
    the kind.
    """

    __tablename__ = "absence"
    __table_args__ = (
        ForeignKeyConstraint(["center_id", "child_id"], ["person.center_id", "person.id"]),
        one_of("kind", AbsenceKind),
        CheckConstraint("last_day >= first_day", name="days"),
        Index(None, "center_id", "child_id"),
        Index(None, "center_id", "last_day"),
    )

    center_id: str = Field(primary_key=True, sa_type=UUID_TEXT)
    id: str = Field(primary_key=True, sa_type=UUID_TEXT)
    child_id: str = Field(sa_type=UUID_TEXT)
    first_day: date
    last_day: date
    kind: str = Field(max_length=16)
    informed_at: datetime | None = Field(default=None, sa_type=TIMESTAMP)
    informed_by: str = Field(default="", max_length=NAME_MAX)
    justified: bool = False
    billable: bool = True
    note: str = Field(default="", max_length=TEXT_MAX)
    created_at: datetime = Field(sa_type=TIMESTAMP)
    created_by: str | None = Field(default=None, foreign_key="user_account.id", sa_type=UUID_TEXT)
    changed_at: datetime = Field(sa_type=TIMESTAMP)
    withdrawn_at: datetime | None = Field(default=None, sa_type=TIMESTAMP)


class AbsenceFollowUp(SQLModel, table=True):
    """The family of a child that did not come on a day was called: when, by whom, and what came of it."""

    __tablename__ = "absence_follow_up"
    __table_args__ = (
        ForeignKeyConstraint(["center_id", "child_id"], ["person.center_id", "person.id"]),
        one_of("result", FollowUpResult),
        Index(None, "center_id", "day"),
    )

    center_id: str = Field(primary_key=True, sa_type=UUID_TEXT)
    id: str = Field(primary_key=True, sa_type=UUID_TEXT)
    child_id: str = Field(sa_type=UUID_TEXT)
    day: date
    at: datetime = Field(sa_type=TIMESTAMP)
    made_by: str | None = Field(default=None, foreign_key="user_account.id", sa_type=UUID_TEXT)
    by_name: str = Field(default="", max_length=NAME_MAX)
    result: str = Field(max_length=16)
    note: str = Field(default="", max_length=TEXT_MAX)
