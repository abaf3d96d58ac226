"""What figures over years read, in indexes that hold all of it: stays of a period, and bookings of a period.

Revision: 0017, after 0012.

Nothing else changes, so a server of the version before goes on as it did.
"""

from collections.abc import Sequence

from alembic import op

revision: str = "0017"
down_revision = "0012"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

INDEXES = (
    """
        CREATE INDEX ix_stay_figures ON stay (center_id, started_at)
        INCLUDE (ended_at, subject_kind, subject_id, assumed, disputed)
    """,
    """
        CREATE INDEX ix_booking_figures ON booking (center_id, starts_at)
        INCLUDE (ends_at, status, child_id, service_id, day)
    """,
)


def upgrade() -> None:
    """Bring the schema forward."""
    for statement in INDEXES:
        op.execute(statement)


def downgrade() -> None:
    """Take the step back."""
    op.execute("DROP INDEX ix_booking_figures")
    op.execute("DROP INDEX ix_stay_figures")
