"""Where every chain stood, day by day, signed by the server.

Revision: 0024, after 0023.
"""

from collections.abc import Sequence

from alembic import op
from sqlalchemy import text

revision: str = "0024"
down_revision: str | Sequence[str] | None = "0023"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

# No foreign keys: what was signed of something outlives it.
TABLES = {
    "signed_day": """
        CREATE TABLE signed_day (
            number bigint NOT NULL,
            day date NOT NULL,
            signed_at timestamptz NOT NULL,
            previous bytea NOT NULL,
            public_key bytea NOT NULL,
            signature bytea NOT NULL,
            CONSTRAINT pk_signed_day PRIMARY KEY (number)
        )
    """,
    "signed_head": """
        CREATE TABLE signed_head (
            number bigint NOT NULL,
            kind text NOT NULL,
            chain_id uuid NOT NULL,
            name text NOT NULL,
            seq bigint NOT NULL,
            hash bytea NOT NULL,
            CONSTRAINT pk_signed_head PRIMARY KEY (number, kind, chain_id, name)
        )
    """,
}
INDEX = "CREATE INDEX ix_signed_head_kind_chain_id_name_number ON signed_head (kind, chain_id, name, number)"
# As the audit log: the grant holds the server's role off, the trigger also the owner, until they take it away.
GUARD = """
    CREATE TRIGGER refuse_change BEFORE UPDATE OR DELETE OR TRUNCATE ON {table}
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_signed_change()
"""
REFUSAL = """
    CREATE FUNCTION refuse_signed_change() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        RAISE EXCEPTION 'what was signed is only added to' USING ERRCODE = 'insufficient_privilege';
    END $$
"""
EVERYWHERE = "(SELECT current_setting('rollcall.reach', true) = '*')"


def upgrade() -> None:
    """Bring the schema forward."""
    for statement in (*TABLES.values(), INDEX, REFUSAL, *(GUARD.format(table=table) for table in TABLES)):
        op.execute(statement)
    # Only the server itself and the operator's commands look at them.
    for table in TABLES:
        op.execute(f"CREATE POLICY within_reach ON {table} USING ({EVERYWHERE}) WITH CHECK ({EVERYWHERE})")
        op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY")
    app_role = op.get_bind().scalar(text("SELECT quote_ident(nullif(current_setting('rollcall.app_role', true), ''))"))
    if app_role:
        op.execute(f"REVOKE UPDATE, DELETE, TRUNCATE ON {', '.join(TABLES)} FROM {app_role}")


def downgrade() -> None:
    """Take the step back; what was signed is gone with it, but for what was carried away."""
    for table in reversed(TABLES):
        op.execute(f"DROP TABLE {table}")
    op.execute("DROP FUNCTION refuse_signed_change()")
