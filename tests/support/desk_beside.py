"""A real kiosk beside a page in a browser: its own replica, its own process, a real link to the server of the test."""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import uvicorn

from kiosk.services.enrolment import Request, enrol
from tests.support.clock import FakeClock
from tests.support.dashboard_stage import DashboardStage
from tests.support.kiosk_agent import AgentProcess

LIVE_PATH: Final = "/live"
# What a desk may be wrong by of the time that it was told over a slow link.
AHEAD_MS: Final = 2_000


@dataclass
class DeskBeside:
    """An enrolled desk whose agent runs and is linked since a time of the stage's clock and of this process's."""

    agent: AgentProcess
    clock: FakeClock
    linked_wall_ms: int
    linked_s: float
    asked: int = 0

    async def check_in(self, child_id: str) -> None:
        """Record that a child came, and wait until the server has it."""
        await self._record(do="check_in", child=child_id)

    async def check_out(self, child_id: str, adult: str) -> None:
        """Record that a child left with an adult, and wait until the server has it."""
        await self._record(do="check_out", child=child_id, adult=adult)

    async def _record(self, **command: str) -> None:
        self.asked += 1
        # The desk's clock goes on while the server's stands still: what it records would lie ahead of every board.
        went_ms = int((time.monotonic() - self.linked_s) * 1000)
        self.clock.set_wall_ms(self.linked_wall_ms + went_ms + AHEAD_MS)
        await self.agent.send({**command, "id": self.asked})
        recorded = await self.agent.heard(id=self.asked)
        assert recorded["event"] == "recorded", recorded
        await self.agent.heard(event="confirmed", event_id=recorded["event_id"])

    async def shows(self, child_id: str) -> tuple[str, str, int]:
        """What its screens read of a child: status and mark of its line, and how many need review on the status bar."""
        self.asked += 2
        await self.agent.send({"do": "roster", "id": self.asked})
        lines = (await self.agent.heard(id=self.asked))["children"]
        (line,) = [one for one in lines if one["child_id"] == child_id]
        await self.agent.send({"do": "status", "id": self.asked + 1})
        return line["status"], line["mark"], (await self.agent.heard(id=self.asked + 1))["needs_review"]

    async def hears(self, **wanted: Any) -> dict[str, Any]:
        """Wait until another's event has come down to the replica."""
        return await self.agent.heard(event="change", **wanted)


@asynccontextmanager
async def desk_beside(stage: DashboardStage, folder: Path, name: str) -> AsyncIterator[DeskBeside]:
    """Take a desk in as its owner does, and run it; its clock is this machine's, and it learns the server's."""
    code = (await stage.running.services.enrolment.new_code(stage.center, name)).code
    await enrol(Request(server=stage.base_url, code=code, data_dir=folder, name=name), lambda _: None)
    linked_s = time.monotonic()
    agent = await AgentProcess.start(folder)
    try:
        await agent.heard(event="ready")
        await agent.heard(event="status", link="online")
        yield DeskBeside(agent, stage.clock, stage.clock.wall_ms(), linked_s)
    finally:
        await agent.kill()


def cut_streams(server: uvicorn.Server) -> int:
    """Drop every connection on which the server streams a board, without a word; returns how many there were."""
    connections: set[Any] = server.server_state.connections
    found = [one for one in connections if _path(one).endswith(LIVE_PATH)]
    for connection in found:
        connection.transport.abort()
    return len(found)


def _path(connection: Any) -> str:
    return str((getattr(connection, "scope", None) or {}).get("path", ""))
