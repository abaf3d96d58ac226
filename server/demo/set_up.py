"""Sets the demonstration up: a server, a centre with children, log-ins, kiosks; shows each step."""

import asyncio
import contextlib
import socket
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from pathlib import Path
from typing import Final

import httpx
from rich.console import Console

from server.demo.link_switch import LinkSwitch
from server.demo.morning import DESK_ONE, DESK_TWO
from server.demo.only_one import DemoRefused
from server.demo.processes import ProgramFailed, Server, command, run_to_end
from server.demo.scoreboard import Scoreboard
from server.demo.stage import DemoOptions, Stage

MANAGER: Final = "manager@example.org"
STAFF: Final = "staff@example.org"
PASSWORD: Final = "sunny-gate-demo-only"  # noqa: S105 - printed on the screen, for a throw-away server on loopback
CENTER_CODE: Final = "sunny-gate"
FRONT_DESK: Final = "Front desk"
STEPS: Final = 5
READY_DEADLINE_S: Final = 150.0
PROGRAM_DEADLINE_S: Final = 120.0
READY_POLL_S: Final = 0.2


@asynccontextmanager
async def set_up(options: DemoOptions, console: Console) -> AsyncIterator[Stage]:
    """Start everything; on the way out everything that was started is stopped, in reverse order.

    Raises:
        DemoRefused: no port is free.
        ProgramFailed: a program ended with an error; holds what it said.

    """
    steps = _Steps(console)
    port = _free_port(options.port)
    environment = _environment(options, port)
    base_url = f"http://127.0.0.1:{port}"
    async with AsyncExitStack() as stack:
        with steps.step("Starting the server and its PostgreSQL"):
            server = await Server.start(port=port, environment=environment, log=options.data_dir / "server.log")
            stack.push_async_callback(server.stop)
            # A connection that is kept may be closed by the server in the moment in which it is used again.
            limits = httpx.Limits(max_keepalive_connections=0)
            client = await stack.enter_async_context(
                httpx.AsyncClient(base_url=base_url, timeout=30, trust_env=False, limits=limits)
            )
            await _until_ready(client, server)
        board = Scoreboard(lambda text: console.print(text, markup=False))
        stage = Stage(options, base_url, client, server, board, stack)
        with steps.step("Importing the sample centre"):
            await _run_server_command(environment, "import", str(_sample_file()))
        with steps.step("Making log-ins"):
            await _make_log_ins(stage, environment)
        desks = [DESK_ONE, DESK_TWO, *([FRONT_DESK] if options.screen else [])]
        with steps.step(f"Enrolling {len(desks)} kiosks"):
            await asyncio.gather(*(_enrol(stage, desk) for desk in desks))
        with steps.step("Starting the desks"):
            await asyncio.gather(*(_start_agent(stage, desk) for desk in (DESK_ONE, DESK_TWO)))
            stage.visitor_code = await stage.new_enrolment_code("Your desk")
        yield stage


def print_welcome(stage: Stage, console: Console) -> None:
    """Say where everything is and how to get in."""
    code, data = stage.visitor_code, ".rollcall/my-desk"
    lines = (
        "",
        f"Rollcall is running.   Dashboard: {stage.base_url}/dashboard   API: {stage.base_url}/docs",
        f"Log-ins:               {MANAGER} and {STAFF}, password {PASSWORD}",
        "Enrol your own kiosk (the code is good for 10 minutes) and open it:",
        f"    .venv/bin/rollcall-kiosk enrol --server {stage.base_url} --code {code} --data {data}",
        f"    .venv/bin/rollcall-kiosk run --data {data}",
        "Ctrl-C stops everything.",
        "",
    )
    for line in lines:
        console.print(line, markup=False)


class _Steps:
    """Shows what is being set up, and how long each step took."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._number = 0

    @contextmanager
    def step(self, text: str) -> Iterator[None]:
        self._number += 1
        started = time.monotonic()
        label = f"[{self._number}/{STEPS}] {text}"
        if self._console.is_terminal:
            with self._console.status(f"{self._number}/{STEPS} {text} ..."):
                yield
        else:
            yield
        self._console.print(f"{label}: done in {time.monotonic() - started:.1f} s", markup=False)


def _environment(options: DemoOptions, port: int) -> dict[str, str]:
    return {
        "DATA_DIR": str(options.data_dir.resolve()),
        "ENVIRONMENT": "development",
        "DASHBOARD_OVER_HTTP": "true",
        "PUBLIC_URL": f"http://127.0.0.1:{port}",
        "ROLLCALL_PASSWORD": PASSWORD,
        "PYTHONUNBUFFERED": "1",
    }


def _sample_file() -> Path:
    return Path(__file__).resolve().parent.parent / "sample" / "roster.csv"


def _free_port(wanted: int) -> int:
    """The port that was asked for, or any free one when it is taken."""
    for port in (wanted, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            with contextlib.suppress(OSError):
                probe.bind(("127.0.0.1", port))
                found: int = probe.getsockname()[1]
                return found
    message = "No port on 127.0.0.1 is free."
    raise DemoRefused(message)


async def _until_ready(client: httpx.AsyncClient, server: Server) -> None:
    async with asyncio.timeout(READY_DEADLINE_S):
        while True:
            server.check_alive()
            with contextlib.suppress(httpx.TransportError):
                if (await client.get("/readyz")).status_code == httpx.codes.OK:
                    return
            await asyncio.sleep(READY_POLL_S)


async def _run_server_command(environment: dict[str, str], *arguments: str) -> str:
    return await run_to_end(command("server", *arguments), environment=environment, deadline_s=PROGRAM_DEADLINE_S)


async def _make_log_ins(stage: Stage, environment: dict[str, str]) -> None:
    for email, name, role in ((MANAGER, "Demo manager", "manager"), (STAFF, "Demo staff", "staff")):
        arguments = ("--email", email, "--name", name, "--role", role, "--center", CENTER_CODE)
        with contextlib.suppress(ProgramFailed):  # it exists already when DATABASE_URL names a database that stays
            await _run_server_command(environment, "create-user", *arguments)
    answer = await stage.client.post("/api/v1/auth/token", data={"username": MANAGER, "password": PASSWORD})
    if answer.status_code != httpx.codes.OK:
        message = f"the log-in of {MANAGER} was refused: {answer.text}"
        raise ProgramFailed(message)
    stage.client.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"
    centers = (await stage.client.get("/api/v1/centers")).raise_for_status().json()
    stage.center_id = next(center["id"] for center in centers["items"] if center["code"] == CENTER_CODE)


async def _enrol(stage: Stage, desk: str) -> None:
    switch = await stage.stack.enter_async_context(LinkSwitch(int(stage.base_url.rsplit(":", 1)[1])))
    stage.switches[desk] = switch
    code = await stage.new_enrolment_code(desk)
    server = f"http://127.0.0.1:{switch.port}"
    data = str(stage.options.replica(desk))
    enrol = command("kiosk", "enrol", "--server", server, "--code", code, "--name", desk, "--data", data)
    await run_to_end(enrol, environment={}, deadline_s=PROGRAM_DEADLINE_S)


async def _start_agent(stage: Stage, desk: str) -> None:
    await stage.start_agent(desk)
    for child in (await stage.ask(desk, "roster"))["children"]:
        stage.scoreboard.names[child["child_id"]] = child["name"]
