"""One demonstration at a time in a folder, and each begins with an empty one."""

import fcntl
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from io import TextIOWrapper
from pathlib import Path
from typing import Final

LAST_DEMO_ENDS_WITHIN_S: Final = 20.0


class DemoRefused(Exception):
    """The demonstration cannot start; says what to do."""


@contextmanager
def only_one(data_dir: Path) -> Iterator[None]:
    """Hold the demonstration's lock, and start from an empty folder.

    The programs of a demo that was killed end by themselves within moments; they are waited for.

    Raises:
        DemoRefused: another demonstration is running.

    """
    data_dir.mkdir(parents=True, exist_ok=True)
    lock_path = data_dir.with_name(f"{data_dir.name}.lock")
    with lock_path.open("a+") as lock:
        if not _locked(lock):
            pid = lock_path.read_text().strip() or "unknown"
            message = f"A demo is already running (process {pid}). Stop it with: kill {pid}"
            raise DemoRefused(message)
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        _wait_for_the_last_server(data_dir / "server.lock")
        _clear(data_dir)
        yield


def _locked(lock: TextIOWrapper) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _wait_for_the_last_server(lock_path: Path) -> None:
    """The server of a demo that was killed holds its own lock until it has ended in order."""
    if not lock_path.exists():
        return
    deadline = time.monotonic() + LAST_DEMO_ENDS_WITHIN_S
    with lock_path.open("a+") as lock:
        while not _locked(lock):
            if time.monotonic() > deadline:
                message = f"The server of an earlier demo still runs (see {lock_path}). Stop it, then try again."
                raise DemoRefused(message)
            time.sleep(0.1)


def _clear(data_dir: Path) -> None:
    """Remove only what a demo made."""
    for name in ("postgres", "kiosks"):
        shutil.rmtree(data_dir / name, ignore_errors=True)
    (data_dir / "server.log").unlink(missing_ok=True)
    (data_dir / "kiosks").mkdir(mode=0o700)
