"""Stays and findings as tables, the calendar of a centre, how pick-ups came to their status, and the server's own desk.

Revision: 0004, after 0003.

Stays and reviews are projections: empty after this step, filled child by child as facts arrive, and for what stands
already by `rollcall-server rebuild-projections`, which the server runs by itself when it starts.
"""

from collections.abc import Sequence

from alembic import op

revision: str = "0004"
down_revision: str | Sequence[str] | None = "0003"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

TABLES = {
    "stay": """
        CREATE TABLE stay (
            center_id uuid NOT NULL,
            subject_id uuid NOT NULL,
            ordinal integer NOT NULL,
            stay_id uuid NOT NULL,
            subject_kind text NOT NULL,
            is_fresh boolean NOT NULL,
            began_at timestamptz,
            started_at timestamptz,
            ended_at timestamptz,
            check_in uuid,
            check_out uuid,
            corroborated_by uuid[] NOT NULL,
            disputed boolean NOT NULL,
            assumed boolean NOT NULL,
            rooms jsonb NOT NULL,
            CONSTRAINT pk_stay PRIMARY KEY (center_id, subject_id, ordinal),
            CONSTRAINT ck_stay_subject_kind CHECK (subject_kind IN ('child', 'person', 'other'))
        )
    """,
    "review": """
        CREATE TABLE review (
            center_id uuid NOT NULL,
            subject_id uuid NOT NULL,
            finding text NOT NULL,
            subject_kind text NOT NULL,
            kind text NOT NULL,
            severity text NOT NULL,
            state text NOT NULL,
            span integer NOT NULL,
            event_ids uuid[] NOT NULL,
            since timestamptz,
            found_at timestamptz,
            answer text NOT NULL,
            answered_by uuid,
            CONSTRAINT pk_review PRIMARY KEY (center_id, subject_id, finding),
            CONSTRAINT ck_review_subject_kind CHECK (subject_kind IN ('child', 'person', 'other')),
            CONSTRAINT ck_review_severity CHECK (severity IN ('critical', 'normal')),
            CONSTRAINT ck_review_state CHECK (state IN ('open', 'answered'))
        )
    """,
    "projection_state": """
        CREATE TABLE projection_state (
            center_id uuid NOT NULL,
            rules integer NOT NULL,
            CONSTRAINT pk_projection_state PRIMARY KEY (center_id)
        )
    """,
    "center_calendar": """
        CREATE TABLE center_calendar (
            center_id uuid NOT NULL,
            id uuid NOT NULL,
            kind varchar(16) NOT NULL,
            first_day date NOT NULL,
            last_day date NOT NULL,
            reason varchar(200) NOT NULL,
            at timestamptz NOT NULL,
            made_by uuid,
            CONSTRAINT pk_center_calendar PRIMARY KEY (center_id, id),
            CONSTRAINT ck_center_calendar_kind CHECK (kind IN ('closure', 'lock')),
            CONSTRAINT ck_center_calendar_days CHECK (last_day >= first_day),
            CONSTRAINT fk_center_calendar_center_id FOREIGN KEY (center_id) REFERENCES center (id),
            CONSTRAINT fk_center_calendar_made_by FOREIGN KEY (made_by) REFERENCES user_account (id)
        )
    """,
}
# The defaults let a server of the version before insert rows as it always did.
COLUMNS = (
    "ALTER TABLE pickup_authorisation ADD COLUMN history jsonb DEFAULT '[]' NOT NULL",
    "ALTER TABLE device ADD COLUMN kind varchar(16) DEFAULT 'kiosk' NOT NULL",
    "ALTER TABLE device ADD CONSTRAINT ck_device_kind CHECK (kind IN ('kiosk', 'server'))",
)
INDEXES = (
    "CREATE INDEX ix_stay_center_id_started_at ON stay (center_id, started_at)",
    # Who is in now, of a centre or of all: a handful of rows among years of them.
    "CREATE INDEX ix_stay_center_id_open ON stay (center_id) WHERE ended_at IS NULL",
    "CREATE INDEX ix_review_center_id_state_found_at ON review (center_id, state, found_at)",
    # A fold needs the acts of its subject whenever they were recorded.
    """
        CREATE INDEX ix_attendance_event_acts ON attendance_event (center_id, child_id)
        WHERE kind IN ('void', 'correct', 'review_resolved')
    """,
)
GUARDED = (("INSERT", "NEW"), ("UPDATE", "OLD"), ("UPDATE", "NEW"), ("DELETE", "OLD"))


def upgrade() -> None:
    """Bring the schema forward."""
    for statement in (*TABLES.values(), *COLUMNS, *INDEXES):
        op.execute(statement)
    for event, row in GUARDED:
        op.execute(
            f"CREATE TRIGGER guard_{event.lower()}_{row.lower()} AFTER {event} ON center_calendar "
            f"REFERENCING {row} TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION guard_synced_write()"
        )


def downgrade() -> None:
    """Take the step back."""
    op.execute("DROP INDEX ix_attendance_event_acts")
    op.execute("ALTER TABLE device DROP CONSTRAINT ck_device_kind, DROP COLUMN kind")
    op.execute("ALTER TABLE pickup_authorisation DROP COLUMN history")
    for table in reversed(TABLES):
        op.execute(f"DROP TABLE {table}")
