"""The main screen: find a child, see how it stands, check it in or out with one key."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import ClassVar, Final
from zoneinfo import ZoneInfo

from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.screen import Screen
from textual.widgets import Footer, Input

from kiosk.log import Log
from kiosk.messages import (
    DeskMessage,
    DeskStatus,
    EntrySettled,
    LinkChanged,
    Mark,
    Presence,
    PrinterTrouble,
    Quarantined,
    Revoked,
    SnapshotProgress,
)
from kiosk.screens.building_commands import ROLL_CALL
from kiosk.screens.collect import CollectScreen
from kiosk.screens.commands import COMMANDS, Command, Scene, bindings
from kiosk.screens.fitting import fit
from kiosk.screens.freshness import UNEXPECTED
from kiosk.screens.front import NO_PINS, act_on, act_on_scanned
from kiosk.screens.help import HelpScreen
from kiosk.screens.narrowing import Narrowing
from kiosk.screens.notice import NoticeScreen
from kiosk.screens.port import DeskPort, WallClock
from kiosk.screens.scan_words import TOO_MANY, TOO_OLD, hear_over, offer
from kiosk.screens.unlock import UnlockScreen
from kiosk.services.desk import Recorded, RosterLine
from kiosk.services.door import DoorMode
from kiosk.services.errors import DeskError
from kiosk.services.refusals import locked_words
from kiosk.services.scan_queue import ScanQueue
from kiosk.widgets.center_header import CenterHeader
from kiosk.widgets.quiet_line import QuietLine
from kiosk.widgets.result_line import ResultLine
from kiosk.widgets.roster_table import RosterTable
from kiosk.widgets.search_field import SearchField
from kiosk.widgets.status_line import StatusLine
from kiosk.widgets.wording import clock_text, quarantine_text, zone_of

CLOCK_INTERVAL_S: Final = 1.0

log = Log()


class RosterScreen(Screen[None]):
    """Everything a desk does in the morning, on one page and without a mouse."""

    BINDINGS: ClassVar[list[BindingType]] = [
        *bindings([ROLL_CALL]),  # a narrow screen shows these two, and what the keys of the search field are
        Binding("f1,question_mark", "help", "Help", key_display="?", priority=True),
        Binding("f2", "next_room", "Room"),
        *bindings([one for one in COMMANDS if one is not ROLL_CALL]),
        Binding("ctrl+q", "app.quit", "Quit", priority=True),
    ]

    def __init__(self, desk: DeskPort, clock: WallClock, first_painted: Callable[[], None]) -> None:
        """`first_painted` is called once, when the list was seen for the first time."""
        super().__init__()
        self._first_painted = first_painted
        self._desk = desk
        self._clock = clock
        self._zone = ZoneInfo("UTC")
        self._status: DeskStatus | None = None
        self._narrowing = Narrowing()
        self._stale = asyncio.Event()
        self._showing = asyncio.Lock()
        self._busy = False
        self._scans = ScanQueue()
        self._done_ids: frozenset[str] = frozenset()  # what was recorded while scans waited
        self._last_staff_id = ""

    def compose(self) -> ComposeResult:
        """Header, search, roster, then the three lines that answer: result, status, keys."""
        yield CenterHeader(id="header")
        with Horizontal(id="find"):
            yield SearchField()
            yield QuietLine(id="room-filter")
        yield RosterTable()
        with Vertical(id="answers"):
            yield ResultLine()
            yield StatusLine(id="status")
        yield Footer()

    async def on_mount(self) -> None:
        """Show what the desk knows, then stay up to date."""
        fit(self)
        self._tick()
        if self._desk.door.state().mode is DoorMode.NO_PINS:
            self.query_one(ResultLine).show_note(NO_PINS)
        self.set_interval(CLOCK_INTERVAL_S, self._tick)
        self._stale.set()
        self._stay_fresh()
        self._listen()
        if self._desk.quarantined is not None:
            self.query_one(ResultLine).show_note(quarantine_text(self._desk.quarantined))
        self.query_one(SearchField).focus()

    def hear(self, message: DeskMessage) -> None:
        """Take in one message of the desk; however many come at once, the roster is read again once."""
        result = self.query_one(ResultLine)
        if isinstance(message, EntrySettled):
            result.show_mark(message.event_id, message.mark)
            self._show_undo()
        if isinstance(message, LinkChanged):
            self._show_status(message.status)
        elif isinstance(message, Revoked):
            self._hide_behind(NoticeScreen("This desk was revoked", message.sentence))
        elif isinstance(message, Quarantined):
            result.show_note(quarantine_text(message))
        elif isinstance(message, PrinterTrouble):
            result.show_trouble(message.words("^L"))
        elif isinstance(message, SnapshotProgress):
            result.show_note(f"Receiving data, part {message.part} of {message.parts}.")
        else:
            self._stale.set()

    @property
    def rooms(self) -> list[tuple[str, str]]:
        """Id and name of each room that has children, by name."""
        return self._narrowing.rooms

    async def show_room(self, room_id: str) -> None:
        """List the children of one room; an empty id lists all."""
        self._narrowing.room_id = room_id
        await self._calmly(self._show_roster)

    @on(Input.Changed, "#search")
    async def search_changed(self) -> None:
        """Narrow the list while the name is typed."""
        self._narrowing.scanned_ids = frozenset()
        self.query_one(ResultLine).make_room()
        await self._calmly(self._show_roster)

    def action_act(self) -> None:
        """Check in who is not in; ask who collects for one who is."""
        self._perform(self._perform_on_chosen)

    def give(self, command: Command) -> None:
        """Carry out a command; on a desk that hides its names whatever else was asked there waits."""
        if isinstance(self.app.screen, NoticeScreen | UnlockScreen):
            self._perform_hidden(command)
        else:
            self._perform(partial(self._carry_out, command))

    def hear_scan(self, code: str) -> None:
        """A code was scanned, wherever the focus is: it opens its family, names who collects, or waits its turn."""
        stack = self.app.screen_stack
        over = stack[stack.index(self) + 1 :]
        if isinstance(self.app.screen, CollectScreen):
            offer(self.app.screen, self._desk.counter, code)
        elif hear_over(self._scans, code, self._clock.wall_ms(), over):
            if over and not self._busy:  # the help or the palette, which nobody reads who scans a card
                self._back_to_list()
            self._perform(self._take_scan)
        elif not over:
            self.query_one(ResultLine).show_note(TOO_MANY)

    def end_search(self) -> None:
        """A key acts: the next name typed replaces this one, which stays in sight until then."""
        self.query_one(SearchField).select_all()

    def action_move_cursor(self, steps: int) -> None:
        """Choose another child."""
        self.query_one(RosterTable).move_cursor(steps)

    def action_clear_search(self) -> None:
        """Back to the whole list with nobody chosen."""
        field = self.query_one(SearchField)
        field.value = ""
        self._narrowing.scanned_ids = frozenset()
        field.focus()
        self._stale.set()
        self.query_one(RosterTable).choose("")

    async def action_next_room(self) -> None:
        """From all rooms to the first, and on, and back to all."""
        await self.show_room(self._narrowing.next_room_id)

    def action_help(self) -> None:
        """Show every key and sign."""
        self.app.push_screen(HelpScreen())

    @work(group="act")
    async def _perform(self, step: Callable[[], Awaitable[None]]) -> None:
        """Carry out one key press to its end; presses that come meanwhile are dropped, not queued."""
        if self._busy:
            return
        self._busy = True
        try:
            await self._calmly(step)
        finally:
            self._busy = False
        if self._scans:
            self._perform(self._take_scan)
        else:
            self._done_ids = frozenset()

    @work(group="hidden", exclusive=True)
    async def _perform_hidden(self, command: Command) -> None:
        await self._calmly(partial(self._carry_out, command))

    async def _carry_out(self, command: Command) -> None:
        is_hidden = isinstance(self.app.screen, NoticeScreen | UnlockScreen)
        chosen = None if is_hidden else await self._chosen()
        scene = self._scene(chosen)
        self.end_search()
        said = await command.run(scene)
        if isinstance(said, tuple):
            self._show_done(said)
            await self._read_again()
            self.query_one(RosterTable).choose(said[0].child_id)  # who came newly is listed only now
        elif said:
            self.query_one(ResultLine).show_note(said)
        self._stale.set()

    async def _perform_on_chosen(self) -> None:
        await self._show_roster()  # a fast typist's ENTER must see the list of the last letter
        line = self.query_one(RosterTable).chosen
        if line is None:
            self.query_one(ResultLine).show_note("Choose a child first: type part of a name, or press ↓.")
        else:
            self.end_search()
            self._show_recorded(await act_on(self._scene(line), line), line)

    async def _chosen(self) -> RosterLine | None:
        """Who is chosen by all that was typed: unlike ENTER, the key of a command overtakes the letters before it."""
        taken_in = asyncio.Event()
        self.query_one(SearchField).call_later(taken_in.set)
        await taken_in.wait()
        await self._show_roster()
        return self.query_one(RosterTable).chosen

    async def _take_scan(self) -> None:
        code = self._scans.take(self._clock.wall_ms())
        if code:
            await self._scan(code)
        elif code is not None:
            self.query_one(ResultLine).show_note(TOO_OLD)

    async def _scan(self, code: str) -> None:
        self.end_search()
        found = self._desk.counter.scan(code)
        done = [line.display_name for line in found.lines if line.child_id in self._done_ids]
        if done:  # a card shown twice for one child must not take back what it was shown for
            self.query_one(ResultLine).show_note(f"{done[0]} is recorded already; scan again if more is meant.")
            return
        statuses = {line.status is Presence.IN for line in found.lines}
        if len(statuses) > 1:  # some are here and some are not: a person says who is meant
            self._narrowing.scanned_ids = frozenset(line.child_id for line in found.lines)
            await self._show_roster()
            self.query_one(RosterTable).choose("")
            self.query_one(ResultLine).show_note("The children of this code: choose one with ↑ ↓, then ENTER.")
            return
        self._show_recorded(await act_on_scanned(self._scene(), found), found.lines[0])

    def _scene(self, chosen: RosterLine | None = None) -> Scene:
        return Scene(self.app, self._desk, self._clock, self._zone, chosen, self.query_one(SearchField).value.strip())

    def _show_recorded(self, recorded: Sequence[Recorded], line: RosterLine) -> None:
        if recorded:
            self._show_done(recorded)
        else:
            self.query_one(ResultLine).show_note(f"Cancelled; nothing was recorded for {line.display_name}.")

    def _show_done(self, recorded: Sequence[Recorded]) -> None:
        self.query_one(ResultLine).show_recorded(recorded, clock_text(recorded[0].occurred_at_ms, self._zone))
        self._narrowing.scanned_ids = frozenset()
        self._done_ids |= {one.child_id for one in recorded}
        self._show_undo()
        self._stale.set()

    def _show_undo(self) -> None:
        found = self._desk.counter.undoable()
        self.query_one(ResultLine).show_undo(found.left_ms if found else None)

    async def _calmly(self, step: Callable[[], Awaitable[None]]) -> None:
        """Run a step of the desk; whatever goes wrong becomes a line that says what to do."""
        try:
            await step()
        except DeskError as refusal:
            self.query_one(ResultLine).show_problem(refusal.message)
            self._stale.set()
        except Exception:
            log.exception("desk_step_failed")
            self.query_one(ResultLine).show_problem(UNEXPECTED)

    @work(group="listen")
    async def _listen(self) -> None:
        async for message in self._desk.subscribe():
            self.hear(message)

    @work(group="refresh")
    async def _stay_fresh(self) -> None:
        await self._read_when_stale()
        self.call_after_refresh(self._first_painted)
        while True:
            await self._read_when_stale()

    async def _read_when_stale(self) -> None:
        await self._stale.wait()
        self._stale.clear()
        await self._calmly(self._read_again)

    async def _read_again(self) -> None:
        status = await self._desk.status()
        self._show_status(status)
        settled = self._narrowing.take(() if status.locked or status.revoked else await self._desk.roster())
        self.query_one(ResultLine).show_settled(settled)
        self.query_one(CenterHeader).show_counts(self._narrowing.everybody)
        await self._show_roster()

    async def _show_roster(self) -> None:
        """List what fits search and room; what was newly typed chooses its best match."""
        async with self._showing:
            table, text = self.query_one(RosterTable), self.query_one(SearchField).value
            shown = self._narrowing.lines(text)
            table.show(shown, empty_words=self._narrowing.empty_words(text))
            if self._narrowing.is_new(text):
                table.choose(shown[0].child_id if shown and text.strip() else "")
            self.query_one("#room-filter", QuietLine).say(f"F2 {self._narrowing.room_name}")
            self._show_own_mark()

    def _show_own_mark(self) -> None:
        result = self.query_one(ResultLine)
        for line in self._narrowing.everybody:
            if line.last_event_id in result.event_ids and line.mark is not Mark.NONE:
                result.show_mark(line.last_event_id, line.mark)
                self._show_undo()

    def _show_status(self, status: DeskStatus) -> None:
        was_locked = self._status is not None and self._status.locked
        self._status = status
        if status.locked and not was_locked:
            self._hide_behind(NoticeScreen("This desk is locked", locked_words(status)))
        elif was_locked and not (status.locked or status.revoked):
            self._show_again()
        self._zone = zone_of(status.time_zone)
        self.query_one(CenterHeader).show_center(status)
        self._tick()

    def _hide_behind(self, notice: NoticeScreen) -> None:
        """Nothing that names a child stays in sight: neither the list nor a question that is being asked."""
        self._scans.clear()
        self.app.push_screen(notice)
        self._stale.set()

    def _show_again(self) -> None:
        """Back to the list; a question that was open is answered with no."""
        self._back_to_list()
        self._stale.set()
        self.guard_door()

    def _back_to_list(self) -> None:
        while self.app.screen is not self:
            self.app.screen.dismiss(None)

    def guard_door(self) -> None:
        """Hide everything while the desk is locked, and show it again once somebody unlocked it."""
        door = self._desk.door.state()
        covers = [screen for screen in self.app.screen_stack if isinstance(screen, UnlockScreen)]
        if door.hides_names and not covers:
            self._scans.clear()
            self.app.push_screen(UnlockScreen(self._desk.door, self.guard_door, first=self._last_staff_id))
        elif covers and not door.hides_names and self.app.screen is covers[-1]:
            self._last_staff_id = door.staff_id
            self._show_again()
        self.query_one(CenterHeader).show_staff(door.staff_name)

    def _tick(self) -> None:
        now_ms = self._clock.wall_ms()
        self.guard_door()
        self._show_undo()
        self.query_one(CenterHeader).show_time(now_ms, self._zone)
        self.query_one(RosterTable).show_time(now_ms, self._zone)
        if self._status is not None:
            self.query_one(StatusLine).show(self._status, now_ms, self._zone)
