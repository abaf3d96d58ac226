"""`python -m tests.bench`: B1 to B6, B8 to B10, B13 on the real thing, beside the raw limit of the same work.

A real server process with its own PostgreSQL (fsync on), shipped desks on encrypted replicas (synchronous=FULL), real
sockets. Without a target met nothing fails: the figures are for people, and the machine is never the same.
"""

import argparse
import asyncio
import sys
import tempfile
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from kiosk.settings import log_nowhere
from tests.bench import (
    b1_snapshot,
    b2_backlog,
    b3_fan_out,
    b4_reconnect,
    b5_memory,
    b6_check_in,
    b8_fold,
    b9_boards,
    b10_desk_screen,
    b13_figures,
    machine,
)
from tests.bench.figures import Report, table
from tests.bench.stage import Options, Stage
from tests.support.reach import reach_everything

RUNS: Final = 3
BENCHES: Final[dict[str, Callable[[Stage], Awaitable[Report]]]] = {
    "b1": b1_snapshot.measure,
    "b2": b2_backlog.measure,
    "b3": b3_fan_out.measure,
    "b4": b4_reconnect.measure,
    "b5": b5_memory.measure,
    "b6": b6_check_in.measure,
    "b8": b8_fold.measure,
    "b9": b9_boards.measure,
    "b10": b10_desk_screen.measure,
    "b13": b13_figures.measure,
}


async def run(chosen: Sequence[str], options: Options) -> list[str]:
    """Run the chosen benchmarks one after the other, print each when it is done, and all at the end.

    Gives a sentence for each that failed; the others are measured all the same.
    """
    print(machine.versions())
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    reports: list[Report] = []
    failed: list[str] = []
    with tempfile.TemporaryDirectory(prefix="rollcall-bench-") as folder, Progress(
        *columns, console=console, transient=True
    ) as bar:  # fmt: skip
        stage = Stage(Path(folder), options, bar)
        try:
            task = bar.add_task("Starting the server and its PostgreSQL", total=None)
            await stage.start()
            bar.remove_task(task)
            print(f"{await stage.durability()}; replicas: SQLCipher, WAL, synchronous=FULL", flush=True)
            for name in chosen:
                try:
                    reports.append(await _measure(stage, name))
                except Exception as error:  # noqa: BLE001 - an hour of other figures must not be lost with it
                    failed.append(f"{name.upper()} failed: {type(error).__name__}: {error}")
                else:
                    print(f"\n{table(reports[-1:])}", flush=True)
        finally:
            await stage.close()
    print(f"\n== All, median of {options.runs} runs ==\n{table(reports)}")
    misses = [sentence for report in reports for sentence in report.misses()]
    print("\nOff target:\n  " + "\n  ".join(misses) if misses else "\nNo target is missed.")
    return failed


async def _measure(stage: Stage, name: str) -> Report:
    before = machine.load()
    task = stage.bar.add_task(f"{name.upper()}: {BENCHES[name].__module__.rpartition('_')[2]}", total=None)
    await stage.restart()
    report = await BENCHES[name](stage)
    stage.bar.remove_task(task)
    notes = [*report.notes, f"before: {before}; after: {machine.load()}"]
    return Report(report.code, report.did, report.runs, report.lines, notes)


def main() -> None:
    """Read the command line and run."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--only", default=",".join(BENCHES), help="some of them, such as b2,b6 (default: all)")
    parser.add_argument("--runs", type=int, default=RUNS, help="how often to run each (default: %(default)s)")
    parser.add_argument("--quick", action="store_true", help="small sizes: to see that it works, not how fast")
    parser.add_argument("--many", action="store_true", help="B4 with 2,000 kiosks too: some minutes and 8,000 files")
    asked = parser.parse_args()
    chosen = [name.strip().casefold() for name in asked.only.split(",")]
    unknown = [name for name in chosen if name not in BENCHES]
    if unknown or asked.runs < 1:
        parser.error(f"there is no {unknown[0]}; there are {', '.join(BENCHES)}" if unknown else "at least one run")
    log_nowhere()
    reach_everything()
    failed = asyncio.run(run(chosen, Options(asked.runs, asked.quick, asked.many)))
    if failed:
        sys.exit("\n".join(failed))


if __name__ == "__main__":
    main()
