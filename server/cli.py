"""`rollcall-server`: what an operator types."""

import asyncio
import json
import os
import secrets
import sys
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn, TypeVar

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from server import keeping_cli, operator_cli
from server.core.asking import asks, operator_asks
from server.core.errors import RollcallError, SetupError, Unavailable
from server.core.logging import configure_logging
from server.core.settings import Settings, load_settings
from server.operator_terminal import command_name
from server.services.roster_file import SourceFile

if TYPE_CHECKING:  # loaded by the command that needs them, so that the others start sooner
    from server.services.bundle import Services
    from server.services.roster_import import ImportReport

PASSWORD_VARIABLE = "ROLLCALL_PASSWORD"  # noqa: S105 - the name of a variable
EXIT_REFUSED = 1
EXIT_SETUP = 2
PROBLEMS_SHOWN_MAX = 200

Result = TypeVar("Result")
app = typer.Typer(
    name="rollcall-server",
    help="The server of Rollcall: check-in for child-care centres that works offline.\n\n"
    "First steps: `seed` (or `import` your own roster), `create-user`, `serve`, then `enrol-code` for each kiosk. "
    "`demo` shows all of it at once. Without DATABASE_URL the server keeps a PostgreSQL of its own in DATA_DIR. "
    "Settings come from the environment and `.env`; docs/settings.md lists them.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
)
app.add_typer(operator_cli.commands)
app.add_typer(keeping_cli.commands)


class RoleName(StrEnum):
    """The roles by name."""

    PARENT = "parent"
    STAFF = "staff"
    MANAGER = "manager"
    ADMIN = "admin"


def main() -> None:
    """Run the program; what is wrong is told in one sentence, with exit status 1 (refused) or 2 (set-up)."""
    try:
        app()
    except (SetupError, Unavailable) as error:
        _fail(error.detail, EXIT_SETUP)
    except RollcallError as error:
        _fail(error.detail, EXIT_REFUSED)
    except KeyboardInterrupt:
        _fail("Stopped.", 130)


@app.command()
def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on, in place of HOST.")] = None,
    port: Annotated[int | None, typer.Option(min=0, max=65535, help="Port, in place of PORT; 0: any.")] = None,
) -> None:
    """Run the server until Ctrl-C or SIGTERM: database, API and sync."""
    from server import asgi

    settings = _settings({"host": host, "port": port})
    configure_logging(level=settings.log_level, log_format=settings.log_format)
    asgi.serve(settings, _say)


@app.command()
def openapi(
    client: Annotated[
        Path | None,
        typer.Option(help="Write a client (rollcall.js and its types, rollcall.d.ts) into this folder instead."),
    ] = None,
) -> None:
    """Print the document of the API (OpenAPI 3.1), or write a typed client that is made from it.

    It is made from the code alone: no database, no SECRET_KEY. A slow machine takes half a minute over its 200 routes.
    """
    from server.core.clock import SystemClock
    from server.routes import build_app
    from server.web.typed_client import typed_client

    settings = load_settings(env_file=None, environment="test", secret_key=secrets.token_urlsafe(48))
    document = build_app(settings, SystemClock()).openapi()
    if client is None:
        typer.echo(json.dumps(document, indent=1))
        return
    client.mkdir(parents=True, exist_ok=True)
    for name, text in typed_client(document).items():
        (client / name).write_text(text, encoding="utf-8")
        _say(f"{client / name} is written.")


@app.command()
def migrate() -> None:
    """Bring the database to the schema of this version; `serve` does it by itself."""

    async def nothing(_services: "Services") -> None:
        return

    _with_services(nothing)
    _say("The database is up to date.")


@app.command("import")
def import_roster(
    paths: Annotated[list[Path], typer.Argument(help="CSV files, or folders of them.")],
    *,
    skip_bad: Annotated[bool, typer.Option("--skip-bad", help="Leave bad rows out and take the others.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check everything, store nothing.")] = False,
) -> None:
    """Import centres, rooms, children, guardians, pick-ups, alerts and staff from CSV files.

    docs/import-format.md explains the columns. Rows are recognised by their `external_id`: importing again updates.
    With one bad row nothing is stored, unless `--skip-bad`.
    """
    _import([SourceFile(str(path), _content(path)) for path in _csv_files(paths)], skip_bad=skip_bad, dry_run=dry_run)


@app.command()
def seed(  # noqa: PLR0913 - what an operator may say
    write: Annotated[Path | None, typer.Option(help="Write the sample roster to this file instead.")] = None,
    *,
    centres: Annotated[int, typer.Option(min=1, max=20, help="With years or days: so many centres.")] = 5,
    years: Annotated[int, typer.Option(min=0, max=10, help="Write so many years of everyday life, too.")] = 0,
    days: Annotated[int, typer.Option(min=0, max=3660, help="The same in days, in place of years.")] = 0,
    children: Annotated[int, typer.Option(min=5, max=200, help="Children at a time in each centre.")] = 60,
    seed_word: Annotated[str, typer.Option("--seed", help="Another word gives another history.")] = "1",
    until: Annotated[datetime | None, typer.Option(formats=["%Y-%m-%d"], help="Last day; yesterday.")] = None,
    into_existing: Annotated[bool, typer.Option("--into-existing", help="Also beside centres that are here.")] = False,
) -> None:
    """Import the sample centre: 60 invented children in five rooms, their families, and staff.

    With `--years 3` or `--days 30`, centres with a past instead, for analytics and for trying things out at full size:
    rosters, bookings, absences, closures, and every entry of every desk, through the same intake as real ones.
    docs/analytics.md tells more.
    """
    from server.sample.generate import ROSTER_FILE, shipped_csv

    if years or days:
        last_day = until.date() if until else datetime.now(UTC).date() - timedelta(days=1)
        _write_history(
            centres, days or round(years * 365.25), last_day, children, seed_word, into_existing=into_existing
        )
        return
    content = shipped_csv()
    if write is not None:
        write.write_bytes(content)
        _say(f"The sample roster is in {write}.")
        return
    _import([SourceFile(ROSTER_FILE, content)], skip_bad=False, dry_run=False)


@app.command("create-user")
def create_user(
    email: Annotated[str, typer.Option(help="E-mail address to log in with.")],
    name: Annotated[str, typer.Option(help="Name as others see it.")],
    role: Annotated[RoleName, typer.Option(help="What the user may do.", case_sensitive=False)],
    center: Annotated[str, typer.Option(help="Code of the centre.")] = "",
    *,
    password_stdin: Annotated[bool, typer.Option(help="Read the password from standard input.")] = False,
) -> None:
    """Make a log-in. The password is asked for, or comes from standard input or ROLLCALL_PASSWORD.

    It needs at least 15 characters; several words in a row are easy to remember.
    """
    from server.services.access import RoleId
    from server.services.accounts import NewUser

    user = NewUser(email=email, name=name, role=RoleId[role.name], center_code=center)
    password = _password(from_stdin=password_stdin)
    _with_services(lambda services: services.accounts.create(user, password))
    _say(f"{email} can log in as {role.value}.")


@app.command("enrol-code")
def enrol_code(
    center: Annotated[str, typer.Option(help="Code of the centre.")],
    name: Annotated[str, typer.Option(help="Name of the desk; without it the kiosk chooses.")] = "",
) -> None:
    """Print a one-time code with which one kiosk joins a centre; it is good for ten minutes."""

    async def make(services: "Services") -> str:
        found = await services.centers.by_code(center)
        return (await services.enrolment.new_code(found, name)).code

    typer.echo(_with_services(make))


@app.command()
def demo(
    seconds: Annotated[float | None, typer.Option(min=1, help="End by itself after so many seconds.")] = None,
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to try first.")] = 8000,
    data: Annotated[Path, typer.Option(help="Folder of the demonstration; emptied at its start.")] = Path(
        ".rollcall/demo"
    ),
    stop_with_parent: Annotated[bool, typer.Option("--stop-with-parent", hidden=True)] = False,  # noqa: FBT002
) -> None:
    """Run everything with the sample centre: a server, two desks, a lost connection, and what becomes of it."""
    from server.demo.run import run_demo
    from server.demo.stage import DemoOptions

    has_screen = seconds is None and sys.stdin.isatty() and sys.stdout.isatty()
    options = DemoOptions(
        data_dir=data, port=port, seconds=seconds, screen=has_screen, stop_with_parent=stop_with_parent
    )
    raise typer.Exit(run_demo(options))


def _settings(overrides: Mapping[str, Any]) -> Settings:
    return load_settings(**{name: value for name, value in overrides.items() if value is not None})


def _with_services(use: Callable[["Services"], Awaitable[Result]]) -> Result:
    """Run one use-case on the database of the settings."""
    from server.wiring import borrowed_services

    settings = _settings({})
    # What a command has to say, it says itself; the log is for what went wrong.
    configure_logging(level="WARNING", log_format=settings.log_format)

    async def run() -> Result:
        async with borrowed_services(settings) as services:
            with asks(operator_asks(command_name())):
                return await use(services)

    return asyncio.run(run())


def _write_history(
    centres: int, days: int, last_day: date, children: int, seed_word: str, *, into_existing: bool
) -> None:
    from server.operation import write_history
    from server.sample.history import HistoryOptions

    options = HistoryOptions(centres, days, last_day, children, seed_word, into_existing=into_existing)
    settings = _settings({})
    configure_logging(level="WARNING", log_format=settings.log_format)
    with Progress(
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(),
        console=Console(stderr=True), transient=True,
    ) as bar:  # fmt: skip
        task = bar.add_task("Playing days of centres", total=None)
        written = asyncio.run(
            write_history(settings, options, lambda done, total: bar.update(task, completed=done, total=total))
        )
    typer.echo(
        f"{written.centers} centres, {options.first_day} to {last_day}: {written.children} children, "
        f"{written.events} events, {written.bookings} bookings, {written.absences} absences"
    )


def _import(files: list[SourceFile], *, skip_bad: bool, dry_run: bool) -> None:
    with Progress(
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(),
        console=Console(stderr=True), transient=True,
    ) as bar:  # fmt: skip
        task = bar.add_task("Importing", total=None)
        report = _with_services(
            lambda services: services.roster_import.run(
                files,
                skip_bad=skip_bad,
                dry_run=dry_run,
                progress=lambda done, total: bar.update(task, completed=done, total=total),
            )
        )
    _tell(report, skip_bad=skip_bad, dry_run=dry_run)


def _tell(report: "ImportReport", *, skip_bad: bool, dry_run: bool) -> None:
    for problem in report.problems[:PROBLEMS_SHOWN_MAX]:
        column = f", column {problem.column}" if problem.column else ""
        typer.echo(f"{problem.place.file}, line {problem.place.line}{column}: {problem.reason}", err=True)
    hidden = len(report.problems) - PROBLEMS_SHOWN_MAX
    if hidden > 0:
        typer.echo(f"... and {hidden} more", err=True)
    if report.problems and not skip_bad:
        _fail("Nothing was imported. Correct these lines, or leave them out with --skip-bad.", EXIT_REFUSED)
    tally = report.tally
    kinds = sorted({*tally.created, *tally.updated, *tally.unchanged})
    for kind in kinds:
        typer.echo(
            f"{kind}: {tally.created[kind]} new, {tally.updated[kind]} changed, {tally.unchanged[kind]} as before"
        )
    if dry_run:
        _say("This was a rehearsal; nothing was stored.")


def _csv_files(paths: list[Path]) -> list[Path]:
    found: list[Path] = []
    for path in paths:
        inside = sorted(path.glob("*.csv")) if path.is_dir() else [path]
        if not inside:
            _fail(f"There is no CSV file in {path}.", EXIT_SETUP)
        found += inside
    return found


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        _fail(f"{path} cannot be read: {(error.strerror or 'unknown reason').lower()}.", EXIT_SETUP)


def _password(*, from_stdin: bool) -> str:
    if from_stdin:
        return sys.stdin.readline().rstrip("\r\n")
    given = os.environ.get(PASSWORD_VARIABLE)
    if given:
        return given
    if not sys.stdin.isatty():
        _fail(f"There is no terminal to ask for the password: use --password-stdin or {PASSWORD_VARIABLE}.", EXIT_SETUP)
    return str(typer.prompt("Password", hide_input=True, confirmation_prompt=True))


def _say(sentence: str) -> None:
    typer.echo(sentence, err=True)


def _fail(sentence: str, status: int) -> NoReturn:
    typer.echo(f"rollcall: {sentence}", err=True)
    sys.exit(status)
