"""What the simulator prints."""

from collections import Counter
from collections.abc import Sequence

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from tests.simulation.crashes import POINTS
from tests.simulation.run import Death, Result

HOUR_MS = 3_600_000


def print_one(console: Console, result: Result, *, with_tail: bool) -> None:
    """One seed: what was violated, and what led to it."""
    if result.violation is None:
        console.print(f"seed {result.seed}: every invariant held; trace {result.trace_hash}", highlight=False)
        return
    if with_tail:
        console.print(escape("\n".join(result.tail)), highlight=False, soft_wrap=True)
    checker, what = result.violation
    console.print(f"[bold red]seed {result.seed} violates {checker}[/]: {escape(what)}", soft_wrap=True)
    console.print(f"again: python -m tests.simulation --seed {result.seed} --trace", highlight=False, soft_wrap=True)


def print_totals(console: Console, results: Sequence[Result], *, wall_s: float) -> None:
    """Everything that ran, as two tables."""
    counts, faults, points = Counter[str](), Counter[str](), Counter[str]()
    for result in results:
        counts.update(result.counts)
        faults.update(result.faults)
        points.update(result.crash_points)
    device_ms = sum(result.virtual_ms * result.devices for result in results)
    healed_s = max((result.healed_ms for result in results), default=0) / 1000
    totals = Table(title="Simulation", show_header=False)
    rows = (
        ("seeds", f"{len(results)}"),
        ("seeds that violate an invariant", f"{sum(1 for result in results if result.violation)}"),
        ("virtual device-hours", f"{device_ms / HOUR_MS:.1f}"),
        ("journal entries", f"{counts['entries']}"),
        ("links", f"{counts['links']}"),
        ("messages", f"{counts['messages']}"),
        ("longest healing, virtual seconds", f"{healed_s:.0f}"),
        ("wall time, seconds", f"{wall_s:.1f}"),
    )
    for row in rows:
        totals.add_row(*row)
    console.print(totals)
    harm = Table("Fault or crash point", "Times", title="What was survived")
    for name, times in sorted(faults.items()):
        harm.add_row(name, str(times))
    harm.add_section()
    for point in POINTS:
        harm.add_row(point, str(points[point]))
    console.print(harm)


def print_mutants(console: Console, deaths: Sequence[Death], *, seeds: int) -> None:
    """Which seed found which planted defect, and by which checker."""
    table = Table("Mutant", "First seed", "Checker", title="Planted defects")
    for death in deaths:
        seed = "[bold red]survives[/]" if death.seed is None else str(death.seed)
        table.add_row(death.mutant, seed, death.checker)
    console.print(table)
    survivors = [death.mutant for death in deaths if death.seed is None]
    if survivors:
        console.print(f"[bold red]{len(survivors)} not found in {seeds} seeds[/]: {', '.join(survivors)}")
