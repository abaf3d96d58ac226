"""The API served by uvicorn as staff of a centre sees it, and what a client of its live stream hears."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import uvicorn

from server.app import RunningApp, running_app
from server.core.clock import Clock, SystemClock
from server.core.settings import Settings
from server.services.roster_file import SourceFile
from tests.support.api import CENTERS, NORTH, Api, settings_for
from tests.support.clock import FakeClock
from tests.support.postgres import FreshDatabase

DEADLINE_S = 30


@dataclass(frozen=True)
class Heard:
    """One event of a stream; a comment has no name."""

    name: str = ""
    event_id: str = ""
    data: str = ""
    comment: str = ""

    @property
    def board(self) -> dict[str, Any]:
        """The document of an event `board`."""
        assert self.name == "board", self
        return dict(json.loads(self.data))


class Stream:
    """An open stream, read as the standard says (WHATWG HTML, section 9.2.6)."""

    def __init__(self, answer: httpx.Response) -> None:
        self.answer = answer
        self._lines = answer.aiter_lines()

    async def next(self) -> Heard:
        """The next event or comment."""
        fields: dict[str, str] = {}
        async with asyncio.timeout(DEADLINE_S):
            async for line in self._lines:
                if not line and fields:
                    return Heard(**fields)
                if line.startswith("retry:"):
                    continue
                name, _, value = line.partition(":")
                key = {"event": "name", "id": "event_id", "": "comment"}.get(name, name)
                fields[key] = value.removeprefix(" ")
        raise EOFError

    async def board(self) -> Heard:
        """The next board; what says that nothing is new is passed over."""
        while True:
            heard = await self.next()
            if heard.name not in {"", "still"}:
                assert heard.name == "board", heard
                return heard

    async def until(self, wanted: Callable[[dict[str, Any]], bool]) -> Heard:
        """The first board that is wanted."""
        while True:
            heard = await self.board()
            if wanted(heard.board):
                return heard

    async def bye(self) -> str:
        """The reason with which the stream ends; nothing comes behind it."""
        heard = await self.next()
        while heard.name != "bye":
            heard = await self.next()
        with suppress(EOFError):
            raise AssertionError(await self.next())
        return str(json.loads(heard.data)["reason"])


@dataclass
class LiveOffice:
    """The API over real sockets."""

    api: Api
    running: RunningApp
    server: uvicorn.Server

    @asynccontextmanager
    async def stream(
        self, headers: dict[str, str], center: str = "north", seen: str = "", path: str = ""
    ) -> AsyncIterator[Stream]:
        """Open the stream of a centre, or the one at a path below the API."""
        more = {"Last-Event-ID": seen} if seen else {}
        path = f"/api/v1{path or f'/centers/{self.api.centers[center]}/live'}"
        async with self.api.client.stream("GET", path, headers=headers | more) as answer:
            assert answer.status_code == 200, await answer.aread()
            assert answer.headers["content-type"].startswith("text/event-stream")
            yield Stream(answer)

    async def board(self, headers: dict[str, str]) -> httpx.Response:
        """Ask for the document."""
        return await self.api.client.get(f"/api/v1/centers/{self.api.centers['north']}/board", headers=headers)


@asynccontextmanager
async def open_live_office(
    database: FreshDatabase, folder: Path, *, clock: FakeClock | None = None
) -> AsyncIterator[LiveOffice]:
    """Serve the app with its three centres on a port of this machine, with its clock unless one is given."""
    settings = settings_for(database, folder)
    async with served(settings, clock or SystemClock()) as (running, server, base_url):
        for text in (CENTERS, NORTH):
            report = await running.services.roster_import.run([SourceFile("roster.csv", text.encode())])
            assert not report.problems, report.problems
        limits = httpx.Limits(max_connections=None)
        async with httpx.AsyncClient(base_url=base_url, timeout=DEADLINE_S, trust_env=False, limits=limits) as client:
            api = Api(client, running.services, settings, clock or FakeClock(), running.app)
            for code in ("north", "south", "other"):
                api.centers[code] = (await running.services.centers.by_code(code)).id
            yield LiveOffice(api, running, server)


@asynccontextmanager
async def served(settings: Settings, clock: Clock) -> AsyncIterator[tuple[RunningApp, uvicorn.Server, str]]:
    """Serve an app on a port of this machine: the app, its server and its address."""
    async with running_app(settings, clock=clock) as running:
        server = uvicorn.Server(uvicorn.Config(running.app, lifespan="off", log_config=None, access_log=False))
        listener = socket.create_server(("127.0.0.1", 0))
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        try:
            yield running, server, f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            await running.drain()
            server.should_exit = True
            await asyncio.gather(serving, return_exceptions=True)
