"""Who is signed in to the dashboard in which browser.

Revision: 0010, after 0009.
"""

from collections.abc import Sequence

from alembic import op

revision: str = "0010"
down_revision = "0009"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

# Only hashes: whoever reads the table, or a backup of it, can sign in as nobody.
TABLE = """
    CREATE TABLE browser_session (
        id uuid NOT NULL,
        user_id uuid NOT NULL,
        token_hash bytea NOT NULL,
        password_mark bytea NOT NULL,
        client varchar(200) NOT NULL,
        made_at timestamptz NOT NULL,
        last_used_at timestamptz NOT NULL,
        CONSTRAINT pk_browser_session PRIMARY KEY (id),
        CONSTRAINT uq_browser_session_token_hash UNIQUE (token_hash),
        CONSTRAINT fk_browser_session_user_id FOREIGN KEY (user_id) REFERENCES user_account (id),
        CONSTRAINT ck_browser_session_token_hash CHECK (octet_length(token_hash) = 32),
        CONSTRAINT ck_browser_session_password_mark CHECK (octet_length(password_mark) = 32)
    )
"""
# Those of one person, newest first; and what the job takes away.
INDEXES = (
    "CREATE INDEX ix_browser_session_user_id_last_used_at ON browser_session (user_id, last_used_at)",
    "CREATE INDEX ix_browser_session_last_used_at ON browser_session (last_used_at)",
)


def upgrade() -> None:
    """Bring the schema forward."""
    op.execute(TABLE)
    for index in INDEXES:
        op.execute(index)


def downgrade() -> None:
    """Take the step back."""
    op.execute("DROP TABLE browser_session")
