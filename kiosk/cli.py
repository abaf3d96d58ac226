"""`rollcall-kiosk`: enrol, run, agent, status, sheet, export.

Exit codes: 0 done; 1 it could not be done, and standard error says why in one sentence; 2 wrong command line;
3 another program uses the folder; 4 the folder is not enrolled, or already is; 5 the desk was revoked.
"""

import asyncio
import secrets
from collections.abc import Coroutine
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from kiosk.showing import (
    IDLE_LOCK_S,
    IDLE_LOCK_S_USUAL,
    LIST_OLD_HOURS,
    LIST_OLD_HOURS_USUAL,
    Wish,
    calmly,
    refuse_if_revoked,
    say,
    show_desk,
)

app = typer.Typer(
    name="rollcall-kiosk",
    help="A check-in desk that works with or without a network.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

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
    _run(enrol_device(request, say), log_folder=None)


@app.command()
def run(  # noqa: PLR0913, PLR0917 - each is an option of the command line
    data: DataOption,
    idle_lock_s: Annotated[
        int,
        typer.Option(
            "--idle-lock-seconds",
            min=IDLE_LOCK_S.start,
            max=IDLE_LOCK_S[-1],
            help="Lock after so long without a key.",
        ),
    ] = IDLE_LOCK_S_USUAL,
    list_old_hours: Annotated[
        int,
        typer.Option(
            "--list-old-hours",
            min=LIST_OLD_HOURS.start,
            max=LIST_OLD_HOURS[-1],
            help="An older pick-up list is to be checked by phone.",
        ),
    ] = LIST_OLD_HOURS_USUAL,
    ctrl_c_quits: Annotated[bool, typer.Option("--ctrl-c-quits", hidden=True)] = False,  # noqa: FBT002 - a flag
    web: Annotated[bool, typer.Option("--web", help="Serve it to a browser instead.")] = False,  # noqa: FBT002 - a flag
    host: Annotated[
        str, typer.Option(help="With --web: where to listen; only this machine unless told.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65_535, help="With --web: the port.")] = 8_787,
) -> None:
    """Show the desk on this terminal, or with --web in a browser."""
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
    show_desk(Wish(data, idle_lock_s, list_old_hours, ctrl_c_quits=ctrl_c_quits))


def _serve_web(data: Path, host: str, port: int, arguments: tuple[str, ...]) -> None:
    from kiosk.services.errors import LOCAL_ERRORS, desk_error
    from kiosk.services.opening import keys_of_desk
    from kiosk.settings import DataFolder
    from kiosk.web.server import WebSettings, desk_command, serve

    with calmly(None):
        try:
            keys_of_desk(DataFolder(data))
        except LOCAL_ERRORS as error:
            raise desk_error(error) from error
        serve(WebSettings(host, port, desk_command(arguments)), say)


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
    with calmly(None):
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


async def _run_agent(data: Path) -> None:
    from kiosk.agent import Agent
    from kiosk.services.desk import Desk

    desk = await Desk.open(data)
    try:
        await Agent(desk, input_fd=0, output_fd=1).run()
    finally:
        await desk.close()
    refuse_if_revoked(desk.last_words)


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
    with calmly(log_folder):
        asyncio.run(work)
