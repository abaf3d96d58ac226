"""The search field: a name or part of one; it takes whatever is typed or pasted, up to a limit."""

from typing import ClassVar, Final

from textual import events
from textual.binding import Binding, BindingType
from textual.geometry import Size
from textual.reactive import Reactive
from textual.widgets import Input

# The longest name of a record has 200 characters; nobody needs half of that to find a child.
SEARCH_CHARACTERS_MAX: Final = 80


class SearchField(Input):
    """An input that always has the focus, and whose ENTER and arrow keys belong to the roster beside it."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "screen.act", "In / Out", key_display="enter"),
        Binding("escape", "screen.clear_search", "Clear"),
        Binding("up", "screen.move_cursor(-1)", show=False),
        Binding("down", "screen.move_cursor(1)", show=False),
        Binding("pageup", "screen.move_cursor(-10)", show=False),
        Binding("pagedown", "screen.move_cursor(10)", show=False),
        Binding("ctrl+home", "screen.move_cursor(-1000000)", show=False),
        Binding("ctrl+end", "screen.move_cursor(1000000)", show=False),
    ]

    # A longer text moves nothing else on the screen, so it is no reason to lay it all out anew.
    virtual_size = Reactive(Size(0, 0), layout=False)

    def __init__(self) -> None:
        super().__init__(
            placeholder="Type part of a name, or choose with the arrow keys",
            max_length=SEARCH_CHARACTERS_MAX,
            select_on_focus=False,
            compact=True,
            id="search",
        )

    def check_consume_key(self, key: str, character: str | None) -> bool:
        """Take every letter but the question mark, which is no part of a name and opens the help."""
        return key != "question_mark" and super().check_consume_key(key, character)

    def _on_paste(self, event: events.Paste) -> None:
        """Take as much of the first line as fits, instead of refusing a long paste whole."""
        event.stop()
        event.prevent_default()
        self.type_in(event.text)

    def type_in(self, text: str) -> None:
        """Put text at the cursor as if typed: its first line, printable characters only, up to the limit."""
        line = next(iter(text[: 4 * SEARCH_CHARACTERS_MAX].strip().splitlines()), "")
        start, end = sorted(self.selection)
        room = SEARCH_CHARACTERS_MAX - len(self.value) + (end - start)
        clean = "".join(character for character in line if character.isprintable())[: max(room, 0)]
        if clean:
            self.replace(clean, start, end)
