"""Charts as SVG, drawn on the server: no script, no inline style, only classes and presentation attributes.

Each chart has its title in words, and the page has a table of the same figures beside it. Lines differ in their strokes
and cells in their numbers, so that nothing is told by colour alone.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from math import ceil
from typing import Final

WIDTH: Final = 720
HEIGHT: Final = 220
LEFT: Final = 40
RIGHT: Final = 10
TOP: Final = 14
BOTTOM: Final = 26
HEAT_LEVELS: Final = 5
DAY_NAMES: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_HOUR: Final = 60


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a curve: points of minute and value, by minute; `style` is one of present, expected, limit."""

    style: str
    points: Sequence[tuple[int, float]]


@dataclass(frozen=True, slots=True)
class Bars:
    """Bars of a histogram: values by minute; `style` is one of came, went."""

    style: str
    values: Mapping[int, float]


def curve(title: str, lines: Sequence[Line], span: tuple[int, int]) -> str:
    """Draw lines as steps over the minutes of a day from the first to the last of `span`."""
    most = max((value for line in lines for _, value in line.points), default=0)
    axes = _Axes(span, _ceiling(most))
    drawn = "".join(f'<path d="{_steps(line, axes)}" class="{line.style}"/>' for line in lines if line.points)
    return _svg(title, "".join(axes.grid()) + drawn, HEIGHT)


def histogram(title: str, bars: Sequence[Bars], span: tuple[int, int], *, step: int) -> str:
    """Draw bars beside each other for each step of minutes."""
    most = max((value for one in bars for value in one.values.values()), default=0)
    axes = _Axes(span, _ceiling(most))
    width = (axes.x(span[0] + step) - axes.x(span[0])) / max(len(bars), 1)
    drawn = [
        f'<rect x="{axes.x(minute) + number * width:.1f}" y="{axes.y(value):.1f}" width="{max(width - 1, 1):.1f}" '
        f'height="{axes.y(0) - axes.y(value):.1f}" class="{one.style}"/>'
        for number, one in enumerate(bars)
        for minute, value in sorted(one.values.items())
        if span[0] <= minute < span[1] and value
    ]
    return _svg(title, "".join(axes.grid()) + "".join(drawn), HEIGHT)


def heat_map(title: str, cells: Mapping[tuple[int, int], float], hours: tuple[int, int], *, full: float) -> str:
    """Draw weekdays (1 is Monday) as rows and hours as columns; each cell has its number, and `full` is the darkest."""
    days = sorted({day for day, _ in cells})
    columns = max(hours[1] - hours[0], 1)
    width, height = (WIDTH - LEFT) / columns, 30
    drawn: list[str] = []
    for row, day in enumerate(days):
        y = TOP + row * height
        drawn.append(f'<text x="{LEFT - 6}" y="{y + 20}" text-anchor="end">{DAY_NAMES[day - 1]}</text>')
        for hour in range(*hours):
            value = cells.get((day, hour), 0.0)
            x = LEFT + (hour - hours[0]) * width
            drawn.append(
                f'<rect x="{x:.1f}" y="{y}" width="{width - 2:.1f}" height="{height - 2}" '
                f'class="heat level-{_level(value, full)}"/><text x="{x + width / 2:.1f}" y="{y + 19}" '
                f'text-anchor="middle" class="on-{_level(value, full)}">{value:.0f}</text>'
            )
    foot = TOP + len(days) * height + 14
    drawn += [
        f'<text x="{LEFT + (hour - hours[0] + 0.5) * width:.1f}" y="{foot}" text-anchor="middle">{hour:02}</text>'
        for hour in range(*hours)
    ]
    return _svg(title, "".join(drawn), foot + 8)


class _Axes:
    """Where a minute and a value lie."""

    def __init__(self, span: tuple[int, int], top: float) -> None:
        self._first, self._last = span
        self._top = top

    def x(self, minute: float) -> float:
        return LEFT + (minute - self._first) / max(self._last - self._first, 1) * (WIDTH - LEFT - RIGHT)

    def y(self, value: float) -> float:
        return TOP + (1 - value / self._top) * (HEIGHT - TOP - BOTTOM)

    def grid(self) -> Iterator[str]:
        for value in (0, self._top / 2, self._top):
            y = f"{self.y(value):.1f}"
            yield f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y}" y2="{y}" class="rule"/>'
            yield f'<text x="{LEFT - 6}" y="{self.y(value) + 4:.1f}" text-anchor="end">{value:g}</text>'
        step = 2 * _HOUR
        for minute in range(ceil(self._first / step) * step, self._last + 1, step):
            yield f'<text x="{self.x(minute):.1f}" y="{HEIGHT - 8}" text-anchor="middle">{told(minute)}</text>'


def told(minute: int) -> str:
    """A minute of the day as clocks show it."""
    return f"{minute // _HOUR:02}:{minute % _HOUR:02}"


def _steps(line: Line, axes: _Axes) -> str:
    parts: list[str] = []
    for minute, value in line.points:
        x, y = axes.x(minute), axes.y(value)
        parts.append(f"H{x:.1f}V{y:.1f}" if parts else f"M{x:.1f} {y:.1f}")
    return "".join(parts)


def _ceiling(most: float) -> float:
    step = next((size for limit, size in ((10, 2), (50, 10), (200, 50)) if most <= limit), 200)
    return max(ceil(most / step) * step, step)


def _level(value: float, full: float) -> int:
    """Of five: 0 is nothing, 5 is full or more."""
    return min(HEAT_LEVELS, ceil(value / full * HEAT_LEVELS)) if full > 0 and value > 0 else 0


def _svg(title: str, content: str, height: float) -> str:
    label = escape(title, quote=True)
    return (
        f'<svg viewBox="0 0 {WIDTH} {height:.0f}" role="img" aria-label="{label}" class="chart">'
        f"<title>{label}</title>{content}</svg>"
    )
