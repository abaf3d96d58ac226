"""A link that can be cut: a TCP proxy on loopback between a desk and the server."""

import asyncio
import contextlib
from typing import Final, Self

CHUNK_BYTES: Final = 64 * 1024
CONNECT_TIMEOUT_S: Final = 5.0


class LinkSwitch:
    """Passes bytes both ways while it is on; when it is cut, open connections end and new ones are refused."""

    def __init__(self, target_port: int) -> None:
        """`target_port` is the server's port on 127.0.0.1."""
        self._target_port = target_port
        self._server: asyncio.Server | None = None
        self._is_on = True
        self._pipes: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        """Listen on a free port."""
        self._server = await asyncio.start_server(self._accepted, "127.0.0.1", 0)
        return self

    async def __aexit__(self, *_: object) -> None:
        """Stop listening and end every connection."""
        if self._server is not None:
            self._server.close()
        self.cut()
        await asyncio.gather(*self._pipes, return_exceptions=True)
        if self._server is not None:
            await self._server.wait_closed()

    @property
    def port(self) -> int:
        """The port the desk is told."""
        if self._server is None:
            message = "the switch is not open"
            raise RuntimeError(message)
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    @property
    def connections(self) -> int:
        """How many connections pass now."""
        return len(self._pipes)

    def cut(self) -> None:
        """Cut the link: what is under way is lost."""
        self._is_on = False
        for pipe in self._pipes:
            pipe.cancel()

    def restore(self) -> None:
        """Let connections pass again."""
        self._is_on = True

    async def _accepted(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is None or not self._is_on:
            writer.transport.abort()
            return
        self._pipes.add(task)
        try:
            await self._pass_through(reader, writer)
        except* (OSError, asyncio.CancelledError):
            # The near end learns of it by the abort below; there is nobody else to tell.
            pass
        finally:
            self._pipes.discard(task)
            writer.transport.abort()

    async def _pass_through(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async with asyncio.timeout(CONNECT_TIMEOUT_S):
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._target_port)
        try:
            async with asyncio.TaskGroup() as pipes:
                pipes.create_task(_copy(reader, far_writer))
                pipes.create_task(_copy(far_reader, writer))
        finally:
            far_writer.transport.abort()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while chunk := await reader.read(CHUNK_BYTES):
        writer.write(chunk)
        await writer.drain()
    with contextlib.suppress(OSError, RuntimeError):
        writer.write_eof()
