"""How this desk is: link, queue, clock, file, disk; and what to do, in words."""

from typing import ClassVar

from textual import work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Footer, Static

from kiosk.screens.fitting import fit
from kiosk.screens.freshness import keep_fresh
from kiosk.screens.port import DeskPort
from kiosk.services.health import health_lines, next_steps

LABEL_WIDTH = 14


class HealthScreen(ModalScreen[None]):
    """Reads and changes nothing; it names no child, so any desk may show it."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,enter,f8", "dismiss", "Close", key_display="esc")]

    def __init__(self, desk: DeskPort) -> None:
        super().__init__()
        self._desk = desk

    def compose(self) -> ComposeResult:
        """What to do stands first."""
        with VerticalScroll(id="dialog", classes="-help"):
            yield Static("", id="health", markup=False)
        yield Footer(show_command_palette=False)

    def on_mount(self) -> None:
        """Look now, and whenever something changes."""
        fit(self)
        self._follow()

    @work(group="follow")
    async def _follow(self) -> None:
        await keep_fresh(self._desk, self._show)

    async def _show(self) -> None:
        health = await self._desk.building.health.look()
        steps = [f" {sentence}" for sentence in next_steps(health)]
        lines = [f" {label:<{LABEL_WIDTH}}{value}" for label, value in health_lines(health)]
        self.query_one("#health", Static).update("\n".join(["WHAT TO DO", *steps, "", "THIS DESK", *lines]))
