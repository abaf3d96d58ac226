"""A link between a desk and the server that misbehaves: it slices, cuts, stalls, slows down, or is a captive portal."""

import asyncio
import contextlib
import re
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Self

CHUNK_BYTES = 64 * 1024
SEEN_BYTES_MAX = 1 << 20

Portal = Callable[[bytes], bytes]
"""Answers an HTTP request in place of the server; both with head and body."""


@dataclass
class Direction:
    """What happens to the bytes of one direction of every connection."""

    chunk_bytes: int = CHUNK_BYTES
    bytes_per_s: float = 0  # 0: as fast as it goes
    # After how many bytes the next connections end, one number for each, in the middle of whatever that is.
    ends_after: deque[int] = field(default_factory=deque)
    ends_cleanly: bool = False  # FIN in place of RST


@dataclass(eq=False)
class Connection:
    """One connection: whether its directions pass now, and what the desk sent."""

    task: "asyncio.Task[None]"
    up: asyncio.Event = field(default_factory=asyncio.Event)
    down: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.up.set()
        self.down.set()


class Ended(Exception):
    """The link ends this connection now."""


class FaultyLink:
    """A TCP proxy on loopback; its faults may be changed while it runs."""

    def __init__(self, target_port: int) -> None:
        self.target_port = target_port
        self.up = Direction()
        self.down = Direction()
        self.portal: Portal | None = None
        self.accepted = 0
        self.seen = bytearray()
        self.connections: set[Connection] = set()
        self._is_on = True
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        self.cut()
        await asyncio.gather(*(each.task for each in self.connections), return_exceptions=True)
        await self._server.wait_closed()

    @property
    def port(self) -> int:
        assert self._server is not None
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    def cut(self) -> None:
        """End every connection and refuse new ones."""
        self._is_on = False
        for connection in self.connections:
            connection.task.cancel()

    def reopen(self, *, up: Direction | None = None, down: Direction | None = None) -> None:
        """Let connections pass again, with these faults; what stalled, stays so until its connection ends."""
        self._is_on = True
        self.portal = None
        self.up, self.down = up or Direction(), down or Direction()

    def become(self, portal: Portal) -> None:
        """End every connection; from now on the portal answers."""
        self.cut()
        self._is_on = True
        self.portal = portal

    def stall(self, direction: str) -> None:
        """Pass nothing more in this direction, "up" or "down", on the connections that are open; none is closed."""
        for connection in self.connections:
            getattr(connection, direction).clear()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        if not self._is_on:
            writer.transport.abort()
            return
        self.accepted += 1
        connection = Connection(task)
        self.connections.add(connection)
        try:
            if self.portal is not None:
                await self._play(self.portal, reader, writer)
            else:
                await self._pass_through(connection, reader, writer)
        except* (OSError, Ended, asyncio.CancelledError, asyncio.IncompleteReadError):
            pass
        finally:
            self.connections.discard(connection)
            writer.transport.abort()

    async def _play(self, portal: Portal, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            length = re.search(rb"(?i)\r\ncontent-length: *(\d+)", head)
            request = head + await reader.readexactly(int(length[1]) if length else 0)
            self._keep(request)
            writer.write(portal(request))
            await writer.drain()

    def _keep(self, data: bytes) -> None:
        self.seen += data[: SEEN_BYTES_MAX - len(self.seen)]

    async def _pass_through(
        self, connection: Connection, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self.target_port)
        try:
            async with asyncio.TaskGroup() as pipes:
                pipes.create_task(self._pump(reader, far_writer, "up", connection.up))
                pipes.create_task(self._pump(far_reader, writer, "down", connection.down))
        finally:
            far_writer.transport.abort()

    async def _pump(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, direction: str, passes: asyncio.Event
    ) -> None:
        faults: Direction = getattr(self, direction)
        left = faults.ends_after.popleft() if faults.ends_after else None
        while chunk := await reader.read(CHUNK_BYTES):
            if direction == "up":
                self._keep(chunk)
            await _pass(chunk[:left], writer, faults, passes)
            if left is not None and (left := left - len(chunk)) <= 0:
                await _end(reader, writer, faults)
        with contextlib.suppress(OSError, RuntimeError):
            writer.write_eof()


async def _end(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, faults: Direction) -> None:
    if faults.ends_cleanly:
        writer.write_eof()
        while await reader.read(CHUNK_BYTES):
            pass
    raise Ended


async def _pass(chunk: bytes, writer: asyncio.StreamWriter, faults: Direction, passes: asyncio.Event) -> None:
    for start in range(0, len(chunk), faults.chunk_bytes):
        piece = chunk[start : start + faults.chunk_bytes]
        await passes.wait()
        writer.write(piece)
        await writer.drain()
        # One turn of the loop, so that each piece goes into the network by itself; longer on a slow link.
        await asyncio.sleep(len(piece) / faults.bytes_per_s if faults.bytes_per_s else 0)
