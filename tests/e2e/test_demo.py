"""The demonstration as its user runs it: it plays, sums up, stops on Ctrl-C, survives a SIGKILL, leaves nothing."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.postgres import FreshDatabase

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(300),
    pytest.mark.skipif(not Path("/proc/self").exists(), reason="looks for leftover processes in /proc"),
]

DEADLINE_S = 140.0


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _read(path: Path) -> str:
    """A file of /proc; nothing when the process has just gone or is not ours."""
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


_started: list["Demo"] = []


@pytest.fixture(autouse=True)
def _end_what_still_runs() -> Iterator[None]:
    """After a test that failed, too."""
    yield
    while _started:
        process = _started.pop().process
        if process.poll() is None:
            process.kill()
            process.wait()


class Demo:
    """A running demonstration with its output in a file."""

    def __init__(self, folder: Path, *arguments: str, app_url: str = "", owner_url: str = "") -> None:
        self.data = folder / "demo"
        self.port = _free_port()
        self.output = folder / f"output-{self.port}.txt"
        command = [sys.executable, "-m", "server", "demo", "--data", str(self.data), "--port", str(self.port)]
        environment = {**os.environ, "DATABASE_URL": app_url, "DATABASE_OWNER_URL": owner_url}
        with self.output.open("wb") as output:
            self.process = subprocess.Popen(
                [*command, *arguments],
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        _started.append(self)

    def text(self) -> str:
        """What it printed so far."""
        return self.output.read_text(encoding="utf-8")

    def until(self, happened: Callable[[], bool], what: str) -> None:
        """Wait for something, with a deadline."""
        deadline = time.monotonic() + DEADLINE_S
        while not happened():
            assert time.monotonic() < deadline, f"{what} did not happen; it printed:\n{self.text()}"
            time.sleep(0.05)

    def until_playing(self) -> None:
        """Wait until the first child came."""
        self.until(lambda: "recorded here" in self.text() or self.process.poll() is not None, "a check-in")
        assert self.process.poll() is None, self.text()

    def ends(self) -> int:
        """Wait for its end; the exit status."""
        return self.process.wait(DEADLINE_S)

    def leftovers(self) -> list[str]:
        """Processes that still work on this demo's folder."""
        found = []
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit() and int(entry.name) != os.getpid():
                command, environment = (_read(entry / name) for name in ("cmdline", "environ"))
                if str(self.data) in command or f"DATA_DIR={self.data}" in environment:
                    found.append(command.replace("\0", " "))
        return found

    def assert_nothing_is_left(self) -> None:
        """No process, and the port is free again."""
        self.until(lambda: not self.leftovers(), f"the end of {self.leftovers()}")
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("127.0.0.1", self.port))


def test_a_second_demo_is_refused_and_after_a_sigkill_nothing_stays_and_the_next_one_works(tmp_path: Path) -> None:
    killed = Demo(tmp_path)
    killed.until_playing()
    second = Demo(tmp_path)
    assert second.ends() == 2
    assert second.text().strip() == (
        f"A demo is already running (process {killed.process.pid}). Stop it with: kill {killed.process.pid}"
    )
    killed.process.kill()
    killed.process.wait()
    following = Demo(tmp_path)
    following.until_playing()
    _stop(following, signal.SIGINT)
    killed.assert_nothing_is_left()


@pytest.mark.postgres
def test_a_demo_on_a_database_of_ones_own_takes_another_port_ends_in_time_and_goes_on_the_next_time(
    tmp_path: Path, empty_database: FreshDatabase
) -> None:
    urls = empty_database.urls
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        taken = holder.getsockname()[1]
        limits = ("--seconds", "6", "--port", str(taken))
        first = Demo(tmp_path, *limits, app_url=urls.app, owner_url=urls.owner)
        assert first.ends() == 0, first.text()
    assert "Rollcall is running" in first.text()
    assert f"127.0.0.1:{taken}/" not in first.text()
    *_, recorded, acknowledged, equal = first.text().strip().splitlines()
    assert recorded.startswith("recorded: ")
    assert int(recorded.split()[1]) >= 24
    assert acknowledged == recorded.replace("recorded", "acknowledged")
    assert equal == "replicas equal: yes"
    assert "Desk 2   OFFLINE" in first.text()
    first.assert_nothing_is_left()
    # The second finds the centre, the log-ins and the children of the first, and goes on with them.
    second = Demo(tmp_path, app_url=urls.app, owner_url=urls.owner)
    second.until_playing()
    _stop(second, signal.SIGTERM)
    assert not (second.data / "postgres").exists()


def _stop(demo: Demo, sent: signal.Signals) -> None:
    demo.process.send_signal(sent)
    assert demo.ends() == 0, demo.text()
    assert demo.text().strip().splitlines()[-1] == "replicas equal: yes"
    demo.assert_nothing_is_left()
