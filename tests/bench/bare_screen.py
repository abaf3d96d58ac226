"""The least that Textual can show: a field and a list that follows each key. `python -m tests.bench.bare_screen`.

It is the raw limit of the desk's screen: the interpreter, the framework and a terminal, with nothing of ours.
"""

from textual.app import App, ComposeResult
from textual.binding import Binding
from textual.widgets import Footer, Input, Static

FIRST_LINE = "child 000"
LINES = 16


class BareScreen(App[None]):
    """A field, a list, a footer."""

    BINDINGS = [Binding("ctrl+q", "quit", "Quit")]  # noqa: RUF012  Textual declares these without ClassVar

    def compose(self) -> ComposeResult:
        """Field, list, footer."""
        yield Input()
        yield Static(_listed(""), id="list")
        yield Footer()

    def on_input_changed(self, changed: Input.Changed) -> None:
        """Another list for each key."""
        self.query_one("#list", Static).update(_listed(changed.value))


def _listed(text: str) -> str:
    return "\n".join(f"child {number:03}{text}" for number in range(LINES))


if __name__ == "__main__":
    BareScreen().run()
