"""A list of lines of which one is chosen, by what it is about and not by its number: when lines move, it stays."""

from collections.abc import Sequence
from dataclasses import dataclass

from textual.content import Content
from textual.widgets.option_list import Option, OptionDoesNotExist

from kiosk.widgets.pointed_list import PointedList
from kiosk.widgets.wording import in_cells

GAP = "  "


@dataclass(frozen=True)
class Row:
    """A line: its key, its words, and a look of the style sheet's colours (`$warn`), empty for a plain one."""

    key: str
    text: str
    look: str = ""
    is_heading: bool = False


def in_columns(width: int, first: str, *others: tuple[str, int]) -> str:
    """Words in columns of so many cells; the first one takes what is left, at least 8."""
    taken = sum(cells + len(GAP) for _, cells in others)
    parts = [in_cells(first, max(width - taken, 8))]
    parts += [in_cells(text, cells) for text, cells in others]
    return GAP.join(parts).rstrip()


class ChoiceList(PointedList):
    """Headings cannot be chosen; an empty list says why it is empty."""

    def __init__(self, *, id: str) -> None:  # noqa: A002  Textual's name
        super().__init__(id=id, compact=True, markup=False)
        self._rows: tuple[Row, ...] = ()

    @property
    def chosen(self) -> str:
        """The key of the line under the cursor; empty when there is none."""
        option = self.highlighted_option
        return option.id or "" if option is not None and not option.disabled else ""

    def show(self, rows: Sequence[Row], *, empty_words: str) -> None:
        """List these; the cursor stays with its key, or else with its place. At first it is on nobody."""
        if tuple(rows) == self._rows and self.option_count:
            return
        key, place, top = self.chosen, self.highlighted, self.scroll_offset.y
        self._rows = tuple(rows)
        self.clear_options()
        self.add_options([_option(row) for row in rows] or [Option(empty_words, disabled=True)])
        self.choose(key)
        if place is not None and not self.chosen and rows:
            self.highlighted = min(place, len(rows) - 1)
            self._leave_heading()
        self.scroll_to(y=top, animate=False, immediate=True)

    def choose(self, key: str) -> None:
        """Put the cursor on a line; an unknown key leaves it on none."""
        try:
            self.highlighted = self.get_option_index(key) if key else None
        except OptionDoesNotExist:
            self.highlighted = None

    def _leave_heading(self) -> None:
        """From a heading to the first line that can be chosen behind it, or else before it."""
        at = self.highlighted or 0
        order = (*range(at, len(self._rows)), *range(at))
        self.highlighted = next((each for each in order if not self._rows[each].is_heading), None)


def _option(row: Row) -> Option:
    content = Content.styled(row.text, row.look) if row.look else Content(row.text)
    return Option(content, id=row.key, disabled=row.is_heading)
