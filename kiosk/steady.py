"""Keeps a desk's screen going over crashes: calm words, a report without names, and a new start."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Protocol

from kiosk.clock import Clock
from kiosk.log import Log
from kiosk.screens.calm import RESTART_S, STARTS_AGAIN, STAYS
from kiosk.services.crashes import CrashCount, crash_report, keep_report
from kiosk.services.errors import DeskError

RunOnce = Callable[[], Awaitable[BaseException | None]]
"""Shows the screen until it ends, and gives what it crashed of; None: somebody quit."""

log = Log()


class CalmPlace(Protocol):
    """Where words are shown while there is no screen."""

    def say(self, lines: tuple[str, ...]) -> None:
        """Show these lines and nothing else."""
        ...

    def wait(self, seconds: float) -> None:
        """Let so much time pass."""
        ...

    def wait_for_enter(self) -> bool:
        """Wait for a person; False: nobody can come."""
        ...


def run_steadily(show: RunOnce, place: CalmPlace, reports: Path, clock: Clock) -> None:
    """Show the screen, and after a crash again, until somebody quits.

    Everything is made anew for each start: the event loop, the desk, the screen. What was recorded is in the replica,
    which is opened as after a plug that was pulled. After three crashes within a minute the calm words stay, and a
    person says when to go on.

    Raises:
        DeskError, OSError: the desk cannot be opened; a sentence tells why, and trying again does not help.
        SystemExit: the screen is over and nobody is there to press a key.

    """
    count = CrashCount()
    while run_once(show, reports, clock) is not None:
        if count.may_restart(clock.monotonic_ms()):
            place.say(STARTS_AGAIN)
            place.wait(RESTART_S)
            continue
        place.say(STAYS)
        if not place.wait_for_enter():
            raise SystemExit(1)
        count.begin_anew()


def run_once(show: RunOnce, reports: Path, clock: Clock) -> BaseException | None:
    """Show the screen once; keeps a report and gives the error when it crashed. Raises DeskError and OSError."""
    error = _outcome(show)
    if error is not None:
        _keep(reports, error, clock)
    return error


def _outcome(show: RunOnce) -> BaseException | None:
    async def run() -> BaseException | None:
        return await show()

    try:
        return asyncio.run(run())
    except (DeskError, OSError):
        raise
    except Exception as error:  # noqa: BLE001 - whatever it was, the desk comes back
        return error


def _keep(folder: Path, error: BaseException, clock: Clock) -> None:
    """A disk that is full keeps no report, and that stops nobody."""
    log.error("desk_crashed", exc_info=error)
    try:
        keep_report(folder, crash_report(error, clock.wall_ms()))
    except OSError as trouble:
        log.warning("crash_report_not_kept", reason=type(trouble).__name__)
