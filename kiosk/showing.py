"""Shows a desk on its terminal, or behind a browser; without the library of the command line, which takes its time.

Exit codes as `kiosk/cli.py` tells them.
"""

import asyncio
import gc
import os
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

from kiosk.log import Log

if TYPE_CHECKING:
    from kiosk.services.desk_file import Photos
    from kiosk.settings import DoorSettings
    from kiosk.steady import RunOnce
    from kiosk.widgets.photo_driver import PhotoDriver

# What textual-serve tells a screen that is drawn by a browser.
WEB_DRIVER: Final = "TEXTUAL_DRIVER"
EXIT_CODES: Final = {"replica_in_use": 3, "not_enrolled": 4, "already_enrolled": 4, "revoked": 5}
IDLE_LOCK_S: Final = range(10, 86_401)
IDLE_LOCK_S_USUAL: Final = 120
LIST_OLD_HOURS: Final = range(1, 721)
LIST_OLD_HOURS_USUAL: Final = 12
_NUMBER_DIGITS_MAX: Final = 5


@dataclass(frozen=True)
class Wish:
    """A desk that is to be shown: the options of `rollcall-kiosk run`."""

    data: Path
    idle_lock_s: int = IDLE_LOCK_S_USUAL
    list_old_hours: int = LIST_OLD_HOURS_USUAL
    ctrl_c_quits: bool = False


def plain_wish(arguments: Sequence[str]) -> Wish | None:
    """What `run --data FOLDER`, with numbers behind it or not, asks for; None: the command line has to look at it.

    A quarter of a cold start went into reading the command line. Here is only what a desk is started with every day;
    whatever else it is, or is wrong with it, `kiosk/cli.py` knows and says.
    """
    command, *rest = arguments or ("",)
    ctrl_c_quits = rest[-1:] == ["--ctrl-c-quits"]
    rest = rest[:-1] if ctrl_c_quits else rest
    given = dict(zip(rest[::2], rest[1::2], strict=False))
    data = given.pop("--data", "")
    idle_lock_s = _number(given.pop("--idle-lock-seconds", str(IDLE_LOCK_S_USUAL)), IDLE_LOCK_S)
    list_old_hours = _number(given.pop("--list-old-hours", str(LIST_OLD_HOURS_USUAL)), LIST_OLD_HOURS)
    is_plain = command == "run" and not given and len(set(rest[::2])) * 2 == len(rest)
    if not is_plain or not data or data.startswith("-") or idle_lock_s is None or list_old_hours is None:
        return None
    return Wish(Path(data), idle_lock_s, list_old_hours, ctrl_c_quits=ctrl_c_quits)


def _number(text: str, among: range) -> int | None:
    if not text.isascii() or not text.isdigit() or len(text) > _NUMBER_DIGITS_MAX:
        return None
    return int(text) if int(text) in among else None


def show_desk(wish: Wish) -> None:
    """Show it until somebody quits; raises SystemExit with a sentence on standard error when it cannot be shown."""
    from kiosk.settings import DoorSettings

    gc.disable()  # a fifth of a cold start went into looking for garbage; `_collect_again` when the screen is there
    door = DoorSettings(idle_lock_ms=wish.idle_lock_s * 1_000, list_old_ms=wish.list_old_hours * 3_600_000)
    show = partial(_show_screen, wish.data, door, ctrl_c_quits=wish.ctrl_c_quits)
    if WEB_DRIVER in os.environ:
        _show_behind_web(wish.data, show)
    elif sys.stdin.isatty() and sys.stdout.isatty():
        _show_on_terminal(wish.data, show)
    else:
        fail("no_terminal", "There is no terminal here; use rollcall-kiosk agent instead.")


def _show_on_terminal(data: Path, show: "RunOnce") -> None:
    from kiosk.clock import SystemClock
    from kiosk.screens.calm import BareTerminal
    from kiosk.settings import DataFolder
    from kiosk.steady import run_steadily

    with calmly(data):
        run_steadily(show, BareTerminal(0, 1), DataFolder(data).crashes, SystemClock())


def _show_behind_web(data: Path, show: "RunOnce") -> None:
    """Once: the page in the browser has the calm words, and starts the desk again; without its server it ends."""
    from kiosk.clock import SystemClock
    from kiosk.settings import DataFolder
    from kiosk.steady import run_once

    with calmly(data):
        if run_once(partial(_while_served, show), DataFolder(data).crashes, SystemClock()) is not None:
            raise SystemExit(1)


async def _while_served(show: "RunOnce") -> BaseException | None:
    """A server that was killed cannot say so: a screen that nobody sees would hold the replica for ever."""
    served_by = os.getppid()

    async def watch() -> None:
        while os.getppid() == served_by:  # noqa: ASYNC110 - the kernel sends no event of it
            await asyncio.sleep(1)
        os.kill(os.getpid(), signal.SIGTERM)

    watching = asyncio.create_task(watch())
    try:
        return await show()
    finally:
        watching.cancel()


async def _show_screen(data: Path, door: "DoorSettings", *, ctrl_c_quits: bool) -> BaseException | None:
    from kiosk.app import KioskApp
    from kiosk.clock import SystemClock
    from kiosk.services.desk import Desk
    from kiosk.services.desk_file import DESK_FILE, read_desk_file

    wanted = read_desk_file(data / DESK_FILE)
    desk = await Desk.open(data, door_settings=door, say=say)
    desk.building.labels.settings = wanted.labels
    desk.building.rollcalls.settings = wanted.sheets
    try:
        app = KioskApp(
            desk,
            SystemClock(),
            ctrl_c_quits=ctrl_c_quits,
            when_painted=_collect_again,
            driver_class=_driver_for(wanted.screen.photos),
        )
        await app.run_async()
    finally:
        _collect_again()
        await desk.close()
    if app.crash is None:
        refuse_if_revoked(desk.last_words)
    return app.crash


def _driver_for(photos: "Photos") -> "type[PhotoDriver] | None":
    """Photos by graphics only on a terminal of its own; None lets Textual choose."""
    if photos is not photos.GRAPHICS or WEB_DRIVER in os.environ:
        return None
    from kiosk.widgets.photo_driver import PhotoDriver

    return PhotoDriver


def _collect_again() -> None:
    """Look for garbage from now on; what was read for the start stays for good, and is not looked through each time."""
    if not gc.isenabled():
        gc.freeze()
        gc.enable()


def refuse_if_revoked(last_words: str) -> None:
    """The desk ended while it was open: say so, and leave with the code that the next start gives too."""
    if last_words:
        fail("revoked", last_words)


@contextmanager
def calmly(log_folder: Path | None) -> Iterator[None]:
    """Log into the folder where there is one; whatever goes wrong becomes a sentence and an exit code."""
    from kiosk.services.errors import DeskError
    from kiosk.settings import DataFolder, log_nowhere, log_to_file

    if log_folder is not None and log_folder.is_dir():
        log_to_file(DataFolder(log_folder).log)
    else:
        log_nowhere()
    try:
        yield
    except DeskError as error:
        fail(error.code, error.message)
    except KeyboardInterrupt:
        raise SystemExit(130) from None
    except OSError as error:
        fail("failed", f"The machine refused something: {error.strerror or error}.")
    except Exception:  # noqa: BLE001 - a desk is shown a sentence, never a traceback
        Log().exception("command_failed")
        where = f" Its cause is in {DataFolder(log_folder).log}." if log_folder is not None else ""
        fail("failed", f"Something went wrong that nobody expected; what was recorded is safe.{where}")


def say(text: str) -> None:
    """Tell whoever started the program."""
    print(text, flush=True)


def fail(code: str, message: str) -> None:
    """Say why it cannot be done, and leave with the exit code of this refusal."""
    print(f"rollcall-kiosk: {message}", file=sys.stderr)
    raise SystemExit(EXIT_CODES.get(code, 1))
