"""Brings a database to the newest schema: Alembic as the owner, one server at a time, in one transaction."""

from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory

from server.core.database import (
    Connection,
    DatabaseUrls,
    create_engine,
    is_unavailable,
    normalise_url,
    parts_of,
    sqlstate_of,
    with_role,
)
from server.core.errors import DatabaseUnavailable, RollcallError, SettingsError, SetupError
from server.core.tokens import derive_key

_ROLE_NAME_BYTES_MAX: Final = 63  # NAMEDATALEN of PostgreSQL, less its NUL
_INSUFFICIENT_PRIVILEGE: Final = "42501"
_REFUSED_LOGIN: Final = frozenset({"28000", "28P01"})
_NO_SUCH_DATABASE: Final = "3D000"


@dataclass(frozen=True, slots=True)
class AppRole:
    """The role the server runs as; with a password it is made, without one it must be there."""

    name: str
    password: str | None = field(default=None, repr=False)


def app_role_for(owner_url: str, secret_key: str) -> AppRole:
    """Name the app role of a database and derive its password from SECRET_KEY: nothing need be kept."""
    name = f"{parts_of(owner_url).database}_app"
    if len(name.encode()) > _ROLE_NAME_BYTES_MAX:
        raise SettingsError("The name of the database is too long: use at most 59 bytes")
    return AppRole(name, derive_key(secret_key, f"app-role:{name}").hex())


def urls_for(owner_url: str, app: AppRole) -> DatabaseUrls:
    """Give both URLs of a database whose app role the migrate step makes."""
    return DatabaseUrls(owner=normalise_url(owner_url), app=with_role(owner_url, app.name, app.password))


async def migrate(owner_url: str, app: AppRole, *, revision: str = "head") -> None:
    """Bring the database to `revision` and give the app role its rights.

    Safe to call again and from two servers at once. Within one process only one call may run at a time,
    because Alembic keeps its context in module globals.

    Raises DatabaseUnavailable or SetupError with a sentence that says what to do; never shows a password.
    """
    engine = create_engine(
        owner_url, pool_size=1, application_name="rollcall-migrate", statement_timeout_ms=0, lock_timeout_ms=0
    )
    try:
        async with engine.begin() as connection:
            await connection.run_sync(_upgrade, app, revision)
    except RollcallError:
        raise
    except Exception as error:
        explained = _explained(error, owner_url)
        if explained is None:
            raise
        raise explained from error
    finally:
        await engine.dispose()


def newest_revision() -> str | None:
    """Give the revision this code needs, or None when there are no migrations."""
    return ScriptDirectory.from_config(alembic_config()).get_current_head()


def alembic_config() -> Config:
    """Give the configuration Alembic needs, wherever the package is installed."""
    spec = find_spec("migrations")
    if spec is None or not spec.submodule_search_locations:
        raise SetupError("The migrations are not installed: install the whole rollcall package again.")
    config = Config()
    config.set_main_option("script_location", str(Path(next(iter(spec.submodule_search_locations)))).replace("%", "%%"))
    return config


def _upgrade(connection: Connection, app: AppRole, revision: str) -> None:
    config = alembic_config()
    config.attributes["connection"] = connection
    config.attributes["app_role"] = app
    command.upgrade(config, revision)


def _explained(error: Exception, owner_url: str) -> RollcallError | None:
    role, host, database = parts_of(owner_url)
    place = f"{database} at {host}"
    state = sqlstate_of(error)
    if state in _REFUSED_LOGIN:
        return SettingsError(f"The database {place} refuses the role {role}: correct the password in the URL.")
    if state == _NO_SUCH_DATABASE:
        return SettingsError(f"There is no database {place}: create it first, or correct the URL.")
    if state == _INSUFFICIENT_PRIVILEGE:
        return SetupError(
            f"The role {role} may not prepare the database {place}: give it CREATEROLE and the "
            "ownership of the "
            "database, or set DATABASE_OWNER_URL to a role that owns it and DATABASE_URL to the role to "
            "run as."
        )
    if is_unavailable(error):
        return DatabaseUnavailable(f"The database {place} cannot be reached: start it, or correct DATABASE_URL.")
    return None
