"""A person's picture in the terminal: by its graphics, else two points in each cell, else initials.

A cell is about twice as high as it is wide, and `▀` fills its upper half: with one colour before and one behind it, a
cell is two points, one above the other. Where the terminal has graphics (`kiosk/widgets/photo_driver.py`) every point
of the picture is shown, in the same place: instead of the cells by kitty's protocol, over them by sixel.
"""

from collections.abc import Callable
from typing import Any, Final, TypeAlias

from textual.app import App
from textual.color import Color
from textual.content import Content, Span
from textual.geometry import Region
from textual.strip import Strip
from textual.style import Style
from textual.widgets import Static

from kiosk.widgets.photo_driver import photo_driver
from kiosk.widgets.terminal_answers import Graphics
from kiosk.widgets.terminal_pictures import CellSize, colour_of, placeholders, sixels
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


def boxed(letters: Content, side: int) -> Content:
    """Initials in the place of a picture: what is seen of it where the picture cannot lie over it."""
    lines = [*letters.plain.split("\n"), *[""] * side][: side // 2]
    return Content("\n".join([line.ljust(side) for line in lines]))


def named(image_id: int, side: int) -> Content:
    """The place of an image that the terminal has, as large as a drawn picture."""
    return Content.styled(placeholders(side, side // 2), Style(foreground=Color(*colour_of(image_id))))


class Face(Static):
    """Who is meant, with the name below; nothing at all until somebody is shown."""

    def __init__(self, *, id: str | None = None, side_max: int = PICTURE_SIDE) -> None:  # noqa: A002  Textual's name
        super().__init__(id=id, classes="face", markup=False)
        self.shown = ""
        self._side_max = side_max
        self._image_id = 0
        self._over: tuple[Picture, int] | None = None
        self._sixels: tuple[CellSize, str] | None = None

    def on_mount(self) -> None:
        """Take no room for nobody."""
        self.display = bool(self.shown)

    def on_unmount(self) -> None:
        """Nobody's face outlives the question."""
        self._take_away()

    def show(self, name: str, picture: Picture | None) -> None:
        """Show somebody: the picture if there is one and the terminal can draw it, else the initials."""
        side = min(side_for(self.app.size.height), self._side_max)
        self._take_away()
        face, width = lettered(name), INITIALS_COLUMNS
        if picture is not None and side:
            face, width = self._drawn(picture, side, face)
        caption = name if len(name) <= width else name.split(" ", maxsplit=1)[0][:width]
        self.update(Content("\n").join([face, Content(caption)]))
        self.shown = name
        self.display = bool(side)

    def render_lines(self, crop: Region) -> list[Strip]:
        """Textual's; whatever is written anew here needs its picture anew, too."""
        driver = photo_driver(self.app) if self._over is not None else None
        if driver is not None:
            driver.lay_over(self._overlay)
        return super().render_lines(crop)

    def _drawn(self, picture: Picture, side: int, letters: Content) -> tuple[Content, int]:
        """The best that this terminal can, and how wide it is; `letters` where it can do nothing."""
        app, driver = self.app, photo_driver(self.app)
        graphics = driver.graphics if driver is not None and not app.no_color else Graphics.NONE
        has_colours = can_draw(app.console.color_system, no_color=app.no_color, ansi=app.ansi_color is True)
        # The number of an image is a colour, and must arrive as the one that it is.
        if driver is not None and graphics is Graphics.KITTY and app.console.color_system == "truecolor":
            self._image_id = driver.draw(picture, columns=side, rows=side // 2)
            if self._image_id:
                return named(self._image_id, side), side
        if graphics is Graphics.SIXEL:
            self._over = picture, side
        if has_colours:
            return drawn(picture, side), side
        return (boxed(letters, side), side) if self._over else (letters, INITIALS_COLUMNS)

    def forget(self) -> None:
        """Show nobody, and keep nothing of it in the terminal."""
        self._take_away()
        self.update("")

    def _take_away(self) -> None:
        driver = photo_driver(self.app)
        if driver is not None and self._image_id:
            driver.forget(self._image_id)
        self._image_id, self._over, self._sixels = 0, None, None

    def _overlay(self) -> str:
        """The picture at its place; nothing while it is under something or not wholly in sight."""
        driver = photo_driver(self.app)
        cell = driver.cell_size() if driver is not None else None
        if self._over is None or cell is None or not self.is_attached or self.screen is not self.app.screen:
            return ""
        picture, side = self._over
        place = Region(self.content_region.x, self.content_region.y, side, side // 2)
        if not self.display or not self.screen.find_widget(self).visible_region.contains_region(place):
            return ""
        if self._sixels is None or self._sixels[0] != cell:
            self._sixels = cell, sixels(picture, width=side * cell.width, height=side // 2 * cell.height)
        return f"\x1b7\x1b[{place.y + 1};{place.x + 1}H{self._sixels[1]}\x1b8"


def forget_faces(app: App[Any]) -> None:
    """Before a desk is locked: no face stays in the terminal beneath, for a question that is over then."""
    for screen in app.screen_stack:
        for face in screen.query(Face):
            face.forget()
