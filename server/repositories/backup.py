"""The SQL of a backup: which tables there are, their rows out and in, and what a restored database must be told."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Protocol

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from server.repositories.database_admin import quoted

SERVER_LOCK: Final = 0x726F6C6C73657276  # "rollserv" in ASCII
"""The advisory lock that every running server shares, and that a restore wants for itself."""

RESTORED: Final = "restored"
_VERSION_TABLE: Final = "alembic_version"


class Sink(Protocol):
    """Takes the bytes of a COPY."""

    def write(self, chunk: bytes, /) -> object:
        """Take some more."""


class Source(Protocol):
    """Gives the bytes of a COPY."""

    def read(self, size: int, /) -> bytes:
        """Give at most `size` bytes; none at the end."""


@dataclass(frozen=True, slots=True)
class Table:
    """A table by its name, with its columns in their order."""

    name: str
    columns: tuple[str, ...]


async def tables(connection: AsyncConnection) -> list[Table]:
    """Give every table but Alembic's own, each after the tables it refers to."""
    rows = await connection.execute(_COLUMNS, {"version_table": _VERSION_TABLE})
    columns: dict[str, list[str]] = {}
    for row in rows:
        columns.setdefault(row.table_name, []).append(row.column_name)
    targets: dict[str, set[str]] = {}
    for row in await connection.execute(_REFERENCES):
        targets.setdefault(row.source, set()).add(row.target)
    return [Table(name, tuple(columns[name])) for name in _in_order(sorted(columns), targets)]


async def count_rows(connection: AsyncConnection, table: Table) -> int:
    """Give how many rows a table has."""
    return int(await connection.scalar(text(f"SELECT count(*) FROM {quoted(table.name)}")) or 0)


async def copy_out(connection: AsyncConnection, table: Table, sink: Sink) -> int:
    """Write all rows of a table to `sink` in PostgreSQL's text form, a line each; returns how many."""
    columns = ", ".join(map(quoted, table.columns))
    query = f"SELECT {columns} FROM {quoted(table.name)}"
    said = await (await _driver(connection)).copy_from_query(query, output=sink, format="text")
    return _count_of(said)


async def copy_in(connection: AsyncConnection, table: Table, source: Source) -> int:
    """Append the rows that `copy_out` wrote; returns how many."""
    driver = await _driver(connection)
    said = await driver.copy_to_table(
        table.name, schema_name="public", columns=list(table.columns), source=source, format="text"
    )
    return _count_of(said)


async def has_centers(connection: AsyncConnection) -> bool:
    """Tell whether anything is in the database that a restore would have to take away."""
    return bool(await connection.scalar(text("SELECT EXISTS (SELECT FROM center)")))


async def keep_servers_out(connection: AsyncConnection) -> bool:
    """Hold the servers' lock alone to the end of the transaction; False when a server runs."""
    return bool(await connection.scalar(text("SELECT pg_try_advisory_xact_lock(:key)"), {"key": SERVER_LOCK}))


async def empty(connection: AsyncConnection, listed: Sequence[Table]) -> None:
    """Take all rows away, and let rows come in exactly as they were: no trigger and no policy of ours looks at them.

    PostgreSQL takes no COPY into a table whose policies hold for who copies.
    """
    await _triggers(connection, listed, "DISABLE")
    await connection.execute(text(f"TRUNCATE {', '.join(quoted(table.name) for table in listed)}"))
    for name in await connection.scalars(_PROTECTED):
        await connection.execute(text(f"ALTER TABLE {quoted(name)} NO FORCE ROW LEVEL SECURITY"))


async def wake_triggers(connection: AsyncConnection, listed: Sequence[Table]) -> None:
    """Let the triggers look at rows again, and the policies hold."""
    await _triggers(connection, listed, "ENABLE")
    for name in await connection.scalars(_PROTECTED):
        await connection.execute(text(f"ALTER TABLE {quoted(name)} FORCE ROW LEVEL SECURITY"))


# What ended since the backup was made must not begin again: log-ins, links of mails, addresses of calendars, files that
# were taken.
_ENDED: Final = (
    "user_session", "browser_session", "password_recovery", "recovery_request", "throttle", "calendar_feed",
    "data_export_part", "data_export",
)  # fmt: skip


async def end_log_ins(connection: AsyncConnection) -> None:
    """Sign everybody out: what ended since the backup was made must not go on, and no refresh token would fit."""
    for table in _ENDED:
        await connection.execute(text(f"DELETE FROM {table}"))


async def begin_new_lives(connection: AsyncConnection, at: datetime, new_id: Callable[[], str]) -> int:
    """Give every log a new epoch from its head on; returns how many there are.

    The guard on synced tables compares numbers of transactions, and those in the backup were drawn elsewhere.
    """
    rows = await connection.scalars(text("SELECT center_id FROM center_head ORDER BY center_id"))
    center_ids = [str(center_id) for center_id in rows]
    epochs = [new_id() for _ in center_ids]
    parameters = {"center_ids": center_ids, "epochs": epochs}
    await connection.execute(_NEW_EPOCHS, parameters)
    await connection.execute(_NOTE_EPOCHS, {**parameters, "at": at, "reason": RESTORED})
    return len(center_ids)


async def _triggers(connection: AsyncConnection, listed: Sequence[Table], verb: str) -> None:
    for table in listed:
        await connection.execute(text(f"ALTER TABLE {quoted(table.name)} {verb} TRIGGER USER"))


async def _driver(connection: AsyncConnection) -> Any:
    """The driver's own connection, which speaks COPY; it is inside the transaction that has begun."""
    return (await connection.get_raw_connection()).driver_connection


def _count_of(said: str) -> int:
    return int(said.rsplit(" ", 1)[-1])


def _in_order(names: Sequence[str], targets: dict[str, set[str]]) -> list[str]:
    ordered: list[str] = []
    while len(ordered) < len(names):
        ready = [name for name in names if name not in ordered and targets.get(name, set()) - {name} <= set(ordered)]
        if not ready:
            raise AssertionError("the tables refer to each other in a circle")
        ordered += ready
    return ordered


_COLUMNS: Final = text("""
    SELECT column_of.table_name, column_of.column_name
    FROM information_schema.columns AS column_of
    JOIN information_schema.tables AS listed USING (table_schema, table_name)
    WHERE table_schema = 'public' AND listed.table_type = 'BASE TABLE'
      AND table_name <> CAST(:version_table AS text) AND column_of.is_generated = 'NEVER'
    ORDER BY column_of.table_name, column_of.ordinal_position
""")
_PROTECTED: Final = text("""
    SELECT relname FROM pg_class
    WHERE relnamespace = CAST('public' AS regnamespace) AND relkind IN ('r', 'p') AND relrowsecurity ORDER BY relname
""")
_REFERENCES: Final = text("""
    SELECT source.relname AS source, target.relname AS target
    FROM pg_constraint AS reference
    JOIN pg_class AS source ON source.oid = reference.conrelid
    JOIN pg_class AS target ON target.oid = reference.confrelid
    WHERE reference.contype = 'f' AND reference.connamespace = CAST('public' AS regnamespace)
    ORDER BY source.relname, target.relname
""")
_NEW_EPOCHS: Final = text("""
    UPDATE center_head
    SET epoch = line.epoch, written_xact = 0, logged_xact = CAST(CAST(pg_current_xact_id() AS text) AS bigint)
    FROM unnest(CAST(:center_ids AS uuid[]), CAST(:epochs AS uuid[])) AS line(center_id, epoch)
    WHERE center_head.center_id = line.center_id
""")
_NOTE_EPOCHS: Final = text("""
    INSERT INTO log_epoch (center_id, epoch, from_version, began_at, reason)
    SELECT head.center_id, head.epoch, head.version, CAST(:at AS timestamptz), CAST(:reason AS text)
    FROM unnest(CAST(:center_ids AS uuid[]), CAST(:epochs AS uuid[])) AS line(center_id, epoch)
    JOIN center_head AS head ON head.center_id = line.center_id AND head.epoch = line.epoch
""")
