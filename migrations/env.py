"""How Alembic runs here: in the server's own transaction, or by hand with the URL of the settings."""

import asyncio

from alembic import context
from sqlalchemy import Connection

from server.core.database import create_engine
from server.core.errors import SettingsError
from server.core.migrate import AppRole
from server.core.settings import load_settings
from server.models import metadata
from server.repositories import database_admin


def run(connection: Connection) -> None:
    """Migrate on a connection whose transaction the caller ends; roles and rights go with the tables."""
    app: AppRole | None = context.config.attributes.get("app_role")
    database_admin.hold_migration_lock(connection)
    database_admin.reach_everything(connection)
    if app is not None:
        if app.password is not None:
            database_admin.ensure_role(connection, app.name, app.password)
        database_admin.check_app_role(connection, app.name)
        database_admin.grant_future_tables(connection, app.name)
    context.configure(connection=connection, target_metadata=metadata, compare_type=True, transactional_ddl=True)
    context.run_migrations()
    if app is not None:
        database_admin.grant_existing_tables(connection, app.name)


async def run_by_hand() -> None:
    """Serve the `alembic` command: the database of DATABASE_OWNER_URL or DATABASE_URL."""
    settings = load_settings()
    url = settings.database_owner_url or settings.database_url
    if url is None:
        raise SettingsError("Set DATABASE_OWNER_URL to the database to work on; the server migrates its own by itself.")
    engine = create_engine(url.get_secret_value(), pool_size=1, statement_timeout_ms=0, lock_timeout_ms=0)
    try:
        async with engine.begin() as connection:
            await connection.run_sync(run)
    finally:
        await engine.dispose()


if context.is_offline_mode():
    raise SettingsError("Migrations need a database: run without --sql.")
shared = context.config.attributes.get("connection")
if shared is None:
    asyncio.run(run_by_hand())
else:
    run(shared)
