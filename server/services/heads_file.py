"""The file in which signed days are carried out of the database: a line of JSON each, only added to."""

import os
from collections.abc import Iterable
from pathlib import Path

from server.core.signed_heads import SignedSheet, from_line, to_line


def read_sheets(path: Path) -> tuple[list[SignedSheet], int]:
    """Give the sheets of a file in its order, and how many lines are none, as one that was cut off; none without it.

    Raises OSError when the file is there and cannot be read.
    """
    if not path.exists():
        return [], 0
    read = [from_line(line) for line in path.read_bytes().split(b"\n") if line]
    good = [signed for signed in read if signed is not None]
    return good, len(read) - len(good)


def add_sheets(path: Path, sheets: Iterable[SignedSheet]) -> int:
    """Add those sheets that the file does not hold, and wait for the disk; gives how many.

    Raises OSError when they cannot be written; what is there stays.
    """
    known = {signed.sheet.digest for signed in read_sheets(path)[0]}
    lines = [to_line(signed) for signed in sheets if signed.sheet.digest not in known]
    if not lines:
        return 0
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
    with os.fdopen(descriptor, "r+b", buffering=0) as file:
        size = os.fstat(file.fileno()).st_size
        # What a lost power supply cut off stays a line by itself.
        whole = not size or os.pread(file.fileno(), 1, size - 1) == b"\n"
        file.write(b"" if whole else b"\n")
        file.write(b"".join(lines))
        os.fsync(file.fileno())
    return len(lines)
