"""Lines of bytes into this process and out of it, on threads of their own: a pipe may block for ever."""

import asyncio
import contextlib
import os
import queue
import threading
from collections.abc import Callable
from typing import Final

LINE_BYTES_MAX: Final = 64 * 1024
_CHUNK_BYTES: Final = 64 * 1024


class OutputClosed(Exception):
    """Nobody reads our output any more."""


def read_lines(descriptor: int, put: Callable[[bytes | None], None]) -> None:
    """Read to the end and pass on whole lines; of one that is too long only enough to refuse it."""
    pending = b""
    while chunk := os.read(descriptor, _CHUNK_BYTES):
        *lines, pending = (pending + chunk).split(b"\n")
        for line in lines:
            put(line)
        pending = pending[: LINE_BYTES_MAX + 1]
    if pending:
        put(pending)


class Output:
    """Writes lines in order on a thread of its own, which a reader that stopped reading may block for ever."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._lines: queue.SimpleQueue[tuple[bytes, asyncio.Future[None]]] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None

    async def write(self, data: bytes) -> None:
        """Return when the line was handed to the system; raises OutputClosed."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._write_for_ever, name="output", daemon=True)
            self._thread.start()
        written: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._lines.put((data, written))
        await written

    def _write_for_ever(self) -> None:
        while True:
            data, written = self._lines.get()
            error: OutputClosed | None = None
            try:
                _write_all(self._descriptor, data)
            except OutputClosed as closed:
                error = closed
            with contextlib.suppress(RuntimeError):
                written.get_loop().call_soon_threadsafe(_settle, written, error)


def _settle(written: "asyncio.Future[None]", error: OutputClosed | None) -> None:
    if written.done():
        return
    if error is None:
        written.set_result(None)
    else:
        written.set_exception(error)


def _write_all(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    try:
        while view:
            view = view[os.write(descriptor, view) :]
    except OSError as error:
        raise OutputClosed from error
