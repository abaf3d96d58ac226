"""A desk whose wall clock lies: libfaketime in front of the agent, told by a file that may change while it runs."""

import functools
from pathlib import Path

import pytest

from tests.support.faults.worlds import FaultDesk


@functools.cache
def _library() -> Path | None:
    for folder in (Path("/usr/lib"), Path("/usr/local/lib"), Path("/usr/lib64")):
        for path in sorted(folder.glob("**/faketime/libfaketime.so.1")):
            return path
    return None


class Liar:
    """Says what the wall clock of one desk claims; its monotonic clock stays true."""

    def __init__(self, desk: FaultDesk, folder: Path, *, jumps: bool = False) -> None:
        """`jumps`: the file is read for each look at the clock, which is slow, and not only at the start."""
        library = _library()
        if library is None:
            pytest.skip("libfaketime is not installed")
        self._file = folder / "claimed-time"
        self.tell_the_truth()
        desk.environment.update(
            LD_PRELOAD=str(library),
            FAKETIME_TIMESTAMP_FILE=str(self._file),
            FAKETIME_NO_CACHE="1" if jumps else "0",
            FAKETIME_DONT_FAKE_MONOTONIC="1",
            DONT_FAKE_MONOTONIC="1",
        )

    def claim(self, text: str) -> None:
        """`@YYYY-MM-DD hh:mm:ss` starts there and runs on; `+3h`, `-2d` is beside the truth by so much."""
        draft = self._file.with_suffix(".new")
        draft.write_text(f"{text}\n")
        draft.replace(self._file)

    def tell_the_truth(self) -> None:
        self.claim("+0")
