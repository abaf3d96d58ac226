"""Worlds for faults: prepared once and copied, with links that misbehave, and one way to say that nothing was lost."""

import asyncio
import contextlib
import json
import os
import shutil
import signal
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from server.demo.link_switch import LinkSwitch
from server.demo.processes import ProgramFailed
from tests.support.faults.failing import VARIABLE
from tests.support.faults.link import FaultyLink
from tests.support.postgres import RUN_DIR_VARIABLE, locked
from tests.support.world import DEADLINE_S, Desk, World

FAILING = "tests.support.faults.failing"
PRESSES_MAX = 40
DESKS = ("Desk 1", "Desk 2")


class FaultDesk(Desk):
    """A desk whose link is faulty at will, and whose agent may be started with a fault in it."""

    def __init__(self, name: str, data: Path, link: FaultyLink) -> None:
        super().__init__(name, data, LinkSwitch(link.target_port))  # never opened: the link has its place
        self.link = link
        self.recorded: dict[str, dict[str, Any]] = {}

    @property
    def pid(self) -> int:
        assert self.agent is not None
        return self.agent.process.pid

    async def start_failing(self, failpoint: str) -> None:
        """Start the agent with a failpoint; it may be gone before it says anything."""
        await self._start_agent(f"{FAILING} kiosk", {**self.environment, VARIABLE: failpoint})

    async def make_whole(self) -> None:
        """See that an agent runs, in the environment of every other program."""
        if self.environment and self.agent is not None:
            await self.stop()
        self.environment.clear()
        if self.agent is None or self.agent.process.returncode is not None:
            await self.start()

    async def killed(self) -> None:
        """Wait until the agent was killed by SIGKILL, and clear up after it."""
        assert self.agent is not None
        async with asyncio.timeout(DEADLINE_S):
            status = await self.agent.process.wait()
        log = (self.data / "agent.log").read_text()[-2000:]
        assert status == -signal.SIGKILL, f"{self.name} ended with status {status}: {log}"
        await self.agent.stop()

    async def press(self, child: str, kind: str = "check_in", **more: object) -> dict[str, Any] | None:
        """Press a key: the line that answers, or None when the agent died before it answered."""
        assert self.agent is not None
        since, token = len(self.lines), f"press-{len(self.lines)}"
        process = self.agent.process
        died = asyncio.ensure_future(process.wait())
        try:
            await self.say(do=kind, child=child, id=token, **more)
            answered = asyncio.ensure_future(self.until(lambda line: line.get("id") == token, since=since))
            await asyncio.wait((answered, died), return_when=asyncio.FIRST_COMPLETED)
            answered.cancel()
            await asyncio.gather(answered, return_exceptions=True)
        except (ConnectionError, ProgramFailed):
            pass
        finally:
            died.cancel()
        if process.returncode is not None:
            await self.agent.stop()  # reads what it said to the end
        line = next((line for line in self.lines[since:] if line.get("id") == token), None)
        if line is not None and line["event"] == "recorded":
            self.recorded[line["event_id"]] = line
        return line

    async def absent(self, count: int) -> list[str]:
        """Ids of that many children who may be checked in: who was not here yet first, and at last some who were in."""
        roster = sorted((await self.ask("roster"))["children"], key=lambda child: bool(child["event_id"]))
        found = [child["child_id"] for child in roster if child["status"] != "in"][:count]
        for child in [child["child_id"] for child in roster if child["status"] == "in"][: count - len(found)]:
            line = await self.press(child, "check_out")
            assert line is not None
            assert line["event"] == "recorded", line
            found.append(child)
        assert len(found) == count
        return found

    async def linked(self, *, since: int = 0) -> None:
        """Wait until it says that it is online, in a line from `since` on."""
        await self.until(lambda line: line.get("link") == "online", since=since)


class FaultWorld(World):
    """The server and its desks, from the prepared folder or while preparing it."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.fault_desks: list[FaultDesk] = []

    async def open_desk(self, name: str) -> FaultDesk:
        """Put a faulty link before an enrolled desk of the folder; its agent is not started."""
        data = self.folder / name.replace(" ", "-")
        link = await self._closing.enter_async_context(FaultyLink(self.port))
        readdress(data, f"http://127.0.0.1:{link.port}")
        desk = FaultDesk(name, data, link)
        self._closing.push_async_callback(desk.stop)
        self.desks.append(desk)
        self.fault_desks.append(desk)
        return desk

    async def incidents(self) -> list[str]:
        """The names of all incidents of the centre."""
        answer = await self.client.get(f"/api/v1/centers/{self.center_id}/incidents")
        return [each["incident"] for each in answer.raise_for_status().json()["items"]]

    async def until_incident(self, name: str, count: int = 1) -> None:
        """Wait until so many incidents of this name are listed."""
        async with asyncio.timeout(DEADLINE_S):
            while (await self.incidents()).count(name) < count:
                await asyncio.sleep(0.1)

    async def restart_desks(self) -> None:
        """Kill the agents, start them again, and wait until they are linked; sooner than their patience would be."""
        for desk in self.fault_desks:
            since = len(desk.lines)
            await desk.kill()
            await desk.start()
            await desk.linked(since=since)

    async def heal(self) -> None:
        """Make server, desks and links whole again, for another test in this world."""
        if self.server is None or self.server.process.returncode is not None:
            await self.start_server()
        await self.until_ready()
        await self.sign_in()
        for desk in self.fault_desks:
            since = len(desk.lines)
            desk.link.cut()
            desk.link.reopen()
            await desk.make_whole()
            await desk.linked(since=since)

    async def start_failing_server(self, failpoint: str) -> None:
        """Start the server with a failpoint and wait until it is ready."""
        await self._start_server(f"{FAILING} server", {**self.environment, VARIABLE: failpoint})

    async def press_until_server_is_killed(self) -> None:
        """Press keys at both desks, one after the other, until the server was killed by SIGKILL."""
        assert self.server is not None
        children = (await self.fault_desks[0].ask("roster"))["children"][:PRESSES_MAX]
        died = asyncio.ensure_future(self.server.process.wait())
        for number, child in enumerate(children):
            desk = self.fault_desks[number % 2]
            line = await desk.press(child["child_id"], "check_out" if child["status"] == "in" else "check_in")
            assert line is not None
            confirmed = asyncio.ensure_future(desk.confirmed(line["event_id"]))
            await asyncio.wait((died, confirmed), return_when=asyncio.FIRST_COMPLETED)
            confirmed.cancel()
            if died.done():
                break
        assert died.done(), "the server was never killed"
        assert died.result() == -signal.SIGKILL, f"the server ended with status {died.result()}"

    async def _until_nothing_waits(self) -> None:
        """Wait until the desks that are here owe the server nothing, whatever they wrote down by themselves."""
        async with asyncio.timeout(DEADLINE_S):
            for desk in self.desks:
                while (await desk.ask("status"))["waiting"]:
                    await asyncio.sleep(0.1)

    async def check_nothing_lost_or_doubled(self) -> None:
        """Every recorded event is confirmed, is on the server once, no other one twice, and replicas are equal."""
        await self.sign_in()
        for desk in self.fault_desks:
            for event_id in desk.recorded:
                await desk.confirmed(event_id)
        await self._until_nothing_waits()
        await self.until_equal()
        stored = Counter(event["event_id"] for event in await self.events())
        recorded = [event_id for desk in self.fault_desks for event_id in desk.recorded]
        assert [event_id for event_id in recorded if stored[event_id] != 1] == []
        assert [event_id for event_id, count in stored.items() if count > 1] == []


@asynccontextmanager
async def fault_world(folder: Path) -> AsyncIterator[tuple[FaultWorld, FaultDesk, FaultDesk]]:
    """A world with the sample centre and two linked desks, ended on the way out."""
    template = await _template()
    shutil.copytree(template, folder, dirs_exist_ok=True, symlinks=True)
    world = FaultWorld(folder)
    world.center_id = json.loads((template / "center.json").read_text())
    try:
        await world.start_server()
        await world.sign_in()
        one, two = [await world.open_desk(name) for name in DESKS]
        await asyncio.gather(one.start(), two.start())
        await asyncio.gather(one.linked(), two.linked())
        yield world, one, two
    finally:
        await world.close()


def postgres_pids(folder: Path) -> list[int]:
    """The postmaster of the world in this folder, and its children."""
    (pid_file,) = (folder / "server").rglob("postmaster.pid")
    postmaster = int(pid_file.read_text().split()[0])
    children = Path(f"/proc/{postmaster}/task/{postmaster}/children").read_text().split()
    return [postmaster, *map(int, children)]


def readdress(data: Path, server_url: str) -> None:
    """Tell the desk in this folder another address of its server."""
    keys = data / "device.json"
    keys.write_text(json.dumps({**json.loads(keys.read_text()), "server_url": server_url}))


async def _template() -> Path:
    """A folder with the sample centre and two enrolled desks, made once for each run of the tests."""
    folder = Path(os.environ[RUN_DIR_VARIABLE]) / "prepared-world"
    with locked(folder.with_suffix(".lock")):
        if not (folder / "center.json").exists():
            await _prepare(folder)
    return folder


async def _prepare(folder: Path) -> None:
    folder.mkdir()
    world = World(folder)
    try:
        await world.start_server()
        await world.prepare()
        for name in DESKS:
            await world.enrol_desk(name)
    finally:
        with contextlib.suppress(ProgramFailed):
            await world.close()
    (folder / "center.json").write_text(json.dumps(world.center_id))
