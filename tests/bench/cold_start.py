"""How long a program takes from its start until words of it stand on a terminal."""

import fcntl
import os
import pty
import select
import struct
import sys
import termios
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ROWS_COLUMNS: Final = (24, 80)
DEADLINE_S: Final = 60.0
QUIT: Final = b"\x11"
_TICK_MS: Final = 1000 / os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class ColdStart:
    """Milliseconds until the words were painted, and of the processor until then, all threads."""

    painted_ms: float
    processor_ms: float


def cold_start(arguments: list[str], words: str, byte_code: Path) -> ColdStart:
    """Run `python` with these arguments on a terminal of its own until the words are on it, then quit it by ^q.

    Byte code is kept in a folder, as an installation keeps it; the first start writes it.
    """
    began_s = time.perf_counter()
    child, terminal = pty.fork()
    if child == 0:
        os.execve(sys.executable, [sys.executable, *arguments], _environment(byte_code))
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", *ROWS_COLUMNS, 0, 0))
    try:
        _read_until(terminal, words.encode(), began_s + DEADLINE_S)
        found = ColdStart((time.perf_counter() - began_s) * 1000, _processor_ms(child))
        os.write(terminal, QUIT)
        _read_to_end(terminal)
    finally:
        os.close(terminal)
        os.waitpid(child, 0)
    return found


def _environment(byte_code: Path) -> dict[str, str]:
    left_out = {"PYTHONDONTWRITEBYTECODE", "COLUMNS", "LINES"}
    kept = {name: value for name, value in os.environ.items() if name not in left_out}
    return {**kept, "TERM": "xterm-256color", "PYTHONPYCACHEPREFIX": str(byte_code)}


def _read_until(terminal: int, words: bytes, until_s: float) -> None:
    seen = b""
    while words not in seen:
        ready, _, _ = select.select([terminal], [], [], max(0, until_s - time.perf_counter()))
        if not ready:
            raise AssertionError(f"{words!r} was not painted within {DEADLINE_S} s, but {seen[-500:]!r}")
        seen += os.read(terminal, 65_536)


def _read_to_end(terminal: int) -> None:
    try:
        while os.read(terminal, 65_536):
            pass
    except OSError:  # how Linux says that nobody holds the other end any more
        return


def _processor_ms(process: int) -> float:
    fields = Path(f"/proc/{process}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) * _TICK_MS
