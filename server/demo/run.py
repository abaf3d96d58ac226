"""Runs the demonstration from the first file to the last word: set up, play a morning, sum up, leave nothing behind."""

import asyncio
import contextlib
import signal
import sys
from typing import Final

from rich.console import Console

from server.demo.only_one import DemoRefused, only_one
from server.demo.play import play, play_with_screen
from server.demo.processes import ProgramFailed, die_with_parent
from server.demo.set_up import print_welcome, set_up
from server.demo.stage import DemoOptions, Stage

SETTLE_DEADLINE_S: Final = 90.0
SETTLE_POLL_S: Final = 0.25
EXIT_FAILED: Final = 1
EXIT_REFUSED: Final = 2
EXIT_STOPPED: Final = 130


def run_demo(options: DemoOptions) -> int:
    """Run it; returns the exit status: 0 when all that was recorded was acknowledged and all replicas are equal."""
    if options.stop_with_parent:
        die_with_parent()
    console = Console(highlight=False, soft_wrap=True)
    try:
        with only_one(options.data_dir):
            return asyncio.run(_run(options, console))
    except DemoRefused as refusal:
        console.print(str(refusal), markup=False)
        return EXIT_REFUSED
    except ProgramFailed as failure:
        console.print(f"The demo could not go on: {failure}", markup=False)
        return EXIT_FAILED
    except (KeyboardInterrupt, asyncio.CancelledError):
        console.print("Stopped before it was ready; everything that had been started has ended.")
        return EXIT_STOPPED


async def _run(options: DemoOptions, console: Console) -> int:
    stopped = asyncio.Event()
    main = asyncio.current_task()
    is_ready = False

    def stop() -> None:
        stopped.set()
        if not is_ready and main is not None:
            main.cancel()

    for name in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(name, stop)
    async with set_up(options, console) as stage:
        is_ready = True
        print_welcome(stage, console)
        if options.screen:
            await play_with_screen(stage, options, stopped)
        else:
            await play(stage, options, stopped)
        return await _sum_up(stage, console)


async def _sum_up(stage: Stage, console: Console) -> int:
    """Wait until every desk is up to date, compare all replicas with the server, and print the figures."""
    board = stage.scoreboard
    is_equal = False
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(SETTLE_DEADLINE_S):
            while not (is_equal := board.is_settled and await stage.replicas_equal()):  # noqa: ASYNC110 - told by others
                await asyncio.sleep(SETTLE_POLL_S)
    console.print("")
    console.print(f"recorded: {board.recorded_count}")
    console.print(f"acknowledged: {len(board.acknowledged)}")
    console.print(f"replicas equal: {'yes' if is_equal else 'no'}")
    sys.stdout.flush()
    return 0 if is_equal else EXIT_FAILED
