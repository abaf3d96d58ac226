"""Staff and visitors: who is in, and one key to come, to go or to change rooms."""

from collections.abc import Awaitable, Callable, Sequence
from typing import ClassVar
from zoneinfo import ZoneInfo

from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.screen import Screen

from kiosk.screens.asking import AskScreen, ChooseScreen, Field
from kiosk.screens.fitting import fit
from kiosk.screens.freshness import calmly, keep_fresh
from kiosk.screens.page import OneAtATime, answer, hint, page_frame
from kiosk.screens.port import DeskPort, WallClock
from kiosk.services.people import Person
from kiosk.services.typed_words import NAME_CHARACTERS_MAX, PURPOSE_CHARACTERS_MAX
from kiosk.widgets.choice_list import ChoiceList, Row, in_columns
from kiosk.widgets.quiet_line import QuietLine
from kiosk.widgets.wording import moment_text
from sync.presence import Group

CANCELLED = "Cancelled; nothing was recorded."
VISITOR_FIELDS = (
    Field("Name", "full name of the visitor", NAME_CHARACTERS_MAX),
    Field("Company or purpose", "may be left empty", PURPOSE_CHARACTERS_MAX),
    Field("Visits whom", "may be left empty", PURPOSE_CHARACTERS_MAX),
)


class PeopleScreen(Screen[None]):
    """Both lists on one page: the staff by name, in or out, and the visitors who are in."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "act", "In / Out", key_display="enter", priority=True),
        Binding("m", "move", "Other room"),
        Binding("v", "visitor", "New visitor"),
        Binding("escape", "close", "Back"),
    ]

    def __init__(self, desk: DeskPort, clock: WallClock, zone: ZoneInfo) -> None:
        super().__init__()
        self._desk = desk
        self._visits = desk.building.visits
        self._clock = clock
        self._zone = zone
        self._people: dict[str, Person] = {}
        self._turns = OneAtATime()

    def compose(self) -> ComposeResult:
        """Counts, the list, the answer to the last key."""
        yield from page_frame()

    def on_mount(self) -> None:
        """Show the lists, and stay in step."""
        fit(self)
        hint(self, "ENTER signs in or out; M changes rooms; V takes a visitor in.")
        self.query_one(ChoiceList).focus()
        self._follow()

    @on(ChoiceList.OptionSelected)
    def line_chosen(self) -> None:
        """ENTER on somebody."""
        self.action_act()

    def action_act(self) -> None:
        """Sign in who is out, and out who is in."""
        self._perform(self._act)

    def action_move(self) -> None:
        """Another room for a member of staff."""
        self._perform(self._move)

    def action_visitor(self) -> None:
        """A visitor comes."""
        self._perform(self._visitor)

    def action_close(self) -> None:
        """Back to the roster."""
        self.dismiss(None)

    @work(group="follow")
    async def _follow(self) -> None:
        await keep_fresh(self._desk, self._read_again)

    async def _read_again(self) -> None:
        async def read() -> str:
            staff, visitors = await self._visits.staff(), await self._visits.visitors()
            self._people = {one.subject_id: one for one in (*staff, *visitors)}
            here = sum(one.is_in for one in staff)
            guests = "1 visitor" if len(visitors) == 1 else f"{len(visitors)} visitors"
            words = f"STAFF AND VISITORS  {here} of {len(staff)} staff in, {guests} in"
            self.query_one("#page-title", QuietLine).say(words)
            self.query_one(ChoiceList).show(self._rows(staff, visitors), empty_words="Nobody is on file yet.")
            return ""

        await calmly(read, self._say)

    @work(group="act")
    async def _perform(self, step: Callable[[], Awaitable[str]]) -> None:
        await self._turns.take(step, self._say, self._read_again)

    async def _act(self) -> str:
        person = self._people.get(self.query_one(ChoiceList).chosen)
        if person is None:
            return "Choose somebody first: ↑ ↓."
        if person.group is Group.VISITOR:
            await self._visits.visitor_out(person.subject_id)
            return f"{person.name} signed out – recorded here."
        if person.is_in:
            await self._visits.staff_out(person.subject_id)
            return f"{person.name} signed out – recorded here."
        room_id = await self._room(f"To which room does {person.name} go?")
        if room_id is None:
            return CANCELLED
        await self._visits.staff_in(person.subject_id, room_id)
        return f"{person.name} signed in – recorded here."

    async def _move(self) -> str:
        person = self._people.get(self.query_one(ChoiceList).chosen)
        if person is None or person.group is Group.VISITOR or not person.is_in:
            return "Choose a member of staff who is in."
        room_id = await self._room(f"To which room does {person.name} go?", but=person.room_id)
        if not room_id:
            return CANCELLED
        await self._visits.staff_move(person.subject_id, room_id)
        return f"{person.name} changed rooms – recorded here."

    async def _visitor(self) -> str:
        note = "ENTER goes on, and after the last line signs in."
        typed = await self.app.push_screen_wait(AskScreen("Who comes?", VISITOR_FIELDS, note))
        if not typed:
            return CANCELLED
        name, purpose, host = typed
        await self._visits.visitor_in(name, purpose=purpose, host=host)
        return f"{' '.join(name.split())} signed in – recorded here."

    async def _room(self, title: str, *, but: str = "") -> str | None:
        """The chosen room; empty when the centre has none, None when it was cancelled."""
        rooms = [Row(room_id, name) for room_id, name in await self._visits.rooms() if room_id != but]
        if not rooms:
            return ""
        return await self.app.push_screen_wait(ChooseScreen(title, rooms)) or None

    def _rows(self, staff: Sequence[Person], visitors: Sequence[Person]) -> list[Row]:
        rows = [Row("staff", "Staff", "bold $quiet", is_heading=True)] if staff else []
        rows += [self._row(one) for one in staff]
        rows.append(Row("visitors", "Visitors" if visitors else "No visitors", "bold $quiet", is_heading=True))
        return rows + [self._row(one) for one in visitors]

    def _row(self, person: Person) -> Row:
        since = "" if person.since_ms is None else moment_text(person.since_ms, self._clock.wall_ms(), self._zone)
        state = "● In" if person.is_in else "← Out" if since else "○ Not yet"
        width = max(self.size.width - 4, 16)
        columns = ((state, 9), (since, 6), (person.note or person.room_name, max(width // 3, 8)))
        return Row(person.subject_id, in_columns(width, person.name, *columns), "$ok" if person.is_in else "")

    def _say(self, sentence: str) -> None:
        answer(self, sentence)
