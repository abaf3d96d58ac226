"""Small questions that many screens ask: choose one of a list, type a few words, say yes."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from textual import events, on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Footer, Input, Static

from kiosk.screens.fitting import after_typed, fit, take_early
from kiosk.widgets.choice_list import ChoiceList, Row
from kiosk.widgets.quiet_line import QuietLine


class ChooseScreen(ModalScreen[str]):
    """Gives the key of the chosen line, empty for none. Nothing is chosen at first: a held key takes nothing."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "cancel", "Cancel")]

    def __init__(
        self, title: str, rows: Sequence[Row], note: str = "↑ ↓ choose, ENTER takes it.", *, about: Sequence[str] = ()
    ) -> None:
        """`about` are lines above the list: what is asked about."""
        super().__init__()
        self._about = about
        self._title = title
        self._rows = rows
        self._note = note

    def compose(self) -> ComposeResult:
        """Title, list, what to press."""
        with Vertical(id="dialog"):
            yield QuietLine(id="dialog-title")
            if self._about:
                yield Static("\n".join(self._about), id="about", markup=False)
            yield ChoiceList(id="choices")
            yield QuietLine(id="dialog-note")
        yield Footer(show_command_palette=False)

    def on_mount(self) -> None:
        """Fill in the words."""
        fit(self)
        self.query_one("#dialog-title", QuietLine).say(self._title)
        self.query_one("#dialog-note", QuietLine).say(self._note)
        choices = self.query_one(ChoiceList)
        choices.show(self._rows, empty_words="There is nothing to choose.")
        choices.highlighted = None
        choices.focus()

    @on(ChoiceList.OptionSelected)
    def line_chosen(self, event: ChoiceList.OptionSelected) -> None:
        """Answer with the key."""
        self.dismiss(event.option_id or "")

    def action_cancel(self) -> None:
        """Go back; nothing is recorded."""
        self.dismiss("")


@dataclass(frozen=True)
class Field:
    """Something to type: its name, what it looks like, how long it may be, and what stands there at first."""

    label: str
    example: str
    characters_max: int
    value: str = ""


class AskScreen(ModalScreen[tuple[str, ...]]):
    """Gives what was typed, field by field; an empty tuple: it was cancelled."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "cancel", "Cancel"),
        Binding("enter", "go_on", "Go on", priority=True, key_display="enter"),
        Binding("tab", "app.focus_next", "Next field", priority=True),
    ]

    def __init__(self, title: str, fields: Sequence[Field], note: str) -> None:
        super().__init__()
        self._title = title
        self._fields = fields
        self._note = note
        self._is_answered = False

    def compose(self) -> ComposeResult:
        """A line for each field, under its name."""
        with Vertical(id="dialog"):
            yield QuietLine(id="dialog-title")
            for number, field in enumerate(self._fields):
                yield QuietLine(id=f"label-{number}", classes="field-label")
                yield Input(
                    field.value,
                    placeholder=field.example,
                    max_length=field.characters_max,
                    compact=True,
                    id=f"field-{number}",
                    classes="field",
                )
            yield QuietLine(id="dialog-note")
        yield Footer(show_command_palette=False)

    def on_mount(self) -> None:
        """Begin with the first field."""
        fit(self)
        self.query_one("#dialog-title", QuietLine).say(self._title)
        for number, field in enumerate(self._fields):
            self.query_one(f"#label-{number}", QuietLine).say(field.label)
        self.query_one("#dialog-note", QuietLine).say(self._note)
        self.set_focus(self.query_one("#field-0", Input))

    def on_key(self, event: events.Key) -> None:
        """A letter that came before the first field had the keys is the first one's."""
        take_early(self, event)

    def action_go_on(self) -> None:
        """From a field to the next one at once, and from the last one it is done when all have what was typed."""
        inputs = list(self.query(Input))
        at = next((at for at, each in enumerate(inputs) if each is self.focused), None)
        if at is not None and at + 1 < len(inputs):
            self.set_focus(inputs[at + 1])
        elif at is not None and not self._is_answered:
            self._is_answered = True
            after_typed(inputs, self._answer)

    def _answer(self) -> None:
        self.dismiss(tuple(each.value for each in self.query(Input)))

    def action_cancel(self) -> None:
        """Go back; nothing is recorded."""
        self.dismiss(())


class SureScreen(ModalScreen[bool]):
    """Asks for a key that is not ENTER, so that a key held too long answers for nobody."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y", "answer(True)", "Yes"),
        Binding("escape,n", "answer(False)", "No", key_display="esc"),
    ]

    def __init__(self, title: str, words: str) -> None:
        super().__init__()
        self._title = title
        self._words = words

    def compose(self) -> ComposeResult:
        """Title, what follows from a yes."""
        with Vertical(id="dialog", classes="-alerts"):
            yield QuietLine(id="dialog-title")
            yield QuietLine(id="dialog-note")
        yield Footer(show_command_palette=False)

    def on_mount(self) -> None:
        """Fill in the words."""
        fit(self)
        self.query_one("#dialog-title", QuietLine).say(self._title)
        self.query_one("#dialog-note", QuietLine).say(self._words)

    def action_answer(self, answer: bool) -> None:  # noqa: FBT001 - the answer itself
        """Answer."""
        self.dismiss(answer)
