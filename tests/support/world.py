"""A whole Rollcall on real processes: server, its PostgreSQL, agents on cuttable links; for tests that kill them."""

import asyncio
import contextlib
import os
import signal
import socket
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from subprocess import DEVNULL
from typing import Any

import httpx

from server.demo.link_switch import LinkSwitch
from server.demo.processes import Agent, Server
from tests.support.programs import run_program, start_program

PASSWORD = "a-long-enough-pass-phrase"
MANAGER = "manager@example.org"
CENTER_CODE = "sunny-gate"
DEADLINE_S = 120.0
SAMPLE = Path(__file__).resolve().parents[2] / "server" / "sample" / "roster.csv"


class Desk:
    """An enrolled replica, the agent that runs on it, and everything it said; `switch` is its link."""

    def __init__(self, name: str, data: Path, switch: LinkSwitch) -> None:
        self.name = name
        self.data = data
        self.switch = switch
        self.lines: list[dict[str, Any]] = []
        self.agent: Agent | None = None
        self.environment: dict[str, str] = {}
        self._heard = asyncio.Event()

    async def start(self) -> None:
        """Start the agent and wait until it takes commands."""
        await self._start_agent("kiosk", self.environment)
        seen = len(self.lines)
        await self.until(lambda line: line["event"] == "ready", since=seen)

    async def _start_agent(self, program: str, environment: Mapping[str, str]) -> None:
        """Start the agent of this program, without a wait for what it says."""
        with (self.data / "agent.log").open("ab") as errors:
            process = await start_program(
                *(*program.split(), "agent", "--data", str(self.data)),
                environment={**os.environ, **environment}, stderr=errors,
            )  # fmt: skip
        self.agent = Agent(self.name, process, self._hear)

    async def kill(self) -> None:
        """SIGKILL: what was not committed is gone."""
        assert self.agent is not None
        self.agent.process.kill()
        await self.agent.process.wait()
        await self.agent.stop()

    async def stop(self) -> None:
        """End it in order."""
        if self.agent is not None:
            await self.agent.stop()

    async def say(self, **line: object) -> None:
        """Send a command."""
        assert self.agent is not None
        await self.agent.say(**line)

    async def check_in(self, child: str, **more: object) -> dict[str, Any]:
        """Check a child in, by id or exact name, and wait until it is recorded."""
        return await self._do("check_in", child, **more)

    async def check_out(self, child: str, **more: object) -> dict[str, Any]:
        """Check a child out and wait until it is recorded."""
        return await self._do("check_out", child, **more)

    async def _do(self, command_name: str, child: str, **more: object) -> dict[str, Any]:
        since = len(self.lines)
        token = f"{command_name}-{since}"
        await self.say(do=command_name, child=child, id=token, **more)
        line = await self.until(lambda line: line.get("id") == token, since=since)
        assert line["event"] == "recorded", line
        return line

    async def confirmed(self, event_id: str) -> dict[str, Any]:
        """Wait until the server's outcome for this event reached this desk."""
        return await self.until(lambda line: line["event"] == "confirmed" and line["event_id"] == event_id)

    async def ask(self, question: str) -> dict[str, Any]:
        """Ask for `status` or `roster` and wait for the answer."""
        since = len(self.lines)
        token = f"ask-{since}"
        await self.say(do=question, id=token)
        return await self.until(lambda line: line.get("id") == token, since=since)

    async def until(self, wanted: Callable[[dict[str, Any]], bool], *, since: int = 0) -> dict[str, Any]:
        """The first line from `since` on that is wanted; fails loudly after a deadline."""
        try:
            async with asyncio.timeout(DEADLINE_S):
                while True:
                    for line in self.lines[since:]:
                        if wanted(line):
                            return line
                    self._heard.clear()
                    await self._heard.wait()
        except TimeoutError:
            tail = "\n".join(str(line) for line in self.lines[-15:])
            message = f"{self.name} did not say what was expected within {DEADLINE_S} s; it said last:\n{tail}"
            raise AssertionError(message) from None

    def _hear(self, _: str, line: dict[str, Any]) -> None:
        self.lines.append(line)
        self._heard.set()


class World:
    """The server and its desks in one folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = _free_port()
        self.environment = {
            "DATA_DIR": str(folder / "server"),
            "ENVIRONMENT": "development",
            "ROLLCALL_PASSWORD": PASSWORD,
            # A PostgreSQL of its own, which may be killed, whatever the tests around it use.
            "DATABASE_URL": "",
            "DATABASE_OWNER_URL": "",
        }
        # A connection that is kept may be closed by the server in the moment in which it is used again.
        limits = httpx.Limits(max_keepalive_connections=0)
        base_url = f"http://127.0.0.1:{self.port}"
        self.client = httpx.AsyncClient(base_url=base_url, timeout=30, trust_env=False, limits=limits)
        self.server: Server | None = None
        self.desks: list[Desk] = []
        self.center_id = ""
        self._closing = contextlib.AsyncExitStack()

    async def start_server(self) -> None:
        """Start the server and wait until it is ready."""
        await self._start_server("server", self.environment)

    async def _start_server(self, program: str, environment: Mapping[str, str]) -> None:
        """Start the server of this program and wait until it is ready."""
        log = self.folder / "server.log"
        with log.open("ab") as output:
            process = await start_program(
                *(*program.split(), "serve", "--host", "127.0.0.1", "--port", str(self.port)),
                environment={**os.environ, **environment}, stdin=DEVNULL, stdout=output,
            )  # fmt: skip
        self.server = Server(process, log)
        await self.until_ready()

    async def until_ready(self) -> None:
        """Wait until the server can do its work."""
        assert self.server is not None
        async with asyncio.timeout(DEADLINE_S * 2):
            while not await self.is_ready():
                self.server.check_alive()
                await asyncio.sleep(0.1)

    async def is_ready(self) -> bool:
        """Whether /readyz says so."""
        with contextlib.suppress(httpx.TransportError):
            return (await self.client.get("/readyz")).status_code == httpx.codes.OK
        return False

    async def stop_server(self) -> None:
        """SIGTERM, as a deployment does."""
        assert self.server is not None
        await self.server.stop()

    async def kill_server(self) -> None:
        """SIGKILL."""
        assert self.server is not None
        self.server.process.kill()
        await self.server.process.wait()

    def kill_postgres(self) -> None:
        """SIGKILL the postmaster of the embedded cluster, unless it is down already."""
        for pid_file in (self.folder / "server").rglob("postmaster.pid"):
            with contextlib.suppress(ProcessLookupError, FileNotFoundError, IndexError):
                os.kill(int(pid_file.read_text().split()[0]), signal.SIGKILL)

    async def command(self, *arguments: str) -> str:
        """Run `rollcall-server` with these arguments; returns what it printed."""
        return await run_program("server", *arguments, environment=self.environment, deadline_s=DEADLINE_S)

    async def prepare(self) -> None:
        """Import the sample centre and sign in as its manager."""
        await self.command("import", str(SAMPLE))
        arguments = ("--email", MANAGER, "--name", "Manager", "--role", "manager", "--center", CENTER_CODE)
        await self.command("create-user", *arguments)
        await self.sign_in()
        centers = (await self.client.get("/api/v1/centers")).raise_for_status().json()
        listed = centers["items"] if isinstance(centers, dict) else centers
        self.center_id = listed[0]["id"]

    async def sign_in(self) -> None:
        """Get a fresh access token."""
        answer = await self.client.post("/api/v1/auth/token", data={"username": MANAGER, "password": PASSWORD})
        token = answer.raise_for_status().json()["access_token"]
        self.client.headers["Authorization"] = f"Bearer {token}"

    async def add_desk(self, name: str) -> Desk:
        """Enrol a kiosk and start its agent."""
        desk = await self.enrol_desk(name)
        self._closing.push_async_callback(desk.stop)
        self.desks.append(desk)
        await desk.start()
        return desk

    async def enrol_desk(self, name: str, *, server: str = "", environment: dict[str, str] | None = None) -> Desk:
        """Enrol a kiosk behind a link of its own, or at another address; nothing runs on it yet."""
        switch = await self._closing.enter_async_context(LinkSwitch(self.port))
        answer = await self.client.post(f"/api/v1/centers/{self.center_id}/enrolment-codes", json={"device_name": name})
        code = answer.raise_for_status().json()["code"]
        desk = Desk(name, self.folder / name.replace(" ", "-"), switch)
        desk.environment = environment or {}
        address = server or f"http://127.0.0.1:{switch.port}"
        arguments = ("--server", address, "--code", code, "--name", name)
        enrol = ("kiosk", "enrol", *arguments, "--data", str(desk.data))
        await run_program(*enrol, environment=desk.environment, deadline_s=DEADLINE_S)
        return desk

    async def attendance(self) -> dict[str, Any]:
        """Today's attendance from the API."""
        answer = await self.client.get("/api/v1/attendance", params={"center_id": self.center_id})
        found: dict[str, Any] = answer.raise_for_status().json()
        return found

    async def events(self) -> list[dict[str, Any]]:
        """Every event of today that the server holds."""
        return [event for child in (await self.attendance())["children"] for event in child["events"]]

    async def replicas_equal(self) -> bool:
        """Whether each desk holds exactly what the server holds."""
        answer = await self.client.get(f"/api/v1/centers/{self.center_id}/sync-state")
        state = answer.raise_for_status().json()
        for desk in self.desks:
            status = await desk.ask("status")
            if (status["version"], status["digests"]) != (state["version"], state["digests"]):
                return False
        return True

    async def until_equal(self) -> None:
        """Wait until all replicas are equal; the bar is 60 s after healing."""
        async with asyncio.timeout(DEADLINE_S):
            while not await self.replicas_equal():
                await asyncio.sleep(0.1)

    async def close(self) -> None:
        """End everything."""
        await self._closing.aclose()
        await self.client.aclose()
        if self.server is not None:
            await self.server.stop()


@asynccontextmanager
async def running_world(folder: Path, *desks: str) -> AsyncIterator[World]:
    """A prepared world with these desks, ended on the way out."""
    world = World(folder)
    try:
        await world.start_server()
        await world.prepare()
        for name in desks:
            await world.add_desk(name)
        yield world
    finally:
        await world.close()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
