"""Starts our programs as processes for tests: forked from one that is warm, or by their real command.

Most tests ask what a program does once it runs, or what is left when it was killed: they take a fork, which costs a
fifth of a start. That the real command with its real environment does the same is seen by tests/e2e/test_demo.py,
tests/integration/test_app.py and test_kiosk_agent.py.
"""

import asyncio
import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final

from server.demo.processes import LINE_BYTES_MAX, ProgramFailed, die_with_parent
from tests.support.postgres import RUN_DIR_VARIABLE, controller_pid, locked
from tests.support.warm_program import REQUEST_BYTES_MAX

ROOT: Final = Path(__file__).parents[2]
# What acts before the interpreter reads a line, and thus not in a fork.
ONLY_AT_THE_START: Final = ("LD_PRELOAD", "PYTHONHASHSEED", "PYTHONWARNINGS")

Stream = int | IO[Any] | None
"""`subprocess.PIPE`, `DEVNULL` or a file that is open."""


class Forked(asyncio.subprocess.Process):
    """A process that a warm program forked, with what asyncio offers for a child of one's own."""

    def __init__(self, pid: int, connection: socket.socket, streams: "_Streams") -> None:
        self.pid = pid
        self.stdin, self.stdout, self.stderr = streams.stdin, streams.stdout, streams.stderr
        self._streams = streams
        self._status: int | None = None
        self._ended = asyncio.create_task(self._until_ended(connection))

    @property
    def returncode(self) -> int | None:
        """The exit status, or minus the number of the signal; nothing while it runs."""
        return self._status

    async def wait(self) -> int:
        """Wait for its end."""
        await asyncio.shield(self._ended)
        assert self._status is not None
        return self._status

    def send_signal(self, signal: int) -> None:
        """Send it a signal, if it is still there."""
        if self._status is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, signal)

    def terminate(self) -> None:
        """SIGTERM."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """SIGKILL."""
        self.send_signal(signal.SIGKILL)

    def hang_up(self) -> None:
        """Hear no more of what it prints: its next line finds a pipe that nobody reads."""
        self._streams.outputs[0].close()

    def leave(self) -> None:
        """Be gone, as far as the warm program knows."""
        self._ended.cancel()

    async def communicate(self, input: bytes | bytearray | memoryview | None = None) -> tuple[bytes, bytes]:  # noqa: A002 - asyncio's name
        """Say `input`, close, and hear everything to the end."""
        heard = asyncio.gather(*(_heard(stream) for stream in (self.stdout, self.stderr)))
        if self.stdin is not None:
            with contextlib.suppress(ConnectionError):
                self.stdin.write(input or b"")
                await self.stdin.drain()
            self.stdin.close()
        output, errors = await heard
        await self.wait()
        return output, errors

    async def _until_ended(self, connection: socket.socket) -> None:
        with connection:
            told = await asyncio.get_running_loop().sock_recv(connection, REQUEST_BYTES_MAX)
        assert told, f"the warm program of {self.pid} is gone"
        self._status = json.loads(told)["status"]
        if self.stdin is not None:
            self.stdin.close()


async def _heard(stream: asyncio.StreamReader | None) -> bytes:
    return b"" if stream is None else await stream.read()


class _Streams:
    """Our ends of what a program reads and writes, and its own ends until it has them."""

    def __init__(self) -> None:
        self.stdin: asyncio.StreamWriter | None = None
        self.stdout: asyncio.StreamReader | None = None
        self.stderr: asyncio.StreamReader | None = None
        self.outputs: list[asyncio.ReadTransport] = []
        self.theirs = contextlib.ExitStack()

    async def open(self, stdin: Stream, stdout: Stream, stderr: Stream) -> list[int]:
        """Open them; gives the descriptors for the program."""
        if stdin == subprocess.PIPE:
            reading, writing = os.pipe()
            self.stdin = await _writer(writing)
            numbers = [self._theirs(reading)]
        else:
            numbers = [self._given(stdin, 0)]
        for stream, number in ((stdout, 1), (stderr, 2)):
            if stream == subprocess.STDOUT:
                numbers.append(numbers[1])
            elif stream == subprocess.PIPE:
                reading, writing = os.pipe()
                reader = await self._reader(reading)
                self.stdout, self.stderr = (reader, self.stderr) if number == 1 else (self.stdout, reader)
                numbers.append(self._theirs(writing))
            else:
                numbers.append(self._given(stream, number))
        return numbers

    async def _reader(self, descriptor: int) -> asyncio.StreamReader:
        loop = asyncio.get_running_loop()
        reader = asyncio.StreamReader(limit=LINE_BYTES_MAX, loop=loop)
        protocol = asyncio.StreamReaderProtocol(reader, loop=loop)
        transport, _ = await loop.connect_read_pipe(lambda: protocol, os.fdopen(descriptor, "rb", buffering=0))
        self.outputs.append(transport)
        return reader

    def _theirs(self, descriptor: int) -> int:
        self.theirs.callback(os.close, descriptor)
        return descriptor

    def _given(self, stream: Stream, inherited: int) -> int:
        if stream is None:
            return inherited
        if stream == subprocess.DEVNULL:
            return self._theirs(os.open(os.devnull, os.O_RDWR))
        return stream if isinstance(stream, int) else stream.fileno()


async def _writer(descriptor: int) -> asyncio.StreamWriter:
    loop = asyncio.get_running_loop()
    made = asyncio.StreamReaderProtocol(asyncio.StreamReader(loop=loop), loop=loop)
    transport, protocol = await loop.connect_write_pipe(lambda: made, os.fdopen(descriptor, "wb", buffering=0))
    return asyncio.StreamWriter(transport, protocol, None, loop)


async def start_program(
    *arguments: str,
    environment: Mapping[str, str],
    folder: Path = ROOT,
    stdin: Stream = subprocess.PIPE,
    stdout: Stream = subprocess.PIPE,
    stderr: Stream = subprocess.STDOUT,
) -> asyncio.subprocess.Process:
    """Start `python -m` with these arguments in a session of its own; it dies with us.

    `environment`: all of it. The program is a fork of a warm one, unless something in the environment acts only when
    an interpreter starts.
    """
    is_test = RUN_DIR_VARIABLE in os.environ  # a benchmark measures what users start
    if not is_test or any(environment.get(name) != os.environ.get(name) for name in ONLY_AT_THE_START):
        return await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", *arguments), cwd=folder, env=environment, stdin=stdin, stdout=stdout,
            stderr=stderr, start_new_session=True, preexec_fn=die_with_parent, limit=LINE_BYTES_MAX,
        )  # fmt: skip
    program = next(name for name in arguments if name in ("server", "kiosk"))
    path = await asyncio.to_thread(_warm, program)
    request = {"arguments": arguments, "environment": dict(environment), "folder": str(folder)}
    streams, connection = _Streams(), socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    connection.setblocking(False)
    loop = asyncio.get_running_loop()
    with streams.theirs:
        descriptors = await streams.open(stdin, stdout, stderr)
        await loop.sock_connect(connection, str(path))
        socket.send_fds(connection, [json.dumps(request).encode()], descriptors)
        told = await loop.sock_recv(connection, REQUEST_BYTES_MAX)
    return Forked(json.loads(told)["pid"], connection, streams)


@dataclass(frozen=True)
class Said:
    """What a program said until its end."""

    status: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        """What it printed, as JSON."""
        return json.loads(self.out)


async def said_by(
    *arguments: str,
    environment: Mapping[str, str] | None = None,
    folder: Path = ROOT,
    answer: str = "",
    deadline_s: float = 120,
) -> Said:
    """Run `python -m` with these arguments to its end; `answer` is what it can read."""
    process = await start_program(
        *arguments, environment=os.environ if environment is None else environment, folder=folder,
        stderr=subprocess.PIPE,
    )  # fmt: skip
    try:
        async with asyncio.timeout(deadline_s):
            out, err = await process.communicate(answer.encode())
    finally:
        if process.returncode is None:
            process.kill()
    return Said(await process.wait(), out.decode(), err.decode())


async def run_program(*arguments: str, environment: Mapping[str, str], deadline_s: float) -> str:
    """Run `python -m` with these arguments to its end; gives what it printed, as `run_to_end` of the demonstration.

    Raises ProgramFailed when it ended with another status than 0, or not in time.
    """
    try:
        said = await said_by(*arguments, environment={**os.environ, **environment}, deadline_s=deadline_s)
    except TimeoutError:
        message = f"{' '.join(arguments[:2])} did not end within {deadline_s:.0f} s"
        raise ProgramFailed(message) from None
    if said.status != 0:
        raise ProgramFailed((said.err or said.out).strip() or "it said nothing")
    return said.out


def _warm(program: str) -> Path:
    """The socket of the warm program of this run; whoever needs it first starts it, in whichever worker."""
    run_dir = Path(os.environ[RUN_DIR_VARIABLE])
    path = run_dir / f"{program}.socket"
    with locked(run_dir / f"{program}.lock"):
        if not path.exists():
            _start_warm(program, path, run_dir / f"{program}.log")
    return path


def _start_warm(program: str, path: Path, log: Path) -> None:
    with log.open("wb") as errors:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.support.warm_program", program, str(path), str(controller_pid())],
            cwd=ROOT, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, stderr=errors, start_new_session=True,
        )  # fmt: skip
    assert process.stdout is not None
    with process.stdout as stdout:
        line = stdout.readline()
    process.returncode = 0  # it outlives this worker on purpose; without this, Popen complains when collected
    assert line, f"the {program} does not load:\n{log.read_text(encoding='utf-8')[-2000:]}"
