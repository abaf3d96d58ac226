"""The SQL behind the comparison of replicas: what the server holds, as the digests count it."""

from typing import Final

from sqlalchemy import text

from server.repositories.unit_of_work import Connection
from sync.digest import Held
from sync.records import DAY_BUCKET_PREFIX


async def held_records(connection: Connection, center_id: str, *, oldest_day_bucket: str) -> list[Held]:
    """Give what a replica holds when it is up to date; older days are left out."""
    parameters = {"center_id": center_id, "days": f"{DAY_BUCKET_PREFIX}%", "oldest": oldest_day_bucket}
    rows = await connection.execute(_HELD, parameters)
    return [Held(row.bucket, row.entity, row.entity_id, row.version, bytes(row.commitment)) for row in rows]


_HELD: Final = text("""
    SELECT bucket, entity, entity_id, version, commitment FROM current_record
    WHERE center_id = :center_id AND (bucket NOT LIKE :days OR bucket COLLATE "C" >= :oldest)
    ORDER BY version
""")
