"""The simulator as a program: `python -m tests.simulation`, `--seed 42 --trace`, `--mutants`, `--shrink 42`."""

import argparse
import contextlib
import multiprocessing
import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import TypeVar

from rich.console import Console
from rich.markup import escape
from rich.progress import track

from tests.simulation import regressions, report
from tests.simulation.kept import Kept
from tests.simulation.mutants import MUTANTS
from tests.simulation.plan import Lane, lane_of
from tests.simulation.run import begin_work, kill, run_seed

SEEDS = 300

Given = TypeVar("Given")
Done = TypeVar("Done")


def main(arguments: list[str] | None = None) -> int:
    """Run what was asked for; 0 when every invariant held and every mutant died."""
    options = _parser().parse_args(arguments)
    console = Console(width=None if sys.stdout.isatty() else 110)
    with _postgres(console, _seeds_of(options)):
        if options.shrink is not None:
            return _shrink(console, options)
        if options.regressions:
            return _replay(console)
        if options.mutants:
            return _run_mutants(console, options)
        if options.seed is not None:
            return _run_one(console, options.seed, trace=options.trace)
        return _replay(console) or _run_many(console, options)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seeds", type=int, default=SEEDS, help="how many seeds (default: %(default)s)")
    parser.add_argument("--first", type=int, default=1, help="the first of them (default: %(default)s)")
    parser.add_argument("--seed", type=int, help="run this one alone")
    parser.add_argument("--trace", action="store_true", help="with --seed: print everything that happens")
    parser.add_argument("--mutants", action="store_true", help="plant each known defect and see that it is found")
    parser.add_argument("--regressions", action="store_true", help="only replay what once failed")
    parser.add_argument("--shrink", type=int, metavar="SEED", help="make a failing seed small, and keep what is left")
    parser.add_argument("--mutant", default="", choices=sorted(MUTANTS), help="with --shrink: plant this defect")
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="write the tables to a file too")
    parser.add_argument(
        "--keep", type=Path, metavar="FILE", help="write each result there; a run that was stopped goes on behind them"
    )
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes (default: %(default)s)")
    return parser


def _seeds_of(options: argparse.Namespace) -> Iterable[int]:
    single = options.seed if options.seed is not None else options.shrink
    if options.regressions or options.mutants:
        return ()
    return (single,) if single is not None else range(options.first, options.first + options.seeds)


@contextlib.contextmanager
def _postgres(console: Console, seeds: Iterable[int]) -> Iterator[None]:
    """A PostgreSQL for as long as the seeds run, if one of them wants it; without one they run on the model."""
    if not any(lane_of(seed) is Lane.POSTGRES for seed in seeds):
        yield
        return
    from tests.simulation.postgres_lane import cluster  # the whole server: only when a seed asks for it

    with cluster() as what_is_wrong:
        if what_is_wrong:
            console.print("[yellow]no PostgreSQL starts here: seeds that want one run on the model[/]")
            console.print(escape(what_is_wrong), highlight=False, soft_wrap=True)
        yield


def _run_one(console: Console, seed: int, *, trace: bool) -> int:
    result = run_seed(seed, print if trace else None)
    report.print_one(console, result, with_tail=not trace)
    return 1 if result.violation else 0


def _run_many(console: Console, options: argparse.Namespace) -> int:
    begun_s = time.perf_counter()
    kept = Kept.read(options.keep)
    wanted = range(options.first, options.first + options.seeds)
    results = [kept.results[seed] for seed in wanted if seed in kept.results]
    try:
        for result in _spread(run_seed, [seed for seed in wanted if seed not in kept.results], options.jobs, "Seeds"):
            results.append(result)
            kept.add(result)
            if result.violation:
                report.print_one(console, result, with_tail=True)
    except KeyboardInterrupt:
        console.print(f"[yellow]stopped after {len(results):,} of {len(wanted):,} seeds[/]")
    totals, wall_s = report.add_up(results), kept.wall_s + time.perf_counter() - begun_s
    kept.close(wall_s)
    report.print_totals(console, totals, wall_s=wall_s, jobs=options.jobs)
    if options.markdown is not None:
        options.markdown.write_text(report.markdown(totals, wall_s=wall_s, jobs=options.jobs), encoding="utf-8")
    return 1 if totals.violations or totals.never() else 0


def _replay(console: Console) -> int:
    """What once failed must hold, and the defect that was planted for it must still be seen."""
    failed = 0
    for regression in regressions.load_all():
        violation = regressions.replay(regression).violation
        if violation is not None:
            console.print(f"[bold red]{regression.name} violates {violation[0]} again[/]: {escape(violation[1])}")
        elif not regressions.is_still_sharp(regression):
            console.print(f"[bold red]{regression.name} no longer finds {regression.mutant}[/]; shrink a new one")
        else:
            continue
        failed = 1
    return failed


def _shrink(console: Console, options: argparse.Namespace) -> int:
    begun_s = time.perf_counter()
    shrunk = regressions.shrink_seed(options.shrink, options.mutant, show=console.print)
    if shrunk is None:
        console.print(f"seed {options.shrink} holds: there is nothing to shrink")
        return 1
    report.print_shrunk(console, shrunk, took_s=time.perf_counter() - begun_s)
    console.print(f"kept as {regressions.keep(shrunk.after)}", soft_wrap=True)
    return 0


def _run_mutants(console: Console, options: argparse.Namespace) -> int:
    work = [(name, options.first, options.seeds) for name in MUTANTS]
    deaths = list(_spread(kill, work, options.jobs, "Mutants"))
    report.print_mutants(console, deaths, seeds=options.seeds)
    if options.markdown is not None:
        options.markdown.write_text(report.mutants_markdown(deaths), encoding="utf-8")
    return 1 if any(death.seed is None for death in deaths) else 0


def _spread(work: Callable[[Given], Done], given: Iterable[Given], jobs: int, title: str) -> Iterator[Done]:
    """Do the work in so many processes; results come in the order of what was given."""
    items = list(given)
    hidden = not sys.stderr.isatty()
    console = Console(stderr=True)
    if jobs <= 1:
        yield from track(map(work, items), title, len(items), console=console, disable=hidden, transient=True)
        return
    context = multiprocessing.get_context("spawn")
    # Ctrl-C is for this process: the others end with the seed they are at.
    with ProcessPoolExecutor(jobs, context, begin_work) as pool:
        try:
            done = pool.map(work, items, chunksize=1)
            yield from track(done, title, len(items), console=console, disable=hidden, transient=True)
        finally:
            pool.shutdown(cancel_futures=True)


if __name__ == "__main__":
    sys.exit(main())
