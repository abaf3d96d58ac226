"""A child is not given to somebody: to whom, and why; that is recorded like a release."""

from typing import ClassVar, Final

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Footer, Input, Static

from kiosk.screens.fitting import after_typed, fit, take_early
from kiosk.services.release import REFUSAL_REASONS, Refusal
from kiosk.widgets.quiet_line import QuietLine

NAME_CHARACTERS_MAX: Final = 80
REASON_CHARACTERS_MAX: Final = 200


class RefuseScreen(ModalScreen[Refusal | None]):
    """First the name, then the number of the reason with a word about it."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "cancel", "Cancel"),
        Binding("enter", "go_on", "Go on", priority=True, key_display="enter"),
    ]

    def __init__(self, children: str, *, name: str = "") -> None:
        super().__init__()
        self._children = children
        self._name = name

    def compose(self) -> ComposeResult:
        """Name, reasons, and a line for the reason."""
        with Vertical(id="dialog"):
            yield QuietLine(id="dialog-title")
            yield Input(
                self._name,
                placeholder="Who wanted to collect? Then ENTER",
                max_length=NAME_CHARACTERS_MAX,
                compact=True,
                id="refused-name",
            )
            yield Static("\n".join(f"  {key}  {words}" for key, _, words in REFUSAL_REASONS), id="keys", markup=False)
            yield Input(
                placeholder="Number of the reason, and a word about it; then ENTER",
                max_length=REASON_CHARACTERS_MAX,
                compact=True,
                id="refused-reason",
            )
            yield QuietLine(id="dialog-note")
        yield Footer(show_command_palette=False)

    def on_mount(self) -> None:
        """Fill in the words."""
        fit(self)
        self.query_one("#dialog-title", QuietLine).say(f"Not released: {self._children}")
        self.set_focus(self.query_one("#refused-reason" if self._name else "#refused-name", Input))
        self._say("The child stays here. Call the manager.")

    def on_key(self, event: events.Key) -> None:
        """A letter that came before the first field had the keys is the first one's."""
        take_early(self, event)

    def action_go_on(self) -> None:
        """From the name to the reason at once; behind the reason answer, when all was said."""
        name, reason = self.query_one("#refused-name", Input), self.query_one("#refused-reason", Input)
        if self.focused is name:
            self.set_focus(reason)
            after_typed([name], self._name_given)
        else:
            after_typed([name, reason], self._reason_given)

    def _name_given(self) -> None:
        if not _words(self.query_one("#refused-name", Input)):
            self._ask_for_name()

    def _reason_given(self) -> None:
        name = _words(self.query_one("#refused-name", Input))
        words = _words(self.query_one("#refused-reason", Input))
        code = next((code for key, code, _ in REFUSAL_REASONS if words.startswith(key)), "")
        words = words[1:].strip()
        if not name:
            self._ask_for_name()
        elif not code or (code == "other" and not words):
            self._say("Begin with a number from 1 to 5; with 5 say which reason.")
        elif self.is_current:
            self.dismiss(Refusal(adult_name=name, reason_code=code, reason=words))

    def _ask_for_name(self) -> None:
        self.set_focus(self.query_one("#refused-name", Input))
        self._say("Type a name, or a few words about the person.")

    def action_cancel(self) -> None:
        """Go back; nothing is recorded."""
        self.dismiss(None)

    def _say(self, sentence: str) -> None:
        self.query_one("#dialog-note", QuietLine).say(sentence)


def _words(field: Input) -> str:
    return " ".join(field.value.split())
