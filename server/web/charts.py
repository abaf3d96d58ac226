"""Charts as shapes of SVG: no script, no inline style, only classes and presentation attributes.

A template turns shapes into elements and escapes every value, as it does with everything. Each chart has its title in
words, and the page has a table of the same figures beside it. Lines differ in their strokes and cells in their numbers,
so that nothing is told by colour alone.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
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
class Shape:
    """An element: its name, its attributes as text, and the text in it."""

    tag: str
    attributes: dict[str, str]
    text: str = ""


@dataclass(frozen=True, slots=True)
class Drawing:
    """A chart: what it shows in words, its height (its width is `WIDTH`), and its shapes from the back to the front."""

    title: str
    height: int
    shapes: tuple[Shape, ...]
    width: int = field(default=WIDTH, init=False)


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


def curve(title: str, lines: Sequence[Line], span: tuple[int, int]) -> Drawing:
    """Draw lines as steps over the minutes of a day from the first to the last of `span`."""
    most = max((value for line in lines for _, value in line.points), default=0)
    axes = _Axes(span, _ceiling(most))
    drawn = [Shape("path", {"d": _steps(line, axes), "class": line.style}) for line in lines if line.points]
    return Drawing(title, HEIGHT, (*axes.grid(), *drawn))


def histogram(title: str, bars: Sequence[Bars], span: tuple[int, int], *, step: int) -> Drawing:
    """Draw bars beside each other for each step of minutes."""
    most = max((value for one in bars for value in one.values.values()), default=0)
    axes = _Axes(span, _ceiling(most))
    width = (axes.x(span[0] + step) - axes.x(span[0])) / max(len(bars), 1)
    drawn = [
        _box(axes.x(minute) + number * width, axes.y(value), max(width - 1, 1), axes.y(0) - axes.y(value), one.style)
        for number, one in enumerate(bars)
        for minute, value in sorted(one.values.items())
        if span[0] <= minute < span[1] and value
    ]
    return Drawing(title, HEIGHT, (*axes.grid(), *drawn))


def heat_map(title: str, cells: Mapping[tuple[int, int], float], hours: tuple[int, int], *, full: float) -> Drawing:
    """Draw weekdays (1 is Monday) as rows and hours as columns; each cell has its number, and `full` is the darkest."""
    days = sorted({day for day, _ in cells})
    columns = max(hours[1] - hours[0], 1)
    width, height = (WIDTH - LEFT) / columns, 30
    drawn: list[Shape] = []
    for row, day in enumerate(days):
        y = TOP + row * height
        drawn.append(_word(LEFT - 6, y + 20, "end", DAY_NAMES[day - 1]))
        for hour in range(*hours):
            value = cells.get((day, hour), 0.0)
            x = LEFT + (hour - hours[0]) * width
            level = _level(value, full)
            drawn.append(_box(x, y, width - 2, height - 2, f"heat level-{level}"))
            drawn.append(_word(x + width / 2, y + 19, "middle", f"{value:.0f}", f"on-{level}"))
    foot = TOP + len(days) * height + 14
    drawn += [_word(LEFT + (hour - hours[0] + 0.5) * width, foot, "middle", f"{hour:02}") for hour in range(*hours)]
    return Drawing(title, foot + 8, tuple(drawn))


class _Axes:
    """Where a minute and a value lie."""

    def __init__(self, span: tuple[int, int], top: float) -> None:
        self._first, self._last = span
        self._top = top

    def x(self, minute: float) -> float:
        return LEFT + (minute - self._first) / max(self._last - self._first, 1) * (WIDTH - LEFT - RIGHT)

    def y(self, value: float) -> float:
        return TOP + (1 - value / self._top) * (HEIGHT - TOP - BOTTOM)

    def grid(self) -> Iterator[Shape]:
        for value in (0, self._top / 2, self._top):
            y = f"{self.y(value):.1f}"
            yield Shape("line", {"x1": f"{LEFT}", "x2": f"{WIDTH - RIGHT}", "y1": y, "y2": y, "class": "rule"})
            yield _word(LEFT - 6, self.y(value) + 4, "end", f"{value:g}")
        step = 2 * _HOUR
        for minute in range(ceil(self._first / step) * step, self._last + 1, step):
            yield _word(self.x(minute), HEIGHT - 8, "middle", told(minute))


def _word(x: float, y: float, anchor: str, text: str, style: str = "label") -> Shape:
    return Shape("text", {"x": f"{x:.1f}", "y": f"{y:.1f}", "text-anchor": anchor, "class": style}, text)


def _box(x: float, y: float, width: float, height: float, style: str) -> Shape:
    sides = {"x": x, "y": y, "width": width, "height": height}
    return Shape("rect", {**{name: f"{side:.1f}" for name, side in sides.items()}, "class": style})


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
