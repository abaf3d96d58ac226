"""Change logs of centres, journals of devices, and the facts that came of them.

Revision: 0002, after 0001.
"""

from collections.abc import Sequence

from alembic import op
from sqlalchemy import text

revision: str = "0002"
down_revision: str | Sequence[str] | None = "0001"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

# No foreign keys: a log outlives what it speaks of, and each check would be paid for in the busiest minute.
TABLES = {
    "center_head": """
        CREATE TABLE center_head (
            center_id uuid NOT NULL,
            epoch uuid NOT NULL,
            version bigint NOT NULL,
            hash bytea NOT NULL,
            CONSTRAINT pk_center_head PRIMARY KEY (center_id)
        )
    """,
    "change_log": """
        CREATE TABLE change_log (
            center_id uuid NOT NULL,
            version bigint NOT NULL,
            bucket text NOT NULL,
            entity text NOT NULL,
            entity_id text NOT NULL,
            operation smallint NOT NULL,
            body bytea NOT NULL,
            salt bytea NOT NULL,
            commitment bytea NOT NULL,
            hash bytea NOT NULL,
            transaction_last boolean NOT NULL,
            at timestamptz NOT NULL,
            actor text NOT NULL,
            origin text NOT NULL,
            CONSTRAINT pk_change_log PRIMARY KEY (center_id, version)
        )
    """,
    "current_record": """
        CREATE TABLE current_record (
            center_id uuid NOT NULL,
            entity text NOT NULL,
            entity_id text NOT NULL,
            bucket text NOT NULL,
            version bigint NOT NULL,
            body bytea NOT NULL,
            salt bytea NOT NULL,
            commitment bytea NOT NULL,
            CONSTRAINT pk_current_record PRIMARY KEY (center_id, entity, entity_id)
        )
    """,
    "device_journal": """
        CREATE TABLE device_journal (
            center_id uuid NOT NULL,
            device_id uuid NOT NULL,
            incarnation text NOT NULL,
            last_seq bigint NOT NULL,
            last_hash bytea NOT NULL,
            CONSTRAINT pk_device_journal PRIMARY KEY (center_id, device_id, incarnation)
        )
    """,
    "journal_entry": """
        CREATE TABLE journal_entry (
            center_id uuid NOT NULL,
            device_id uuid NOT NULL,
            incarnation text NOT NULL,
            seq bigint NOT NULL,
            event_id text NOT NULL,
            kind text NOT NULL,
            body bytea NOT NULL,
            hlc bigint NOT NULL,
            wall_ms bigint NOT NULL,
            monotonic_ms bigint NOT NULL,
            boot_id text NOT NULL,
            base_epoch text NOT NULL,
            base_version bigint NOT NULL,
            previous_hash bytea NOT NULL,
            hash bytea NOT NULL,
            signature bytea NOT NULL,
            received_at timestamptz NOT NULL,
            outcome smallint NOT NULL,
            reason smallint NOT NULL,
            version bigint NOT NULL,
            CONSTRAINT pk_journal_entry PRIMARY KEY (center_id, device_id, incarnation, seq)
        )
    """,
    "attendance_event": """
        CREATE TABLE attendance_event (
            center_id uuid NOT NULL,
            event_id uuid NOT NULL,
            child_id uuid NOT NULL,
            kind text NOT NULL,
            occurred_at timestamptz NOT NULL,
            corrected_at timestamptz NOT NULL,
            recorded_at timestamptz NOT NULL,
            received_at timestamptz NOT NULL,
            device_id uuid NOT NULL,
            incarnation text NOT NULL,
            seq bigint NOT NULL,
            hlc bigint NOT NULL,
            version bigint NOT NULL,
            body bytea NOT NULL,
            CONSTRAINT pk_attendance_event PRIMARY KEY (center_id, event_id)
        )
    """,
    "device_position": """
        CREATE TABLE device_position (
            center_id uuid NOT NULL,
            device_id uuid NOT NULL,
            epoch text NOT NULL,
            version bigint NOT NULL,
            queue_depth bigint NOT NULL,
            at timestamptz NOT NULL,
            CONSTRAINT pk_device_position PRIMARY KEY (center_id, device_id)
        )
    """,
}

INDEXES = (
    """
        CREATE INDEX ix_attendance_event_center_id_child_id_corrected_at
        ON attendance_event (center_id, child_id, corrected_at)
    """,
    "CREATE INDEX ix_attendance_event_center_id_corrected_at ON attendance_event (center_id, corrected_at)",
)

# What was once written here is never changed by the server as it runs.
APPEND_ONLY = ("change_log", "journal_entry", "attendance_event")


def upgrade() -> None:
    """Bring the schema forward."""
    for statement in (*TABLES.values(), *INDEXES):
        op.execute(statement)
    app_role = op.get_bind().scalar(text("SELECT quote_ident(nullif(current_setting('rollcall.app_role', true), ''))"))
    if app_role:
        op.execute(f"REVOKE UPDATE, DELETE ON {', '.join(APPEND_ONLY)} FROM {app_role}")


def downgrade() -> None:
    """Take the step back."""
    for table in reversed(TABLES):
        op.execute(f"DROP TABLE {table}")
