"""Takes a schema back and forth inside a transaction that somebody else ends; for a backup of an older version."""

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from alembic.util import CommandError

from server.core.database import Connection
from server.core.migrate import AppRole, alembic_config


def is_known(revision: str) -> bool:
    """Tell whether this version of the program has the migration."""
    try:
        return ScriptDirectory.from_config(alembic_config()).get_revision(revision) is not None
    except CommandError:
        return False


def take_back(connection: Connection, app_role: str, revision: str) -> None:
    """Bring an empty schema back to an older revision; what later revisions added is dropped."""
    command.downgrade(_config(connection, app_role), revision)


def bring_forward(connection: Connection, app_role: str) -> None:
    """Bring the schema, with whatever it holds, to the newest revision; `app_role` gets its rights."""
    command.upgrade(_config(connection, app_role), "head")


def _config(connection: Connection, app_role: str) -> Config:
    config = alembic_config()
    config.attributes["connection"] = connection
    config.attributes["app_role"] = AppRole(app_role)
    return config
