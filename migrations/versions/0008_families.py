"""Rights of adults over what is known of their children, their log-ins, and collectors whom guardians announce.

Revision: 0008, after 0007.

A right that nobody has decided is NULL and follows `legal_guardian`. So no row changes here, and what a server of the
version before inserts means the same: its legal guardians have the rights of legal guardians.
"""

from collections.abc import Sequence

from alembic import op

revision: str = "0008"
down_revision = "0007"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

COLUMNS = (
    """
        ALTER TABLE relationship
            ADD COLUMN can_view boolean,
            ADD COLUMN can_book boolean,
            ADD COLUMN receives_notifications boolean,
            ADD COLUMN emergency_rank smallint,
            ADD CONSTRAINT ck_relationship_emergency_rank CHECK (emergency_rank BETWEEN 1 AND 99)
    """,
    """
        ALTER TABLE pickup_authorisation
            ADD COLUMN announced_by uuid,
            ADD COLUMN withdrawn_at timestamptz,
            ADD CONSTRAINT fk_pickup_authorisation_announced_by FOREIGN KEY (announced_by) REFERENCES user_account (id)
    """,
)
TABLE = """
    CREATE TABLE guardian_account (
        center_id uuid NOT NULL,
        adult_id uuid NOT NULL,
        user_id uuid NOT NULL,
        linked_at timestamptz NOT NULL,
        linked_by uuid,
        CONSTRAINT pk_guardian_account PRIMARY KEY (center_id, adult_id),
        CONSTRAINT uq_guardian_account_user_id_center_id UNIQUE (user_id, center_id),
        CONSTRAINT fk_guardian_account_center_id_adult_id FOREIGN KEY (center_id, adult_id)
            REFERENCES person (center_id, id),
        CONSTRAINT fk_guardian_account_user_id FOREIGN KEY (user_id) REFERENCES user_account (id),
        CONSTRAINT fk_guardian_account_linked_by FOREIGN KEY (linked_by) REFERENCES user_account (id)
    )
"""
# Few pick-ups are announcements, and each guardian asks for their own.
INDEX = """
    CREATE INDEX ix_pickup_authorisation_announced_by ON pickup_authorisation (announced_by)
    WHERE announced_by IS NOT NULL
"""


def upgrade() -> None:
    """Bring the schema forward."""
    for statement in (*COLUMNS, TABLE, INDEX):
        op.execute(statement)


def downgrade() -> None:
    """Take the step back."""
    op.execute("DROP TABLE guardian_account")
    op.execute("ALTER TABLE pickup_authorisation DROP COLUMN announced_by, DROP COLUMN withdrawn_at")
    op.execute(
        "ALTER TABLE relationship DROP COLUMN can_view, DROP COLUMN can_book, "
        "DROP COLUMN receives_notifications, DROP COLUMN emergency_rank"
    )
