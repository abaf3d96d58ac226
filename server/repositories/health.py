"""The SQL that tells whether the database can be used."""

from sqlalchemy import text

from server.repositories.database_admin import schema_revision
from server.repositories.unit_of_work import Connection


async def revision(connection: Connection) -> str | None:
    """Give the schema version of the database, after a round trip that proves that it answers."""
    await connection.execute(text("SELECT 1"))
    return await connection.run_sync(schema_revision)
