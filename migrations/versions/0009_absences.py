"""Announced absences and the calls about unannounced ones, and from when to when people belong to a centre.

Revision: 0009, after 0008.
"""

from collections.abc import Sequence

from alembic import op

revision: str = "0009"
down_revision = "0008"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

TABLES = {
    "absence": """
        CREATE TABLE absence (
            center_id uuid NOT NULL,
            id uuid NOT NULL,
            child_id uuid NOT NULL,
            first_day date NOT NULL,
            last_day date NOT NULL,
            kind varchar(16) NOT NULL,
            informed_at timestamptz,
            informed_by varchar(200) NOT NULL,
            justified boolean NOT NULL,
            billable boolean NOT NULL,
            note varchar(500) NOT NULL,
            created_at timestamptz NOT NULL,
            created_by uuid,
            changed_at timestamptz NOT NULL,
            withdrawn_at timestamptz,
            CONSTRAINT pk_absence PRIMARY KEY (center_id, id),
            CONSTRAINT ck_absence_kind CHECK (kind IN ('sick', 'holiday', 'appointment', 'other', 'unexplained')),
            CONSTRAINT ck_absence_days CHECK (last_day >= first_day),
            CONSTRAINT fk_absence_center_id_child_id
                FOREIGN KEY (center_id, child_id) REFERENCES person (center_id, id),
            CONSTRAINT fk_absence_created_by FOREIGN KEY (created_by) REFERENCES user_account (id)
        )
    """,
    "absence_follow_up": """
        CREATE TABLE absence_follow_up (
            center_id uuid NOT NULL,
            id uuid NOT NULL,
            child_id uuid NOT NULL,
            day date NOT NULL,
            at timestamptz NOT NULL,
            made_by uuid,
            by_name varchar(200) NOT NULL,
            result varchar(16) NOT NULL,
            note varchar(500) NOT NULL,
            CONSTRAINT pk_absence_follow_up PRIMARY KEY (center_id, id),
            CONSTRAINT ck_absence_follow_up_result
                CHECK (result IN ('reached', 'no_answer', 'message_left', 'other')),
            CONSTRAINT fk_absence_follow_up_center_id_child_id
                FOREIGN KEY (center_id, child_id) REFERENCES person (center_id, id),
            CONSTRAINT fk_absence_follow_up_made_by FOREIGN KEY (made_by) REFERENCES user_account (id)
        )
    """,
}
# Nobody said: null, so that a server of the version before inserts rows as it always did.
COLUMNS = (
    "ALTER TABLE child_profile ADD COLUMN enrolled_from date, ADD COLUMN enrolled_to date",
    "ALTER TABLE child_profile ADD CONSTRAINT ck_child_profile_enrolment CHECK (enrolled_to >= enrolled_from)",
    "ALTER TABLE staff_profile ADD COLUMN employed_from date, ADD COLUMN employed_to date",
    "ALTER TABLE staff_profile ADD CONSTRAINT ck_staff_profile_employment CHECK (employed_to >= employed_from)",
)
INDEXES = (
    "CREATE INDEX ix_absence_center_id_child_id ON absence (center_id, child_id)",
    "CREATE INDEX ix_absence_center_id_last_day ON absence (center_id, last_day)",
    "CREATE INDEX ix_absence_follow_up_center_id_day ON absence_follow_up (center_id, day)",
)
GUARDED = (("INSERT", "NEW"), ("UPDATE", "OLD"), ("UPDATE", "NEW"), ("DELETE", "OLD"))


def upgrade() -> None:
    """Bring the schema forward."""
    for statement in (*TABLES.values(), *COLUMNS, *INDEXES):
        op.execute(statement)
    for event, row in GUARDED:
        op.execute(
            f"CREATE TRIGGER guard_{event.lower()}_{row.lower()} AFTER {event} ON absence "
            f"REFERENCING {row} TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION guard_synced_write()"
        )


def downgrade() -> None:
    """Take the step back."""
    op.execute("ALTER TABLE staff_profile DROP COLUMN employed_to, DROP COLUMN employed_from")
    op.execute("ALTER TABLE child_profile DROP COLUMN enrolled_to, DROP COLUMN enrolled_from")
    for table in reversed(TABLES):
        op.execute(f"DROP TABLE {table}")
