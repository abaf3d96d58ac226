"""The kiosk's tables and their migrations: forward only, each with its number in one transaction."""

from collections.abc import Callable
from typing import Final

from kiosk.store.database import Database
from kiosk.store.errors import ReplicaTooNew
from kiosk.store.seals import seal_everything

Migration = tuple[str | Callable[[Database], None], ...]
"""Statements, and functions for what SQL cannot say."""

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

_VERSION_2: Final = (
    # A journal that ended when another one was begun; its entries stay until they are too old.
    """
    CREATE TABLE older_journal (
        incarnation TEXT PRIMARY KEY,
        seq INTEGER NOT NULL,
        hash BLOB NOT NULL,
        acknowledged_seq INTEGER NOT NULL,
        ended_ms INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID
    """,
    # The how-many-eth answer of this desk it was: one order over all journals, for whoever is told of outcomes.
    "ALTER TABLE journal ADD COLUMN answer INTEGER",
    "UPDATE journal SET answer = seq WHERE outcome IS NOT NULL",
    "CREATE INDEX journal_waiting ON journal (incarnation, seq) WHERE outcome IS NULL",
    "CREATE INDEX journal_by_answer ON journal (answer) WHERE answer IS NOT NULL",
    "ALTER TABLE progress ADD COLUMN answers INTEGER NOT NULL DEFAULT 0",
    "UPDATE progress SET answers = acknowledged_seq",
    # Where the journal ends: kept beside it, so that a part of it that vanished is missed.
    "ALTER TABLE progress ADD COLUMN journal_seq INTEGER NOT NULL DEFAULT 0",
    "ALTER TABLE progress ADD COLUMN journal_hash BLOB NOT NULL DEFAULT x''",
    """
    UPDATE progress SET journal_seq = last.seq, journal_hash = last.hash
    FROM (SELECT incarnation, seq, hash FROM journal ORDER BY seq DESC LIMIT 1) AS last
    WHERE last.incarnation = progress.incarnation
    """,
    "ALTER TABLE progress ADD COLUMN staged_bucket TEXT NOT NULL DEFAULT ''",
    "ALTER TABLE progress ADD COLUMN dropped_before TEXT NOT NULL DEFAULT ''",
    "ALTER TABLE progress ADD COLUMN ratchet_ms INTEGER NOT NULL DEFAULT 0",
    "ALTER TABLE progress ADD COLUMN ratchet_wall_ms INTEGER",
    "ALTER TABLE progress ADD COLUMN ratchet_monotonic_ms INTEGER NOT NULL DEFAULT 0",
    "ALTER TABLE progress ADD COLUMN ratchet_boot_id TEXT NOT NULL DEFAULT ''",
    "ALTER TABLE progress ADD COLUMN lease_until_ms INTEGER NOT NULL DEFAULT 0",
    # What each bucket sums up to, kept in step with every change: records that vanished or came back are missed.
    """
    CREATE TABLE bucket_seal (
        bucket TEXT PRIMARY KEY,
        total BLOB NOT NULL
    ) STRICT, WITHOUT ROWID
    """,
    seal_everything,
)

_VERSION_3: Final = (
    # No query uses them: what a desk shows it has in memory. Each cost a page in every commit of a change.
    "DROP INDEX record_by_child",
    "DROP INDEX record_by_name",
    "DROP INDEX journal_by_child",
)

_VERSION_4: Final = (
    # A part of a snapshot as one value, behind the part before: the records of a part go all over a table of records,
    # and each of its pages was encrypted and synced for one of them. What was staged comes again.
    "DROP TABLE staged_record",
    "CREATE TABLE staged_part (position INTEGER PRIMARY KEY, records BLOB NOT NULL) STRICT",
    "UPDATE progress SET staged_epoch = '', staged_version = 0, staged_part = 0, staged_parts = 0, staged_bucket = ''",
    # With the outcome in it, what waits is counted in this index alone, and not entry by entry in the journal.
    "DROP INDEX journal_waiting",
    "CREATE INDEX journal_waiting ON journal (incarnation, seq, outcome) WHERE outcome IS NULL",
)

_VERSION_5: Final = (
    # Wrong tries of a PIN, written before each is checked; `salt` names the PIN, `not_before_ms` is on the ratchet.
    """
    CREATE TABLE pin_attempt (
        person_id TEXT PRIMARY KEY,
        salt TEXT NOT NULL,
        failures INTEGER NOT NULL,
        not_before_ms INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID
    """,
)

_VERSION_6: Final = (
    # How often each arrival's label was printed here, and who was at the desk the last time.
    """
    CREATE TABLE label_print (
        event_id TEXT PRIMARY KEY,
        child_id TEXT NOT NULL,
        times INTEGER NOT NULL CHECK (times > 0),
        first_ms INTEGER NOT NULL,
        last_ms INTEGER NOT NULL,
        staff_id TEXT NOT NULL
    ) STRICT, WITHOUT ROWID
    """,
)

MIGRATIONS: Final[tuple[Migration, ...]] = (_VERSION_1, _VERSION_2, _VERSION_3, _VERSION_4, _VERSION_5, _VERSION_6)
SCHEMA_VERSION: Final = len(MIGRATIONS)


def migrate(database: Database, migrations: tuple[Migration, ...] = MIGRATIONS) -> None:
    """Bring the tables to this program's version, one whole step after the other.

    Raises:
        ReplicaTooNew: a newer program made them.

    """
    found = schema_version(database)
    if found > len(migrations):
        message = "This replica was written by a newer version of Rollcall; install that version and start again."
        raise ReplicaTooNew(message)
    for number, steps in enumerate(migrations[found:], start=found + 1):
        with database.transaction():
            for step in steps:
                if isinstance(step, str):
                    database.execute(step)
                else:
                    step(database)
            database.execute(f"PRAGMA user_version = {number}")


def schema_version(database: Database) -> int:
    """The version of the tables in this file; 0 when it has none yet."""
    row = database.fetch_one("PRAGMA user_version")
    return int(row[0]) if row else 0


def shape(database: Database) -> list[tuple[str, str]]:
    """Every table and index with the words that made it, to compare with a file that was just made."""
    rows = database.fetch_all("SELECT name, sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY name")
    return [(name, sql) for name, sql in rows]
