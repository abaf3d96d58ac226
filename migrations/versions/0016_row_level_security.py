"""Row-level security: the server's role sees and writes what is within the reach that its transaction named.

Revision: 0016, after 0015.

`rollcall.reach` is a setting of the transaction: ids of centres and organisations with commas between them, or `*` for
jobs and commands of the operator. Without it there are no rows. FORCE lets the policies hold for the owner too. Which
tables there are is read from the catalogue, as it is when this runs. A server of the version before names no reach and
sees nothing from here on: stop it first.
"""

from collections.abc import Sequence

from alembic import op
from sqlalchemy import text

revision: str = "0016"
down_revision: str | Sequence[str] | None = "0015"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

POLICY = "within_reach"
# Read to find out who asks, before anybody's reach is known: by the id, the hash or the address that was shown.
BEFORE_ANYBODY_IS_KNOWN = ("membership", "invitation", "device", "enrolment_code")
# Both are read once for a statement, not for a row. The second is an empty list without a setting and with `*`; the
# outer cast changes nothing but makes ANY take it for a list.
EVERYWHERE = "(SELECT current_setting('rollcall.reach', true) = '*')"
SETTING = "nullif(coalesce(current_setting('rollcall.reach', true), ''), '*')"
REACH = f"CAST((SELECT CAST(string_to_array({SETTING}, ',') AS uuid[])) AS uuid[])"
SPECIAL = {
    "center": f"{EVERYWHERE} OR id = ANY ({REACH}) OR organisation_id = ANY ({REACH})",
    "organisation": f"{EVERYWHERE} OR id = ANY ({REACH})",
    # Mails about an account belong to no centre; who asks for a new password has one queued, and nobody is known.
    "mail_outbox": f"{EVERYWHERE} OR center_id IS NULL OR center_id = ANY ({REACH})",
    "audit_entry": f"{EVERYWHERE} OR chain_id = ANY ({REACH})",
    "audit_head": f"{EVERYWHERE} OR chain_id = ANY ({REACH})",
}
TABLES_OF_CENTRES = text("""
    SELECT relation.relname FROM pg_class AS relation
    JOIN pg_attribute AS center ON center.attrelid = relation.oid AND center.attname = 'center_id'
    WHERE relation.relnamespace = CAST('public' AS regnamespace) AND relation.relkind IN ('r', 'p')
      AND NOT center.attisdropped AND NOT relation.relname = ANY (:others)
    ORDER BY relation.relname
""")
PROTECTED = text("""
    SELECT tablename FROM pg_policies WHERE schemaname = 'public' AND policyname = :policy ORDER BY tablename
""")


def upgrade() -> None:
    """Bring the schema forward."""
    others = [*BEFORE_ANYBODY_IS_KNOWN, *SPECIAL]
    found = op.get_bind().scalars(TABLES_OF_CENTRES, {"others": others}).all()
    rules = {**dict.fromkeys(found, f"{EVERYWHERE} OR center_id = ANY ({REACH})"), **SPECIAL}
    for table, rule in rules.items():
        op.execute(f"CREATE POLICY {POLICY} ON {table} USING ({rule}) WITH CHECK ({rule})")
        op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY")


def downgrade() -> None:
    """Take the step back."""
    for table in op.get_bind().scalars(PROTECTED, {"policy": POLICY}).all():
        op.execute(f"ALTER TABLE {table} NO FORCE ROW LEVEL SECURITY, DISABLE ROW LEVEL SECURITY")
        op.execute(f"DROP POLICY {POLICY} ON {table}")
