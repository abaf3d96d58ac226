"""The commands with which an operator looks after what is kept for how long, and after what happens by itself."""

from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from server.operator_terminal import Json, print_json, say, table, with_operation

if TYPE_CHECKING:  # loaded by the command that needs them, so that `--help` is quick
    from server.operation import Operation
    from server.services.job_book import JobStanding

commands = typer.Typer()


@commands.command("erasures")
def list_erasures() -> None:
    """Print who was erased, as JSON without a name: keep it beside your backups, for `restore --erasures`."""
    print_json(with_operation(lambda parts: parts.erasures.all()))


@commands.command()
def retention(
    *,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what is over, and do nothing.")] = False,
    as_json: Json = False,
) -> None:
    """Say what is kept for how long and what is over, erase children whose time is over, and compact all logs.

    A server does the first part by itself every hour; RETENTION_YEARS says after how many years.
    """
    found = with_operation(lambda parts: parts.retention.plan())
    erased, bytes_gone = (0, 0) if dry_run else with_operation(_keep_no_longer)
    if as_json:
        print_json({"classes": found, "erased": erased, "compacted_bytes": bytes_gone, "rehearsal": dry_run})
        return
    listed = table("what", "kept", "over")
    for one in found:
        listed.add_row(one.name, one.kept, str(one.over))
    Console().print(listed)
    say("This was a rehearsal; nothing was changed." if dry_run else f"{erased} children were erased.")


@commands.command()
def jobs(*, as_json: Json = False) -> None:
    """List what the server does by itself: how often, when each job ran last and how it ended, and when it is next."""
    standing = with_operation(lambda parts: parts.jobs.standing())
    if as_json:
        print_json(standing)
    else:
        _tell_jobs(standing)


async def _keep_no_longer(parts: "Operation") -> tuple[int, int]:
    """Erase whose time is over until nobody is left, and compact; gives how many, and how many bytes."""
    erased = 0
    while done := await parts.retention.run():
        erased += done
    compacted = [await parts.compaction.run(center.id) for center in await parts.directory.centers("")]
    return erased, sum(one.bytes for one in compacted)


def _tell_jobs(standing: "list[JobStanding]") -> None:
    listed = table("job", "every", "started", "took", "result", "where", "next", "what it does")
    for one in standing:
        last = one.runs[0] if one.runs else None
        result = "never ran" if last is None else last.outcome.replace("_", " ")
        problem = f" ({last.problem})" if last is not None and last.problem else ""
        listed.add_row(
            one.kind.name,
            f"{one.kind.every_s} s",
            f"{last.started_at:%Y-%m-%d %H:%M:%S}" if last else "",
            f"{last.took_ms} ms" if last else "",
            ("running" if one.running_since else result) + problem,
            last.server if last else "",
            f"{one.next_at:%H:%M:%S}" if one.next_at else "",
            one.kind.what,
        )
    Console().print(listed)
