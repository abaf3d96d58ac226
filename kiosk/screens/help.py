"""The help page: every key and every sign, on one screen."""

from typing import ClassVar, Final

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Footer, Static

from kiosk.screens.commands import COMMANDS
from kiosk.screens.fitting import fit

HELP: Final = """\
KEYS
 letters   find a child; accents and word order do not matter
 ↑ ↓       choose a child; PgUp PgDn by ten, ^Home ^End to the ends
 ENTER     check in; for a child who is in, ask who collects
 ESC       clear the search        F2          one room, all rooms
 ^p        every command           ^t          light or dark
 ?         this page               ^q          quit
{commands}
SIGNS
 ● In   ○ Not yet   ← Gone home    ▲ has an alert: read it first
 … recorded here   safe on this desk, the server has not answered yet
 ✓ confirmed       the server has it, other desks see it
 ! needs review    the server has it and a person must settle it

WITHOUT A NETWORK everything goes on. The line at the bottom says how
many entries wait; they are sent when the link is back.\
"""


COMMAND_LINES: Final = "{commands}\n"


def command_lines() -> str:
    """A line for each command, then an empty one."""
    return "".join(f" {_shown(one.key):<9} {one.words}\n" for one in COMMANDS) + "\n"


def _shown(key: str) -> str:
    return key.replace("ctrl+", "^") if key.startswith("ctrl+") else key.upper()


class HelpScreen(ModalScreen[None]):
    """Closes with ESC, ENTER or another ?."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,question_mark,enter,f1", "dismiss", "Close", key_display="esc"),
        Binding("down", "read(1)", "More", key_display="↑ ↓", priority=True),
        Binding("up", "read(-1)", show=False, priority=True),
    ]

    def compose(self) -> ComposeResult:
        """One page of text that scrolls on a small screen."""
        with VerticalScroll(id="dialog", classes="-help"):
            yield Static(HELP.replace(COMMAND_LINES, command_lines()), markup=False)
        yield Footer(show_command_palette=False)

    def on_mount(self) -> None:
        """Fit the page to the terminal."""
        fit(self)

    def action_read(self, lines: int) -> None:
        """Read on, or back, by so many lines."""
        self.query_one(VerticalScroll).scroll_relative(y=lines, animate=False)
