"""The programs that the demonstration starts: each dies with it, whatever ends it."""

import asyncio
import contextlib
import ctypes
import json
import os
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

STOP_GRACE_S: Final = 15.0
LINE_BYTES_MAX: Final = 1024 * 1024
_PR_SET_PDEATHSIG: Final = 1

Heard = Callable[[str, dict[str, Any]], None]
"""Called with the name of a desk and a line that its agent printed."""


class ProgramFailed(Exception):
    """A program of the demonstration ended with an error; holds what it said last."""


def die_with_parent() -> None:
    """Ask the kernel to send SIGTERM to this process when its parent ends, even by SIGKILL (Linux; else nothing)."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def command(module: str, *arguments: str) -> list[str]:
    """A command line that runs one of our programs with this very Python."""
    return [sys.executable, "-m", module, *arguments]


async def run_to_end(arguments: Sequence[str], *, environment: Mapping[str, str], deadline_s: float) -> str:
    """Run a program to its end and return its standard output.

    Raises:
        ProgramFailed: it ended with another status than 0, or not in time.

    """
    process = await _start(arguments, environment, stdin=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE)
    try:
        async with asyncio.timeout(deadline_s):
            output, errors = await process.communicate()
    except TimeoutError:
        message = f"{' '.join(arguments[2:4])} did not end within {deadline_s:.0f} s"
        raise ProgramFailed(message) from None
    finally:
        await stop(process)
    if process.returncode != 0:
        last = (errors or output).decode(errors="replace").strip() or "it said nothing"
        raise ProgramFailed(last)
    return output.decode()


class Server:
    """`rollcall-server serve` as a process, with its output in a file."""

    def __init__(self, process: asyncio.subprocess.Process, log: Path) -> None:
        """Use `Server.start`."""
        self.process = process
        self.log = log

    @classmethod
    async def start(cls, *, port: int, environment: Mapping[str, str], log: Path) -> "Server":
        """Start it; it is not ready yet."""
        with log.open("ab") as output:
            arguments = command("server", "serve", "--host", "127.0.0.1", "--port", str(port))
            process = await _start(arguments, environment, stdin=asyncio.subprocess.DEVNULL, stdout=output)
        return cls(process, log)

    def check_alive(self) -> None:
        """Raise ProgramFailed with the end of its log when it is gone."""
        if self.process.returncode is not None:
            tail = self.log.read_text(errors="replace").strip().splitlines()[-5:]
            raise ProgramFailed("\n".join(tail) or "the server ended without a word")

    async def stop(self) -> None:
        """Ask it to end, and make sure."""
        await stop(self.process)


class Agent:
    """`rollcall-kiosk agent` as a process: commands in, JSON lines out."""

    def __init__(self, name: str, process: asyncio.subprocess.Process, heard: Heard) -> None:
        """Use `Agent.start`."""
        self.name = name
        self.process = process
        self._heard = heard
        self._reader = asyncio.create_task(self._read())

    @classmethod
    async def start(cls, name: str, data: Path, environment: Mapping[str, str], heard: Heard) -> "Agent":
        """Start an agent on an enrolled replica; `heard(name, line)` is called for each line it prints."""
        with (data / "agent.log").open("ab") as errors:
            process = await _start(
                command("kiosk", "agent", "--data", str(data)),
                environment,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=errors,
            )
        return cls(name, process, heard)

    async def say(self, **line: object) -> None:
        """Send one command."""
        if self.process.stdin is None or self.process.returncode is not None:
            message = f"the agent of {self.name} has ended"
            raise ProgramFailed(message)
        self.process.stdin.write(json.dumps(line).encode() + b"\n")
        await self.process.stdin.drain()

    async def stop(self) -> None:
        """End it by the end of its input; it syncs a last time by itself."""
        if self.process.stdin is not None:
            with contextlib.suppress(OSError):
                self.process.stdin.close()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(STOP_GRACE_S / 2):
                await self.process.wait()
        await stop(self.process)
        await self._reader

    async def _read(self) -> None:
        if self.process.stdout is None:
            return
        while line := await self.process.stdout.readline():
            self._heard(self.name, json.loads(line))


async def stop(process: asyncio.subprocess.Process) -> None:
    """SIGTERM, and SIGKILL when that is not heard in time; returns when the process is gone."""
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        try:
            async with asyncio.timeout(STOP_GRACE_S):
                await process.wait()
        except TimeoutError:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()


async def _start(
    arguments: Sequence[str], environment: Mapping[str, str], **streams: Any
) -> asyncio.subprocess.Process:
    # A session of its own: Ctrl-C in the terminal reaches only the demonstration, which then stops all in order.
    streams.setdefault("stdout", asyncio.subprocess.PIPE)
    streams.setdefault("stderr", asyncio.subprocess.STDOUT)
    return await asyncio.create_subprocess_exec(
        *arguments,
        env={**os.environ, **environment},
        start_new_session=True,
        preexec_fn=die_with_parent,
        limit=LINE_BYTES_MAX,
        **streams,
    )
