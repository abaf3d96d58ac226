"""A list whose chosen line has a sign in front: in 16 colours, or none, the colour behind it is hard to see."""

from typing import Final

from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip
from textual.widgets import OptionList

POINTER: Final = ">"


class PointedList(OptionList):
    """Each line of it begins with a blank cell, which the sign takes while the line is chosen."""

    def render_line(self, y: int) -> Strip:
        """Draw one line of the screen; the sign stands on the first one of the chosen line that is seen."""
        strip = super().render_line(y)
        style = _style_of(strip)
        is_chosen = self.highlighted is not None and _option_of(style) == self.highlighted
        if not is_chosen or (y > 0 and _option_of(_style_of(super().render_line(y - 1))) == self.highlighted):
            return strip
        return Strip.join([Strip([Segment(POINTER, style)], 1), strip.crop(1)])


def _style_of(strip: Strip) -> Style | None:
    return next((segment.style for segment in strip), None)


def _option_of(style: Style | None) -> int | None:
    return None if style is None else style.meta.get("option")
