"""A family at once: those who come and go together, and what must be read of them, in one confirmation."""

from collections.abc import Sequence
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Footer, OptionList
from textual.widgets.option_list import Option

from kiosk.screens.fitting import fit
from kiosk.services.families import FamilyMember
from kiosk.widgets.alert_lines import ALERTS_TO_READ, AlertLines, must_read, named
from kiosk.widgets.face import Face, Gallery, nobody
from kiosk.widgets.pointed_list import PointedList
from kiosk.widgets.quiet_line import QuietLine
from kiosk.widgets.wording import ALERT_SYMBOL


class FamilyScreen(ModalScreen[tuple[str, ...] | None]):
    """Chosen are those that are marked. Where a critical alert must be read, Y confirms and ENTER does not."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("space", "choose", "In or out", priority=True),
        Binding("enter", "confirm", "Confirm", priority=True),
        Binding("y", "acknowledge", "I have read this"),
        Binding("escape", "cancel", "Cancel"),
    ]

    def __init__(self, title: str, members: Sequence[FamilyMember], *, act: str, gallery: Gallery = nobody) -> None:
        super().__init__()
        self._title = title
        self._members = list(members)
        self._chosen = {one.line.child_id for one in members if one.chosen}
        self._act = act
        self._pictures = [gallery(one.line.child_id) for one in self._members]

    def compose(self) -> ComposeResult:
        """The children, then the alerts of those that are chosen."""
        with Vertical(id="dialog", classes="-family"):
            yield QuietLine(id="dialog-title")
            with Horizontal(classes="beside"):
                yield PointedList(
                    *(Option(self._words(one), id=one.line.child_id) for one in self._members), id="family"
                )
                yield Face(id="child-face")
            yield AlertLines([])
            yield QuietLine(id="dialog-note")
        yield Footer(show_command_palette=False)

    def on_mount(self) -> None:
        """Fill in the words."""
        fit(self)
        self.query_one("#dialog-title", QuietLine).say(self._title)
        children = self.query_one(OptionList)
        children.highlighted = 0
        children.focus()
        self._show()

    @on(OptionList.OptionHighlighted)
    def child_highlighted(self, event: OptionList.OptionHighlighted) -> None:
        """Show who is under the cursor, in a family of which anybody has a picture."""
        if any(self._pictures):
            name = self._members[event.option_index].line.display_name
            self.query_one(Face).show(name, self._pictures[event.option_index])

    def action_choose(self) -> None:
        """Take the child under the cursor in, or leave it out."""
        at = self.query_one(OptionList).highlighted
        if at is not None:
            self._chosen ^= {self._members[at].line.child_id}
            self._show()

    def action_confirm(self) -> None:
        """Answer with those that are chosen, unless something must be read first."""
        if self._to_read():
            self._show()
        else:
            self._answer()

    def action_acknowledge(self) -> None:
        """The alerts were read."""
        self._answer()

    def action_cancel(self) -> None:
        """Go back; nothing is recorded."""
        self.dismiss(None)

    def _answer(self) -> None:
        chosen = tuple(one.line.child_id for one in self._members if one.line.child_id in self._chosen)
        if chosen:
            self.dismiss(chosen)
        else:
            self.query_one("#dialog-note", QuietLine).say("Nobody is chosen. SPACE chooses, ESC goes back.")

    def _show(self) -> None:
        children = self.query_one(OptionList)
        for one in self._members:
            children.replace_option_prompt(one.line.child_id, self._words(one))
        lines = [one.line for one in self._members if one.line.child_id in self._chosen]
        self.query_one(AlertLines).show([alert for line in lines for alert in named(line.given_name, line.alerts)])
        number = len(self._chosen)
        who = "1 child" if number == 1 else f"{number} children"
        key = "Y  I have read this:" if self._to_read() else "ENTER "
        self.query_one("#dialog-note", QuietLine).say(f"{key} {self._act} {who}   SPACE in or out")

    def _to_read(self) -> bool:
        kinds = ALERTS_TO_READ[self._act]
        return any(must_read(one.line.alerts, kinds) for one in self._members if one.line.child_id in self._chosen)

    def _words(self, one: FamilyMember) -> Content:
        box = "[x]" if one.line.child_id in self._chosen else "[ ]"
        alert = f"  {ALERT_SYMBOL}" if one.line.alerts else ""
        return Content(f"{box} {one.line.display_name} · {one.line.room_name}{alert}")
