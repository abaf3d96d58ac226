"""A real terminal for tests: tmux on a socket of its own, key presses in, the screen out."""

import re
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
DEADLINE_S = 30.0
POLL_S = 0.05
SAMPLE_KIOSK = ("tests.support.kiosk_program",)

needs_tmux = pytest.mark.skipif(
    shutil.which("tmux") is None, reason="tmux is not installed; it gives the test a terminal"
)


@dataclass
class Terminal:
    """A tmux server of our own, so that nobody's sessions are touched."""

    socket: str

    def run(self, *words: str) -> str:
        command = ["tmux", "-S", self.socket, "-f", "/dev/null", *words]
        return subprocess.run(command, check=True, capture_output=True, text=True, timeout=DEADLINE_S).stdout

    def open(self, width: int, height: int, *arguments: str) -> None:
        """Run `python -m` with these arguments (a kiosk on an invented desk without any) in a terminal of this size."""
        self.run("new-session", "-d", "-s", "kiosk", "-x", str(width), "-y", str(height), _kept(*arguments))

    def open_again(self, *arguments: str, **environment: str) -> None:
        """The same terminal, empty, with another program and these variables; what still runs in it is killed."""
        for name, value in environment.items():
            self.run("set-environment", "-t", "kiosk", name, value)
        self.run("respawn-pane", "-k", "-t", "kiosk", _kept(*arguments))

    def press(self, *keys: str) -> None:
        self.run("send-keys", "-t", "kiosk", *keys)

    def type(self, text: str) -> None:
        self.run("send-keys", "-t", "kiosk", "-l", text)

    def screen(self) -> str:
        return self.run("capture-pane", "-p", "-t", "kiosk")

    def until(self, words: str | re.Pattern[str]) -> str:
        """Wait until the screen shows `words`, and give the screen."""
        wanted = re.compile(re.escape(words)) if isinstance(words, str) else words
        deadline = time.monotonic() + DEADLINE_S
        while time.monotonic() < deadline:
            if wanted.search(seen := self.screen()):
                return seen
            time.sleep(POLL_S)
        raise AssertionError(f"{words!r} never appeared on:\n{self.screen()}")


def _kept(*arguments: str) -> str:
    """A shell's line that runs it and stays, so that its last screen can be read."""
    # COLUMNS and LINES of the test runner would speak louder than the terminal's own size.
    python = f"env -u COLUMNS -u LINES {shlex.quote(sys.executable)}"
    program = f"cd {shlex.quote(str(ROOT))} && {python} -m {shlex.join(arguments or SAMPLE_KIOSK)}"
    return f"{program}; echo ended with $?; read -r _"


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Terminal]:
    opened = Terminal(str(tmp_path / "tmux"))
    yield opened
    subprocess.run(["tmux", "-S", opened.socket, "kill-server"], check=False, capture_output=True, timeout=DEADLINE_S)
