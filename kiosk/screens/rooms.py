"""The rooms: how many are in, how many fit, adults enough or not; and children who change rooms, one or several."""

from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, ClassVar

from textual import on, work
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.screen import Screen

from kiosk.screens.asking import ChooseScreen
from kiosk.screens.fitting import fit
from kiosk.screens.freshness import calmly, keep_fresh
from kiosk.screens.page import OneAtATime, answer, hint, page_frame
from kiosk.screens.port import DeskPort
from kiosk.services.people import Person
from kiosk.services.rooms import RoomLine, capacity_words, center_words, ratio_words
from kiosk.widgets.choice_list import ChoiceList, Row, in_columns
from kiosk.widgets.quiet_line import QuietLine

if TYPE_CHECKING:
    from kiosk.services.roster import RosterLine

ROOM_WIDTH = 70


class RoomsScreen(Screen[None]):
    """One line a room, worst signs in words; ENTER opens the children who are in it."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "open", "Children", key_display="enter", priority=True),
        Binding("escape", "close", "Back"),
    ]

    def __init__(self, desk: DeskPort) -> None:
        super().__init__()
        self._desk = desk

    def compose(self) -> ComposeResult:
        """The centre as a whole, then its rooms."""
        yield from page_frame(head=[QuietLine(id="page-words")])

    def on_mount(self) -> None:
        """Show the rooms, and stay in step."""
        fit(self)
        hint(self, "Warnings are told and never stop anybody. ENTER shows the children of a room.")
        self.query_one(ChoiceList).focus()
        self._follow()

    @on(ChoiceList.OptionSelected)
    def line_chosen(self) -> None:
        """ENTER on a room."""
        self.action_open()

    def action_open(self) -> None:
        """Show the children of the chosen room."""
        self._open(self.query_one(ChoiceList).chosen)

    def action_close(self) -> None:
        """Back to the roster."""
        self.dismiss(None)

    @work(group="act")
    async def _open(self, key: str) -> None:
        if key:
            await self.app.push_screen_wait(RoomScreen(self._desk, key.removeprefix("room-")))

    @work(group="follow")
    async def _follow(self) -> None:
        await keep_fresh(self._desk, self._read_again)

    async def _read_again(self) -> None:
        async def read() -> str:
            now = await self._desk.building.moves.rooms()
            warnings = len(now.warnings)
            words = "all in order" if not warnings else f"! {warnings} with a warning"
            self.query_one("#page-title", QuietLine).say(f"ROOMS  {now.center.children} children in, {words}")
            self.query_one("#page-words", QuietLine).say(center_words(now))
            width = max(self.size.width - 4, 16)
            rows = [room_row(line, width) for line in now.rooms]
            self.query_one(ChoiceList).show(rows, empty_words="No rooms are on file yet.")
            return ""

        await calmly(read, self._say)

    def _say(self, sentence: str) -> None:
        answer(self, sentence)


class RoomScreen(Screen[None]):
    """The children in one room; SPACE picks several, ENTER asks where they go."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("space", "pick", "Pick"),
        Binding("a", "pick_all", "All"),
        Binding("enter", "move", "Move", key_display="enter", priority=True),
        Binding("escape", "close", "Back"),
    ]

    def __init__(self, desk: DeskPort, room_id: str) -> None:
        super().__init__()
        self._desk = desk
        self._room_id = room_id
        self._children: Sequence[Person] = ()
        self._picked: set[str] = set()
        self._turns = OneAtATime()

    def compose(self) -> ComposeResult:
        """The room's own line, then its children."""
        yield from page_frame(head=[QuietLine(id="page-words")])

    def on_mount(self) -> None:
        """Show the children, and stay in step."""
        fit(self)
        hint(self, "SPACE picks a child, A all; ENTER moves who is picked, or who is chosen.")
        self.query_one(ChoiceList).focus()
        self._follow()

    @on(ChoiceList.OptionSelected)
    def line_chosen(self) -> None:
        """ENTER on a child."""
        self.action_move()

    def action_pick(self) -> None:
        """Pick or leave out who is chosen."""
        self._picked ^= {self.query_one(ChoiceList).chosen} - {""}
        self._show()

    def action_pick_all(self) -> None:
        """Pick all, or none when all are picked; ENTER needs a cursor somewhere."""
        everybody = {one.subject_id for one in self._children}
        self._picked = set() if self._picked == everybody else everybody
        self._show()
        if self._children and not self.query_one(ChoiceList).chosen:
            self.query_one(ChoiceList).choose(self._children[0].subject_id)

    def action_move(self) -> None:
        """Ask where they go."""
        self._perform(self._move)

    def action_close(self) -> None:
        """Back to the rooms."""
        self.dismiss(None)

    @work(group="follow")
    async def _follow(self) -> None:
        await keep_fresh(self._desk, self._read_again)

    @work(group="act")
    async def _perform(self, step: Callable[[], Awaitable[str]]) -> None:
        await self._turns.take(step, self._say, self._read_again)

    async def _move(self) -> str:
        chosen = self.query_one(ChoiceList).chosen
        child_ids = [one.subject_id for one in self._children if one.subject_id in (self._picked or {chosen})]
        if not child_ids:
            return "Choose a child first: ↑ ↓."
        who = self._names(child_ids)
        sentence = await move_to_room(self.app, self._desk, child_ids, who)
        self._picked.clear()
        return sentence

    async def _read_again(self) -> None:
        async def read() -> str:
            moves = self._desk.building.moves
            now, self._children = await moves.rooms(), await moves.children_in(self._room_id)
            line = next((one for one in now.rooms if one.room_id == self._room_id), None)
            if line is not None:
                self.query_one("#page-title", QuietLine).say(f"{line.name}  {capacity_words(line)}")
                self.query_one("#page-words", QuietLine).say(ratio_words(line.state))
            self._picked &= {one.subject_id for one in self._children}
            self._show()
            return ""

        await calmly(read, self._say)

    def _show(self) -> None:
        rows = [
            Row(one.subject_id, f"{'[x]' if one.subject_id in self._picked else '[ ]'} {one.listed_name}")
            for one in self._children
        ]
        self.query_one(ChoiceList).show(rows, empty_words="No child is in this room.")

    def _names(self, child_ids: Sequence[str]) -> str:
        names = [one.name for one in self._children if one.subject_id in child_ids]
        return names[0] if len(names) == 1 else f"{len(names)} children"

    def _say(self, sentence: str) -> None:
        answer(self, sentence)


def room_row(line: RoomLine, width: int) -> Row:
    """A room with what it holds and whether that is in order; the sign stands beside the words."""
    sign = "!" if line.is_warning else " "
    if width < ROOM_WIDTH:
        text = f"{sign} {in_columns(10, line.name)}  {capacity_words(line)}; {ratio_words(line.state)}"
    else:
        columns = ((capacity_words(line), 18), (ratio_words(line.state), 34))
        text = f"{sign} {in_columns(width - 2, line.name, *columns)}"
    return Row(f"room-{line.room_id}", text, "bold $warn" if line.is_warning else "")


async def move_to_room(app: App[None], desk: DeskPort, child_ids: Sequence[str], who: str) -> str:
    """Ask for the room, record the move, and say what the room holds then.

    Raises:
        DeskError: as `Moves.move`.

    """
    moves = desk.building.moves
    rows = [room_row(line, ROOM_WIDTH) for line in (await moves.rooms()).rooms if line.room_id]
    key = await app.push_screen_wait(ChooseScreen(f"Where does {who} go?", rows))
    if not key:
        return "Cancelled; nothing was recorded."
    room_id = key.removeprefix("room-")
    await moves.move(child_ids, room_id)
    after = next(line for line in (await moves.rooms()).rooms if line.room_id == room_id)
    warning = f" ! {after.name}: {capacity_words(after)}; {ratio_words(after.state)}." if after.is_warning else ""
    return f"{who} moved to {after.name} – recorded here.{warning}"


async def move_chosen(app: App[None], desk: DeskPort, line: "RosterLine | None") -> str:
    """Move the child that is chosen on the roster; raises DeskError as `Moves.move`."""
    if line is None:
        return "Choose a child first: type part of a name, or press ↓."
    return await move_to_room(app, desk, [line.child_id], line.display_name)
