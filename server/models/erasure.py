"""Who was erased and what was emptied for it, whom the law keeps from being erased, and the runs of jobs."""

from datetime import datetime
from enum import StrEnum

from sqlalchemy import BigInteger, CheckConstraint, ForeignKeyConstraint, Index, Text, text
from sqlmodel import Field, SQLModel

from server.models.columns import CODE_MAX, NAME_MAX, TIMESTAMP, UUID_TEXT, one_of


class ErasureKind(StrEnum):
    """Who is erased: a child with the adults whom nobody else needs, or an adult without children."""

    CHILD = "child"
    ADULT = "adult"


class ErasureState(StrEnum):
    """How far an erasure came."""

    ASKED = "asked"
    DONE = "done"
    WITHDRAWN = "withdrawn"


class ErasureReason(StrEnum):
    """Why somebody is erased; a list and no text, so that nothing of the person is typed into it."""

    NONE = ""
    FAMILY_ASKED = "family_asked"
    LEFT = "left"
    MISTAKE = "mistake"
    COURT_ORDER = "court_order"
    RETENTION_OVER = "retention_over"
    OTHER = "other"


class Erasure(SQLModel, table=True):
    """One person who is to be erased, or was. `swept_at`: up to when what came in later was looked through."""

    __tablename__ = "erasure"
    __table_args__ = (
        one_of("kind", ErasureKind),
        one_of("state", ErasureState),
        one_of("reason", ErasureReason),
        CheckConstraint("(state = 'asked') = (ended_at IS NULL)", name="ended"),
        Index(
            "uq_erasure_person", "center_id", "person_id", unique=True, postgresql_where=text("state <> 'withdrawn'")
        ),
    )

    center_id: str = Field(primary_key=True, foreign_key="center.id", sa_type=UUID_TEXT)
    id: str = Field(primary_key=True, sa_type=UUID_TEXT)
    kind: str = Field(max_length=16)
    person_id: str = Field(sa_type=UUID_TEXT)
    state: str = Field(max_length=16)
    reason: str = Field(default="", max_length=32)
    asked_at: datetime = Field(sa_type=TIMESTAMP)
    asked_by: str = Field(sa_type=Text)
    ended_at: datetime | None = Field(default=None, sa_type=TIMESTAMP)
    ended_by: str = Field(default="", sa_type=Text)
    swept_at: datetime | None = Field(default=None, sa_type=TIMESTAMP)


class ErasedRecord(SQLModel, table=True):
    """What was emptied for an erasure: a record of the log (`entity`), or an `entry` of a journal by its event."""

    __tablename__ = "erased_record"
    __table_args__ = (
        ForeignKeyConstraint(["center_id", "erasure_id"], ["erasure.center_id", "erasure.id"]),
        Index(None, "center_id", "erasure_id"),
    )

    center_id: str = Field(primary_key=True, sa_type=UUID_TEXT)
    entity: str = Field(primary_key=True, sa_type=Text)
    entity_id: str = Field(primary_key=True, sa_type=Text)
    erasure_id: str = Field(primary_key=True, sa_type=UUID_TEXT)


class LegalHold(SQLModel, table=True):
    """A person of whom nothing may be erased until it is lifted."""

    __tablename__ = "legal_hold"
    __table_args__ = (Index(None, "center_id", "person_id"),)

    center_id: str = Field(primary_key=True, foreign_key="center.id", sa_type=UUID_TEXT)
    id: str = Field(primary_key=True, sa_type=UUID_TEXT)
    person_id: str = Field(sa_type=UUID_TEXT)
    reason: str = Field(max_length=NAME_MAX)
    placed_at: datetime = Field(sa_type=TIMESTAMP)
    placed_by: str = Field(sa_type=Text)
    lifted_at: datetime | None = Field(default=None, sa_type=TIMESTAMP)
    lifted_by: str = Field(default="", sa_type=Text)


class ErasedAccount(SQLModel, table=True):
    """An account that is no more."""

    __tablename__ = "erased_account"

    user_id: str = Field(primary_key=True, sa_type=UUID_TEXT)
    erased_at: datetime = Field(sa_type=TIMESTAMP)


class JobRun(SQLModel, table=True):
    """A run of a job: where, since when (by that server's clock), how long, and what came of it.

    Runs of a job are numbered as they end, whatever the clocks say. `problem` is the name of an error without its text.
    """

    __tablename__ = "job_run"

    job: str = Field(primary_key=True, max_length=CODE_MAX)
    number: int = Field(primary_key=True, sa_type=BigInteger, sa_column_kwargs={"autoincrement": False})
    server: str = Field(max_length=CODE_MAX)
    started_at: datetime = Field(sa_type=TIMESTAMP)
    took_ms: int = Field(sa_type=BigInteger)
    outcome: str = Field(max_length=16)
    problem: str = Field(max_length=NAME_MAX)
