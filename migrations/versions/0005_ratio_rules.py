"""Ratio rules of a centre, each from a day on; devices get them in the record of their centre.

Revision: 0005, after 0004.

A server of the version before knows nothing of the table, and of its record of a centre without rules every byte is the
same. It is a synced table: what is written to it is in the change log, or the commit fails (revision 0003).
"""

from collections.abc import Sequence

from alembic import op

revision: str = "0005"
down_revision: str | Sequence[str] | None = "0004"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

GUARDED = (("INSERT", "NEW"), ("UPDATE", "OLD"), ("UPDATE", "NEW"), ("DELETE", "OLD"))


def upgrade() -> None:
    """Bring the schema forward."""
    op.execute("""
        CREATE TABLE center_ratio_rules (
            center_id uuid NOT NULL,
            effective_from date NOT NULL,
            body bytea NOT NULL,
            created_at timestamptz NOT NULL,
            CONSTRAINT pk_center_ratio_rules PRIMARY KEY (center_id, effective_from),
            CONSTRAINT fk_center_ratio_rules_center_id FOREIGN KEY (center_id) REFERENCES center (id)
        )
    """)
    for event, row in GUARDED:
        op.execute(
            f"CREATE TRIGGER guard_{event.lower()}_{row.lower()} AFTER {event} ON center_ratio_rules "
            f"REFERENCING {row} TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION guard_synced_write()"
        )


def downgrade() -> None:
    """Take the step back."""
    op.execute("DROP TABLE center_ratio_rules")
