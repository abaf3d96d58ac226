"""A WebSocket server that does nothing but answer each frame with itself: the raw limit of links.

It runs as the shipped server does: uvicorn with the same WebSocket implementation and loop, in a process of its own.
"""

import asyncio
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import uvicorn
from uvicorn.loops.auto import auto_loop_factory
from websockets.asyncio.client import ClientConnection, connect

from server.asgi import BACKLOG
from server.demo.processes import die_with_parent, stop
from sync.limits import FRAME_BYTES_MAX
from tests.bench.stage import DEADLINE_S

FRAME = bytes(300)


class EchoServer:
    """The process, and where it listens."""

    def __init__(self, pid: int, port: int) -> None:
        self.pid = pid
        self.port = port

    async def connect(self) -> ClientConnection:
        """Open a bare link and have one frame echoed."""
        link = await connect(
            f"ws://127.0.0.1:{self.port}/", compression=None, proxy=None, ping_interval=None, open_timeout=DEADLINE_S
        )
        await link.send(FRAME)
        assert await link.recv() == FRAME
        return link


@asynccontextmanager
async def echo_server() -> AsyncIterator[EchoServer]:
    """Run it for as long as the block takes."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.bench.echo", stdout=asyncio.subprocess.PIPE, preexec_fn=die_with_parent
    )
    try:
        assert process.stdout is not None
        async with asyncio.timeout(DEADLINE_S):
            port = int(await process.stdout.readline())
        yield EchoServer(process.pid, port)
    finally:
        await stop(process)


async def _echo(scope: Any, receive: Any, send: Any) -> None:
    assert scope["type"] == "websocket"
    await receive()
    await send({"type": "websocket.accept"})
    while (message := await receive())["type"] == "websocket.receive":
        await send({"type": "websocket.send", "bytes": message["bytes"]})


async def _serve() -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(BACKLOG)
        print(listener.getsockname()[1], flush=True)
        config = uvicorn.Config(
            _echo,
            lifespan="off",
            ws="websockets-sansio",
            ws_max_size=FRAME_BYTES_MAX,
            ws_per_message_deflate=False,
            log_config=None,
            access_log=False,
            backlog=BACKLOG,
        )
        await uvicorn.Server(config).serve(sockets=[listener])


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=auto_loop_factory()) as runner:
        runner.run(_serve())
