"""What the operator's commands share: the use-cases behind them, and how they show progress, tables and JSON."""

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any, NoReturn, TypeVar

import msgspec
import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from server.core.asking import asks, operator_asks
from server.core.logging import configure_logging
from server.core.settings import load_settings

if TYPE_CHECKING:  # loaded by the command that needs it, so that `--help` is quick
    from server.operation import Operation

EXIT_WRONG = 1

Result = TypeVar("Result")
Advance = Callable[[int, int], None]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]


def with_operation(use: "Callable[[Operation], Awaitable[Result]]") -> Result:
    """Run one use-case on the database of the settings."""
    from server.operation import operation

    settings = load_settings()
    # What a command has to say, it says itself; the log is for what went wrong.
    configure_logging(level="WARNING", log_format=settings.log_format)

    async def run() -> Result:
        async with operation(settings) as parts:
            with asks(operator_asks(command_name())):
                return await use(parts)

    return asyncio.run(run())


def command_name() -> str:
    """Give what was typed first behind the name of the program, for the audit log; no value of an option is in it."""
    return next(iter(sys.argv[1:2]), "")


@contextmanager
def progress(what: str) -> Iterator[Advance]:
    """Show how far something came, on a terminal only."""
    console = Console(stderr=True)
    with Progress(
        TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeElapsedColumn(),
        console=console, transient=True, disable=not console.is_terminal,
    ) as bar:  # fmt: skip
        task = bar.add_task(what, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def table(*headings: str) -> Table:
    """Give a table without lines."""
    made = Table(box=None, pad_edge=False)
    for heading in headings:
        made.add_column(heading, overflow="fold")
    return made


def print_json(value: object) -> None:
    """Print one document."""
    plain: Any = msgspec.to_builtins(value, enc_hook=str)
    typer.echo(json.dumps(plain, indent=2, ensure_ascii=False))


def say(sentence: str) -> None:
    """Tell something beside the answer."""
    typer.echo(sentence, err=True)


def fail(sentence: str) -> NoReturn:
    """Say what is wrong, and end."""
    say(f"rollcall: {sentence}")
    sys.exit(EXIT_WRONG)
