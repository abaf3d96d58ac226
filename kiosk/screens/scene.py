"""What a command of the desk is, and where it is given."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from textual.app import App

from kiosk.screens.port import DeskPort, WallClock
from kiosk.services.desk import Recorded, RosterLine

Said = str | tuple[Recorded, ...]
"""What a command answers: a sentence (an empty one says nothing), or what it recorded."""


@dataclass(frozen=True)
class Scene:
    """Where a command is given: the desk, its clock and zone, the child that is chosen, and what was searched for."""

    app: App[None]
    desk: DeskPort
    clock: WallClock
    zone: ZoneInfo
    chosen: RosterLine | None = None
    typed: str = ""


@dataclass(frozen=True, kw_only=True)
class Command:
    """One thing to do. `hint` stands in the footer, `title` and `words` in the palette and the help.

    `when_hidden`: it also works on a desk that hides its names, and must show none itself; the roll-call alone may,
    because people are counted whatever a lease says.
    """

    name: str
    key: str
    hint: str
    title: str
    words: str
    run: Callable[[Scene], Awaitable[Said]]
    when_hidden: bool = False
    in_footer: bool = True
