"""The code with which a parent's app says that they stand at this desk."""

from typing import ClassVar, Final

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Footer, Static

from kiosk.screens.fitting import fit
from kiosk.screens.port import CounterPort
from kiosk.services.errors import DeskError
from kiosk.widgets.quiet_line import QuietLine
from sync.desk_code import shown

LOOK_INTERVAL_S: Final = 1.0


class AppCodeScreen(ModalScreen[None]):
    """Shows the code of the minute, as long as the desk is unlocked; it names nobody."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,enter", "dismiss", "Close", key_display="esc")]

    def __init__(self, counter: CounterPort) -> None:
        super().__init__()
        self._counter = counter

    def compose(self) -> ComposeResult:
        """What it is for, the code, and for how long."""
        with Vertical(id="dialog"):
            yield QuietLine(id="dialog-title")
            yield Static("", id="app-code", markup=False)
            yield QuietLine(id="dialog-note")
        yield Footer(show_command_palette=False)

    def on_mount(self) -> None:
        """Look now, and every second."""
        fit(self)
        self.query_one("#dialog-title", QuietLine).say("Code for a parent's app at this desk")
        self._look()
        self.set_interval(LOOK_INTERVAL_S, self._look)

    def _look(self) -> None:
        try:
            found = self._counter.app_code()
        except DeskError as error:
            self.query_one("#app-code", Static).update("")
            self.query_one("#dialog-note", QuietLine).say(error.message)
            return
        self.query_one("#app-code", Static).update(f"\n   {shown(found.code)}\n")
        seconds = -(-found.left_ms // 1_000)
        self.query_one("#dialog-note", QuietLine).say(f"Another one in {seconds} s. Whoever typed this one has time.")
