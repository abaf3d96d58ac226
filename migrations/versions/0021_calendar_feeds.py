"""Addresses at which calendar programs read the bookings of an account.

Revision: 0021, after 0020.
"""

from collections.abc import Sequence

from alembic import op

revision: str = "0021"
down_revision: str | Sequence[str] | None = "0020"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

# Only hashes: whoever reads the table, or a backup of it, reads nobody's calendar. No policy: a feed is found by what
# is in its address, before anybody is known; the bookings behind it are within the reach of its account.
TABLE = """
    CREATE TABLE calendar_feed (
        user_id uuid NOT NULL,
        token_hash bytea NOT NULL,
        made_at timestamptz NOT NULL,
        last_read_at timestamptz,
        CONSTRAINT pk_calendar_feed PRIMARY KEY (user_id),
        CONSTRAINT uq_calendar_feed_token_hash UNIQUE (token_hash),
        CONSTRAINT fk_calendar_feed_user_id FOREIGN KEY (user_id) REFERENCES user_account (id),
        CONSTRAINT ck_calendar_feed_token_hash CHECK (octet_length(token_hash) = 32)
    )
"""


def upgrade() -> None:
    """Bring the schema forward."""
    op.execute(TABLE)


def downgrade() -> None:
    """Take the step back; addresses that were given out are no good any more."""
    op.execute("DROP TABLE calendar_feed")
