"""The PIN of a member of staff, in the form in which the desks of the centre check it.

Revision: 0012, after 0011.

A server of the version before knows nothing of the column, and of its record of somebody without a PIN every byte is
the same. `staff_profile` is a synced table: what is written to it is in the change log, or the commit fails.
"""

from collections.abc import Sequence

from alembic import op

revision: str = "0012"
down_revision = "0011"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    """Bring the schema forward."""
    op.execute("""
        ALTER TABLE staff_profile ADD COLUMN pin bytea
        CONSTRAINT ck_staff_profile_pin CHECK (length(pin) <= 1024)
    """)


def downgrade() -> None:
    """Take the step back; the records that desks hold keep their PINs until the roster is written anew."""
    op.execute("ALTER TABLE staff_profile DROP COLUMN pin")
