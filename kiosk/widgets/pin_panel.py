"""A name and a PIN: who of the staff it is, and the digits that nobody else sees."""

from collections.abc import Sequence
from typing import ClassVar

from textual import events, on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.message import Message
from textual.widgets import Input, OptionList
from textual.widgets.option_list import Option

from kiosk.services.door import StaffMember
from kiosk.widgets.pointed_list import PointedList
from kiosk.widgets.quiet_line import QuietLine
from sync.pins import PIN_DIGITS_MAX


class PinPanel(Vertical):
    """Choose a name, type the PIN, ENTER; digits typed on the list begin the PIN of the name under the cursor."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("tab", "app.focus_next", "Name / PIN")]

    class Given(Message):
        """Somebody gave a PIN; `pin` may be anything that was typed."""

        def __init__(self, member: StaffMember, pin: str) -> None:
            super().__init__()
            self.member = member
            self.pin = pin

    def __init__(self, staff: Sequence[StaffMember], *, first: str = "") -> None:
        super().__init__(id="pin-panel")
        self._staff = list(staff)
        self._first = first

    def compose(self) -> ComposeResult:
        """The names, and the PIN below."""
        yield PointedList(*(Option(Content(f"  {one.name}")) for one in self._staff), id="staff")
        yield Input(
            placeholder="PIN, then ENTER",
            password=True,
            max_length=PIN_DIGITS_MAX,
            restrict=r"[0-9]*",
            compact=True,
            select_on_focus=False,
            id="pin",
        )
        yield QuietLine(id="pin-note")

    def on_mount(self) -> None:
        """Begin with who was here last, or the first of the list."""
        ids = [one.person_id for one in self._staff]
        self.query_one(OptionList).highlighted = ids.index(self._first) if self._first in ids else (0 if ids else None)
        self.query_one(Input if self._first in ids else OptionList).focus()

    def say(self, sentence: str) -> None:
        """Say what became of a try, and take the next."""
        self.query_one("#pin-note", QuietLine).say(sentence)
        self.query_one(Input).focus()

    @on(OptionList.OptionSelected)
    def name_chosen(self, event: OptionList.OptionSelected) -> None:
        """Go on to the PIN."""
        event.stop()
        self.query_one(Input).focus()

    @on(Input.Submitted)
    def pin_given(self, event: Input.Submitted) -> None:
        """Hand over what was typed, and forget it here."""
        event.stop()
        at = self.query_one(OptionList).highlighted
        if at is None:
            self.say("Choose your name first.")
            return
        event.input.value = ""
        self.post_message(self.Given(self._staff[at], event.value))

    def on_key(self, event: events.Key) -> None:
        """A digit that the PIN has not taken was typed on the list, and begins the PIN or belongs to it."""
        if event.character and event.character.isdigit():
            event.stop()
            pin = self.query_one(Input)
            self.screen.set_focus(pin)
            pin.insert_text_at_cursor(event.character)
