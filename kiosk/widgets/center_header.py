"""The top of the screen: whose desk this is, the day, the time, and how many children are where."""

from collections import Counter
from collections.abc import Iterable
from typing import Final
from zoneinfo import ZoneInfo

from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.widgets import Digits, Static

from kiosk.messages import DeskStatus, Presence
from kiosk.services.desk import RosterLine
from kiosk.widgets.quiet_line import QuietLine
from kiosk.widgets.wording import ABSENT_SYMBOL, STATUS_SYMBOLS, clock_text, date_text

COUNTED: Final = ((Presence.IN, "in"), (Presence.NOT_ARRIVED, "not yet here"), (Presence.OUT, "gone home"))


class CenterHeader(Vertical):
    """Name and day on one line; below it large counts and the time, or one line of counts."""

    _names = ""
    _staff = ""

    def compose(self) -> ComposeResult:
        """Lay out the name line, the large numbers and their small stand-in."""
        with Horizontal(id="title-line"):
            yield QuietLine(id="center-name")
            yield QuietLine(id="today")
            yield QuietLine(id="small-time")
        with Horizontal(id="counts"):
            for status, words in COUNTED:
                yield Digits("0", id=f"count-{status}", classes="count")
                yield Static(f"\n\n{STATUS_SYMBOLS[status]} {words}", classes="count-words", markup=False)
            yield Digits("", id="time")
        yield QuietLine(id="counts-line")

    def show_counts(self, lines: Iterable[RosterLine]) -> None:
        """Count the whole roster, whatever is being searched for; nobody waits for a child that is absent."""
        counted = list(lines)
        counts = Counter(line.status for line in counted if not line.absence)
        absent = sum(bool(line.absence) for line in counted)
        for status, _ in COUNTED:
            self.query_one(f"#count-{status}", Digits).update(str(counts[status]))
        parts = [f"{STATUS_SYMBOLS[status]} {counts[status]} {words}" for status, words in COUNTED]
        parts += [f"{ABSENT_SYMBOL} {absent} absent"] if absent else []
        self.query_one("#counts-line", QuietLine).say("  ".join(parts))

    def show_center(self, status: DeskStatus) -> None:
        """Name the centre and this desk."""
        self._names = " · ".join(name for name in (status.center_name, status.device_name) if name)
        self._show_names()

    def show_staff(self, name: str) -> None:
        """Name who unlocked the desk; empty: nobody had to."""
        if name != self._staff:
            self._staff = name
            self._show_names()

    def _show_names(self) -> None:
        names = " · ".join(name for name in (self._names, self._staff) if name)
        self.query_one("#center-name", QuietLine).say(names or "Rollcall")

    def show_time(self, now_ms: int, zone: ZoneInfo) -> None:
        """Show the centre's own day and time."""
        time = clock_text(now_ms, zone)
        self.query_one("#time", Digits).update(time)
        self.query_one("#today", QuietLine).say(date_text(now_ms, zone))
        self.query_one("#small-time", QuietLine).say(f"  {time}")
