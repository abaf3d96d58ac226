"""Everything that runs during the demonstration, and the questions it can be asked."""

import asyncio
import secrets
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import httpx

from server.demo.link_switch import LinkSwitch
from server.demo.processes import Agent, Server
from server.demo.scoreboard import Scoreboard

ANSWER_WITHIN_S: Final = 30.0


@dataclass(frozen=True)
class DemoOptions:
    """What the command line chose; `seconds` None plays until it is stopped."""

    data_dir: Path
    port: int
    seconds: float | None = None
    screen: bool = False
    stop_with_parent: bool = False
    seed: int = 7

    def replica(self, desk: str) -> Path:
        """Where the kiosk of this desk keeps its data."""
        return self.data_dir / "kiosks" / desk.lower().replace(" ", "-")


@dataclass
class Stage:
    """The server, a signed-in client, the desks and their links; `stack` ends what is added to it."""

    options: DemoOptions
    base_url: str
    client: httpx.AsyncClient
    server: Server
    scoreboard: Scoreboard
    stack: AsyncExitStack
    agents: dict[str, Agent] = field(default_factory=dict)
    switches: dict[str, LinkSwitch] = field(default_factory=dict)
    center_id: str = ""
    visitor_code: str = ""

    async def start_agent(self, desk: str) -> None:
        """Start an agent on the replica of this desk; it ends with the stage."""
        agent = await Agent.start(desk, self.options.replica(desk), {}, self.scoreboard.heard)
        self.stack.push_async_callback(agent.stop)
        self.agents[desk] = agent

    async def ask(self, desk: str, question: str) -> dict[str, Any]:
        """Ask an agent and wait for the answer.

        Raises:
            TimeoutError: none came within `ANSWER_WITHIN_S`.

        """
        answer_id = secrets.token_hex(4)
        answer = self.scoreboard.expect(desk, answer_id)
        await self.agents[desk].say(do=question, id=answer_id)
        async with asyncio.timeout(ANSWER_WITHIN_S):
            return await answer

    async def new_enrolment_code(self, desk: str) -> str:
        """A one-time code for a kiosk of this name."""
        path = f"/api/v1/centers/{self.center_id}/enrolment-codes"
        answer = await self.client.post(path, json={"device_name": desk})
        code: str = answer.raise_for_status().json()["code"]
        return code

    async def replicas_equal(self) -> bool:
        """Whether each desk holds exactly the records that the server has, by the digest of every bucket."""
        path = f"/api/v1/centers/{self.center_id}/sync-state"
        state = (await self.client.get(path)).raise_for_status().json()
        for desk in self.agents:
            status = await self.ask(desk, "status")
            if (status["version"], status["digests"]) != (state["version"], state["digests"]):
                return False
        return True
