"""Erasure of people with legal holds and a register of what was emptied, and what became of each run of a job.

Revision: 0020, after 0019.

The server's role may append to the log, to journals and to facts, and change none of it. What an erasure must empty
there is emptied by a function of the owner, which takes nothing but what the register names: who calls it leaves a
trace, and rewrites nothing else.
"""

from collections.abc import Sequence

from alembic import op
from sqlalchemy import text

revision: str = "0020"
down_revision: str | Sequence[str] | None = "0019"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

# No foreign keys to people and accounts: what was erased is not there any more.
TABLES = {
    "erasure": """
        CREATE TABLE erasure (
            center_id uuid NOT NULL,
            id uuid NOT NULL,
            kind varchar(16) NOT NULL,
            person_id uuid NOT NULL,
            state varchar(16) NOT NULL,
            reason varchar(32) NOT NULL,
            asked_at timestamptz NOT NULL,
            asked_by text NOT NULL,
            ended_at timestamptz,
            ended_by text NOT NULL,
            swept_at timestamptz,
            CONSTRAINT pk_erasure PRIMARY KEY (center_id, id),
            CONSTRAINT fk_erasure_center_id FOREIGN KEY (center_id) REFERENCES center (id),
            CONSTRAINT ck_erasure_kind CHECK (kind IN ('child', 'adult')),
            CONSTRAINT ck_erasure_state CHECK (state IN ('asked', 'done', 'withdrawn')),
            CONSTRAINT ck_erasure_reason
                CHECK (reason IN ('', 'family_asked', 'left', 'mistake', 'court_order', 'retention_over', 'other')),
            CONSTRAINT ck_erasure_ended CHECK ((state = 'asked') = (ended_at IS NULL))
        )
    """,
    "erased_record": """
        CREATE TABLE erased_record (
            center_id uuid NOT NULL,
            entity text NOT NULL,
            entity_id text NOT NULL,
            erasure_id uuid NOT NULL,
            CONSTRAINT pk_erased_record PRIMARY KEY (center_id, entity, entity_id, erasure_id),
            CONSTRAINT fk_erased_record_center_id
                FOREIGN KEY (center_id, erasure_id) REFERENCES erasure (center_id, id)
        )
    """,
    "legal_hold": """
        CREATE TABLE legal_hold (
            center_id uuid NOT NULL,
            id uuid NOT NULL,
            person_id uuid NOT NULL,
            reason varchar(200) NOT NULL,
            placed_at timestamptz NOT NULL,
            placed_by text NOT NULL,
            lifted_at timestamptz,
            lifted_by text NOT NULL,
            CONSTRAINT pk_legal_hold PRIMARY KEY (center_id, id),
            CONSTRAINT fk_legal_hold_center_id FOREIGN KEY (center_id) REFERENCES center (id)
        )
    """,
    "erased_account": """
        CREATE TABLE erased_account (
            user_id uuid NOT NULL,
            erased_at timestamptz NOT NULL,
            CONSTRAINT pk_erased_account PRIMARY KEY (user_id)
        )
    """,
    "job_run": """
        CREATE TABLE job_run (
            job varchar(64) NOT NULL,
            number bigint NOT NULL,
            server varchar(64) NOT NULL,
            started_at timestamptz NOT NULL,
            took_ms bigint NOT NULL,
            outcome varchar(16) NOT NULL,
            problem varchar(200) NOT NULL,
            CONSTRAINT pk_job_run PRIMARY KEY (job, number)
        )
    """,
}
INDEXES = (
    """
        CREATE UNIQUE INDEX uq_erasure_person ON erasure (center_id, person_id) WHERE state <> 'withdrawn'
    """,
    "CREATE INDEX ix_erased_record_center_id_erasure_id ON erased_record (center_id, erasure_id)",
    "CREATE INDEX ix_legal_hold_center_id_person_id ON legal_hold (center_id, person_id)",
)
# The same rule as in migration 0016, for the tables that are new.
EVERYWHERE = "(SELECT current_setting('rollcall.reach', true) = '*')"
SETTING = "nullif(coalesce(current_setting('rollcall.reach', true), ''), '*')"
REACH = f"CAST((SELECT CAST(string_to_array({SETTING}, ',') AS uuid[])) AS uuid[])"
WITHIN_REACH = ("erasure", "erased_record", "legal_hold")
# It runs within the reach of whoever calls it, as every other statement of their transaction. A fact gets the words of
# the record that stands for it; of the log what nobody stands on any more is emptied, as by compaction, and whoever has
# not come so far takes a snapshot.
EMPTY_ERASED = """
    CREATE FUNCTION empty_erased(of_center uuid, of_erasure uuid, events uuid[], bodies bytea[]) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public AS $$
    DECLARE
        last_emptied bigint;
    BEGIN
        UPDATE attendance_event AS fact SET body = told.body, version = record.version
        FROM unnest(events, bodies) AS told(event_id, body)
        JOIN erased_record AS gone ON gone.center_id = of_center AND gone.erasure_id = of_erasure
          AND gone.entity = 'event' AND gone.entity_id = CAST(told.event_id AS text)
        JOIN current_record AS record ON record.center_id = of_center AND record.entity = 'event'
          AND record.entity_id = gone.entity_id
        WHERE fact.center_id = of_center AND fact.event_id = told.event_id
          AND position(told.body IN record.body) > 0;
        WITH emptied AS (
            UPDATE change_log AS line SET body = '', salt = ''
            FROM erased_record AS gone
            WHERE gone.center_id = of_center AND gone.erasure_id = of_erasure
              AND line.center_id = of_center AND line.entity = gone.entity AND line.entity_id = gone.entity_id
              AND line.operation = 1 AND line.salt <> ''
              AND NOT EXISTS (SELECT FROM current_record AS record
                              WHERE record.center_id = line.center_id AND record.entity = line.entity
                                AND record.entity_id = line.entity_id AND record.version = line.version)
            RETURNING line.version
        )
        SELECT coalesce(max(emptied.version), 0) INTO last_emptied FROM emptied;
        UPDATE center_head SET compacted_version = last_emptied
        WHERE center_id = of_center AND compacted_version < last_emptied;
        UPDATE journal_entry AS entry SET body = ''
        FROM erased_record AS gone
        WHERE gone.center_id = of_center AND gone.erasure_id = of_erasure AND gone.entity = 'entry'
          AND entry.center_id = of_center AND entry.event_id = gone.entity_id AND entry.body <> '';
    END $$
"""
SIGNATURE = "empty_erased(uuid, uuid, uuid[], bytea[])"


def upgrade() -> None:
    """Bring the schema forward."""
    for statement in (*TABLES.values(), *INDEXES, EMPTY_ERASED):
        op.execute(statement)
    rule = f"{EVERYWHERE} OR center_id = ANY ({REACH})"
    for table in WITHIN_REACH:
        op.execute(f"CREATE POLICY within_reach ON {table} USING ({rule}) WITH CHECK ({rule})")
        op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY")
    op.execute(f"REVOKE ALL ON FUNCTION {SIGNATURE} FROM PUBLIC")
    app_role = op.get_bind().scalar(text("SELECT quote_ident(nullif(current_setting('rollcall.app_role', true), ''))"))
    if app_role:
        op.execute(f"GRANT EXECUTE ON FUNCTION {SIGNATURE} TO {app_role}")
        op.execute(f"REVOKE DELETE, TRUNCATE ON erasure, legal_hold FROM {app_role}")
        op.execute(f"REVOKE UPDATE, DELETE, TRUNCATE ON erased_record, erased_account FROM {app_role}")


def downgrade() -> None:
    """Take the step back; what was erased stays erased, and nothing tells any more that it was."""
    op.execute(f"DROP FUNCTION {SIGNATURE}")
    for table in reversed(TABLES):
        op.execute(f"DROP TABLE {table}")
