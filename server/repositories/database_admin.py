"""The SQL around a database: its roles, rights and schema version; nothing about what is in the tables."""

import base64
import hashlib
import hmac
import secrets
from typing import Final

from sqlalchemy import Connection, text
from sqlalchemy.dialects import postgresql
from sqlalchemy.ext.asyncio import create_async_engine

from server.core.errors import SetupError
from server.core.postgres_cluster import ADMIN_ROLE, APP_ROLE, DATABASE, OWNER_ROLE, ClusterAccess

MIGRATION_LOCK: Final = 0x726F6C6C63616C6C  # "rollcall" in ASCII
_SCRAM_ROUNDS: Final = 4096  # PostgreSQL's own default


async def prepare_cluster(access: ClusterAccess) -> None:
    """Make owner, app role and database on an embedded cluster; every step may have been done before.

    The owner owns the database and nothing else; the app role is let in and owns nothing.
    """
    engine = create_async_engine(access.url(ADMIN_ROLE, "postgres"), isolation_level="AUTOCOMMIT")
    try:
        async with engine.connect() as connection:
            await connection.run_sync(_make_roles_and_database, access)
    finally:
        await engine.dispose()


def _make_roles_and_database(connection: Connection, access: ClusterAccess) -> None:
    for role in (OWNER_ROLE, APP_ROLE):
        ensure_role(connection, role, access.passwords[role])
    found = connection.scalar(text("SELECT 1 FROM pg_database WHERE datname = :name"), {"name": DATABASE})
    if not found:
        connection.execute(text(f"CREATE DATABASE {quoted(DATABASE)} OWNER {quoted(OWNER_ROLE)}"))
    connection.execute(text(f"REVOKE ALL ON DATABASE {quoted(DATABASE)} FROM PUBLIC"))
    connection.execute(text(f"GRANT CONNECT ON DATABASE {quoted(DATABASE)} TO {quoted(APP_ROLE)}"))


def ensure_role(connection: Connection, name: str, password: str) -> None:
    """Make a role that may log in and nothing more, or set its password when it is there.

    The password travels as a SCRAM verifier, so that no statement log ever holds it.
    """
    verifier = scram_verifier(password, secrets.token_bytes(16))
    found = connection.scalar(text("SELECT 1 FROM pg_roles WHERE rolname = :name"), {"name": name})
    verb = "ALTER" if found else "CREATE"
    # Not by text(): the verifier holds colons, which would be taken for parameters.
    connection.exec_driver_sql(f"{verb} ROLE {quoted(name)} LOGIN PASSWORD '{verifier}'")


def check_app_role(connection: Connection, name: str) -> None:
    """Raise SetupError when the role does not exist or could pass by the rights of the tables."""
    row = connection.execute(
        text(
            "SELECT rolsuper OR rolbypassrls OR rolcreaterole OR rolcreatedb OR rolname = current_user "
            "FROM pg_roles WHERE rolname = :name"
        ),
        {"name": name},
    ).one_or_none()
    if row is None:
        raise SetupError(f"The database has no role {name}, which DATABASE_URL names: create it with LOGIN first.")
    if row[0]:
        raise SetupError(
            f"The role {name} in DATABASE_URL may do too much: it must be another role than the owner, "
            "without "
            "SUPERUSER, BYPASSRLS, CREATEROLE and CREATEDB."
        )


def grant_future_tables(connection: Connection, app_role: str) -> None:
    """Let the app role read and write the rows of every table the current role makes from now on; no DDL.

    A migration that takes a right away again (an append-only table) finds the role's name in
    `current_setting('rollcall.app_role')`.
    """
    role = quoted(app_role)
    connection.execute(text("SELECT set_config('rollcall.app_role', :name, true)"), {"name": app_role})
    connection.execute(text(f"GRANT USAGE ON SCHEMA public TO {role}"))
    defaults = "ALTER DEFAULT PRIVILEGES IN SCHEMA public"
    connection.execute(text(f"{defaults} GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO {role}"))
    connection.execute(text(f"{defaults} GRANT USAGE ON SEQUENCES TO {role}"))


def grant_existing_tables(connection: Connection, app_role: str) -> None:
    """Give the same rights on tables on which the role has none, as when DATABASE_URL names a new role.

    Tables on which it has some keep them, so that what a migration took away stays away. Of the table of
    schema versions it may only read.
    """
    role = quoted(app_role)
    for kinds, rights in (("rp", "SELECT, INSERT, UPDATE, DELETE"), ("S", "USAGE")):
        names = connection.scalars(
            text(
                "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace "
                "AND strpos(:kinds, relkind::text) > 0 AND relowner = current_user::regrole "
                "AND NOT EXISTS (SELECT 1 FROM aclexplode(relacl) WHERE grantee = to_regrole(:role)) "
                "ORDER BY relname"
            ),
            {"kinds": kinds, "role": role},
        ).all()
        for name in names:
            connection.execute(text(f"GRANT {rights} ON {quoted(name)} TO {role}"))
    if connection.scalar(text("SELECT to_regclass('public.alembic_version')")):
        connection.execute(text(f"REVOKE INSERT, UPDATE, DELETE ON alembic_version FROM {role}"))


def hold_migration_lock(connection: Connection, *, patience_s: int = 120, lock_timeout_s: int = 5) -> None:
    """Wait until no other server migrates this database, then hold that place to the end of the transaction.

    Afterwards a statement that waits for a table longer than `lock_timeout_s` gives up, so that a migration
    never queues every query behind itself.
    """
    connection.execute(text(f"SET LOCAL lock_timeout = '{patience_s:d}s'"))
    connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": MIGRATION_LOCK})
    connection.execute(text(f"SET LOCAL lock_timeout = '{lock_timeout_s:d}s'"))


def reach_everything(connection: Connection) -> None:
    """Let the owner see the rows of all tables to the end of the transaction: policies hold for the owner too."""
    connection.execute(text("SELECT set_config('rollcall.reach', '*', true)"))


def schema_revision(connection: Connection) -> str | None:
    """Give the revision the database is at, or None when nothing was ever migrated."""
    if connection.scalar(text("SELECT to_regclass('public.alembic_version')")) is None:
        return None
    revision: str | None = connection.scalar(text("SELECT version_num FROM alembic_version LIMIT 1"))
    return revision


def create_database(connection: Connection, name: str, template: str, owner: str | None = None) -> None:
    """Make a database as a copy of another, for tests; the connection must be in AUTOCOMMIT."""
    suffix = f" OWNER {quoted(owner)}" if owner else ""
    connection.execute(text(f"CREATE DATABASE {quoted(name)} TEMPLATE {quoted(template)}{suffix}"))


def drop_database(connection: Connection, name: str) -> None:
    """Remove a database, cutting whoever is connected; the connection must be in AUTOCOMMIT."""
    connection.execute(text(f"DROP DATABASE IF EXISTS {quoted(name)} WITH (FORCE)"))


def drop_databases(connection: Connection, prefix: str) -> None:
    """Remove every database whose name begins with `prefix`; the connection must be in AUTOCOMMIT."""
    names = text("SELECT datname FROM pg_database WHERE starts_with(datname, :prefix) ORDER BY datname")
    for name in connection.scalars(names, {"prefix": prefix}).all():
        drop_database(connection, name)


def drop_role(connection: Connection, name: str) -> None:
    """Remove a role that has no rights left anywhere."""
    connection.execute(text(f"DROP ROLE IF EXISTS {quoted(name)}"))


def scram_verifier(password: str, salt: bytes) -> str:
    """Give what PostgreSQL stores for a password (RFC 5803 form of SCRAM-SHA-256, RFC 7677).

    The password must be ASCII, for which SASLprep changes nothing.
    """
    salted = hashlib.pbkdf2_hmac("sha256", password.encode("ascii"), salt, _SCRAM_ROUNDS)
    stored_key = hashlib.sha256(hmac.digest(salted, b"Client Key", "sha256")).digest()
    server_key = hmac.digest(salted, b"Server Key", "sha256")
    encoded = [base64.b64encode(part).decode("ascii") for part in (salt, stored_key, server_key)]
    return f"SCRAM-SHA-256${_SCRAM_ROUNDS}:{encoded[0]}${encoded[1]}:{encoded[2]}"


def quoted(name: str) -> str:
    """Give an identifier so that it can stand in a statement, whatever characters it has."""
    return postgresql.dialect().identifier_preparer.quote_identifier(name)  # type: ignore[no-untyped-call]
