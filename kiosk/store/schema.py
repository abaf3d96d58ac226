"""The kiosk's tables and their migrations: forward only, each with its number in one transaction."""

from typing import Final

from kiosk.store.database import Database
from kiosk.store.errors import ReplicaTooNew

# `child_id` and `name` are made from the body by SQLite itself, so they can never disagree with it; a body that
# is no JSON (erased, or a newer server's) has neither.
_VERSION_1: Final = (
    """
    CREATE TABLE record (
        bucket TEXT NOT NULL,
        entity TEXT NOT NULL,
        entity_id TEXT NOT NULL,
        version INTEGER NOT NULL,
        body TEXT NOT NULL,
        salt BLOB NOT NULL,
        commitment BLOB NOT NULL,
        child_id TEXT GENERATED ALWAYS AS (
            CASE WHEN NOT json_valid(body) THEN NULL
                 WHEN entity = 'event' THEN json_extract(body, '$.event.child_id')
                 WHEN entity = 'pickup' THEN json_extract(body, '$.child_id') END) VIRTUAL,
        name TEXT GENERATED ALWAYS AS (
            CASE WHEN entity IN ('child', 'adult', 'staff') AND json_valid(body)
                 THEN json_extract(body, '$.family_name') || ', ' || json_extract(body, '$.given_name')
            END) VIRTUAL,
        PRIMARY KEY (entity, entity_id)
    ) STRICT, WITHOUT ROWID
    """,
    "CREATE INDEX record_by_child ON record (child_id, entity) WHERE child_id IS NOT NULL",
    "CREATE INDEX record_by_name ON record (name) WHERE name IS NOT NULL",
    "CREATE INDEX record_by_bucket ON record (bucket)",
    """
    CREATE TABLE staged_record (
        bucket TEXT NOT NULL,
        entity TEXT NOT NULL,
        entity_id TEXT NOT NULL,
        version INTEGER NOT NULL,
        body TEXT NOT NULL,
        salt BLOB NOT NULL,
        commitment BLOB NOT NULL,
        PRIMARY KEY (entity, entity_id)
    ) STRICT, WITHOUT ROWID
    """,
    """
    CREATE TABLE journal (
        incarnation TEXT NOT NULL,
        seq INTEGER NOT NULL CHECK (seq > 0),
        event_id TEXT NOT NULL UNIQUE,
        kind TEXT NOT NULL,
        body TEXT NOT NULL,
        hlc INTEGER NOT NULL,
        wall_ms INTEGER NOT NULL,
        monotonic_ms INTEGER NOT NULL,
        boot_id TEXT NOT NULL,
        base_epoch TEXT NOT NULL,
        base_version INTEGER NOT NULL,
        previous_hash BLOB NOT NULL,
        hash BLOB NOT NULL,
        signature BLOB NOT NULL,
        child_id TEXT NOT NULL,
        recorded_at_ms INTEGER NOT NULL,
        outcome INTEGER,
        reason INTEGER NOT NULL DEFAULT 0,
        version INTEGER NOT NULL DEFAULT 0,
        settled_at_ms INTEGER,
        PRIMARY KEY (incarnation, seq)
    ) STRICT, WITHOUT ROWID
    """,
    "CREATE INDEX journal_by_child ON journal (child_id, seq)",
    "CREATE INDEX journal_by_age ON journal (recorded_at_ms)",
    """
    CREATE TABLE progress (
        one INTEGER PRIMARY KEY CHECK (one = 1),
        device_id TEXT NOT NULL,
        center_id TEXT NOT NULL,
        incarnation TEXT NOT NULL,
        epoch TEXT NOT NULL DEFAULT '',
        version INTEGER NOT NULL DEFAULT 0,
        hash BLOB NOT NULL DEFAULT x'',
        staged_epoch TEXT NOT NULL DEFAULT '',
        staged_version INTEGER NOT NULL DEFAULT 0,
        staged_part INTEGER NOT NULL DEFAULT 0,
        staged_parts INTEGER NOT NULL DEFAULT 0,
        acknowledged_seq INTEGER NOT NULL DEFAULT 0,
        told_seq INTEGER NOT NULL DEFAULT 0,
        hlc INTEGER NOT NULL DEFAULT 0,
        clock_offset_ms INTEGER,
        clock_error_ms INTEGER,
        last_contact_wall_ms INTEGER
    ) STRICT
    """,
)

MIGRATIONS: Final = (_VERSION_1,)
SCHEMA_VERSION: Final = len(MIGRATIONS)


def migrate(database: Database, migrations: tuple[tuple[str, ...], ...] = MIGRATIONS) -> None:
    """Bring the tables to this program's version, one whole step after the other.

    Raises:
        ReplicaTooNew: a newer program made them.

    """
    row = database.fetch_one("PRAGMA user_version")
    found = row[0] if row else 0
    if found > len(migrations):
        message = "This replica was written by a newer version of Rollcall; install that version and start again."
        raise ReplicaTooNew(message)
    for number, statements in enumerate(migrations[found:], start=found + 1):
        with database.transaction():
            for statement in statements:
                database.execute(statement)
            database.execute(f"PRAGMA user_version = {number}")
