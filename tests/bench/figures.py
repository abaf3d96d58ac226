"""What a benchmark found: figures of several runs beside their targets and raw limits, and the table of them."""

import math
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

Figures = Mapping[str, float]
"""What one run found, by name."""


@dataclass(frozen=True)
class Line:
    """How a figure is shown: its name with its unit, what it means, its target, and the raw limit of the same work."""

    name: str
    meaning: str
    target: float | None = None
    raw: str = ""
    is_rate: bool = False

    def times_raw(self, value: float, raw: float) -> float:
        """How many times the raw limit this is; 1 is as fast as the machine can."""
        return raw / value if self.is_rate else value / raw

    def is_off(self, value: float) -> bool:
        """Whether the value misses its target."""
        if self.target is None:
            return False
        return value < self.target if self.is_rate else value > self.target

    def times_target(self, value: float) -> float:
        """How many times worse than its target; below 1 it is better."""
        if self.target is None:
            return 0.0
        return self.target / value if self.is_rate else value / self.target


@dataclass(frozen=True)
class Report:
    """One benchmark: what was done, its runs, how to show them, and what else should be known."""

    code: str
    did: str
    runs: Sequence[Figures]
    lines: Sequence[Line]
    notes: Sequence[str] = field(default=())

    def rows(self) -> list[tuple[str, ...]]:
        """A row of the table for each line: name, median, lowest, highest, target, raw limit, times raw."""
        return [self._row(line) for line in self.lines if self._values(line.name)]

    def misses(self) -> list[str]:
        """A sentence for each figure that is not as good as its target."""
        found = []
        for line in self.lines:
            values = self._values(line.name)
            if values and line.is_off(median := statistics.median(values)):
                found.append(f"{self.code} {line.name}: {line.times_target(median):.1f} times its target")
        return found

    def _row(self, line: Line) -> tuple[str, ...]:
        values = self._values(line.name)
        median = statistics.median(values)
        raws = self._values(line.raw)
        raw = statistics.median(raws) if raws else math.nan
        bound = "at least " if line.is_rate else "at most "
        return (
            f"  {line.name}: {line.meaning}",
            written(median),
            written(min(values)),
            written(max(values)),
            "" if line.target is None else bound + written(line.target),
            written(raw) if raws else "",
            written(line.times_raw(median, raw)) if raws and raw and median else "",
        )

    def _values(self, name: str) -> list[float]:
        return [run[name] for run in self.runs if name in run]


HEADINGS = ("", "median", "lowest", "highest", "target", "raw limit", "x raw")


def written(value: float) -> str:
    """A number with three digits that matter."""
    if value == 0 or not math.isfinite(value):
        return f"{value:.0f}"
    digits = max(0, 2 - math.floor(math.log10(abs(value))))
    return f"{value:,.{digits}f}"


def quantile(values: Sequence[float], share: float) -> float:
    """The value that this share of all values does not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, max(0, math.ceil(share * len(ordered)) - 1))]


def table(reports: Iterable[Report]) -> str:
    """All reports as one table of plain text."""
    listed = list(reports)
    rows = [HEADINGS, *(row for report in listed for row in report.rows())]
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEADINGS))]
    lines = [_aligned(HEADINGS, widths)]
    for report in listed:
        lines += ["", f"{report.code}  {report.did}"]
        lines += [_aligned(row, widths) for row in report.rows()]
        lines += [f"    {note}" for note in report.notes]
    return "\n".join(lines)


def _aligned(row: Sequence[str], widths: Sequence[int]) -> str:
    cells = [row[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True))]
    return "  ".join(cells).rstrip()
