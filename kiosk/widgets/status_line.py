"""The one line that says whether this desk hears the others, what waits, and how old its data is."""

from typing import Final
from zoneinfo import ZoneInfo

from textual.app import ComposeResult
from textual.containers import Horizontal

from kiosk.messages import DeskStatus
from kiosk.widgets.quiet_line import QuietLine
from kiosk.widgets.wording import data_text, link_text

LINK_CLASSES: Final = ("-online", "-connecting", "-offline", "-paused", "-needs_person")


class StatusLine(Horizontal):
    """Link on the left, data on the right."""

    def compose(self) -> ComposeResult:
        """Lay out both halves."""
        yield QuietLine(id="link")
        yield QuietLine(id="data")

    def show(self, status: DeskStatus, now_ms: int, zone: ZoneInfo) -> None:
        """Say how things stand at `now_ms` (UTC milliseconds)."""
        self.query_one("#link", QuietLine).say(link_text(status, now_ms, zone))
        self.query_one("#data", QuietLine).say(data_text(status, now_ms))
        for name in LINK_CLASSES:
            self.set_class(name == f"-{status.link}", name)
        self.set_class(status.needs_review > 0, "-review")
