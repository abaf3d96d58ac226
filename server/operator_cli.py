"""The commands with which an operator looks after the books: check, backup, restore, compaction, journals, mail."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer
from rich.console import Console

from server.core.settings import load_settings
from server.operator_terminal import EXIT_WRONG, Advance, Json
from server.operator_terminal import fail as _fail
from server.operator_terminal import print_json as _print_json
from server.operator_terminal import progress as _progress
from server.operator_terminal import say as _say
from server.operator_terminal import table as _table
from server.operator_terminal import with_operation as _with_operation

if TYPE_CHECKING:  # loaded by the command that needs them, so that `--help` is quick
    from server.operation import Operation
    from server.services.compaction import Compacted
    from server.services.erasure_list import ErasedList
    from server.services.incidents import CenterIncidents
    from server.services.journal_import import FileReport
    from server.services.mail import OutboxStatus
    from server.services.projections import Rebuilt
    from server.services.verification import CenterReport
    from server.services.verification_heads import SignedReport

REPLACE_WORD = "replace"

OneCenter = Annotated[str, typer.Option(help="Code of one centre; without it all of them.")]

commands = typer.Typer()
mail_commands = typer.Typer(no_args_is_help=True, help="See what waits to be mailed, and try again what was given up.")
commands.add_typer(mail_commands, name="mail")


@commands.command()
def verify(
    *,
    center: OneCenter = "",
    heads: Annotated[
        Path | None,
        typer.Option(help="A copy of the signed heads; without it the server's own file.", exists=True, dir_okay=False),
    ] = None,
    as_json: Json = False,
) -> None:
    """Check everything: both chains, every signature and outcome, and that all tables say what the logs say.

    All chains must also stand where the server signed each day that they stood.
    Exit status 0 when all is right, 1 when anything is wrong; the first wrong row of each table is named.
    """
    _tell_verified(_with_operation(lambda parts: _verify(parts, center, heads)), as_json=as_json)


@commands.command()
def backup(
    file: Annotated[Path, typer.Argument(help="Where to write the backup.", dir_okay=False)],
    *,
    force: Annotated[bool, typer.Option("--force", help="Replace a file that is there.")] = False,
) -> None:
    """Save everything into one file, while the server goes on; it appears when it is whole."""
    if file.exists() and not force:
        _fail(f"{file} is there already: choose another name, or say --force.")
    with _progress("Saving") as advance:
        made = _with_operation(lambda parts: parts.backup.write(file, advance))
    _say(f"{made.rows} rows of {made.tables} tables are in {file}. It holds personal data: keep it safe.")


@commands.command()
def restore(
    file: Annotated[Path, typer.Argument(help="A file that `backup` wrote.")],
    *,
    replace: Annotated[bool, typer.Option("--replace", help="Take away everything that is there.")] = False,
    erasures: Annotated[
        Path | None,
        typer.Option(help="What `erasures` printed after the backup was made.", exists=True, dir_okay=False),
    ] = None,
) -> None:
    """Put a backup back into a database without centres; stop the server before, and start it afterwards.

    Every log begins a new life, so that desks offer again what the backup does not have. `incidents` tells later what
    came back. Who was erased since the backup was made is erased again: by the database that is replaced, and by the
    file that `--erasures` names.
    """
    from server.services.restore import Onto

    if replace and typer.prompt(f"Everything in the database will be taken away. Type {REPLACE_WORD}") != REPLACE_WORD:
        _fail("Nothing was done.")
    with _progress("Restoring") as advance:
        onto = Onto.ANYTHING if replace else Onto.NOTHING
        known = _read_erasures(erasures)
        done = _with_operation(lambda parts: parts.restore.run(file, onto, advance, known))
    _say(
        f"{done.centers} centres with {done.rows} rows are back, as they stood at {done.made_at:%Y-%m-%d %H:%M:%S %Z}."
    )
    if done.erased:
        _say(f"{done.erased} people who had been erased were erased again.")
    _say("Whom you revoked since then is active again: revoke them anew. Now everything is checked.")
    _tell_verified(_with_operation(lambda parts: _verify(parts, "", None)), as_json=False)


@commands.command()
def incidents(*, center: OneCenter = "", as_json: Json = False) -> None:
    """List what went wrong on desks, and what each restore lost and got back."""
    found = _with_operation(lambda parts: _incidents(parts, center))
    if as_json:
        _print_json(dict(found))
        return
    for code, listed in found:
        _tell_incidents(code, listed)


@commands.command("import-journal")
def import_journal(
    files: Annotated[list[Path], typer.Argument(help="Files that `rollcall-kiosk export` wrote.")],
    *,
    as_json: Json = False,
) -> None:
    """Take in what desks recorded that cannot reach the server; doing it again stores nothing twice.

    With one file that is cut off, changed or of no device here, nothing is stored.
    """
    with _progress("Importing") as advance:
        reports = _with_operation(lambda parts: parts.journal_import.run(files, advance))
    if as_json:
        _print_json(reports)
    else:
        _tell_imported(reports)
    if not all(report.is_complete for report in reports):
        raise typer.Exit(EXIT_WRONG)


@commands.command()
def compact(
    *,
    center: OneCenter = "",
    horizon_days: Annotated[
        int, typer.Option(min=1, max=3650, help="Devices that were not heard for so long do not count.")
    ] = 30,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would go, and do nothing.")] = False,
) -> None:
    """Let go of superseded records that no live device will ask for; the chain over them stays."""
    with _progress("Compacting") as advance:
        done = _with_operation(lambda parts: _compact(parts, center, horizon_days, None if dry_run else advance))
    table = _table("centre", "devices", "floor", "head", "records", "bytes")
    for code, one in done:
        table.add_row(code, str(one.devices), str(one.floor), str(one.head), str(one.rows), str(one.bytes))
    Console().print(table)
    if dry_run:
        _say("This was a rehearsal; nothing was changed.")


@commands.command("rebuild-projections")
def rebuild_projections(*, center: OneCenter = "", as_json: Json = False) -> None:
    """Make stays and reviews again from the facts, beside a running server; pushes to a centre wait meanwhile.

    Exit status 1 when anything was not as it should be.
    """
    with _progress("Rebuilding") as advance:
        done = _with_operation(lambda parts: _rebuild(parts, center, advance))
    if as_json:
        _print_json(dict(done))
    else:
        table = _table("centre", "subjects", "wrong stays", "wrong reviews")
        for code, one in done:
            table.add_row(code, str(one.subjects), str(one.wrong_stays), str(one.wrong_reviews))
        Console().print(table)
    if any(one.wrong_stays or one.wrong_reviews for _, one in done):
        raise typer.Exit(EXIT_WRONG)


@commands.command("move-child")
def move_child(
    child: Annotated[str, typer.Option(help="Its `external_id` in your roster files.")],
    to: Annotated[str, typer.Option(help="Code of the centre that it goes to.")],
    start: Annotated[str, typer.Option("--from", help="Code of the centre that it leaves, if in doubt.")] = "",
    room: Annotated[str, typer.Option(help="`external_id` of its new home room.")] = "",
) -> None:
    """Move a child to another centre: off the desks of one, onto those of the other, at once.

    Its past stays where it was recorded. Change your roster files too, or the next import puts it back.
    """
    from server.services.scope import Move

    moved = _with_operation(lambda parts: parts.scope.move_child(Move(child, to, start, room)))
    _say(f"{child} moved from {moved.from_code} to {moved.to_code} with {moved.adults} adults.")


@mail_commands.command("status")
def mail_status(*, as_json: Json = False) -> None:
    """Say how many mails wait, since when, and why some were given up; no address is shown."""
    status = _with_operation(lambda parts: parts.mail.status())
    if as_json:
        _print_json(status)
    else:
        _tell_mail(status)


@mail_commands.command("retry")
def mail_retry() -> None:
    """Let what was given up wait again, for three more days; a running server sends it within seconds."""
    mails = _with_operation(lambda parts: parts.mail.retry())
    _say(f"{mails} mails wait again.")


def _read_erasures(path: Path | None) -> "ErasedList":
    from server.services.erasure_list import ErasedList

    if path is None:
        return ErasedList()
    try:
        return msgspec.json.decode(path.read_bytes(), type=ErasedList)
    except (OSError, msgspec.DecodeError):
        _fail(f"{path} is not what `erasures` prints.")


async def _verify(parts: "Operation", code: str, path: Path | None) -> "tuple[SignedReport, list[CenterReport]]":
    from server.services.heads_file import read_sheets

    verification = parts.verification
    # Without a code also centres that have lost their row, or their log.
    one = await parts.directory.centers(code) if code else []
    outside, broken = read_sheets(path or load_settings().heads_path)
    signed, pins = await parts.heads.check(outside)
    if broken:
        signed.notes.append(f"{broken} lines of the copy cannot be read.")
    center_ids = [center.id for center in one] or await verification.center_ids()
    if not code:
        center_ids += sorted({chain_id for _, chain_id, _ in pins} - {*center_ids})
    with _progress("Checking") as advance:
        return signed, [await verification.check(center_id, advance, pins) for center_id in center_ids]


async def _compact(
    parts: "Operation", code: str, horizon_days: int, advance: Advance | None
) -> "list[tuple[str, Compacted]]":
    found: list[tuple[str, Compacted]] = []
    for center in await parts.directory.centers(code):
        if advance is None:
            found.append((center.code, await parts.compaction.plan(center.id, horizon_days)))
        else:
            found.append((center.code, await parts.compaction.run(center.id, horizon_days, advance)))
    return found


async def _rebuild(parts: "Operation", code: str, advance: Advance) -> "list[tuple[str, Rebuilt]]":
    def tell(subjects: int) -> None:
        advance(subjects, 0)

    centers = await parts.directory.centers(code)
    return [(center.code, await parts.projections.rebuild(center.id, tell)) for center in centers]


async def _incidents(parts: "Operation", code: str) -> "list[tuple[str, CenterIncidents]]":
    return [(center.code, await parts.incidents.of_center(center)) for center in await parts.directory.centers(code)]


def _tell_verified(verified: "tuple[SignedReport, list[CenterReport]]", *, as_json: bool) -> None:
    signed, reports = verified
    is_right = not signed.findings and not any(report.findings for report in reports)
    if as_json:
        _print_json({"right": is_right, "centers": reports, "signed_heads": signed})
    else:
        for report in reports:
            version = f"version {report.version}, {report.rows} rows looked at"
            _tell_checked(report.code or report.center_id, version, report)
        until = f", the last of {signed.last_day}" if signed.days else ""
        days = f"{signed.days} days with {signed.heads} heads{until}; {signed.compared} days in the copy outside"
        _tell_checked("signed heads", days, signed)
    if not is_right:
        raise typer.Exit(EXIT_WRONG)


def _tell_checked(name: str, counts: str, report: "SignedReport | CenterReport") -> None:
    typer.echo(f"{name}: {'wrong' if report.findings else 'right'}; {counts}")
    for note in report.notes:
        typer.echo(f"  {note}")
    for found in report.findings:
        at = f" (version {found.version})" if found.version else ""
        typer.echo(f"  {found.table}, {found.key}{at}: {found.what}")


def _tell_incidents(code: str, listed: "CenterIncidents") -> None:
    typer.echo(f"{code}: {len(listed.incidents)} incidents")
    for life in listed.restores:
        lost = max(0, life.seen_version - life.from_version)
        typer.echo(
            f"  restored {life.began_at:%Y-%m-%d %H:%M} to version {life.from_version}: {life.desks} desks had seen "
            f"{lost} versions more; {life.events} events from before came in since, {life.witnessed} of them put back "
            "by other desks. What was changed in the roster behind it is not back: import it again."
        )
    if not listed.incidents:
        return
    table = _table("when", "desk", "incident", "detail")
    for one in listed.incidents:
        detail = ", ".join(f"{name} {value}" for name, value in one.detail.items())
        table.add_row(f"{one.occurred_at:%Y-%m-%d %H:%M:%S}", one.device_name or one.device_id, one.incident, detail)
    Console().print(table)


def _tell_mail(status: "OutboxStatus") -> None:
    oldest = f", the oldest since {status.oldest_waiting_at:%Y-%m-%d %H:%M %Z}" if status.oldest_waiting_at else ""
    typer.echo(f"{status.waiting} waiting{oldest}; {status.given_up} given up; {status.sent} sent in the last 90 days")
    if not load_settings().smtp_host:
        typer.echo("SMTP_HOST is not set here: a server with these settings sends no mail.")
    if not status.reasons:
        return
    table = _table("state", "mails", "last reason")
    for reason in status.reasons:
        table.add_row(reason.state.replace("_", " "), str(reason.mails), reason.last_error)
    Console().print(table)


def _tell_imported(reports: "list[FileReport]") -> None:
    table = _table("file", "desk", "journal", "entries", "stored before", "outcomes")
    for report in reports:
        for journal in report.journals:
            outcomes = ", ".join(f"{count} {name}" for name, count in sorted(journal.outcomes.items()))
            table.add_row(
                report.path.name,
                report.device_name,
                journal.incarnation[:8],
                f"{journal.first_seq}-{journal.last_seq}",
                str(journal.known),
                "; ".join(part for part in (outcomes, journal.problem) if part),
            )
    Console().print(table)
