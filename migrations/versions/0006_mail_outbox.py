"""The mails that wait, went out, or were given up.

Revision: 0006, after 0005.
"""

from collections.abc import Sequence

from alembic import op

revision: str = "0006"
down_revision: str | Sequence[str] | None = "0005"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

# No reference to the centre: a mail that went out is evidence for longer than what it speaks of. That a line end can
# stand in no header is checked here as well: whatever code comes later, nobody puts a header of their own into a mail.
TABLE = """
    CREATE TABLE mail_outbox (
        id uuid NOT NULL,
        center_id uuid,
        dedupe_key varchar(200) NOT NULL,
        recipient varchar(200) NOT NULL,
        subject varchar(300) NOT NULL,
        body text NOT NULL,
        created_at timestamptz NOT NULL,
        not_before timestamptz NOT NULL,
        give_up_at timestamptz NOT NULL,
        attempts integer NOT NULL,
        last_error varchar(100) NOT NULL,
        state varchar(16) NOT NULL,
        sent_at timestamptz,
        CONSTRAINT pk_mail_outbox PRIMARY KEY (id),
        CONSTRAINT uq_mail_outbox_dedupe_key UNIQUE (dedupe_key),
        CONSTRAINT ck_mail_outbox_state CHECK (state IN ('waiting', 'sent', 'given_up')),
        CONSTRAINT ck_mail_outbox_recipient CHECK (recipient !~ '[[:cntrl:]]'),
        CONSTRAINT ck_mail_outbox_subject CHECK (subject !~ '[[:cntrl:]]'),
        CONSTRAINT ck_mail_outbox_body CHECK (char_length(body) <= 10000)
    )
"""
# The sender asks every few seconds; what went out is most of the table and no part of this.
INDEX = "CREATE INDEX ix_mail_outbox_not_before_id ON mail_outbox (not_before, id) WHERE state = 'waiting'"


def upgrade() -> None:
    """Bring the schema forward."""
    op.execute(TABLE)
    op.execute(INDEX)


def downgrade() -> None:
    """Take the step back."""
    op.execute("DROP TABLE mail_outbox")
