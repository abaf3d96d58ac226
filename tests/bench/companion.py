"""A process of kiosks beside the benchmark: it is asked one line and answers one line, until its input ends."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path

from server.demo.processes import die_with_parent, stop
from tests.bench.stage import DEADLINE_S

LINE_BYTES_MAX = 4 * 1024 * 1024


class Companion:
    """The process, as the benchmark sees it."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        """Use `Companion.start`."""
        self._process = process

    @property
    def pid(self) -> int:
        """Its process."""
        return self._process.pid

    @classmethod
    async def start(cls, module: str, *folders: Path) -> "Companion":
        """Start it on the folders of its kiosks and wait until they are current."""
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            module,
            *map(str, folders),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            start_new_session=True,
            preexec_fn=die_with_parent,
            limit=LINE_BYTES_MAX,
        )
        companion = cls(process)
        assert await companion._hear() == b"current"
        return companion

    async def ask(self, line: bytes) -> bytes:
        """Say a line and wait for the answer to it."""
        assert self._process.stdin is not None
        self._process.stdin.write(line + b"\n")
        await self._process.stdin.drain()
        return await self._hear()

    async def stop(self) -> None:
        """End it."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        await stop(self._process)

    async def _hear(self) -> bytes:
        assert self._process.stdout is not None
        async with asyncio.timeout(DEADLINE_S):
            return (await self._process.stdout.readline()).strip()


async def questions() -> AsyncIterator[bytes]:
    """Within the process: say that its kiosks are current, and give each line that it is asked."""
    say(b"current")
    asked = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(asked), os.fdopen(sys.stdin.fileno(), "rb", closefd=False)
    )
    while line := await asked.readline():
        yield line.strip()


def say(line: bytes) -> None:
    """Within the process: answer."""
    sys.stdout.buffer.write(line + b"\n")
    sys.stdout.buffer.flush()
