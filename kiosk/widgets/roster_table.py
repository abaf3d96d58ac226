"""The roster: one line per child, drawn only where it can be seen, so that 500 children cost no more than 20.

The cursor is a child, not a row number: when lines move, it stays with its child, and when its child
leaves the list it goes away rather than to a neighbour. Nobody is chosen until a person chooses.

The list never has the focus: keys belong to the search field, so that a name typed at any moment is a search
and ENTER comes after all of its letters.
"""

from collections.abc import Iterable, Sequence
from typing import ClassVar, Final, NamedTuple
from zoneinfo import ZoneInfo

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.geometry import Region, Size
from textual.reactive import Reactive
from textual.scroll_view import ScrollView
from textual.strip import Strip

from kiosk.messages import Mark, Presence
from kiosk.services.desk import RosterLine
from kiosk.widgets.pointed_list import POINTER
from kiosk.widgets.wording import (
    ALERT_SYMBOL,
    STATUS_SYMBOLS,
    in_cells,
    mark_text,
    moment_text,
    name_cell,
    notes_text,
    status_text,
)

GAP: Final = 2
NAME_WIDTH_MIN: Final = 12
TITLED_HEIGHT_MIN: Final = 3
STATUS_LOOKS: Final = {
    Presence.IN: "roster--in",
    Presence.NOT_ARRIVED: "roster--quiet",
    Presence.OUT: "roster--out",
}


class Column(NamedTuple):
    """A column; it is left out on a screen narrower than `screen_width_min` cells."""

    name: str
    title: str
    width: int
    screen_width_min: int


# At 80 cells: 2 edge + name 24 + room 14 + status 11 + since 6 + mark 15 + 4 gaps of 2 = 80.
COLUMNS: Final = (
    Column("room", "Room", 14, 70),
    Column("status", "Status", 11, 36),
    Column("since", "Since", 6, 46),
    Column("mark", "Record", 15, 56),
    Column("alerts", "Alerts", 30, 112),
)


class RosterTable(ScrollView, can_focus=False):
    """A list of children with one of them chosen, or none."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "roster--title",
        "roster--cursor",
        "roster--in",
        "roster--out",
        "roster--alert",
        "roster--review",
        "roster--quiet",
    }

    # Another number of lines moves nothing else on the screen, so it is no reason to lay it all out anew.
    virtual_size = Reactive(Size(0, 0), layout=False)

    def __init__(self) -> None:
        super().__init__(id="roster")
        self._lines: list[RosterLine] = []
        self._rows: dict[str, int] = {}
        self._cursor_id = ""
        self._now_ms = 0
        self._zone = ZoneInfo("UTC")
        self._empty_words = ""
        self._base: Style | None = None

    @property
    def chosen(self) -> RosterLine | None:
        """The child under the cursor."""
        row = self._rows.get(self._cursor_id)
        return None if row is None else self._lines[row]

    @property
    def lines(self) -> Sequence[RosterLine]:
        """What is listed now, in order."""
        return self._lines

    def show(self, lines: Sequence[RosterLine], *, empty_words: str) -> None:
        """List these children; repaints only lines that differ when no line has moved."""
        old, self._lines, self._empty_words = self._lines, list(lines), empty_words
        self._rows = {line.child_id: row for row, line in enumerate(self._lines)}
        if self._cursor_id not in self._rows:
            self._cursor_id = ""
        if [line.child_id for line in old] == [line.child_id for line in self._lines] and old:
            self._repaint(row for row, line in enumerate(self._lines) if line != old[row])
            return
        self._fit()
        self.refresh()
        self._keep_cursor_in_sight()

    def show_time(self, now_ms: int, zone: ZoneInfo) -> None:
        """Take the moment and zone in which "since" is worded; repaints on a new day or zone."""
        day_ms = 86_400_000
        changed = zone != self._zone or now_ms // day_ms != self._now_ms // day_ms
        self._now_ms, self._zone = now_ms, zone
        if changed:
            self.refresh()

    def choose(self, child_id: str) -> None:
        """Put the cursor on a child; an unknown id means on nobody."""
        rows = [self._rows[each] for each in (self._cursor_id, child_id) if each in self._rows]
        self._cursor_id = child_id if child_id in self._rows else ""
        self._repaint(rows)
        self._keep_cursor_in_sight()

    def choose_first(self) -> None:
        """Put the cursor on the best match."""
        self.choose(self._lines[0].child_id if self._lines else "")

    def move_cursor(self, steps: int) -> None:
        """Move by so many lines; from nobody to the first or, upwards, to the last."""
        if not self._lines:
            return
        last = len(self._lines) - 1
        row = self._rows.get(self._cursor_id)
        if row is None:
            row = -1 if steps > 0 else last + 1
            steps = 1 if steps > 0 else -1
        self.choose(self._lines[min(max(row + steps, 0), last)].child_id)

    def on_click(self, event: events.Click) -> None:
        """A mouse may choose, though it is never needed."""
        row = event.y + self.scroll_offset.y - self._titles
        if 0 <= row < len(self._lines):
            self.choose(self._lines[row].child_id)

    def notify_style_update(self) -> None:
        """Other colours: forget the ones that lines are drawn in."""
        super().notify_style_update()
        self._base = None

    def on_resize(self) -> None:
        """Fit the columns to the new width."""
        self._fit()
        self.refresh()
        self._keep_cursor_in_sight()

    def render_line(self, y: int) -> Strip:
        """Draw one line of the screen: the titles, a child, or nothing."""
        width = self.scrollable_content_region.width
        row = y + self.scroll_offset.y - self._titles
        if y < self._titles:
            return self._title_strip(width)
        if not self._lines and y == self._titles + min(2, max(self.size.height - 2, 0)):
            return self._strip([(f" {self._empty_words}", "roster--quiet")], width, "")
        if 0 <= row < len(self._lines):
            return self._child_strip(self._lines[row], width)
        return Strip.blank(width, self._plain())

    @property
    def _titles(self) -> int:
        """How many lines the titles of the columns take: none where they would leave too little for children."""
        return 1 if self.size.height >= TITLED_HEIGHT_MIN else 0

    def _fit(self) -> None:
        height = len(self._lines) + self._titles
        self.virtual_size = Size(self.scrollable_content_region.width, height)
        if self.show_vertical_scrollbar != (height > self.container_size.height):
            self.refresh(layout=True)
        elif self.show_vertical_scrollbar:
            self.vertical_scrollbar.window_virtual_size = height
        if self.scroll_offset.y > self.max_scroll_y:
            self.scroll_to(y=self.max_scroll_y, animate=False)

    def _repaint(self, rows: Iterable[int]) -> None:
        regions = [self._region(row) for row in rows]
        if regions:
            self.refresh(*regions)

    def _region(self, row: int) -> Region:
        return Region(0, row + self._titles - self.scroll_offset.y, self.size.width, 1)

    def _keep_cursor_in_sight(self) -> None:
        row, page = self._rows.get(self._cursor_id), max(self.size.height - self._titles, 1)
        top = round(self.scroll_target_y)
        if row is None or top <= row < top + page:
            return
        self.scroll_to(y=row if row < top else row - page + 1, animate=False)

    def _columns(self, width: int) -> tuple[list[Column], int]:
        columns = [column for column in COLUMNS if width >= column.screen_width_min]
        taken = sum(column.width + GAP for column in columns) + 2
        return columns, max(width - taken, NAME_WIDTH_MIN if columns else 1)

    def _title_strip(self, width: int) -> Strip:
        columns, name_width = self._columns(width)
        cells = [(" " + in_cells("Name", name_width), "")]
        cells += [(" " * GAP + in_cells(column.title, column.width), "") for column in columns]
        return self._strip(cells, width, "roster--title")

    def _child_strip(self, line: RosterLine, width: int) -> Strip:
        columns, name_width = self._columns(width)
        cells = self._name_cells(line, name_width, with_status=not columns)
        for column in columns:
            text, look = self._cell(line, column.name)
            cells.append((" " * GAP + in_cells(text, column.width), look))
        if line.child_id != self._cursor_id:
            return self._strip(cells, width, "")
        cells[0] = (POINTER + cells[0][0][1:], cells[0][1])
        return self._strip(cells, width, "roster--cursor")

    def _name_cells(self, line: RosterLine, width: int, *, with_status: bool) -> list[tuple[str, str]]:
        """The name, cut before the alert sign and not over it; on a tiny screen the state's sign leads."""
        lead = f" {STATUS_SYMBOLS[line.status]} " if with_status else " "
        flag = f" {ALERT_SYMBOL}" if line.alerts else "  "
        return [(lead + name_cell(line, max(width - 2, 1)), ""), (flag, "roster--alert")]

    def _cell(self, line: RosterLine, column: str) -> tuple[str, str]:
        if column == "room":
            return line.room_name, ""
        if column == "status":
            return status_text(line), STATUS_LOOKS[line.status]
        if column == "since":
            return ("" if line.since_ms is None else moment_text(line.since_ms, self._now_ms, self._zone)), ""
        if column == "mark":
            look = "roster--review" if line.mark is Mark.NEEDS_REVIEW else "roster--quiet"
            return mark_text(line.mark), look
        return notes_text(line), "roster--alert"

    def _strip(self, cells: list[tuple[str, str]], width: int, whole: str) -> Strip:
        base = self._plain()
        over = self.get_component_rich_style(whole, partial=True) if whole else Style.null()
        segments = [Segment(text, base + self._look(look) + over) for text, look in cells]
        return Strip(segments).adjust_cell_length(width, base + over)

    def _plain(self) -> Style:
        """The list's own colours; Textual asks every container for its part each time."""
        self._base = self.rich_style if self._base is None else self._base
        return self._base

    def _look(self, name: str) -> Style:
        return self.get_component_rich_style(name, partial=True) if name else Style.null()
