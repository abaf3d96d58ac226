"""A person's picture in the terminal: two points in each cell where there are colours, initials where there are none.

A cell is about twice as high as it is wide, and `▀` fills its upper half: with one colour before and one behind it, a
cell is two points, one above the other.
"""

from collections.abc import Callable
from typing import Final, TypeAlias

from textual.color import Color
from textual.content import Content, Span
from textual.style import Style
from textual.widgets import Static

from sync.pictures import Picture, scaled
from sync.records import PICTURE_SIDE

HALF_BLOCK: Final = "▀"
INITIALS_MAX: Final = 2
INITIALS_COLUMNS: Final = INITIALS_MAX + 4  # with a blank and a line on each side
# Points along a side by the rows of the terminal: what leaves room for the question beside it, and for its alerts.
SIDES: Final = ((30, 24), (24, 16))
SIDE_OF_TWO: Final = 16
_COLOURFUL: Final = frozenset({"truecolor", "256"})

Gallery: TypeAlias = Callable[[str], Picture | None]
"""Gives the picture of a person by their id; None where there is none."""


def nobody(_person_id: str) -> Picture | None:
    """The gallery of a desk without a picture."""
    return None


def can_draw(color_system: str | None, *, no_color: bool, ansi: bool) -> bool:
    """Whether a terminal shows colours as they are: of 16 that everybody sets as they like, no face can be made."""
    return color_system in _COLOURFUL and not no_color and not ansi


def side_for(rows: int) -> int:
    """How many points a picture has along a side in a terminal of so many rows; 0: there is no room for one."""
    return next((side for least, side in SIDES if rows >= least), 0)


def initials(name: str) -> str:
    """`AS` for Ana Maria Silva: the first letters of the first and the last word; `?` of nobody."""
    words = [word for word in name.split() if word[0].isalpha()]
    ends = words if len(words) <= INITIALS_MAX else [words[0], words[-1]]
    return "".join(word[0].upper() for word in ends) or "?"


def drawn(picture: Picture, side: int) -> Content:
    """A picture as `side` columns and half as many rows; `side` is even."""
    points = scaled(picture, side)
    spans = []
    for row in range(0, side, 2):
        for column in range(side):
            at = row // 2 * (side + 1) + column
            upper, lower = points[row][column], points[row + 1][column]
            spans.append(Span(at, at + 1, Style(foreground=Color(*upper), background=Color(*lower))))
    return Content("\n".join([HALF_BLOCK * side] * (side // 2)), spans=spans)


def lettered(name: str) -> Content:
    """Initials in a frame."""
    letters = initials(name).center(INITIALS_MAX)
    return Content(f"┌────┐\n│ {letters} │\n└────┘")


class Face(Static):
    """Who is meant, with the name below; nothing at all until somebody is shown."""

    def __init__(self, *, id: str | None = None, side_max: int = PICTURE_SIDE) -> None:  # noqa: A002  Textual's name
        super().__init__(id=id, classes="face", markup=False)
        self.shown = ""
        self._side_max = side_max

    def on_mount(self) -> None:
        """Take no room for nobody."""
        self.display = bool(self.shown)

    def show(self, name: str, picture: Picture | None) -> None:
        """Show somebody: the picture if there is one and the terminal can draw it, else the initials."""
        app, side = self.app, min(side_for(self.app.size.height), self._side_max)
        is_drawn = picture is not None and can_draw(
            app.console.color_system, no_color=app.no_color, ansi=app.ansi_color is True
        )
        if picture is not None and is_drawn and side:
            face, width = drawn(picture, side), side
        else:
            face, width = lettered(name), INITIALS_COLUMNS
        caption = name if len(name) <= width else name.split(" ", maxsplit=1)[0][:width]
        self.update(Content("\n").join([face, Content(caption)]))
        self.shown = name
        self.display = bool(side)
