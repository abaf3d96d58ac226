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


def test_a_demo_with_a_time_limit_passes_over_a_taken_port_and_ends_by_itself_with_equal_replicas(
    tmp_path: Path,
) -> None:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        taken = holder.getsockname()[1]
        demo = Demo(tmp_path, "--seconds", "6", "--port", str(taken))
        assert demo.ends() == 0, demo.text()
    assert "Rollcall is running" in demo.text()
    assert f"127.0.0.1:{taken}/" not in demo.text()
    *_, recorded, acknowledged, equal = demo.text().strip().splitlines()
    assert recorded.startswith("recorded: ")
    assert int(recorded.split()[1]) >= 24
    assert acknowledged == recorded.replace("recorded", "acknowledged")
    assert equal == "replicas equal: yes"
    assert "Desk 2   OFFLINE" in demo.text()
    demo.assert_nothing_is_left()


def test_a_second_demo_is_refused_and_ctrl_c_sums_up_the_first_and_leaves_nothing_behind(tmp_path: Path) -> None:
    first = Demo(tmp_path)
    first.until_playing()
    second = Demo(tmp_path)
    assert second.ends() == 2
    assert second.text().strip() == (
        f"A demo is already running (process {first.process.pid}). Stop it with: kill {first.process.pid}"
    )
    _stop(first, signal.SIGINT)


def test_after_a_sigkill_nothing_stays_and_the_next_demo_works_until_it_is_ended(tmp_path: Path) -> None:
    killed = Demo(tmp_path)
    killed.until_playing()
    killed.process.kill()
    killed.process.wait()
    following = Demo(tmp_path)
    following.until_playing()
    _stop(following, signal.SIGTERM)
    killed.assert_nothing_is_left()


def _stop(demo: Demo, sent: signal.Signals) -> None:
    demo.process.send_signal(sent)
    assert demo.ends() == 0, demo.text()
    assert demo.text().strip().splitlines()[-1] == "replicas equal: yes"
    demo.assert_nothing_is_left()


@pytest.mark.postgres
def test_with_a_database_of_ones_own_no_other_is_started(tmp_path: Path, empty_database: FreshDatabase) -> None:
    urls = empty_database.urls
    first, second = (_play(tmp_path, app_url=urls.app, owner_url=urls.owner) for _ in range(2))
    assert first.text().strip().splitlines()[-1] == "replicas equal: yes"
    # The second finds the centre, the log-ins and the children of the first, and goes on with them.
    assert second.text().strip().splitlines()[-1] == "replicas equal: yes"
    assert not (second.data / "postgres").exists()


def _play(folder: Path, **urls: str) -> Demo:
    demo = Demo(folder, "--seconds", "2", **urls)
    assert demo.ends() == 0, demo.text()
    return demo
