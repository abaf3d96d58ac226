"""Today in names: who is here, expected, absent, and gone home."""

from typing import ClassVar, Final
from zoneinfo import ZoneInfo

from textual import work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.screen import Screen

from kiosk.screens.fitting import fit
from kiosk.screens.freshness import calmly, keep_fresh
from kiosk.screens.page import answer, hint, page_frame
from kiosk.screens.port import DeskPort, WallClock
from kiosk.services.today import Today, TodayLine, TodayState, counts
from kiosk.widgets.choice_list import ChoiceList, Row, in_columns
from kiosk.widgets.quiet_line import QuietLine
from kiosk.widgets.wording import moment_text

SIGNS: Final = {TodayState.EXPECTED: "○", TodayState.ABSENT: "–", TodayState.HERE: "●", TodayState.LEFT: "←"}
FILTERS: Final[tuple[TodayState | None, ...]] = (None, *SIGNS)


class TodayScreen(Screen[None]):
    """Grouped by where the children stand, the ones to wait for first."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("f", "filter", "Filter"),
        Binding("escape", "close", "Back"),
    ]

    def __init__(self, desk: DeskPort, clock: WallClock, zone: ZoneInfo) -> None:
        super().__init__()
        self._desk = desk
        self._clock = clock
        self._zone = zone
        self._today = Today(())
        self._filter = 0

    def compose(self) -> ComposeResult:
        """Counts, then names."""
        yield from page_frame(head=[QuietLine(id="page-words")])

    def on_mount(self) -> None:
        """Show the names, and stay in step."""
        fit(self)
        hint(self, "F shows one group after the other.")
        self.query_one(ChoiceList).focus()
        self._follow()

    def on_resize(self) -> None:
        """Fit the columns to the new width."""
        self._show()

    def action_filter(self) -> None:
        """All groups, or one after the other."""
        self._filter = (self._filter + 1) % len(FILTERS)
        self._show()

    def action_close(self) -> None:
        """Back to the roster."""
        self.dismiss(None)

    @work(group="follow")
    async def _follow(self) -> None:
        await keep_fresh(self._desk, self._read_again)

    async def _read_again(self) -> None:
        async def read() -> str:
            self._today = await self._desk.building.today()
            self._show()
            return ""

        await calmly(read, self._say)

    def _show(self) -> None:
        found = counts(self._today.lines)
        closed = f"  CLOSED: {self._today.closed}" if self._today.closed else ""
        self.query_one("#page-title", QuietLine).say(f"TODAY  {len(self._today.lines)} children{closed}")
        self.query_one("#page-words", QuietLine).say("  ".join(f"{SIGNS[one]} {found[one]} {one}" for one in SIGNS))
        rows: list[Row] = []
        for state in SIGNS:
            lines = self._today.of(state)
            if lines and FILTERS[self._filter] in (None, state):
                rows.append(
                    Row(f"group {state}", f"{SIGNS[state]} {state} ({len(lines)})", "bold $quiet", is_heading=True)
                )
                rows += [self._row(one) for one in lines]
        self.query_one(ChoiceList).show(rows, empty_words="Nobody; F shows the next group.")

    def _row(self, one: TodayLine) -> Row:
        since = one.line.since_ms
        words = one.why or ("" if since is None else moment_text(since, self._clock.wall_ms(), self._zone))
        width = max(self.size.width - 4, 16)
        columns = ((one.line.room_name, 14), (words, 20 if width > 60 else 6))  # noqa: PLR2004 - a narrow terminal
        return Row(one.line.child_id, in_columns(width, f"  {one.line.listed_name}", *columns))

    def _say(self, sentence: str) -> None:
        answer(self, sentence)
