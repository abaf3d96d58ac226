"""Makes a backup: every table as it stood at one moment, while the server goes on."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from server.core.clock import Clock
from server.repositories import backup
from server.repositories.backup import Table
from server.repositories.database_admin import schema_revision
from server.repositories.unit_of_work import Connection, UnitsOfWork
from server.services.backup_file import FORMAT, BackupRefused, BackupWriter, Manifest, Part, writing

Progress = Callable[[int, int], None]
"""Takes how much is done, and of how much."""


@dataclass(frozen=True, slots=True)
class BackupMade:
    """What is in a backup."""

    tables: int
    rows: int


class Backup:
    """Writes all rows of all tables into one file."""

    def __init__(self, units: UnitsOfWork, clock: Clock) -> None:
        """Read through `units`, as a role that may read everything."""
        self._units = units
        self._clock = clock

    async def write(self, path: Path, progress: Progress = lambda _done, _total: None) -> BackupMade:
        """Write the backup; a file that is there is replaced once the new one is whole.

        Raises:
            BackupRefused: the file cannot be written.
            DatabaseUnavailable: the database went away.

        """
        with writing(path) as writer:
            async with self._units.read() as connection:
                manifest = await self._write(connection, writer, progress)
            writer.finish(manifest)
        return BackupMade(len(manifest.parts), sum(part.rows for part in manifest.parts))

    async def _write(self, connection: Connection, writer: BackupWriter, progress: Progress) -> Manifest:
        revision = await connection.run_sync(schema_revision)
        if revision is None:
            raise BackupRefused("There is nothing to save: this database was never used by Rollcall.")
        listed = await backup.tables(connection)
        total = sum([await backup.count_rows(connection, table) for table in listed])
        count = count_up(progress, total)
        parts = [await _write_part(connection, writer, table, count) for table in listed]
        return Manifest(
            rollcall="backup", format=FORMAT, revision=revision, made_at=self._clock.now(), parts=tuple(parts)
        )


def count_up(progress: Progress, total: int) -> Callable[[int], None]:
    """Give a function that takes how much more was done, and tells `progress` how much it is by now."""
    done = 0

    def add(more: int) -> None:
        nonlocal done
        done += more
        progress(done, total)

    return add


async def _write_part(connection: Connection, writer: BackupWriter, table: Table, count: Callable[[int], None]) -> Part:
    with writer.part(table.name, count) as sink:
        rows = await backup.copy_out(connection, table, sink)
    return sink.part(table.name, table.columns, rows)
