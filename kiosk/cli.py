"""`rollcall-kiosk`: enrol, run, agent, status, sheet, export.

Exit codes: 0 done; 1 it could not be done, and standard error says why in one sentence; 2 wrong command line;
3 another program uses the folder; 4 the folder is not enrolled, or already is; 5 the desk was revoked.
"""

import asyncio
import gc
import os
import secrets
import signal
import sys
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import msgspec
import typer

from kiosk.log import Log

if TYPE_CHECKING:
    from textual.driver import Driver

    from kiosk.services.desk_file import Photos
    from kiosk.settings import DoorSettings
    from kiosk.steady import RunOnce

app = typer.Typer(
    name="rollcall-kiosk",
    help="A check-in desk that works with or without a network.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

# What textual-serve tells a screen that is drawn by a browser.
WEB_DRIVER: Final = "TEXTUAL_DRIVER"
EXIT_CODES: Final = {"replica_in_use": 3, "not_enrolled": 4, "already_enrolled": 4, "revoked": 5}

DataOption = Annotated[Path, typer.Option("--data", help="The folder of this desk: its keys, replica and log.")]


@app.command()
def enrol(
    server: Annotated[str, typer.Option(help="The server's address, like https://rollcall.example.org")],
    code: Annotated[str, typer.Option(help="The one-time code a manager gave you, like ABCD-2345.")],
    data: DataOption,
    name: Annotated[str, typer.Option(help="What people call this desk, unless the code names it.")] = "Desk",
) -> None:
    """Make this folder a desk: exchange the one-time code and fetch the roster."""
    from kiosk.services.enrolment import Request
    from kiosk.services.enrolment import enrol as enrol_device

    request = Request(server=server, code=code, data_dir=data, name=name)
    _run(enrol_device(request, _say), log_folder=None)


@app.command()
def run(  # noqa: PLR0913, PLR0917 - each is an option of the command line
    data: DataOption,
    idle_lock_s: Annotated[
        int, typer.Option("--idle-lock-seconds", min=10, max=86_400, help="Lock after so long without a key.")
    ] = 120,
    list_old_hours: Annotated[
        int, typer.Option("--list-old-hours", min=1, max=720, help="An older pick-up list is to be checked by phone.")
    ] = 12,
    ctrl_c_quits: Annotated[bool, typer.Option("--ctrl-c-quits", hidden=True)] = False,  # noqa: FBT002 - a flag
    web: Annotated[bool, typer.Option("--web", help="Serve it to a browser instead.")] = False,  # noqa: FBT002 - a flag
    host: Annotated[
        str, typer.Option(help="With --web: where to listen; only this machine unless told.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65_535, help="With --web: the port.")] = 8_787,
) -> None:
    """Show the desk on this terminal, or with --web in a browser."""
    from kiosk.settings import DoorSettings

    if web:
        arguments = (
            "--data",
            str(data),
            "--idle-lock-seconds",
            str(idle_lock_s),
            "--list-old-hours",
            str(list_old_hours),
        )
        _serve_web(data, host, port, arguments)
        return
    gc.disable()  # a fifth of a cold start went into looking for garbage; `_collect_again` when the screen is there
    door = DoorSettings(idle_lock_ms=idle_lock_s * 1_000, list_old_ms=list_old_hours * 3_600_000)
    show = partial(_show_screen, data, door, ctrl_c_quits=ctrl_c_quits)
    if WEB_DRIVER in os.environ:
        _show_behind_web(data, show)
    elif sys.stdin.isatty() and sys.stdout.isatty():
        _show_on_terminal(data, show)
    else:
        _fail("no_terminal", "There is no terminal here; use rollcall-kiosk agent instead.")


def _show_on_terminal(data: Path, show: "RunOnce") -> None:
    from kiosk.clock import SystemClock
    from kiosk.screens.calm import BareTerminal
    from kiosk.settings import DataFolder
    from kiosk.steady import run_steadily

    with _calmly(data):
        run_steadily(show, BareTerminal(0, 1), DataFolder(data).crashes, SystemClock())


def _show_behind_web(data: Path, show: "RunOnce") -> None:
    """Once: the page in the browser has the calm words, and starts the desk again; without its server it ends."""
    from kiosk.clock import SystemClock
    from kiosk.settings import DataFolder
    from kiosk.steady import run_once

    with _calmly(data):
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


def _serve_web(data: Path, host: str, port: int, arguments: tuple[str, ...]) -> None:
    from kiosk.services.errors import LOCAL_ERRORS, desk_error
    from kiosk.services.opening import keys_of_desk
    from kiosk.settings import DataFolder
    from kiosk.web.server import WebSettings, desk_command, serve

    with _calmly(None):
        try:
            keys_of_desk(DataFolder(data))
        except LOCAL_ERRORS as error:
            raise desk_error(error) from error
        serve(WebSettings(host, port, desk_command(arguments)), _say)


@app.command()
def agent(data: DataOption) -> None:
    """Run the desk without a screen: JSON lines on standard input and output (docs/agent.md)."""
    _run(_run_agent(data), log_folder=data)


@app.command()
def status(
    data: DataOption,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,  # noqa: FBT002 - a flag
) -> None:
    """Say how this desk stands; works beside a desk that is running."""
    _run(_print_status(data, as_json=as_json), log_folder=None)


@app.command()
def sheet(data: DataOption) -> None:
    """Print the newest roll-call sheet of this desk; works beside a desk that is running, and when its screen does not.

    On standard output, so: rollcall-kiosk sheet --data FOLDER | lp
    """
    with _calmly(None):
        _print_sheet(data)


@app.command()
def export(
    file: Annotated[Path, typer.Argument(help="The file to write; keep it as you keep the children's files.")],
    data: DataOption,
    everything: Annotated[  # noqa: FBT002 - a flag
        bool, typer.Option("--all", help="Every entry that is kept, also those the server has answered.")
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace a file that is there.")] = False,  # noqa: FBT002
) -> None:
    """Write what the server has not answered into a signed file, for rollcall-server import-journal.

    Works beside a desk that is running, with no network, and as far as it can be read with a damaged replica.
    """
    _run(_export(data, file, everything=everything, force=force), log_folder=None)


async def _show_screen(data: Path, door: "DoorSettings", *, ctrl_c_quits: bool) -> BaseException | None:
    from kiosk.app import KioskApp
    from kiosk.clock import SystemClock
    from kiosk.services.desk import Desk
    from kiosk.services.desk_file import DESK_FILE, read_desk_file

    wanted = read_desk_file(data / DESK_FILE)
    desk = await Desk.open(data, door_settings=door, say=_say)
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
        _refuse_if_revoked(desk.last_words)
    return app.crash


def _driver_for(photos: "Photos") -> "type[Driver] | None":
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


async def _run_agent(data: Path) -> None:
    from kiosk.agent import Agent
    from kiosk.services.desk import Desk

    desk = await Desk.open(data)
    try:
        await Agent(desk, input_fd=0, output_fd=1).run()
    finally:
        await desk.close()
    _refuse_if_revoked(desk.last_words)


def _refuse_if_revoked(last_words: str) -> None:
    """The desk ended while it was open: say so, and leave with the code that the next start gives too."""
    if last_words:
        _fail("revoked", last_words)


async def _print_status(data: Path, *, as_json: bool) -> None:
    from kiosk.services.inspection import inspect, inspection_lines

    found = await inspect(data)
    if as_json:
        print(msgspec.json.encode(found).decode())
        return
    for line in inspection_lines(found):
        print(line)


def _print_sheet(data: Path) -> None:
    from kiosk.services.errors import LOCAL_ERRORS, DeskError, desk_error
    from kiosk.services.opening import keys_of_desk
    from kiosk.services.sheets import SheetDrawer
    from kiosk.settings import DataFolder

    folder = DataFolder(data)
    try:
        keys = keys_of_desk(folder)
    except LOCAL_ERRORS as error:
        raise desk_error(error) from error
    drawer = SheetDrawer(folder.rollcalls, keys.replica_key, secrets.token_bytes)
    newest = drawer.newest()
    if newest is None:
        raise DeskError("nothing_kept", "No roll call was kept on this desk yet; F9 begins one.")
    print(drawer.read(newest), end="")


async def _export(data: Path, file: Path, *, everything: bool, force: bool) -> None:
    from kiosk.clock import SystemClock
    from kiosk.services.export import Extent, export

    extent = Extent.KEPT if everything else Extent.WAITING
    found = await export(data, file, extent, clock=SystemClock(), may_replace=force)
    print(f"{found.entries} entries of {found.journals} journals written to {file}.")
    if found.left_out:
        print(f"{found.left_out} entries could not be proved or stand behind a gap; start the desk to save them.")
    if found.is_damaged:
        print("The replica is damaged; start the desk, and it repairs itself.")


def _run(work: Coroutine[Any, Any, Any], *, log_folder: Path | None) -> None:
    """Run one command to its end; a refusal becomes a sentence and an exit code."""
    with _calmly(log_folder):
        asyncio.run(work)


@contextmanager
def _calmly(log_folder: Path | None) -> Iterator[None]:
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
        _fail(error.code, error.message)
    except KeyboardInterrupt:
        raise SystemExit(130) from None
    except OSError as error:
        _fail("failed", f"The machine refused something: {error.strerror or error}.")
    except Exception:  # noqa: BLE001 - a desk is shown a sentence, never a traceback
        Log().exception("command_failed")
        where = f" Its cause is in {DataFolder(log_folder).log}." if log_folder is not None else ""
        _fail("failed", f"Something went wrong that nobody expected; what was recorded is safe.{where}")


def _say(text: str) -> None:
    print(text, flush=True)


def _fail(code: str, message: str) -> None:
    print(f"rollcall-kiosk: {message}", file=sys.stderr)
    raise SystemExit(EXIT_CODES.get(code, 1))


def main() -> None:
    """Start the program."""
    app()
