"""Drives a real agent process by its lines."""

import asyncio
import os
from collections import deque
from pathlib import Path
from typing import Any, Self

import msgspec

from tests.support.programs import start_program


class AgentProcess:
    """One agent, a fork of a warm kiosk, and everything it said."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.lines: list[dict[str, Any]] = []
        self._unread: deque[dict[str, Any]] = deque()

    @classmethod
    async def start(cls, folder: Path) -> Self:
        process = await start_program(
            *("kiosk", "agent", "--data", str(folder)), environment=os.environ, stderr=asyncio.subprocess.PIPE
        )
        return cls(process)

    async def send(self, command: dict[str, Any] | bytes) -> None:
        assert self.process.stdin is not None
        data = command if isinstance(command, bytes) else msgspec.json.encode(command)
        self.process.stdin.write(data + b"\n")
        await self.process.stdin.drain()

    async def heard(self, timeout_s: float = 60, **wanted: Any) -> dict[str, Any]:
        """The next line, skipping others, that has these values."""
        try:
            async with asyncio.timeout(timeout_s):
                while True:
                    line = await self.line()
                    if all(line.get(key) == value for key, value in wanted.items()):
                        return line
        except TimeoutError:
            raise AssertionError(f"no line with {wanted}; heard {self.lines}") from None

    async def line(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        text = await self.process.stdout.readline()
        if not text:
            assert self.process.stderr is not None
            raise AssertionError(f"the agent ended: {(await self.process.stderr.read()).decode()}")
        line: dict[str, Any] = msgspec.json.decode(text)
        self.lines.append(line)
        return line

    async def ended(self) -> tuple[int, str]:
        """Wait for the end; the exit code and what it said on standard error."""
        async with asyncio.timeout(60):
            output, errors = await self.process.communicate()
        self.lines += [msgspec.json.decode(text) for text in output.splitlines()]
        return self.process.returncode or 0, errors.decode()

    async def kill(self) -> None:
        if self.process.returncode is None:
            self.process.kill()
        await self.process.communicate()
