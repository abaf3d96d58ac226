"""The disks of desks: one in memory that survives everything, and one of files that loses what was not synced.

What the second one does when the power goes: the bytes that a file had at its last sync are there; of what was
written or cut off since, any subset is, in order, and each piece of it may be torn between two sectors. Names that
were made, changed or taken away since the directory was last synced are as they are now, or as they were then, all
together. SQLite syncs the directory with the first sync of a new log and where it deletes with a sync; nothing else
does. A sync that fails has lost, for good, whatever of it had not reached the platter. Bytes beside a write stay
whole, as SQLite itself assumes (SQLITE_IOCAP_POWERSAFE_OVERWRITE); the index of the log (`-shm`) never survives.
"""

import contextlib
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final, Protocol

from sqlcipher3 import dbapi2

from kiosk.store.errors import StorageFailed, StoreError
from tests.simulation import disk_shim
from tests.simulation.crashes import Crash
from tests.simulation.desk_store import CrashingDatabase
from tests.simulation.luck import Luck

SECTOR_BYTES: Final = 512
_TIMES_AT_START_MAX: Final = 3

Reach = Callable[[str], None]


class Disk(Protocol):
    """What a desk keeps its replica on."""

    def open(self) -> CrashingDatabase:
        """Open what is there, or begin anew."""

    def lose_power(self, database: CrashingDatabase) -> CrashingDatabase:
        """Give the database as it is found when power is back."""

    def replace(self, database: CrashingDatabase) -> CrashingDatabase:
        """Throw the disk away and open an empty one."""

    def heal(self) -> None:
        """No more faults."""


class MemoryDisk:
    """Keeps what was committed, always."""

    def __init__(self, reach: Reach) -> None:
        self._reach = reach

    def open(self) -> CrashingDatabase:
        return CrashingDatabase.make(None, self._reach)

    def lose_power(self, database: CrashingDatabase) -> CrashingDatabase:
        return database

    def replace(self, database: CrashingDatabase) -> CrashingDatabase:
        database.close_now()
        return self.open()

    def heal(self) -> None:
        """Memory has none."""


class _Piece:
    """Something done to a file since its last sync: bytes from a place on, or, without any, a new size."""

    def __init__(self, at: int, data: bytes | None) -> None:
        self.at = at
        self.data = data

    def do(self, octets: bytearray) -> None:
        if self.data is None:
            del octets[self.at :]
            return
        octets.extend(bytes(max(0, self.at - len(octets))))
        octets[self.at : self.at + len(self.data)] = self.data

    def torn(self, luck: Luck) -> "_Piece":
        """The beginning of it, cut between two sectors."""
        if self.data is None or len(self.data) <= SECTOR_BYTES:
            return self
        kept = luck.between(1, (len(self.data) - 1) // SECTOR_BYTES) * SECTOR_BYTES
        return _Piece(self.at, self.data[:kept])


class _Tracked:
    """A file as the platter has it, and what is not there yet."""

    def __init__(self, octets: bytes) -> None:
        self.octets = bytearray(octets)
        self.pieces: list[_Piece] = []
        self.syncs_directory = False

    def settle(self, luck: Luck | None = None) -> None:
        """Bring the pieces to the platter: all of them, or those that luck lets through."""
        share = 1.0 if luck is None else luck.pick((0.0, 0.2, 0.5, 0.9, 1.0))
        for piece in self.pieces:
            if luck is None:
                piece.do(self.octets)
            elif luck.chance(share):
                (piece.torn(luck) if luck.chance(0.2) else piece).do(self.octets)
        self.pieces.clear()


class CrashDisk:
    """Files below SQLCipher that keep only what was synced, in a folder that is a new one after each power loss."""

    def __init__(self, folder: Path, luck: Luck, reach: Reach) -> None:
        self._root = folder
        self._luck = luck
        self._reach = reach
        self._folder = folder
        self._lives = 0
        self._begin({})

    # -- what a desk does

    def open(self) -> CrashingDatabase:
        database = CrashingDatabase.make(self._folder / "replica.db", self._reach)
        database.has_lost_power = lambda: self._is_dead
        # Small logs, so that what is copied from the log into the file is torn too, now and then.
        database.fetch_all(f"PRAGMA wal_autocheckpoint = {self._luck.pick((1, 4, 20, 1_000))}")
        return database

    def lose_power(self, database: CrashingDatabase) -> CrashingDatabase:
        self._die(database)
        for _ in range(_TIMES_AT_START_MAX):
            if self._luck.chance(0.3):
                self._die_while_starting()
        return self.open()

    def replace(self, database: CrashingDatabase) -> CrashingDatabase:
        self._is_dead = True
        _close(database)
        self._begin({})
        return self.open()

    def heal(self) -> None:
        self.fails_syncs = 0
        self.is_full = False

    # -- power

    def _die(self, database: CrashingDatabase | None) -> None:
        self._is_dead = True
        image = dict(self._image())
        if database is not None:
            _close(database)
        self._begin(image)

    def _die_while_starting(self) -> None:
        """Power goes again after a few writes or syncs of the next start."""
        self._left_to_live = self._luck.between(1, 12)
        try:
            database = CrashingDatabase.make(self._folder / "replica.db", self._reach)
        except StoreError:
            if not self._is_dead:
                raise
            self._die(None)
        else:
            self._die(database)

    def _begin(self, image: dict[str, bytes]) -> None:
        """Start on a platter that holds these files."""
        if self._lives:
            disk_shim.forget(self._folder)
            shutil.rmtree(self._folder)
        self._lives += 1
        self._folder = self._root / str(self._lives)
        self._folder.mkdir(parents=True)
        for name, octets in image.items():
            (self._folder / name).write_bytes(octets)
        self._files: dict[int, _Tracked] = {}
        self._left_to_live = 0
        self._is_dead = False
        self.heal()
        self._synced_names = self._names()
        disk_shim.watch(self._folder, self)

    def _names(self) -> dict[str, _Tracked]:
        """What lies in the folder; the index of a log is no file that a power loss leaves."""
        paths = sorted(path for path in self._folder.iterdir() if not path.name.endswith("-shm"))
        return {path.name: self._tracked(path) for path in paths}

    def _image(self) -> Iterator[tuple[str, bytes]]:
        """The files that are found when power is back."""
        names = self._names() if self._luck.chance(0.5) else self._synced_names
        for name, tracked in sorted(names.items()):
            tracked.settle(self._luck)
            yield name, bytes(tracked.octets)

    def _tracked(self, path: Path) -> _Tracked:
        known = path.stat()
        tracked = self._files.get(known.st_ino)
        # Empty, and nobody cut it: the file that had this number before was taken away, and this is a new one.
        if tracked is None or (known.st_size == 0 and tracked.octets and not tracked.pieces):
            tracked = self._files[known.st_ino] = _Tracked(path.read_bytes())
        return tracked

    # -- what SQLite does

    def opened(self, path: Path, flags: int) -> Any:
        tracked = self._tracked(path)
        tracked.syncs_directory = bool(flags & disk_shim.OPEN_CREATE and flags & disk_shim.OPEN_NEW_LOG)
        return tracked

    def write(self, file: _Tracked, at: int, data: bytes, go_on: Callable[[], int]) -> int:
        if self._dies_at("disk: before a write"):
            return disk_shim.IOERR_WRITE
        if self.is_full:
            return disk_shim.SQLITE_FULL
        file.pieces.append(_Piece(at, data))
        return go_on()

    def truncate(self, file: _Tracked, size: int, go_on: Callable[[], int]) -> int:
        if self._is_dead:
            return disk_shim.IOERR_TRUNCATE
        file.pieces.append(_Piece(size, None))
        return go_on()

    def sync(self, file: _Tracked, go_on: Callable[[], int]) -> int:
        if self._dies_at("disk: before a sync"):
            return disk_shim.IOERR_FSYNC
        if self.fails_syncs:
            self.fails_syncs -= 1
            file.settle(self._luck)
            return disk_shim.IOERR_FSYNC
        file.settle()
        if file.syncs_directory:
            file.syncs_directory = False
            self._synced_names = self._names()
        return disk_shim.IOERR_FSYNC if self._dies_at("disk: after a sync") else go_on()

    def delete(self, path: Path, *, is_synced: bool, go_on: Callable[[], int]) -> int:
        if self._is_dead:
            return disk_shim.IOERR_DELETE
        self._files.pop(path.stat().st_ino, None) if path.exists() else None
        found = go_on()
        if is_synced:
            self._synced_names = self._names()
        return found

    def write_again(self, path: Path) -> None:
        tracked = self._tracked(path)
        if self._dies_at("disk: before a write"):
            raise StorageFailed("the disk has no power")
        tracked.pieces.append(_Piece(0, path.read_bytes()))
        if self.sync(tracked, lambda: disk_shim.SQLITE_OK) != disk_shim.SQLITE_OK:
            raise StorageFailed("the log cannot be synced")

    def _dies_at(self, point: str) -> bool:
        """Pass the point; whether there is no power from here on."""
        if not self._is_dead and self._left_to_live:
            self._left_to_live -= 1
            self._is_dead = self._left_to_live == 0
        elif not self._is_dead:
            try:
                self._reach(point)
            except Crash:
                self._is_dead = True
        return self._is_dead


def _close(database: CrashingDatabase) -> None:
    with contextlib.suppress(StoreError, dbapi2.Error):
        database.close_now()
