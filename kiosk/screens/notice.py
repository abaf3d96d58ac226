"""A whole screen with one calm sentence, for when a desk may show nothing else."""

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import Screen
from textual.widgets import Static

from kiosk.screens.commands import hidden_bindings
from kiosk.screens.fitting import fit


class NoticeScreen(Screen[None]):
    """Covers everything; only quitting is left to do here, and what needs no names. Whoever put it up takes it down."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+q", "app.quit", "Quit", priority=True),
        *hidden_bindings(),
    ]

    def __init__(self, title: str, words: str, *, hint: str = "^q  quit") -> None:
        super().__init__()
        self._title = title
        self._words = words
        self._hint = hint

    def compose(self) -> ComposeResult:
        """Title, sentence, and what can be pressed."""
        with Vertical(id="notice"):
            yield Static(self._title, id="notice-title", markup=False)
            yield Static(self._words, id="notice-words", markup=False)
            yield Static(self._hint, id="notice-hint", markup=False)

    def on_mount(self) -> None:
        """Fit the notice to the terminal."""
        fit(self)
