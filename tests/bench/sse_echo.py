"""A server of server-sent events that knows nothing: the same bytes to all who listen, ten times a second.

`python -m tests.bench.sse_echo BYTES`: prints its port. The id of each event is when it was made, in nanoseconds of the
clock that all processes share.
"""

import asyncio
import socket
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

import uvicorn
from uvicorn.loops.auto import auto_loop_factory

from server.asgi import BACKLOG
from server.demo.processes import die_with_parent, stop
from tests.bench.stage import DEADLINE_S

INTERVAL_S: Final = 0.1


@asynccontextmanager
async def sse_echo(size: int) -> AsyncIterator[int]:
    """Run it with events of so many bytes for as long as the block takes; gives its port."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.bench.sse_echo", str(size), stdout=asyncio.subprocess.PIPE,
        preexec_fn=die_with_parent,
    )  # fmt: skip
    try:
        assert process.stdout is not None
        async with asyncio.timeout(DEADLINE_S):
            port = int(await process.stdout.readline())
        yield port
    finally:
        await stop(process)


class _Echo:
    def __init__(self, size: int) -> None:
        self._data = b"x" * size
        self._moved = asyncio.Condition()
        self._frame = b""

    async def __call__(self, scope: Any, _receive: Any, send: Any) -> None:
        assert scope["type"] == "http"
        headers = [(b"content-type", b"text/event-stream")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        while True:
            async with self._moved:
                await self._moved.wait()
            await send({"type": "http.response.body", "body": self._frame, "more_body": True})

    async def tick(self) -> None:
        while True:
            await asyncio.sleep(INTERVAL_S)
            self._frame = b"event: board\ndata: %s\nid: e:%d\n\n" % (self._data, time.perf_counter_ns())
            async with self._moved:
                self._moved.notify_all()


async def _serve(size: int) -> None:
    echo = _Echo(size)
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(BACKLOG)
        print(listener.getsockname()[1], flush=True)
        ticking = asyncio.create_task(echo.tick())
        config = uvicorn.Config(echo, lifespan="off", log_config=None, access_log=False, backlog=BACKLOG)
        await uvicorn.Server(config).serve(sockets=[listener])
        ticking.cancel()


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=auto_loop_factory()) as runner:
        runner.run(_serve(int(sys.argv[1])))
