"""Exports of one's data, sealed while they can be taken; and which days are charged by which rules.

Revision: 0025, after 0024.
"""

from collections.abc import Sequence

from alembic import op

revision: str = "0025"
down_revision: str | Sequence[str] | None = "0024"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

# An account of a family may have children at several centres, so an export is of an organisation.
TABLES = {
    "data_export": """
        CREATE TABLE data_export (
            id uuid NOT NULL,
            organisation_id uuid NOT NULL,
            user_id uuid NOT NULL,
            kind varchar(16) NOT NULL,
            center_id uuid,
            child_id uuid,
            child_ids uuid[] NOT NULL,
            booked_ids uuid[] NOT NULL,
            state varchar(16) NOT NULL,
            cause varchar(16) NOT NULL,
            attempts integer NOT NULL,
            not_before timestamptz NOT NULL,
            salt bytea,
            parts integer NOT NULL,
            size_bytes bigint NOT NULL,
            asked_at timestamptz NOT NULL,
            made_at timestamptz,
            expires_at timestamptz,
            ended_at timestamptz,
            CONSTRAINT pk_data_export PRIMARY KEY (id),
            CONSTRAINT ck_data_export_kind CHECK (kind IN ('family', 'child')),
            CONSTRAINT ck_data_export_state CHECK (state IN ('queued', 'made', 'taken', 'expired', 'ended')),
            CONSTRAINT ck_data_export_cause CHECK (
                cause IN ('', 'withdrawn', 'replaced', 'rights', 'erased', 'too_large', 'failed')),
            CONSTRAINT ck_data_export_subject CHECK (
                (kind = 'child') = (child_id IS NOT NULL AND center_id IS NOT NULL)),
            CONSTRAINT ck_data_export_salt CHECK (salt IS NULL OR octet_length(salt) = 32),
            CONSTRAINT fk_data_export_organisation_id FOREIGN KEY (organisation_id) REFERENCES organisation (id),
            CONSTRAINT fk_data_export_user_id FOREIGN KEY (user_id) REFERENCES user_account (id),
            CONSTRAINT fk_data_export_center_id FOREIGN KEY (center_id) REFERENCES center (id)
        )
    """,
    "data_export_part": """
        CREATE TABLE data_export_part (
            export_id uuid NOT NULL,
            number integer NOT NULL,
            organisation_id uuid NOT NULL,
            body bytea NOT NULL,
            CONSTRAINT pk_data_export_part PRIMARY KEY (export_id, number),
            CONSTRAINT ck_data_export_part_body CHECK (octet_length(body) <= 262160),
            CONSTRAINT fk_data_export_part_export_id
                FOREIGN KEY (export_id) REFERENCES data_export (id) ON DELETE CASCADE
        )
    """,
}
# Days that were locked before keep the lines that they had. Without a lock nothing was ever charged by the first rules.
RULES = """
    CREATE TABLE usage_rules (
        version integer NOT NULL,
        locks_after timestamptz NOT NULL,
        CONSTRAINT pk_usage_rules PRIMARY KEY (version)
    )
"""
SECOND_RULES = """
    INSERT INTO usage_rules (version, locks_after)
    SELECT 2, coalesce(max(at), CAST('epoch' AS timestamptz)) FROM center_calendar WHERE kind = 'lock'
"""
INDEXES = (
    "CREATE INDEX ix_data_export_user_id_id ON data_export (user_id, id)",
    "CREATE INDEX ix_data_export_open ON data_export (state, not_before) WHERE state IN ('queued', 'made')",
)
EVERYWHERE = "(SELECT current_setting('rollcall.reach', true) = '*')"
SETTING = "nullif(coalesce(current_setting('rollcall.reach', true), ''), '*')"
REACH = f"CAST((SELECT CAST(string_to_array({SETTING}, ',') AS uuid[])) AS uuid[])"
RULE = f"{EVERYWHERE} OR organisation_id = ANY ({REACH})"


def upgrade() -> None:
    """Bring the schema forward."""
    for statement in (*TABLES.values(), *INDEXES, RULES, SECOND_RULES):
        op.execute(statement)
    for table in TABLES:
        op.execute(f"CREATE POLICY within_reach ON {table} USING ({RULE}) WITH CHECK ({RULE})")
        op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY")


def downgrade() -> None:
    """Take the step back; exports that were not taken are gone, and all days are charged by the first rules."""
    op.execute("DROP TABLE usage_rules")
    for table in reversed(TABLES):
        op.execute(f"DROP TABLE {table}")
