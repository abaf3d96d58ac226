"""What makes one program the only one that uses a folder."""

import fcntl
import os
from pathlib import Path

from kiosk.store.errors import ReplicaInUse, StorageFailed


class FolderLock:
    """What makes one program the only one that uses a folder; the kernel frees it if we are killed."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor: int | None = None

    def acquire(self) -> None:
        """Take the lock.

        Raises:
            ReplicaInUse: another program has it.
            StorageFailed: the lock file cannot be made.

        """
        try:
            descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise StorageFailed(f"{self._path} cannot be opened ({error.strerror}).") from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(descriptor)
            message = f"Another program uses {self._path.parent}; close it first, or give this one another folder."
            raise ReplicaInUse(message) from error
        self._descriptor = descriptor

    def release(self) -> None:
        """Give the lock back."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
