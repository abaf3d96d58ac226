"""Puts a backup back: checked before anything is touched, all of it in one transaction, as a new life of every log."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from pathlib import Path
from typing import Final

from server.core import schema_moves
from server.core.asking import asking_now
from server.core.clock import Clock
from server.core.errors import Conflict
from server.core.migrate import newest_revision
from server.repositories import backup, erasures
from server.repositories.backup import Table
from server.repositories.unit_of_work import Connection, UnitsOfWork
from server.services.backup import Progress, count_up
from server.services.backup_file import BackupReader, BackupRefused, Manifest, Part, reading
from server.services.erasure_list import ErasedList, erased_so_far, replay

NOBODY_ERASED: Final = ErasedList()


class Onto(Enum):
    """What a backup may be put in place of."""

    NOTHING = "a database without a centre"
    ANYTHING = "whatever is there"


@dataclass(frozen=True, slots=True)
class Restored:
    """What was put back; `made_at` is when it was saved, `erased` how many people were erased again."""

    made_at: datetime
    rows: int
    centers: int
    erased: int = 0


class Restore:
    """Replaces everything in a database by what a file holds."""

    def __init__(self, units: UnitsOfWork, clock: Clock, new_id: Callable[[], str], app_role: str) -> None:
        """Write through `units`, as the role that owns the tables; `app_role` is the one the server runs as."""
        self._units = units
        self._clock = clock
        self._new_id = new_id
        self._app_role = app_role

    async def run(
        self,
        path: Path,
        onto: Onto,
        progress: Progress = lambda _done, _total: None,
        erased: ErasedList = NOBODY_ERASED,
    ) -> Restored:
        """Restore a backup; whatever goes wrong, the database stays as it was.

        Whom the database that is replaced knows as erased, and who is in `erased`, is erased again in the same
        transaction: nobody comes back out of an older backup.

        Each centre's log goes on from the version it had, under a new epoch: desks that saw more of the old life
        notice it, offer what they still have, and take a snapshot. People sign in anew.

        Raises:
            BackupRefused: the file is not a backup, is damaged, or was made by a newer version.
            Conflict: a server runs on this database, or it has centres already.
            DatabaseUnavailable: the database went away, or somebody holds its tables.

        """
        with reading(path) as reader:
            manifest = reader.manifest
            _check_version(manifest)
            total = 2 * sum(part.bytes for part in manifest.parts)
            done = count_up(progress, total)
            reader.check(done)
            async with self._units.begin(origin="restore") as unit:
                await _check_target(unit.connection, onto)
                gone = (erased, await erased_so_far(unit.connection))
                await self._load(unit.connection, reader, done)
                await backup.end_log_ins(unit.connection)
                centers = await backup.begin_new_lives(unit.connection, self._clock.now(), self._new_id)
                again = await replay(unit, gone, self._clock)
                for center_id in await erasures.center_ids(unit.connection):
                    unit.note_change(center_id, asking_now(), "center", center_id)
        return Restored(manifest.made_at, sum(part.rows for part in manifest.parts), centers, again)

    async def _load(self, connection: Connection, reader: BackupReader, done: Callable[[int], None]) -> None:
        """Load rows into the schema they were saved from, and bring both to this version's."""
        revision = reader.manifest.revision
        is_older = revision != newest_revision()
        listed = await backup.tables(connection)
        await backup.empty(connection, listed)
        if is_older:
            await backup.wake_triggers(connection, listed)
            await connection.run_sync(schema_moves.take_back, self._app_role, revision)
            listed = await backup.tables(connection)
            await backup.empty(connection, listed)
        parts = _parts_of(reader.manifest, listed)
        for table in listed:
            await _load_part(connection, reader, parts[table.name], done)
        await backup.wake_triggers(connection, listed)
        if is_older:
            await connection.run_sync(schema_moves.bring_forward, self._app_role)


def _check_version(manifest: Manifest) -> None:
    if not schema_moves.is_known(manifest.revision):
        raise BackupRefused(
            f"The backup was made by a newer version of Rollcall (schema {manifest.revision}): install that version."
        )


async def _check_target(connection: Connection, onto: Onto) -> None:
    if not await backup.keep_servers_out(connection):
        raise Conflict("A server is running on this database: stop it first, and start it again afterwards.")
    if onto is Onto.NOTHING and await backup.has_centers(connection):
        raise Conflict("This database has centres already: restore into an empty one, or say --replace.")


def _parts_of(manifest: Manifest, listed: Sequence[Table]) -> dict[str, Part]:
    parts = {part.table: part for part in manifest.parts}
    shape = {table.name: sorted(table.columns) for table in listed}
    if {name: sorted(part.columns) for name, part in parts.items()} != shape:
        raise BackupRefused("The backup has other tables or columns than its version of Rollcall: it cannot be used.")
    return parts


async def _load_part(connection: Connection, reader: BackupReader, part: Part, done: Callable[[int], None]) -> None:
    table = Table(part.table, part.columns)
    with reader.part(part) as content:
        rows = await backup.copy_in(connection, table, content)
    if rows != part.rows:
        raise BackupRefused(f"The backup is damaged: its part {part.table} has {rows} rows, not {part.rows}.")
    done(part.bytes)
