"""A receiver of webhooks on a real socket, which answers as it is told."""

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

Answer = Callable[[web.Request], Any]


@dataclass
class Receiver:
    """`got` is what arrived, as headers and body; `answers` is said in turn, and then 204 for ever. `came` is set when
    something arrived, `left` when the other side went. Paths that are `held` are answered 500 when `released` is set.

    An answer is a status, or a coroutine that makes a response.
    """

    url: str = ""
    got: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    answers: list[int | Answer] = field(default_factory=list)
    left: asyncio.Event = field(default_factory=asyncio.Event)
    came: asyncio.Event = field(default_factory=asyncio.Event)
    held: set[str] = field(default_factory=set)
    released: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def kinds(self) -> list[str]:
        """What was told, in order."""
        return [json.loads(body)["type"] for _, body in self.got]

    @property
    def ids(self) -> list[str]:
        """The ids of the messages, in order."""
        return [headers["webhook-id"] for headers, _ in self.got]

    def data(self, place: int) -> dict[str, Any]:
        """What a message says."""
        return dict(json.loads(self.got[place][1])["data"])

    async def until(self, count: int) -> None:
        """Wait until so many messages have come."""
        while len(self.got) < count:
            self.came.clear()
            await self.came.wait()

    async def hang(self, _request: web.Request) -> web.Response:
        """Say nothing for as long as the other side waits."""
        try:
            await asyncio.Event().wait()
        finally:
            self.left.set()
        return web.Response()

    async def redirect(self, _request: web.Request) -> web.Response:
        """Lead elsewhere: to itself, where it would be seen."""
        return web.Response(status=307, headers={"location": f"{self.url}/elsewhere"})

    async def talk(self, request: web.Request) -> web.StreamResponse:
        """Say "good", and then go on for ever."""
        response = web.StreamResponse(status=200)
        await response.prepare(request)
        try:
            while True:
                await response.write(b"x" * 65_536)
        finally:
            self.left.set()

    async def receive(self, request: web.Request) -> web.StreamResponse:
        """Take a message."""
        self.got.append(({name.lower(): value for name, value in request.headers.items()}, await request.read()))
        self.came.set()
        if request.path in self.held:
            await self.released.wait()
            return web.Response(status=500)
        answer = self.answers.pop(0) if self.answers else 204
        if isinstance(answer, int):
            return web.Response(status=answer, text="so be it")
        made: web.StreamResponse = await answer(request)
        return made


@asynccontextmanager
async def receiver(tls: ssl.SSLContext | None = None) -> AsyncIterator[Receiver]:
    """Listen on a free port of this machine; with `tls` as `localhost`, over https."""
    made, app = Receiver(), web.Application()
    app.router.add_route("*", "/{path:.*}", made.receive)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0, handler_cancellation=True)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls)
    await site.start()
    made.url = f"{'https://localhost' if tls else 'http://127.0.0.1'}:{runner.addresses[0][1]}"
    try:
        yield made
    finally:
        await runner.cleanup()
