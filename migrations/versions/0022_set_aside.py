"""Entries that are kept aside are found without reading the journals, and what people decided of them is kept.

Revision: 0022, after 0021.
"""

from collections.abc import Sequence

from alembic import op

revision: str = "0022"
down_revision: str | Sequence[str] | None = "0021"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

TABLE = """
    CREATE TABLE set_aside_answer (
        center_id uuid NOT NULL,
        entry_hash bytea NOT NULL,
        verdict varchar(16) NOT NULL,
        event_id uuid,
        reason varchar(500) NOT NULL,
        answered_at timestamptz NOT NULL,
        answered_by uuid,
        CONSTRAINT pk_set_aside_answer PRIMARY KEY (center_id, entry_hash),
        CONSTRAINT ck_set_aside_answer_verdict CHECK (verdict IN ('taken_in', 'dismissed')),
        CONSTRAINT fk_set_aside_answer_answered_by FOREIGN KEY (answered_by) REFERENCES user_account (id)
    )
"""
# 5 is the outcome of an entry that is kept aside (`sync.journal.Outcome.PARKED`).
INDEX = "CREATE INDEX ix_journal_entry_set_aside ON journal_entry (center_id, received_at, hash) WHERE outcome = 5"
EVERYWHERE = "(SELECT current_setting('rollcall.reach', true) = '*')"
SETTING = "nullif(coalesce(current_setting('rollcall.reach', true), ''), '*')"
REACH = f"CAST((SELECT CAST(string_to_array({SETTING}, ',') AS uuid[])) AS uuid[])"
RULE = f"{EVERYWHERE} OR center_id = ANY ({REACH})"


def upgrade() -> None:
    """Bring the schema forward."""
    op.execute(TABLE)
    op.execute(f"CREATE POLICY within_reach ON set_aside_answer USING ({RULE}) WITH CHECK ({RULE})")
    op.execute("ALTER TABLE set_aside_answer ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY")
    op.execute(INDEX)


def downgrade() -> None:
    """Take the step back."""
    op.execute("DROP INDEX ix_journal_entry_set_aside")
    op.execute("DROP TABLE set_aside_answer")
