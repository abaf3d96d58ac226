"""Something speaks against a release: it goes on only by a reason, and where there are PINs by a second person's."""

from dataclasses import dataclass
from typing import ClassVar, Final

from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Footer, Input, OptionList

from kiosk.screens.fitting import after_typed, fit
from kiosk.screens.port import DoorPort
from kiosk.services.door import Approval, DoorMode
from kiosk.services.errors import DeskError
from kiosk.widgets.pin_panel import PinPanel
from kiosk.widgets.quiet_line import QuietLine

REASON_CHARACTERS_MIN: Final = 8
REASON_CHARACTERS_MAX: Final = 200


@dataclass(frozen=True)
class Overridden:
    """Why it goes on, and who said so besides; nobody where nobody has a PIN."""

    reason: str
    approval: Approval | None = None


class OverrideScreen(ModalScreen[Overridden | None]):
    """First the reason, then the second person."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "cancel", "Cancel"),
        Binding("enter", "reason_done", show=False, priority=True),
    ]

    def __init__(self, door: DoorPort, words: str) -> None:
        super().__init__()
        self._door = door
        self._words = words
        state = door.state()
        self._needs_second = state.mode is DoorMode.UNLOCKED
        self._others = [one for one in door.staff() if one.person_id != state.staff_id]
        self._checking = False

    def compose(self) -> ComposeResult:
        """What speaks against it, the reason, and the second person."""
        with Vertical(id="dialog", classes="-alerts"):
            yield QuietLine(id="dialog-title")
            yield Input(
                placeholder="Why is it right all the same? Then ENTER",
                max_length=REASON_CHARACTERS_MAX,
                compact=True,
                id="reason",
            )
            if self._needs_second:
                yield PinPanel(self._others)
            yield QuietLine(id="dialog-note")
        yield Footer(show_command_palette=False)

    def on_mount(self) -> None:
        """Begin with the reason."""
        fit(self)
        self.query_one("#dialog-title", QuietLine).say(self._words)
        self.call_after_refresh(self.query_one("#reason", Input).focus)
        if self._needs_second and not self._others:
            self._say("Nobody else has a PIN here. Do not release; call the manager.")
        elif self._needs_second:
            self._say("A second member of staff chooses a name and types a PIN.")
        else:
            self._say("Nobody has a PIN here: the reason alone is recorded.")

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:  # noqa: ARG002 - Textual's
        """ENTER is the reason's own only there."""
        return action != "reason_done" or self.focused is self.query_one("#reason", Input)

    def action_reason_done(self) -> None:
        """Go on to the second person at once, so that no digit of a quick PIN becomes part of the reason."""
        if self._needs_second:
            self.set_focus(self.query_one("#staff", OptionList))
        after_typed([self.query_one("#reason", Input)], self._reason_given)

    def _reason_given(self) -> None:
        if not self._reason():
            self.set_focus(self.query_one("#reason", Input))
            self._say(f"Say it in {REASON_CHARACTERS_MIN} letters or more.")
        elif not self._needs_second and self.is_current:
            self.dismiss(Overridden(self._reason()))

    @on(PinPanel.Given)
    def pin_given(self, event: PinPanel.Given) -> None:
        """Try it, once there is a reason."""
        event.stop()
        if not self._reason():
            self.query_one("#reason", Input).focus()
            self._say(f"The reason first: {REASON_CHARACTERS_MIN} letters or more.")
        elif not self._checking:
            self._try(event.member.person_id, event.pin)

    @work(group="pin")
    async def _try(self, person_id: str, pin: str) -> None:
        self._checking = True
        panel = self.query_one(PinPanel)
        panel.say("Checking ...")
        try:
            approval = await self._door.approve(person_id, pin)
            self.dismiss(Overridden(self._reason(), approval))
        except DeskError as refusal:
            panel.say(f"! {refusal.message}")
        finally:
            self._checking = False

    def action_cancel(self) -> None:
        """Go back; nothing is recorded."""
        self.dismiss(None)

    def _reason(self) -> str:
        words = " ".join(self.query_one("#reason", Input).value.split())
        return words if len(words) >= REASON_CHARACTERS_MIN else ""

    def _say(self, sentence: str) -> None:
        self.query_one("#dialog-note", QuietLine).say(sentence)
