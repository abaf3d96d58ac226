"""What else a desk can do, each by one key: one line here makes the key, its hint, the palette and the help.

A command is opened from the roster, and where it says so also while the desk shows no names. It may put up screens of
its own and gives back the sentence for the result line; an empty one leaves that line as it is.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final
from zoneinfo import ZoneInfo

from textual.app import App
from textual.binding import Binding, BindingType

from kiosk.screens.port import DeskPort, WallClock
from kiosk.services.desk import RosterLine


@dataclass(frozen=True)
class Scene:
    """Where a command is given: the desk, its clock and zone, and the child that is chosen, if one is."""

    app: App[None]
    desk: DeskPort
    clock: WallClock
    zone: ZoneInfo
    chosen: RosterLine | None = None


@dataclass(frozen=True, kw_only=True)
class Command:
    """One thing to do. `hint` stands in the footer, `title` and `words` in the palette and the help.

    `when_hidden`: it also works on a desk that hides its names, and must show none itself.
    """

    name: str
    key: str
    hint: str
    title: str
    words: str
    run: Callable[[Scene], Awaitable[str]]
    when_hidden: bool = False
    in_footer: bool = True


COMMANDS: Final[tuple[Command, ...]] = ()


def bindings(commands: Sequence[Command]) -> list[BindingType]:
    """The keys of commands, as a screen declares them; each presses `app.command`."""
    return [
        Binding(one.key, f"app.command('{one.name}')", one.hint, show=one.in_footer, priority=True) for one in commands
    ]


def find_command(name: str) -> Command:
    """The command of this name; raises StopIteration when there is none."""
    return next(one for one in COMMANDS if one.name == name)


def hidden_bindings() -> list[Any]:
    """The keys that also work where no names are shown."""
    return bindings([one for one in COMMANDS if one.when_hidden])
