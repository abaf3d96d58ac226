"""How it was made sure who collects: one key."""

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Footer, Static

from kiosk.screens.fitting import fit
from kiosk.services.release import IDENTITY_CHECKS
from kiosk.widgets.quiet_line import QuietLine


class IdentityScreen(ModalScreen[str | None]):
    """Answers with the code of the check; ENTER is none of its keys, so that a held one hands over nobody."""

    BINDINGS: ClassVar[list[BindingType]] = [
        *(Binding(key, f"answer('{code}')", words, show=False) for key, code, words in IDENTITY_CHECKS),
        Binding("escape", "cancel", "Cancel"),
    ]

    def __init__(self, question: str) -> None:
        super().__init__()
        self._question = question

    def compose(self) -> ComposeResult:
        """The question, and the keys."""
        with Vertical(id="dialog"):
            yield QuietLine(id="dialog-title")
            yield Static("\n".join(f"  {key}  {words}" for key, _, words in IDENTITY_CHECKS), id="keys", markup=False)
            yield QuietLine(id="dialog-note")
        yield Footer(show_command_palette=False)

    def on_mount(self) -> None:
        """Fill in the words."""
        fit(self)
        self.query_one("#dialog-title", QuietLine).say(self._question)
        self.query_one("#dialog-note", QuietLine).say("Press the number; it checks out.      ESC  cancel")

    def action_answer(self, code: str) -> None:
        """Answer."""
        self.dismiss(code)

    def action_cancel(self) -> None:
        """Go back; nothing is recorded."""
        self.dismiss(None)
