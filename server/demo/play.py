"""Plays the morning on the desks, and opens the kiosk's own screen when there is a terminal."""

import asyncio
import contextlib
import json
import time
from random import Random
from typing import Final

from server.demo.morning import CHILDREN_MIN, DESK_ONE, DESK_TWO, Action, Step, plan
from server.demo.processes import command, die_with_parent, run_to_end
from server.demo.set_up import FRONT_DESK
from server.demo.stage import DemoOptions, Stage

DEFAULT_PLAY_S: Final = 60.0
QUIET_PAUSE_S: Final = 8.0


async def play(stage: Stage, options: DemoOptions, stopped: asyncio.Event) -> None:
    """Play the morning, then go on quietly, until the time is over or somebody stops it."""
    luck = Random(options.seed)  # noqa: S311 - a play, not a secret
    roster = (await stage.ask(DESK_ONE, "roster"))["children"]
    children = [child["child_id"] for child in roster if child["status"] != "in"]
    steps = plan(children, luck) if len(children) >= CHILDREN_MIN else ()
    begun = time.monotonic()
    length_s = options.seconds or DEFAULT_PLAY_S
    for step in steps:
        if await _stopped_within(stopped, begun + step.at * length_s - time.monotonic()):
            break
        await _perform(stage, step)
    stage.switches[DESK_TWO].restore()
    if options.seconds is not None:
        await _stopped_within(stopped, begun + length_s - time.monotonic())
        return
    while not await _stopped_within(stopped, QUIET_PAUSE_S):
        stage.server.check_alive()
        await _somebody_comes_or_goes(stage, luck)


async def play_with_screen(stage: Stage, options: DemoOptions, stopped: asyncio.Event) -> None:
    """Give this terminal to the front desk's screen, while the two other desks go on behind it."""
    stage.scoreboard.show_nothing()
    run_screen = command("kiosk", "run", "--data", str(options.replica(FRONT_DESK)), "--ctrl-c-quits")
    screen = await asyncio.create_subprocess_exec(*run_screen, preexec_fn=die_with_parent)
    playing = asyncio.create_task(play(stage, options, stopped))
    closed = asyncio.create_task(screen.wait())
    asked_to_stop = asyncio.create_task(stopped.wait())
    await asyncio.wait((closed, asked_to_stop), return_when=asyncio.FIRST_COMPLETED)
    stopped.set()
    if screen.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            screen.terminate()
    await asyncio.gather(closed, asked_to_stop, playing)
    await _count_what_the_screen_recorded(stage)


async def _count_what_the_screen_recorded(stage: Stage) -> None:
    """Let an agent go on where the screen was closed: it tells every outcome that nobody was told of yet."""
    data = str(stage.options.replica(FRONT_DESK))
    printed = await run_to_end(command("kiosk", "status", "--data", data, "--json"), environment={}, deadline_s=30)
    await stage.start_agent(FRONT_DESK)
    stage.scoreboard.by_hand(json.loads(printed)["recorded"])


async def _stopped_within(stopped: asyncio.Event, seconds: float) -> bool:
    try:
        async with asyncio.timeout(max(seconds, 0)):
            await stopped.wait()
    except TimeoutError:
        return False
    return True


async def _perform(stage: Stage, step: Step) -> None:
    match step.action:
        case Action.CUT_LINK:
            stage.scoreboard.tell(step.desk, "--- its link is cut; it goes on ---")
            stage.switches[step.desk].cut()
        case Action.RESTORE_LINK:
            stage.scoreboard.tell(step.desk, "--- its link is back ---")
            stage.switches[step.desk].restore()
        case Action.CHECK_IN | Action.CHECK_OUT:
            await stage.agents[step.desk].say(do=step.action.value, child=step.child_id)


async def _somebody_comes_or_goes(stage: Stage, luck: Random) -> None:
    desk = luck.choice((DESK_ONE, DESK_TWO))
    child = luck.choice((await stage.ask(desk, "roster"))["children"])
    action = Action.CHECK_OUT if child["status"] == "in" else Action.CHECK_IN
    await _perform(stage, Step(0, desk, action, child["child_id"]))
