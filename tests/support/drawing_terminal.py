"""A terminal that draws: it answers as kitty, as one with sixel, or not at all, and knows what lies on its glass."""

import fcntl
import os
import pty
import re
import select
import signal
import struct
import sys
import termios
import time
import unicodedata
from collections.abc import Callable
from typing import Final

from kiosk.widgets.terminal_pictures import KITTY_QUERY_ID, PLACEHOLDER
from tests.support.terminal import DEADLINE_S, ROOT

ROWS, COLUMNS = 24, 80
CELL: Final = (10, 20)
KITTY: Final = f"\x1b_Gi={KITTY_QUERY_ID};OK\x1b\\\x1bP>|kitty(0.35.2)\x1b\\\x1b[6;20;10t\x1b[?62;c"
SIXEL: Final = "\x1bP>|XTerm(379)\x1b\\\x1b[?1;0;1024S\x1b[?63;1;2;4;6;9;15;22c"
SILENT: Final = ""
_ASKED: Final = "\x1b[c"
_PART: Final = re.compile(
    r"\x1b\[(?P<numbers>[?>=<]?[\d;]*)[ $!]?(?P<end>[@-~])"
    r"|\x1b_G(?P<kitty>[^\x1b]*)\x1b\\|\x1bP(?P<sixel>[^\x1b]*)\x1b\\"
    r"|\x1b(?P<one>[78])|(?P<letter>[^\x1b])|\x1b[^\[_P]",
    re.DOTALL,
)
_BEGUN: Final = re.compile(r"\x1b(?:\[[^@-~]*|[_P][^\x1b]*\x1b?)?\Z", re.DOTALL)
_SIXEL_SIZE: Final = re.compile(r'"1;1;(\d+);(\d+)')
Cell = tuple[int, int]


class DrawingTerminal:
    """Letters by cell (row, column), the images of kitty by number, and the cells on which sixels lie."""

    def __init__(self, answers: str) -> None:
        self.answers = answers
        self.was_asked = False
        self.images: set[int] = set()
        self.sixels: set[Cell] = set()
        self._letters: dict[Cell, str] = {}
        self._numbers: dict[Cell, int] = {}
        self._at: Cell = (0, 0)
        self._saved: Cell = (0, 0)
        self._colour = 0
        self._rest = ""
        self._process = self._fd = 0

    def start(self, *arguments: str) -> None:
        """Run `python -m` with these arguments on it; what is on the glass stays, as in a window of a desktop."""
        if self._fd:
            os.close(self._fd)
        self._rest, self.was_asked = "", False
        self._process, self._fd = pty.fork()
        if self._process == 0:
            os.chdir(ROOT)
            gone = {"COLUMNS", "LINES", "NO_COLOR"}
            kept = {name: value for name, value in os.environ.items() if name not in gone}
            kept |= {"TERM": "xterm-256color", "COLORTERM": "truecolor"}
            os.execve(sys.executable, [sys.executable, "-m", *arguments], kept)
        fcntl.ioctl(self._fd, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, COLUMNS * CELL[0], ROWS * CELL[1]))

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the program."""
        os.kill(self._process, number)

    def type(self, text: str) -> None:
        """Press keys, or say what a terminal says: it is one line."""
        os.write(self._fd, text.encode())

    def until(self, holds: Callable[[], bool], what: str) -> None:
        """Go on until something can be seen."""
        deadline_s = time.monotonic() + DEADLINE_S
        while not holds():
            if time.monotonic() > deadline_s:
                raise AssertionError(f"never happened: {what}; on the glass:\n{self.text()}")
            self._hear()

    def until_text(self, words: str) -> None:
        """Go on until words stand somewhere."""
        self.until(lambda: words in self.text(), words)

    def until_end(self) -> int:
        """Go on until the program ended; its exit code, negative for a signal."""
        while self._hear():
            pass
        ended, self._process = self._process, 0
        return os.waitstatus_to_exitcode(os.waitpid(ended, 0)[1])

    def text(self) -> str:
        """What can be read, row by row."""
        return "\n".join("".join(self._letters.get((row, at), " ") for at in range(COLUMNS)) for row in range(ROWS))

    def shown(self) -> set[int]:
        """The images that can be seen: those whose placeholders stand somewhere."""
        return self.images & set(self._numbers.values())

    def close(self) -> None:
        """End what still runs."""
        if self._process:
            os.kill(self._process, signal.SIGKILL)
            os.waitpid(self._process, 0)
        if self._fd:
            os.close(self._fd)

    def _hear(self) -> bool:
        ready, _, _ = select.select([self._fd], [], [], 0.2)
        if ready:
            try:
                data = os.read(self._fd, 65_536)
            except OSError:  # how Linux says that nobody holds the other end any more
                return False
            self._show(self._rest + data.decode(errors="replace"))
        return True

    def _show(self, text: str) -> None:
        begun = _BEGUN.search(text)
        self._rest = text[begun.start() :] if begun else ""
        for part in _PART.finditer(text[: begun.start()] if begun else text):
            found = part.groupdict()
            if found["letter"] is not None:
                self._print(found["letter"])
            elif found["end"] is not None:
                self._control(found["numbers"], found["end"])
            elif found["kitty"] is not None:
                self._draw(found["kitty"])
            elif found["sixel"] is not None:
                self._lay(found["sixel"])
            elif found["one"] == "7":
                self._saved = self._at
            elif found["one"] == "8":
                self._at = self._saved

    def _print(self, letter: str) -> None:
        row, column = self._at
        if letter in "\r\n":
            self._at = (row, 0) if letter == "\r" else (row + 1, column)
        elif not unicodedata.combining(letter):
            self._letters[self._at] = letter
            self._numbers.pop(self._at, None)
            if letter == PLACEHOLDER:
                self._numbers[self._at] = self._colour
            self.sixels.discard(self._at)
            self._at = (row, column + 1)

    def _control(self, numbers: str, end: str) -> None:
        values = [int(each or "0") for each in numbers.lstrip("?><=").split(";")]
        if f"\x1b[{numbers}{end}" == _ASKED:
            self.was_asked = True
            if self.answers:
                self.type(self.answers)
        elif end == "H":
            self._at = (values[0] - 1, values[1] - 1) if len(values) > 1 else (0, 0)
        elif end == "J" and values == [2]:
            self._letters.clear()
            self._numbers.clear()
            self.sixels.clear()
        elif end == "m" and values[:2] == [38, 2]:
            self._colour = values[2] << 16 | values[3] << 8 | values[4]

    def _draw(self, words: str) -> None:
        head, _, points = words.partition(";")
        said = dict(each.split("=") for each in head.split(","))
        if said["a"] == "T":
            assert (said["t"], said["q"], said["U"]) == ("d", "2", "1")  # never by a file, and no answer
            assert len(points) <= 4_096
            self.images.add(int(said["i"]))
        elif said["a"] == "d":
            assert said["d"] == "I"  # the points, too
            self.images.discard(int(said["i"]))

    def _lay(self, words: str) -> None:
        size = _SIXEL_SIZE.search(words)
        assert size is not None
        row, column = self._at
        across, down = (-(-int(pixels) // cell) for pixels, cell in zip(size.groups(), CELL, strict=True))
        self.sixels |= {(row + y, column + x) for y in range(down) for x in range(across)}
        self._at = (row + down, 0)
