"""The end of a desk that was revoked: its keys go first, then everything they could open."""

import shutil
from pathlib import Path

from kiosk.clock import Clock
from kiosk.keys import DeviceKeys, KeysUnreadable, bury_keys, last_words
from kiosk.log import Log
from kiosk.settings import DataFolder
from kiosk.store.errors import StorageFailed
from kiosk.store.journal import OwnEntry
from kiosk.store.replica import Replica

log = Log()


class Burial:
    """What must happen around the destruction of one desk's replica."""

    def __init__(self, folder: DataFolder, keys: DeviceKeys, replica: Replica, clock: Clock) -> None:
        self._folder = folder
        self._keys = keys
        self._replica = replica
        self._clock = clock
        self.last_words = ""
        self.untold: tuple[OwnEntry, ...] = ()

    def destroy_keys(self) -> None:
        """Put the tombstone where the keys were; runs on the database's thread, before the replica goes.

        What nobody outside was told of yet is kept in memory, so that it can still be told.

        Raises:
            StorageFailed: the folder cannot be written; nothing has happened.

        """
        self.untold = self._read_untold()
        try:
            tombstone = bury_keys(self._folder.keys, self._keys, wall_ms=self._clock.wall_ms())
        except KeysUnreadable as error:
            raise StorageFailed(str(error)) from error
        self.last_words = last_words(tombstone)
        log.warning("device_revoked", device=self._keys.device_id)

    def require_keys(self) -> None:
        """Nothing may be recorded that no start of this desk could read again; on the database's thread.

        Raises:
            StorageFailed: the keys are gone.

        """
        if self.last_words:
            raise StorageFailed(self.last_words)

    def _read_untold(self) -> tuple[OwnEntry, ...]:
        found: list[OwnEntry] = []
        last = self._replica.progress.read().told_seq
        while run := self._replica.journal.settled_after(last):
            found.extend(run)
            last = run[-1].answer
        return tuple(found)


def clear_away(folder: DataFolder) -> None:
    """Delete whatever of a revoked desk's data is left; a repeat does nothing.

    Raises:
        StorageFailed: something cannot be deleted. Nobody can read it without the keys.

    """
    try:
        for path in folder.path.glob(f"{folder.replica.name}*"):
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink()
        folder.owner.unlink(missing_ok=True)
        for kept in (folder.quarantine, folder.rollcalls):
            if kept.is_dir():
                shutil.rmtree(kept)
    except OSError as error:
        message = f"{_name_of(error)} cannot be deleted ({error.strerror}); delete {folder.path} by hand."
        raise StorageFailed(message) from error


def _name_of(error: OSError) -> str:
    return Path(str(error.filename)).name if error.filename else "A file"
