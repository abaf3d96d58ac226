"""Critical alerts, to be read before a child is checked in, or out."""

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.screen import ModalScreen
from textual.widgets import Footer

from kiosk.screens.fitting import fit
from kiosk.services.desk import RosterLine
from kiosk.widgets.alert_lines import CHECK_IN, AlertLines
from kiosk.widgets.face import Face, Gallery, nobody
from kiosk.widgets.quiet_line import QuietLine


class AlertsScreen(ModalScreen[bool]):
    """Asks for a key that is not ENTER, so that a key held too long does not read for anybody."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y", "acknowledge", "I have read this"),
        Binding("escape", "cancel", "Cancel"),
    ]

    def __init__(self, line: RosterLine, *, act: str = CHECK_IN, gallery: Gallery = nobody) -> None:
        super().__init__()
        self._line = line
        self._act = act
        self._picture = gallery(line.child_id)

    def compose(self) -> ComposeResult:
        """Name, alerts, what to press."""
        with Vertical(id="dialog", classes="-alerts"):
            yield QuietLine(id="dialog-title")
            with Horizontal(classes="beside"):
                yield AlertLines(self._line.alerts)
                yield Face(id="child-face")
            yield QuietLine(id="dialog-note")
        yield Footer(show_command_palette=False)

    def on_mount(self) -> None:
        """Fill in the words."""
        fit(self)
        if self._picture is not None:
            self.query_one(Face).show(self._line.display_name, self._picture)
        self.query_one("#dialog-title", QuietLine).say(f"Before you {self._act} {self._line.display_name}")
        self.query_one("#dialog-note", QuietLine).say(f"Y  I have read this, {self._act}      ESC  cancel")

    def action_acknowledge(self) -> None:
        """Go on."""
        self.dismiss(result=True)

    def action_cancel(self) -> None:
        """Go back; nothing is recorded."""
        self.dismiss(result=False)
