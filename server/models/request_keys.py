"""What was answered to requests that may be sent again."""

from datetime import datetime

from sqlalchemy import CheckConstraint
from sqlmodel import Field, SQLModel

from server.models.columns import TIMESTAMP, UUID_TEXT


class RequestKey(SQLModel, table=True):
    """A request with an Idempotency-Key: being served until `claimed_until` while there is no `answer`.

    The key, what was sent with it, and the answer are here only as keyed hashes and under seal.
    """

    __tablename__ = "request_key"
    __table_args__ = (
        CheckConstraint("octet_length(key_digest) = 32 AND octet_length(request_digest) = 32", name="digests"),
    )

    user_id: str = Field(primary_key=True, sa_type=UUID_TEXT, foreign_key="user_account.id", ondelete="CASCADE")
    key_digest: bytes = Field(primary_key=True)
    request_digest: bytes
    claim_id: str = Field(sa_type=UUID_TEXT)
    claimed_until: datetime = Field(sa_type=TIMESTAMP)
    forget_at: datetime = Field(sa_type=TIMESTAMP, index=True)
    answer: bytes | None = None
