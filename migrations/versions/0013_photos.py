"""Photos of children and adults: as they are kept, and the small picture of each that desks hold.

Revision: 0013, after 0012.

`photo` is a synced table: what is written to it is in the change log, or the commit fails. A server of the version
before knows nothing of it, and writes neither the table nor records of this kind.
"""

from collections.abc import Sequence

from alembic import op

revision: str = "0013"
down_revision = "0012"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

TABLE = """
    CREATE TABLE photo (
        center_id uuid NOT NULL,
        person_id uuid NOT NULL,
        body bytea NOT NULL,
        width smallint NOT NULL,
        height smallint NOT NULL,
        tag varchar(64) NOT NULL,
        picture bytea NOT NULL,
        set_at timestamptz NOT NULL,
        set_by uuid,
        CONSTRAINT pk_photo PRIMARY KEY (center_id, person_id),
        CONSTRAINT ck_photo_body CHECK (length(body) <= 262144),
        CONSTRAINT ck_photo_picture CHECK (length(picture) <= 2048),
        CONSTRAINT fk_photo_center_id_person_id
            FOREIGN KEY (center_id, person_id) REFERENCES person (center_id, id),
        CONSTRAINT fk_photo_set_by FOREIGN KEY (set_by) REFERENCES user_account (id)
    )
"""
GUARDED = (("INSERT", "NEW"), ("UPDATE", "OLD"), ("UPDATE", "NEW"), ("DELETE", "OLD"))


def upgrade() -> None:
    """Bring the schema forward."""
    op.execute(TABLE)
    for event, row in GUARDED:
        op.execute(
            f"CREATE TRIGGER guard_{event.lower()}_{row.lower()} AFTER {event} ON photo "
            f"REFERENCING {row} TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION guard_synced_write()"
        )


def downgrade() -> None:
    """Take the step back; records that desks hold stay there, and mean nothing to the version before."""
    op.execute("DROP TABLE photo")
