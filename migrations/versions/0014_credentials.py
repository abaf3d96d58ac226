"""Cards and fobs from elsewhere, by which desks find a child or an adult.

Revision: 0014, after 0013.

`credential` is a synced table: what is written to it is in the change log, or the commit fails. A server of the version
before knows nothing of it.
"""

from collections.abc import Sequence

from alembic import op

revision: str = "0014"
down_revision = "0013"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

TABLE = """
    CREATE TABLE credential (
        center_id uuid NOT NULL,
        id uuid NOT NULL,
        kind varchar(16) NOT NULL,
        person_id uuid NOT NULL,
        label varchar(64) NOT NULL,
        seal varchar(64) NOT NULL,
        pepper_id varchar(32) NOT NULL,
        created_at timestamptz NOT NULL,
        created_by uuid,
        revoked_at timestamptz,
        revoked_by uuid,
        CONSTRAINT pk_credential PRIMARY KEY (center_id, id),
        CONSTRAINT ck_credential_kind CHECK (kind IN ('barcode')),
        CONSTRAINT fk_credential_center_id_person_id
            FOREIGN KEY (center_id, person_id) REFERENCES person (center_id, id),
        CONSTRAINT fk_credential_created_by FOREIGN KEY (created_by) REFERENCES user_account (id),
        CONSTRAINT fk_credential_revoked_by FOREIGN KEY (revoked_by) REFERENCES user_account (id)
    )
"""
INDEXES = (
    "CREATE INDEX ix_credential_center_id_person_id ON credential (center_id, person_id)",
    "CREATE UNIQUE INDEX uq_credential_active ON credential (center_id, seal) WHERE revoked_at IS NULL",
)
GUARDED = (("INSERT", "NEW"), ("UPDATE", "OLD"), ("UPDATE", "NEW"), ("DELETE", "OLD"))


def upgrade() -> None:
    """Bring the schema forward."""
    for statement in (TABLE, *INDEXES):
        op.execute(statement)
    for event, row in GUARDED:
        op.execute(
            f"CREATE TRIGGER guard_{event.lower()}_{row.lower()} AFTER {event} ON credential "
            f"REFERENCING {row} TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION guard_synced_write()"
        )


def downgrade() -> None:
    """Take the step back; records that desks hold stay there, and mean nothing to the version before."""
    op.execute("DROP TABLE credential")
