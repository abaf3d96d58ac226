"""A list whose chosen line has a sign in front: in 16 colours, or none, the colour behind it is hard to see."""

from typing import Final

from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip
from textual.widgets import OptionList

POINTER: Final = ">"
CHOSEN: Final = ("option-list--option", "option-list--option-highlighted")


class PointedList(OptionList):
    """Each line of it begins with a blank cell, which the sign takes while the line is chosen.

    A line's own colours stand out from the list's background and not from that of the chosen line, which drops them.
    """

    def render_line(self, y: int) -> Strip:
        """Draw one line of the screen; the sign stands on the first one of the chosen line that is seen."""
        strip = super().render_line(y)
        style = _style_of(strip)
        if self.highlighted is None or _option_of(style) != self.highlighted:
            return strip
        ink = Style(color=self.get_visual_style(*CHOSEN).rich_style.color)
        strip = Strip(Segment.apply_style(strip, post_style=ink), strip.cell_length)
        if y > 0 and _option_of(_style_of(super().render_line(y - 1))) == self.highlighted:
            return strip
        return Strip.join([Strip([Segment(POINTER, (style or Style.null()) + ink)], 1), strip.crop(1)])


def _style_of(strip: Strip) -> Style | None:
    return next((segment.style for segment in strip), None)


def _option_of(style: Style | None) -> int | None:
    return None if style is None else style.meta.get("option")
