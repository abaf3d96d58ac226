"""Opens the database a process needs, whichever way the settings ask for, migrated and with both roles."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from server.core.database import DatabaseUrls, normalise_url, parts_of
from server.core.embedded_postgres import EmbeddedPostgres, connect_or_start
from server.core.errors import SettingsError
from server.core.migrate import AppRole, app_role_for, migrate, urls_for
from server.core.postgres_cluster import APP_ROLE
from server.core.settings import Settings
from server.repositories.database_admin import prepare_cluster


@dataclass(frozen=True, slots=True)
class OpenDatabase:
    """A database that is ready; `postgres` is the embedded one when this process runs it."""

    urls: DatabaseUrls
    postgres: EmbeddedPostgres | None


def embedded(settings: Settings) -> EmbeddedPostgres:
    """Give the embedded PostgreSQL of the data directory, not started."""
    return EmbeddedPostgres(settings.data_dir, prepare_cluster, bin_dir=settings.postgres_bin_dir)


@asynccontextmanager
async def open_database(
    settings: Settings, progress: Callable[[str], None] = lambda _text: None
) -> AsyncIterator[OpenDatabase]:
    """Open the database for a server, which owns the embedded one for as long as the block takes.

    Raises SetupError or DatabaseUnavailable with a sentence for the operator.
    """
    if settings.database_url is not None:
        yield OpenDatabase(await _external(settings, progress), None)
        return
    postgres = embedded(settings)
    urls = await postgres.start(progress)
    try:
        progress("Bringing the database up to date")
        await migrate(urls.owner, AppRole(APP_ROLE))
        yield OpenDatabase(urls, postgres)
    finally:
        await postgres.stop()


@asynccontextmanager
async def borrow_database(
    settings: Settings, progress: Callable[[str], None] = lambda _text: None
) -> AsyncIterator[OpenDatabase]:
    """Open the database for a command: beside a running server when there is one, otherwise on its own."""
    if settings.database_url is not None:
        yield OpenDatabase(await _external(settings, progress), None)
        return
    async with connect_or_start(embedded(settings), progress) as urls:
        await migrate(urls.owner, AppRole(APP_ROLE))
        yield OpenDatabase(urls, None)


async def _external(settings: Settings, progress: Callable[[str], None]) -> DatabaseUrls:
    if settings.database_url is None:
        raise SettingsError("DATABASE_URL is not set")
    progress("Bringing the database up to date")
    given = settings.database_url.get_secret_value()
    if settings.database_owner_url is not None:
        owner = normalise_url(settings.database_owner_url.get_secret_value())
        urls, role = DatabaseUrls(owner=owner, app=normalise_url(given)), AppRole(_role_of(given))
    else:
        role = app_role_for(given, settings.secret_key.get_secret_value())
        urls = urls_for(given, role)
    await migrate(urls.owner, role)
    return urls


def _role_of(url: str) -> str:
    name = parts_of(url).role
    if not name:
        raise SettingsError("DATABASE_URL names no role: write it as postgresql://role:password@host/database")
    return name
