"""What the simulator prints: one seed, all of them as tables, the same as Markdown, and the planted defects."""

from collections import Counter
from collections.abc import Iterable, Sequence

import msgspec
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from tests.simulation.crashes import POINTS
from tests.simulation.plan import AWAY, FAULTS, Lane
from tests.simulation.regressions import Shrunk
from tests.simulation.run import Death, Result

HOUR_MS = 3_600_000
WEEK_MS = 7 * 24 * HOUR_MS
# In so many seeds everything that can happen does; in fewer, something may just not have come up.
SEEDS_THAT_HAVE_ALL = 300

_LISTS = ("faults", "workloads", "strikes", "visits", "edits", "absences")

Rows = list[tuple[str, str]]


class Totals(msgspec.Struct, frozen=True, kw_only=True):
    """What many seeds come to together."""

    seeds: int
    cpu_s: float
    violations: int
    device_hours: float
    weeks: int
    weeks_hours: float
    longest_healing_s: float
    counts: Counter[str]
    faults: Counter[str]
    crash_points: Counter[str]
    lanes: Counter[str]

    def rows(self, *, wall_s: float, jobs: int) -> Rows:
        """The totals as names and figures; `wall_s` is how long they took in so many processes."""
        core_s = max(self.cpu_s, 0.001)
        return [
            ("seeds", f"{self.seeds:,}"),
            ("seeds that violate an invariant", f"{self.violations:,}"),
            *((f"seeds on {lane.value.replace('_', ' ')}", f"{self.lanes[lane]:,}") for lane in Lane),
            ("seeds that last for weeks", f"{self.weeks:,}"),
            ("virtual device-hours", f"{self.device_hours:,.1f}"),
            ("virtual device-hours of the seeds that last for weeks", f"{self.weeks_hours:,.1f}"),
            ("old days dropped by desks", f"{self.counts['old days dropped']:,}"),
            ("old entries dropped by desks", f"{self.counts['old entries dropped']:,}"),
            ("journal entries", f"{self.counts['entries']:,}"),
            ("links", f"{self.counts['links']:,}"),
            ("messages", f"{self.counts['messages']:,}"),
            ("faults", f"{self.faults.total():,}"),
            ("longest healing, virtual seconds", f"{self.longest_healing_s:.0f}"),
            ("wall time, seconds", f"{wall_s:.1f} with {jobs} processes"),
            ("journal entries a second of one core", f"{self.counts['entries'] / core_s:,.0f}"),
            ("virtual device-hours a second of one core", f"{self.device_hours / core_s:.2f}"),
        ]

    def harm(self) -> tuple[Rows, Rows]:
        """Faults by kind, and crash points, with how often each came."""
        faults = [(name, f"{self.faults[name]:,}") for name in sorted({*FAULTS, AWAY, *self.faults})]
        return faults, [(point, f"{self.crash_points[point]:,}") for point in POINTS]

    def never(self) -> list[str]:
        """Faults and crash points that never came in so many seeds: they prove nothing."""
        if self.seeds < SEEDS_THAT_HAVE_ALL:
            return []
        names = [name for name in (*FAULTS, AWAY) if not self.faults[name]]
        return names + [point for point in POINTS if not self.crash_points[point]]


def add_up(results: Sequence[Result]) -> Totals:
    """Everything that ran."""
    weeks = [result for result in results if result.virtual_ms > WEEK_MS]
    return Totals(
        seeds=len(results),
        cpu_s=sum(result.cpu_s for result in results),
        violations=sum(1 for result in results if result.violation),
        device_hours=_device_hours(results),
        weeks=len(weeks),
        weeks_hours=_device_hours(weeks),
        longest_healing_s=max((result.healed_ms for result in results), default=0) / 1000,
        counts=_sum(result.counts for result in results),
        faults=_sum(result.faults for result in results),
        crash_points=_sum(result.crash_points for result in results),
        lanes=Counter(result.lane for result in results),
    )


def _device_hours(results: Iterable[Result]) -> float:
    return sum(result.virtual_ms * result.devices for result in results) / HOUR_MS


def _sum(counts: Iterable[dict[str, int]]) -> Counter[str]:
    total = Counter[str]()
    for count in counts:
        total.update(count)
    return total


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
    console.print(f"made small: python -m tests.simulation --shrink {result.seed}", highlight=False, soft_wrap=True)


def print_totals(console: Console, totals: Totals, *, wall_s: float, jobs: int) -> None:
    """Everything that ran, as two tables, and what never came up."""
    sums = Table(title="Simulation", show_header=False)
    for row in totals.rows(wall_s=wall_s, jobs=jobs):
        sums.add_row(*row)
    console.print(sums)
    table = Table("Fault or crash point", "Times", title="What was survived")
    for part in totals.harm():
        for row in part:
            table.add_row(*row)
        table.add_section()
    console.print(table)
    if never := totals.never():
        console.print(f"[bold red]never came up, and so proves nothing[/]: {escape(', '.join(never))}", soft_wrap=True)


def markdown(totals: Totals, *, wall_s: float, jobs: int) -> str:
    """The same tables for a page of documentation."""
    faults, points = totals.harm()
    tables = (
        (("of all seeds", ""), totals.rows(wall_s=wall_s, jobs=jobs)),
        (("fault", "times"), [(f"`{name}`", times) for name, times in faults]),
        (("crash point", "times"), [(f"`{name}`", times) for name, times in points]),
    )
    return "\n".join(_markdown_table(header, rows) for header, rows in tables)


def _markdown_table(header: tuple[str, str], rows: Rows) -> str:
    lines = [header, ("---", "---:"), *rows]
    return "".join(f"| {name} | {figure} |\n" for name, figure in lines)


def print_shrunk(console: Console, shrunk: Shrunk, *, took_s: float) -> None:
    """How small a failing plan became."""
    title = f"{shrunk.after.name}: {shrunk.runs} runs, {took_s:.0f} s"
    table = Table("What the plan holds", "Before", "After", title=title)
    for name in ("lane", "devices", "centers", "children", "turmoil_ms", *_LISTS):
        before, after = (getattr(plan, name) for plan in (shrunk.before, shrunk.after.plan))
        if name in _LISTS:
            before, after = len(before), len(after)
        table.add_row(name, str(before), str(after))
    console.print(table)


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


def mutants_markdown(deaths: Sequence[Death]) -> str:
    """The same for a page of documentation."""
    rows = [f"| `{death.mutant}` | {death.seed or 'survives'} | `{death.checker}` |\n" for death in deaths]
    return "| mutant | first seed | checker |\n|---|---:|---|\n" + "".join(rows)
