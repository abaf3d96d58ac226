"""What else a desk can do, each by one key: one line here makes the key, its hint, the palette and the help.

A command is opened from the roster, and where it says so also while the desk shows no names. It may put up screens of
its own and gives back what the result line says: a sentence, where an empty one leaves the line as it is, or what was
recorded.
"""

from collections.abc import Sequence
from typing import Final

from textual.binding import Binding, BindingType

from kiosk.screens.building_commands import BUILDING_COMMANDS
from kiosk.screens.front import lock_desk, undo_last
from kiosk.screens.scene import Command, Scene
from kiosk.screens.walk_in import take_in

__all__ = ["COMMANDS", "Command", "Scene", "bindings", "find_command", "hidden_bindings"]

COMMANDS: Final[tuple[Command, ...]] = (
    Command(
        name="undo",
        key="f4",
        hint="Undo",
        title="Undo the last entry",
        words="take the last entry back, within a minute",
        run=undo_last,
        in_footer=False,  # its key stands beside the entry while it can be taken back
    ),
    Command(
        name="take_in",
        key="ctrl+g",
        hint="Not on file",
        title="Not on file",
        words="check in a child who is not on file",
        run=take_in,
        in_footer=False,  # an empty search names it
    ),
    *BUILDING_COMMANDS,
    Command(
        name="lock",
        key="f10",
        hint="Lock",
        title="Lock the desk",
        words="hide the names; a PIN opens the desk again",
        run=lock_desk,
    ),
)


def bindings(commands: Sequence[Command]) -> list[BindingType]:
    """The keys of commands, as a screen declares them; each presses `app.command`."""
    return [
        Binding(one.key, f"app.command('{one.name}')", one.hint, show=one.in_footer, priority=True) for one in commands
    ]


def find_command(name: str) -> Command:
    """The command of this name; raises StopIteration when there is none."""
    return next(one for one in COMMANDS if one.name == name)


def hidden_bindings() -> list[BindingType]:
    """The keys that also work where no names are shown."""
    return bindings([one for one in COMMANDS if one.when_hidden])
