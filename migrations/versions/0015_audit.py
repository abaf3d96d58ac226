"""Who did or read what: an audit log that is only appended to, one chain for each centre and organisation.

Revision: 0015, after 0014.
"""

from collections.abc import Sequence

from alembic import op
from sqlalchemy import text

revision: str = "0015"
down_revision: str | Sequence[str] | None = "0014"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

# No foreign keys: what was done to something outlives it.
TABLES = {
    "audit_head": """
        CREATE TABLE audit_head (
            chain_id uuid NOT NULL,
            seq bigint NOT NULL,
            hash bytea NOT NULL,
            CONSTRAINT pk_audit_head PRIMARY KEY (chain_id)
        )
    """,
    "audit_entry": """
        CREATE TABLE audit_entry (
            chain_id uuid NOT NULL,
            seq bigint NOT NULL,
            at timestamptz NOT NULL,
            actor text NOT NULL,
            verb text NOT NULL,
            entity text NOT NULL,
            entity_id text NOT NULL,
            part text NOT NULL,
            route text NOT NULL,
            request_id text NOT NULL,
            hash bytea NOT NULL,
            CONSTRAINT pk_audit_entry PRIMARY KEY (chain_id, seq)
        )
    """,
}
INDEXES = (
    "CREATE INDEX ix_audit_entry_chain_id_entity_id_seq ON audit_entry (chain_id, entity_id, seq)",
    "CREATE INDEX ix_audit_entry_chain_id_actor_seq ON audit_entry (chain_id, actor, seq)",
)
# The grant holds the server's role off; the trigger also whoever owns the tables, until they take it away.
GUARD = (
    """
        CREATE FUNCTION refuse_audit_change() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            RAISE EXCEPTION 'the audit log is only appended to' USING ERRCODE = 'insufficient_privilege';
        END $$
    """,
    """
        CREATE TRIGGER refuse_change BEFORE UPDATE OR DELETE ON audit_entry
        FOR EACH STATEMENT EXECUTE FUNCTION refuse_audit_change()
    """,
    """
        CREATE TRIGGER refuse_truncate BEFORE TRUNCATE ON audit_entry
        FOR EACH STATEMENT EXECUTE FUNCTION refuse_audit_change()
    """,
    """
        CREATE TRIGGER refuse_delete BEFORE DELETE OR TRUNCATE ON audit_head
        FOR EACH STATEMENT EXECUTE FUNCTION refuse_audit_change()
    """,
)


def upgrade() -> None:
    """Bring the schema forward."""
    for statement in (*TABLES.values(), *INDEXES, *GUARD):
        op.execute(statement)
    app_role = op.get_bind().scalar(text("SELECT quote_ident(nullif(current_setting('rollcall.app_role', true), ''))"))
    if app_role:
        op.execute(f"REVOKE UPDATE, DELETE, TRUNCATE ON audit_entry FROM {app_role}")
        op.execute(f"REVOKE DELETE, TRUNCATE ON audit_head FROM {app_role}")


def downgrade() -> None:
    """Take the step back; what was noted is gone with it."""
    for table in reversed(TABLES):
        op.execute(f"DROP TABLE {table}")
    op.execute("DROP FUNCTION refuse_audit_change()")
