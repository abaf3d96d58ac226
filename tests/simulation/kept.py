"""The results of a long run, a line each, so that it can be stopped and go on."""

from pathlib import Path
from typing import BinaryIO

import msgspec

from tests.simulation.run import Result


class Line(msgspec.Struct, frozen=True, omit_defaults=True):
    """A seed's result; or how many seconds of wall time all runs took until one of them ended."""

    result: Result | None = None
    wall_s: float | None = None


class Kept:
    """What earlier runs found, by seed; without a file there is nothing, and nothing is kept."""

    def __init__(self, lines: list[Line], file: BinaryIO | None) -> None:
        self.results = {line.result.seed: line.result for line in lines if line.result is not None}
        self.wall_s = max((line.wall_s for line in lines if line.wall_s is not None), default=0.0)
        self._file = file

    @classmethod
    def read(cls, path: Path | None) -> "Kept":
        """Read the file, if there is one, and go on writing behind what is there."""
        if path is None:
            return cls([], None)
        text = path.read_bytes() if path.exists() else b""
        whole = text[: text.rfind(b"\n") + 1]  # a line that was cut off is run again
        file = path.open("r+b" if path.exists() else "wb")
        file.truncate(len(whole))
        file.seek(len(whole))
        return cls([msgspec.json.decode(line, type=Line) for line in whole.splitlines()], file)

    def add(self, result: Result) -> None:
        """Keep one more."""
        self._write(Line(result=result))

    def close(self, wall_s: float) -> None:
        """The run is over, or was stopped; so long it has taken, with those before it."""
        self._write(Line(wall_s=wall_s))
        if self._file is not None:
            self._file.close()

    def _write(self, line: Line) -> None:
        if self._file is not None:
            self._file.write(msgspec.json.encode(line) + b"\n")
            self._file.flush()
