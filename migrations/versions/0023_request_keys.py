"""What was answered to requests with an Idempotency-Key, until a day later.

Revision: 0023, after 0022.

Both hashes are keyed, and an answer is sealed with a key that nobody has without the key of the request.
"""

from collections.abc import Sequence

from alembic import op

revision: str = "0023"
down_revision: str | Sequence[str] | None = "0022"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

TABLE = """
    CREATE TABLE request_key (
        user_id uuid NOT NULL,
        key_digest bytea NOT NULL,
        request_digest bytea NOT NULL,
        claim_id uuid NOT NULL,
        claimed_until timestamptz NOT NULL,
        forget_at timestamptz NOT NULL,
        answer bytea,
        CONSTRAINT pk_request_key PRIMARY KEY (user_id, key_digest),
        CONSTRAINT fk_request_key_user_id FOREIGN KEY (user_id) REFERENCES user_account (id) ON DELETE CASCADE,
        CONSTRAINT ck_request_key_digests CHECK (octet_length(key_digest) = 32 AND octet_length(request_digest) = 32)
    )
"""
INDEX = "CREATE INDEX ix_request_key_forget_at ON request_key (forget_at)"


def upgrade() -> None:
    """Bring the schema forward."""
    for statement in (TABLE, INDEX):
        op.execute(statement)


def downgrade() -> None:
    """Take the step back; a request that is sent again is then a new one."""
    op.execute("DROP TABLE request_key")
