"""The roll-call: everybody who should be in the building, marked with one key each, and counts to read from afar."""

from collections.abc import Awaitable, Callable
from typing import ClassVar, Final

from rich.cells import cell_len
from textual import work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.screen import Screen
from textual.widget import Widget
from textual.widgets import Digits, Static

from kiosk.screens.asking import AskScreen, ChooseScreen, Field, SureScreen
from kiosk.screens.fitting import fit
from kiosk.screens.freshness import calmly, keep_fresh
from kiosk.screens.page import OneAtATime, answer, hint, page_frame
from kiosk.screens.port import DeskPort
from kiosk.services.people import NO_ROOM
from kiosk.services.rollcall_desk import Kept
from kiosk.services.rollcall_sheet import (
    GROUP_WORDS,
    Place,
    brief_words,
    heard_words,
    line_words,
    stage_words,
)
from kiosk.services.rollcalls import RollLine, RollState, RollView
from kiosk.services.typed_words import NAME_CHARACTERS_MAX
from kiosk.widgets.choice_list import ChoiceList, Row, in_columns
from kiosk.widgets.quiet_line import QuietLine
from sync.presence import Group
from sync.rollcall import RollMark

COUNTED: Final = (RollState.TO_DO, RollState.MISSING, RollState.SAFE, RollState.ELSEWHERE)
SIGNS: Final = {RollState.TO_DO: "○", RollState.MISSING: "!", RollState.SAFE: "✓", RollState.ELSEWHERE: "→"}
LOOKS: Final = {
    RollState.TO_DO: "",
    RollState.MISSING: "bold $bad",
    RollState.SAFE: "$ok",
    RollState.ELSEWHERE: "$quiet",
}
FILTERS: Final[tuple[RollState | None, ...]] = (None, RollState.TO_DO, RollState.MISSING)
NEW: Final = "new"
# At 80 cells: 76 = name 26 + state 11 + room 10 + what was said 23 + 3 gaps of 2.
NAME_WIDTH: Final = 26
NARROW: Final = 60
TINY: Final = 36
HINT: Final = "S or SPACE safe, M missing, O elsewhere; the next one is chosen by itself."


class RollCallScreen(Screen[None]):
    """Opens on any desk, also on a locked one; whatever is marked is durable, and merged with what other desks mark."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("s,space", "mark('present')", "Safe", key_display="s"),
        Binding("m", "mark('missing')", "Missing"),
        Binding("o", "mark('elsewhere')", "Elsewhere"),
        Binding("a", "add", "Add"),
        Binding("b", "begin", "Begin"),
        Binding("e", "end", "End"),
        Binding("escape", "close", "Back"),  # a narrow screen shows the keys until here
        Binding("f", "filter", "Filter"),
        Binding("p", "print", "Print"),
        Binding("f9", "app.command('roll_call')", show=False, priority=True),  # it is open
    ]

    def __init__(self, desk: DeskPort) -> None:
        super().__init__()
        self._desk = desk
        self._rollcalls = desk.building.rollcalls
        self._view = RollView(())
        self._filter = 0
        self._turns = OneAtATime()

    def compose(self) -> ComposeResult:
        """Stage, large counts, what the list can know, the list, the answer to the last key."""
        counts: list[Widget] = []
        for state in COUNTED:
            counts.append(Digits("0", id=f"roll-{state.name.lower()}", classes="count"))
            counts.append(Static(f"\n\n{SIGNS[state]} {state.value}", classes="count-words", markup=False))
        lines = [QuietLine(id=name) for name in ("roll-counts-line", "roll-heard", "roll-desks")]
        yield from page_frame(
            beside_title=[QuietLine(id="page-time", classes="page-time")],
            head=[Horizontal(*counts, id="roll-counts"), *lines],
        )

    def on_mount(self) -> None:
        """Show the list, and stay in step with every other desk."""
        fit(self)
        hint(self, HINT)
        self.query_one(ChoiceList).focus()
        self._follow()

    def on_resize(self) -> None:
        """Fit the columns to the new width."""
        self._show(self._view)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:  # noqa: ARG002 - Textual's
        """Beginning and ending are offered when there is something to begin or to end."""
        return {"begin": not self._view.goes_on, "end": self._view.goes_on}.get(action, True)

    def action_mark(self, mark: str) -> None:
        """Mark who is chosen, and go on to the next."""
        self._perform(lambda: self._mark(RollMark(mark)))

    def action_add(self) -> None:
        """Take in somebody whom the list does not have."""
        self._perform(self._add)

    def action_filter(self) -> None:
        """All, only those without a word, only the missing."""
        self._filter = (self._filter + 1) % len(FILTERS)
        self._show(self._view)

    def action_print(self) -> None:
        """Print the list where there is a printer, and keep it, sealed."""
        self._perform(self._print)

    def action_begin(self) -> None:
        """Begin a roll-call, or say that one goes on."""
        self._perform(self._begin)

    def action_end(self) -> None:
        """End the roll-call, after a look at who is left."""
        self._perform(self._end)

    def action_close(self) -> None:
        """Back to where F9 was pressed; the roll-call goes on."""
        self.dismiss(None)

    @work(group="follow")
    async def _follow(self) -> None:
        await keep_fresh(self._desk, self._read_again)

    async def _read_again(self) -> None:
        async def read() -> str:
            self._show(await self._rollcalls.view())
            return ""

        await calmly(read, self._say)

    @work(group="act")
    async def _perform(self, step: Callable[[], Awaitable[str]]) -> None:
        await self._turns.take(step, self._say, self._read_again)

    async def _mark(self, mark: RollMark) -> str:
        chosen = self.query_one(ChoiceList).chosen
        line = next((one for one in self._view.lines if one.person.subject_id == chosen), None)
        if line is None:
            return "Choose somebody first: ↑ ↓."
        kept = await self._rollcalls.mark(chosen, mark)
        self._show(await self._rollcalls.view())
        self.query_one(ChoiceList).choose(self._view.next_to_do(chosen) or chosen)
        words = {RollMark.PRESENT: "safe", RollMark.MISSING: "MISSING", RollMark.ELSEWHERE: "elsewhere"}[mark]
        return _with(f"{line.person.name}: {words} – recorded here.", kept)

    async def _add(self) -> str:
        fields = [Field("Name", "the name of the child or grown-up", NAME_CHARACTERS_MAX)]
        typed = await self.app.push_screen_wait(AskScreen("Who is here and not on the list?", fields, "ENTER goes on."))
        if not typed:
            return "Cancelled; nothing was recorded."
        # A desk that waits for a PIN names who is in and nobody else, as one whose lease is over.
        is_hidden = self._desk.door.state().hides_names
        found = () if is_hidden else await self._rollcalls.candidates(typed[0])
        if found:
            rows = [Row(one.subject_id, f"{one.name}, {GROUP_WORDS[one.group]}") for one in found]
            rows.append(Row(NEW, f"None of these: {typed[0].strip()} is a grown-up who is not on file"))
            key = await self.app.push_screen_wait(ChooseScreen("Is it one of these?", rows))
            if not key:
                return "Cancelled; nothing was recorded."
            if key != NEW:
                kept = await self._rollcalls.mark(key, RollMark.PRESENT)
                return _with("Added and safe – recorded here.", kept)
        await self._rollcalls.add(typed[0])
        return f"{typed[0].strip()} added as a visitor, and safe – recorded here."

    async def _print(self) -> str:
        kept = await self._rollcalls.print_now()
        if kept.trouble:
            return f"! {kept.trouble}"
        return "To the printer, and kept on this desk." if kept.is_printed else "Kept: rollcall-kiosk sheet prints it."

    async def _begin(self) -> str:
        if self._view.goes_on:
            return "A roll call goes on already, and this desk is part of it."
        return _with("Begun – recorded here.", await self._rollcalls.start())

    async def _end(self) -> str:
        view = await self._rollcalls.view()
        if not view.goes_on:
            return "No roll call goes on."
        left, missing = view.count(RollState.TO_DO), view.count(RollState.MISSING)
        words = f"{missing} MISSING, {left} not yet accounted for. Press Y to end it all the same, ESC to go on."
        if not await self.app.push_screen_wait(SureScreen("End the roll call on all desks?", words)):
            return "It goes on."
        return _with("Ended – recorded here.", await self._rollcalls.end())

    def _show(self, view: RollView) -> None:
        if view.goes_on != self._view.goes_on:
            self.refresh_bindings()
        is_first, self._view = not self._view.lines, view
        place, now_ms = self._rollcalls.place(), self._rollcalls.now_ms()
        self._line("page-title", f"ROLL CALL  {stage_words(view, place)}")
        self._line("page-time", place.clock(now_ms))
        for state in COUNTED:
            self.query_one(f"#roll-{state.name.lower()}", Digits).update(str(view.count(state)))
        counted = "  ".join(f"{SIGNS[state]} {view.count(state)} {state.value}" for state in COUNTED)
        self._line("roll-counts-line", counted)
        heard, desks = heard_words(view, place, now_ms, lambda words: cell_len(words) <= self.size.width - 2)
        self._line("roll-heard", heard)
        self._line("roll-desks", desks)
        wanted = FILTERS[self._filter]
        shown = [line for line in view.lines if wanted in (None, line.state)]
        width = max(self.size.width - 4, 16)
        empty = "Nobody is in the building, by all this desk knows." if wanted is None else "Nobody; F shows all again."
        people = self.query_one(ChoiceList)
        people.show([_row(line, place, width) for line in shown], empty_words=empty)
        if is_first and not people.chosen:
            people.choose(view.next_to_do(""))

    def _line(self, name: str, words: str) -> None:
        self.query_one(f"#{name}", QuietLine).say(words)

    def _say(self, sentence: str) -> None:
        answer(self, sentence)


def _row(line: RollLine, place: Place, width: int) -> Row:
    state = f"{SIGNS[line.state]} {line.state.value}"
    group = line.person.group
    name = (
        line.person.listed_within(min(NAME_WIDTH, width - 13))
        if group is Group.CHILD
        else f"{line.person.name} ({GROUP_WORDS[group]})"
    )
    if width < TINY:
        return Row(line.person.subject_id, f"{SIGNS[line.state]} {line.person.name}", LOOKS[line.state])
    if width < NARROW:
        return Row(line.person.subject_id, in_columns(width, name, (state, 11)), LOOKS[line.state])
    room = line.person.room_name or NO_ROOM
    said = (line_words if line.is_disagreed else brief_words)(line, place)
    columns = ((state, 11), (room, 10), (said, max(width - NAME_WIDTH - 27, 8)))
    return Row(line.person.subject_id, in_columns(width, name, *columns), LOOKS[line.state])


def _with(sentence: str, kept: Kept) -> str:
    if kept.trouble:
        return f"! {sentence} {kept.trouble}"
    return f"{sentence} A sheet is kept on this desk." if kept.path else sentence
