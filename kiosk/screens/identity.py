"""How it was made sure who collects: one key."""

from collections.abc import Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.screen import ModalScreen
from textual.widgets import Footer, Static

from kiosk.screens.fitting import fit
from kiosk.services.release import IDENTITY_CHECKS
from kiosk.widgets.face import SIDE_OF_TWO, Face
from kiosk.widgets.quiet_line import QuietLine
from sync.pictures import Picture


class IdentityScreen(ModalScreen[str | None]):
    """Answers with the code of the check; ENTER is none of its keys, so that a held one hands over nobody."""

    BINDINGS: ClassVar[list[BindingType]] = [
        *(Binding(key, f"answer('{code}')", words, show=False) for key, code, words in IDENTITY_CHECKS),
        Binding("escape", "cancel", "Cancel"),
    ]

    def __init__(self, question: str, faces: Sequence[tuple[str, Picture | None]] = ()) -> None:
        super().__init__()
        self._question = question
        self._faces = faces if any(picture for _, picture in faces) else ()

    def compose(self) -> ComposeResult:
        """The question, and the keys."""
        with Vertical(id="dialog"):
            yield QuietLine(id="dialog-title")
            with Horizontal(classes="beside"):
                yield Static(
                    "\n".join(f"  {key}  {words}" for key, _, words in IDENTITY_CHECKS), id="keys", markup=False
                )
                for _ in self._faces:
                    yield Face(side_max=SIDE_OF_TWO)
            yield QuietLine(id="dialog-note")
        yield Footer(show_command_palette=False)

    def on_mount(self) -> None:
        """Fill in the words."""
        fit(self)
        for face, (name, picture) in zip(self.query(Face), self._faces, strict=True):
            face.show(name, picture)
        self.query_one("#dialog-title", QuietLine).say(self._question)
        self.query_one("#dialog-note", QuietLine).say("Press the number; it checks out.      ESC  cancel")

    def action_answer(self, code: str) -> None:
        """Answer."""
        self.dismiss(code)

    def action_cancel(self) -> None:
        """Go back; nothing is recorded."""
        self.dismiss(None)
