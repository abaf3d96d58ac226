"""What the other tests trust in: a fork of a warm program is a process of its own, and ends as any other does."""

import asyncio
import os
import signal
import socket
import sys
from pathlib import Path

import pytest

from tests.support.postgres import RUN_DIR_VARIABLE
from tests.support.programs import Forked, said_by, start_program

DEADLINE_S = 60


async def test_a_fork_has_its_own_session_folder_and_environment_and_its_end_is_told(tmp_path: Path) -> None:
    """It waits for a server that never answers."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        server = f"http://127.0.0.1:{silent.getsockname()[1]}"
        command = ("kiosk", "enrol", "--server", server, "--code", "ABCD-2345", "--data", "desk")
        environment = {**os.environ, "ONLY_HERE": "1"}
        started = [await start_program(*command, environment=environment, folder=tmp_path) for _ in range(2)]
        killed, left = started
        assert isinstance(left, Forked)
        for process in started:
            here = Path(f"/proc/{process.pid}")
            assert (os.getsid(process.pid), (here / "cwd").readlink()) == (process.pid, tmp_path)
            assert process.returncode is None
        killed.kill()
        async with asyncio.timeout(DEADLINE_S):
            assert await killed.wait() == -signal.SIGKILL
        await _gone(left)
    assert "ONLY_HERE" not in os.environ


async def _gone(process: Forked) -> None:
    """Whoever asked for it ends, and so does it."""
    ended = os.pidfd_open(process.pid)
    try:
        process.leave()
        over = asyncio.Event()
        asyncio.get_running_loop().add_reader(ended, over.set)
        async with asyncio.timeout(DEADLINE_S):
            await over.wait()
    finally:
        asyncio.get_running_loop().remove_reader(ended)
        os.close(ended)


async def test_a_fork_says_and_answers_what_the_real_command_does() -> None:
    environment = {**os.environ, "COLUMNS": "100"}
    for arguments in (("kiosk", "--help"), ("kiosk", "dance"), ("server", "migrate", "--nothing")):
        forked = await said_by(*arguments, environment=environment)
        real = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", *arguments), env=environment, stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        out, err = await real.communicate()
        assert (forked.status, forked.out, forked.err) == (real.returncode, out.decode(), err.decode()), arguments


async def test_a_benchmark_starts_what_users_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(RUN_DIR_VARIABLE)
    process = await start_program("kiosk", "--help", environment=os.environ)
    assert not isinstance(process, Forked)
    out, _ = await process.communicate()
    assert process.returncode == 0
    assert b"Usage" in out
