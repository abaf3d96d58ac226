"""The mails that wait, went out, or were given up."""

from datetime import datetime
from enum import StrEnum
from typing import Final

from sqlalchemy import CheckConstraint, Index, Text, UniqueConstraint, text
from sqlmodel import Field, SQLModel

from server.models.columns import NAME_MAX, TIMESTAMP, UUID_TEXT, one_of

DEDUPE_KEY_MAX: Final = 200
SUBJECT_MAX: Final = 300  # the name of a centre, and a hundred characters around it
BODY_MAX: Final = 10_000  # three printed pages
REASON_MAX: Final = 100


class MailState(StrEnum):
    """What became of a mail."""

    WAITING = "waiting"
    SENT = "sent"
    GIVEN_UP = "given_up"


class MailOutbox(SQLModel, table=True):
    """One mail to one recipient.

    `not_before` is when it is due; whoever sends it moves it ahead first, so that nobody else does meanwhile.
    `user_id` and `child_id` are set in what a guardian is told of a child: it is sent only while they may see it.
    `last_error` holds codes of mail servers and words of ours, never what a server said: that repeats addresses.
    """

    __tablename__ = "mail_outbox"
    __table_args__ = (
        UniqueConstraint("dedupe_key"),
        one_of("state", MailState),
        CheckConstraint("recipient !~ '[[:cntrl:]]'", name="recipient"),
        CheckConstraint("subject !~ '[[:cntrl:]]'", name="subject"),
        CheckConstraint(f"char_length(body) <= {BODY_MAX}", name="body"),
        Index(None, "not_before", "id", postgresql_where=text("state = 'waiting'")),
    )

    id: str = Field(primary_key=True, sa_type=UUID_TEXT)
    center_id: str | None = Field(default=None, sa_type=UUID_TEXT)
    dedupe_key: str = Field(max_length=DEDUPE_KEY_MAX)
    recipient: str = Field(max_length=NAME_MAX)
    subject: str = Field(max_length=SUBJECT_MAX)
    body: str = Field(sa_type=Text)
    created_at: datetime = Field(sa_type=TIMESTAMP)
    not_before: datetime = Field(sa_type=TIMESTAMP)
    give_up_at: datetime = Field(sa_type=TIMESTAMP)
    attempts: int
    last_error: str = Field(max_length=REASON_MAX)
    state: str = Field(max_length=16)
    sent_at: datetime | None = Field(default=None, sa_type=TIMESTAMP)
    child_id: str | None = Field(default=None, sa_type=UUID_TEXT)
    user_id: str | None = Field(default=None, sa_type=UUID_TEXT)
