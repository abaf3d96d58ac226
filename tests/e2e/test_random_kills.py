"""Two busy desks while server, PostgreSQL, desks and links are killed at random moments; replayed by its seed.

ROLLCALL_KILL_SECONDS makes it longer (default 15), ROLLCALL_KILL_SEED replays a run.
"""

import asyncio
import os
import time
from collections import Counter
from pathlib import Path
from random import Random
from typing import Any

import pytest

from tests.support.world import Desk, World, running_world

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

SECONDS = float(os.environ.get("ROLLCALL_KILL_SECONDS", "15"))
SEED = int(os.environ.get("ROLLCALL_KILL_SEED", "20261123"))
KINDS = ("server", "postgres", "desk", "desk", "link")


class Turmoil:
    """Presses keys at all desks and kills at random until the time is over."""

    def __init__(self, world: World, luck: Random) -> None:
        self.world = world
        self.luck = luck
        self.recorded: dict[str, tuple[Desk, dict[str, Any]]] = {}
        self.kills: Counter[str] = Counter()
        self.ends_at = time.monotonic() + SECONDS
        self.in_use = {desk.name: asyncio.Lock() for desk in world.desks}

    async def run(self) -> None:
        """Play and kill, then let every link and program be whole again."""
        children = [child["child_id"] for child in (await self.world.desks[0].ask("roster"))["children"]]
        await asyncio.gather(self._kill(), *(self._press(desk, children) for desk in self.world.desks))
        for desk in self.world.desks:
            desk.switch.restore()

    async def _press(self, desk: Desk, children: list[str]) -> None:
        while time.monotonic() < self.ends_at:
            async with self.in_use[desk.name]:
                await self._press_once(desk, self.luck.choice(children))
            await asyncio.sleep(self.luck.random() * 0.05)

    async def _press_once(self, desk: Desk, child: str) -> None:
        since = len(desk.lines)
        token = f"press-{since}"
        try:
            await desk.say(do=self.luck.choice(("check_in", "check_out")), child=child, id=token)
        except ConnectionError:
            return  # the agent was killed just now; nothing was said to be recorded
        answered = asyncio.ensure_future(desk.until(lambda line: line.get("id") == token, since=since))
        assert desk.agent is not None
        died = asyncio.ensure_future(desk.agent.process.wait())
        await asyncio.wait((answered, died), return_when=asyncio.FIRST_COMPLETED)
        for task in (answered, died):
            task.cancel()
        for line in desk.lines[since:]:
            if line.get("id") == token and line["event"] == "recorded":
                self.recorded[line["event_id"]] = (desk, line)

    async def _kill(self) -> None:
        while time.monotonic() < self.ends_at - 2:
            await asyncio.sleep(self.luck.uniform(0.2, 2))
            kind = self.luck.choice(KINDS)
            self.kills[kind] += 1
            await self._kill_one(kind, self.luck.choice(self.world.desks))

    async def _kill_one(self, kind: str, desk: Desk) -> None:
        match kind:
            case "server":
                await self.world.kill_server()
                await self.world.start_server()
            case "postgres":
                self.world.kill_postgres()
            case "link":
                desk.switch.cut()
                await asyncio.sleep(self.luck.uniform(0, 2))
                desk.switch.restore()
            case _:
                assert desk.agent is not None
                desk.agent.process.kill()  # in the middle of whatever it does
                async with self.in_use[desk.name]:
                    await desk.agent.process.wait()
                    await desk.stop()
                    await desk.start()


async def test_random_kills_lose_nothing_and_double_nothing(tmp_path: Path) -> None:
    print(f"ROLLCALL_KILL_SEED={SEED} ROLLCALL_KILL_SECONDS={SECONDS}")
    async with running_world(tmp_path, "Desk 1", "Desk 2") as world:
        turmoil = Turmoil(world, Random(SEED))
        await turmoil.run()
        print(f"kills: {dict(turmoil.kills)}, recorded: {len(turmoil.recorded)}")
        await world.until_ready()
        await world.sign_in()
        for event_id, (desk, _) in turmoil.recorded.items():
            await desk.confirmed(event_id)
        await world.until_equal()
        stored = Counter(event["event_id"] for event in await world.events())
        assert [event_id for event_id in turmoil.recorded if stored[event_id] != 1] == []
        assert [event_id for event_id, count in stored.items() if count > 1] == []
        assert len(turmoil.recorded) > 50
