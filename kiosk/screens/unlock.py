"""The locked desk: no child's name in sight, and a PIN opens it."""

from collections.abc import Callable
from typing import ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical
from textual.screen import Screen
from textual.widgets import Footer, Static

from kiosk.screens.commands import hidden_bindings
from kiosk.screens.fitting import fit
from kiosk.screens.port import DoorPort
from kiosk.services.errors import DeskError
from kiosk.widgets.face import forget_faces
from kiosk.widgets.pin_panel import PinPanel


class UnlockScreen(Screen[None]):
    """Covers everything until a PIN was right; `opened` is told, and takes it down. `first` is who was here last."""

    BINDINGS: ClassVar[list[BindingType]] = [
        *hidden_bindings(),
    ]

    def __init__(self, door: DoorPort, opened: Callable[[], None], *, first: str = "") -> None:
        super().__init__()
        self._opened = opened
        self._door = door
        self._first = first
        self._checking = False

    def compose(self) -> ComposeResult:
        """What to do, and where."""
        with Vertical(id="notice"):
            yield Static("This desk is locked", id="notice-title", markup=False)
            yield Static("Choose your name and type your PIN.", id="notice-words", markup=False)
            yield PinPanel(self._door.staff(), first=self._first)
        yield Footer(show_command_palette=False)

    def on_mount(self) -> None:
        """Fit the page to the terminal; a question beneath is answered with no."""
        fit(self)
        forget_faces(self.app)

    def hear_scan(self) -> None:
        """A code was scanned: it opens nothing here."""
        self.query_one(PinPanel).say("Unlock the desk first, then scan again.")

    def refuse_to_leave(self) -> None:
        """Behind this page is the machine."""
        self.query_one(PinPanel).say("Unlock the desk with a PIN first; then ^q quits.")

    @on(PinPanel.Given)
    def pin_given(self, event: PinPanel.Given) -> None:
        """Try it; what is typed meanwhile is dropped, not queued."""
        event.stop()
        if not self._checking:
            self._try(event.member.person_id, event.pin)

    @work(group="pin")
    async def _try(self, person_id: str, pin: str) -> None:
        self._checking = True
        panel = self.query_one(PinPanel)
        panel.say("Checking ...")
        try:
            await self._door.unlock(person_id, pin)
            self._opened()
        except DeskError as refusal:
            panel.say(f"! {refusal.message}")
        finally:
            self._checking = False
