"""The simulator as a program: `python -m tests.simulation --seeds 300`, `--seed 42 --trace`, `--mutants`."""

import argparse
import multiprocessing
import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from typing import TypeVar

from rich.console import Console
from rich.progress import track

from tests.simulation import report
from tests.simulation.mutants import MUTANTS
from tests.simulation.run import Result, kill, run_seed

SEEDS = 300

Given = TypeVar("Given")
Done = TypeVar("Done")


def main(arguments: list[str] | None = None) -> int:
    """Run what was asked for; 0 when every invariant held and every mutant died."""
    options = _parser().parse_args(arguments)
    console = Console(width=None if sys.stdout.isatty() else 110)
    if options.mutants:
        return _run_mutants(console, options)
    if options.seed is not None:
        return _run_one(console, options.seed, trace=options.trace)
    return _run_many(console, options)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seeds", type=int, default=SEEDS, help="how many seeds (default: %(default)s)")
    parser.add_argument("--first", type=int, default=1, help="the first of them (default: %(default)s)")
    parser.add_argument("--seed", type=int, help="run this one alone")
    parser.add_argument("--trace", action="store_true", help="with --seed: print everything that happens")
    parser.add_argument("--mutants", action="store_true", help="plant each known defect and see that it is found")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes (default: %(default)s)")
    return parser


def _run_one(console: Console, seed: int, *, trace: bool) -> int:
    result = run_seed(seed, print if trace else None)
    report.print_one(console, result, with_tail=not trace)
    return 1 if result.violation else 0


def _run_many(console: Console, options: argparse.Namespace) -> int:
    begun_s = time.perf_counter()
    seeds = range(options.first, options.first + options.seeds)
    results: list[Result] = []
    for result in _spread(run_seed, seeds, options.jobs, "Seeds"):
        results.append(result)
        if result.violation:
            report.print_one(console, result, with_tail=True)
    report.print_totals(console, results, wall_s=time.perf_counter() - begun_s)
    return 1 if any(result.violation for result in results) else 0


def _run_mutants(console: Console, options: argparse.Namespace) -> int:
    work = [(name, options.first, options.seeds) for name in MUTANTS]
    deaths = list(_spread(kill, work, options.jobs, "Mutants"))
    report.print_mutants(console, deaths, seeds=options.seeds)
    return 1 if any(death.seed is None for death in deaths) else 0


def _spread(work: Callable[[Given], Done], given: Iterable[Given], jobs: int, title: str) -> Iterator[Done]:
    """Do the work in so many processes; results come in the order of what was given."""
    items = list(given)
    hidden = not sys.stderr.isatty()
    console = Console(stderr=True)
    if jobs <= 1:
        yield from track(map(work, items), title, len(items), console=console, disable=hidden, transient=True)
        return
    with ProcessPoolExecutor(jobs, mp_context=multiprocessing.get_context("spawn")) as pool:
        done = pool.map(work, items, chunksize=1)
        yield from track(done, title, len(items), console=console, disable=hidden, transient=True)


if __name__ == "__main__":
    sys.exit(main())
