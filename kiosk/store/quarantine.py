"""The folder in which damaged replicas lie: how one gets there, what is written beside it, and how many are kept.

Each has a folder `<moment>-<number>` with its files and a `reason.txt`: why it is there, and what was saved of it. A
folder that still ends in `.open` is being worked on.
"""

import os
import re
import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from kiosk.keys import write_whole
from kiosk.store.database import files_of
from kiosk.store.salvage import Rescue

QUARANTINE: Final = "quarantine"
REASON: Final = "reason.txt"
FOLDERS_MAX: Final = 5
# A replica holds 14 days of records and 30 of entries: 20 MB for a large centre. This is twelve of them.
BYTES_MAX: Final = 256 * 1024 * 1024
ALL_SAVED: Final = "Every entry in it was saved."
_OPEN: Final = ".open"
_NAME: Final = re.compile(r"\d{8}T\d{6}-(\d+)(?:\.open)?")
# A clock may say anything; the year 2100 is late enough for a name.
_NAMED_MS_MAX: Final = 4_102_444_800_000


def pending(path: Path) -> Path | None:
    """The quarantine of the replica at `path` that an earlier start began and did not finish.

    One that only had to be closed is closed, and one that holds nothing is taken away.
    """
    for folder in sorted((path.parent / QUARANTINE).glob(f"*{_OPEN}")):
        holds_damage = any((folder / file.name).exists() for file in files_of(path))
        if not path.exists() and holds_damage:
            return folder
        if holds_damage:
            close(folder)
        else:
            shutil.rmtree(folder)
    return None


def begin(path: Path, reason: str, wall_ms: int) -> Path:
    """Make the folder for the replica at `path`; raises OSError."""
    moment = datetime.fromtimestamp(min(max(wall_ms, 0), _NAMED_MS_MAX) / 1000, UTC).strftime("%Y%m%dT%H%M%S")
    parent = path.parent / QUARANTINE
    parent.mkdir(mode=0o700, exist_ok=True)
    number = max((_number(folder) for folder in parent.iterdir()), default=0) + 1
    folder = parent / f"{moment}-{number}{_OPEN}"
    folder.mkdir(mode=0o700)
    write_whole(folder / REASON, [f"{reason}\n".encode()])
    sync_folder(parent)
    sync_folder(path.parent)
    return folder


def move_in(folder: Path, path: Path) -> None:
    """Move the files of a replica; the main one first, since a log without its file is never taken for a new one."""
    for file in files_of(path):
        if file.exists():
            file.replace(folder / file.name)
    sync_folder(folder)
    sync_folder(path.parent)


def reason_of(folder: Path) -> str:
    """Why it is there."""
    first, _, _ = (folder / REASON).read_text(encoding="utf-8").partition("\n")
    return first


def note_saved(folder: Path, saved: Rescue) -> None:
    """Write down what was saved of it; raises OSError."""
    left = f"entries that do not prove themselves: {saved.refused}, damaged pages: {saved.damaged_pages}"
    lines = [
        reason_of(folder),
        f"Saved: answered entries: {len(saved.settled)}, waiting entries: {len(saved.waiting)}.",
        ALL_SAVED if saved.is_all else f"Left in it: {left}.",
    ]
    write_whole(folder / REASON, [f"{line}\n".encode() for line in lines])


def close(folder: Path) -> Path:
    """It is finished; returns its name from now on."""
    closed = folder.with_name(folder.name.removesuffix(_OPEN))
    folder.rename(closed)
    sync_folder(closed.parent)
    return closed


def trim(parent: Path) -> None:
    """Delete what is too much, the oldest first: beyond `FOLDERS_MAX` folders, or beyond `BYTES_MAX`.

    The newest always stays. One that may hold an entry that was not saved goes last, and never for its size. A folder
    with another kind of name is not ours and stays.
    """
    kept = sorted((folder for folder in parent.iterdir() if _number(folder)), key=_number)
    for folder in [folder for folder in kept[:-1] if _is_all_saved(folder)]:
        if len(kept) <= FOLDERS_MAX and sum(_bytes_of(each) for each in kept) <= BYTES_MAX:
            return
        kept.remove(folder)
        shutil.rmtree(folder, ignore_errors=True)
    for folder in kept[:-FOLDERS_MAX]:
        shutil.rmtree(folder, ignore_errors=True)


def _number(folder: Path) -> int:
    """The how-many-eth it was, since a clock may be set back; 0 for a name that we do not give."""
    found = _NAME.fullmatch(folder.name)
    return int(found[1]) if found else 0


def _is_all_saved(folder: Path) -> bool:
    try:
        return ALL_SAVED in (folder / REASON).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return False


def _bytes_of(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.iterdir())


def sync_folder(folder: Path) -> None:
    """Make names that were given or taken away in it durable; raises OSError."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
