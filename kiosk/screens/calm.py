"""What a desk shows when its screen crashed: words on the bare terminal, and nothing that could crash again."""

import contextlib
import os
import select
import termios
import tty
from collections.abc import Iterator
from typing import Final

RESTART_S: Final = 5
STARTS_AGAIN: Final = (
    "The desk had a problem. Nothing that was recorded is lost.",
    f"It starts again in {RESTART_S} seconds.",
)
STAYS: Final = (
    "The desk had a problem several times. Nothing that was recorded is lost.",
    "Write arrivals and departures on paper, and phone whoever looks after",
    "this desk: a report is in the folder crashes of its data.",
    "",
    "ENTER  start again",
)
_CLEAR: Final = "\x1b[?1049l\x1b[0m\x1b[?25h\x1b[2J\x1b[H"
_ENTER: Final = frozenset(b"\r\n")
_KEYS_MAX: Final = 1024


class BareTerminal:
    """A terminal by its two descriptors. What is typed meanwhile, a PIN or a code, is neither shown nor kept."""

    def __init__(self, input_fd: int, output_fd: int) -> None:
        self._input = input_fd
        self._output = output_fd

    def say(self, lines: tuple[str, ...]) -> None:
        """Clear the terminal and show these lines; a terminal that is gone hears nothing."""
        text = _CLEAR + "\r\n".join(("", *(f"  {line}" for line in lines), ""))
        with contextlib.suppress(OSError):
            os.write(self._output, text.encode())

    def wait(self, seconds: float) -> None:
        """Wait so long; keys change nothing."""
        with self._silent():
            select.select([], [], [], seconds)

    def wait_for_enter(self) -> bool:
        """Wait for ENTER; False when the terminal is gone and nobody can press it."""
        with self._silent():
            while keys := self._read():
                if _ENTER & set(keys):
                    return True
        return False

    def _read(self) -> bytes:
        with contextlib.suppress(OSError):
            return os.read(self._input, _KEYS_MAX)
        return b""

    @contextlib.contextmanager
    def _silent(self) -> Iterator[None]:
        """No echo and no lines while it lasts, and nothing that was typed meanwhile reaches what comes next."""
        before = None
        with contextlib.suppress(OSError, termios.error):
            before = termios.tcgetattr(self._input)
            tty.setcbreak(self._input, termios.TCSAFLUSH)
        try:
            yield
        finally:
            if before is not None:
                with contextlib.suppress(OSError, termios.error):
                    termios.tcsetattr(self._input, termios.TCSAFLUSH, before)
