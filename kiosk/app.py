"""The kiosk on a terminal: wires a desk and a clock to the screens, and nothing more."""

from collections.abc import Callable, Iterable
from functools import partial
from typing import ClassVar

from textual import events, work
from textual.app import App, SystemCommand
from textual.binding import Binding, BindingType
from textual.driver import Driver
from textual.screen import Screen
from textual.worker import WorkerFailed

from kiosk.log import Log
from kiosk.screens.commands import COMMANDS, Command, Scene, find_command, hidden_bindings
from kiosk.screens.port import DeskPort, WallClock
from kiosk.screens.roster import RosterScreen
from kiosk.screens.scanner import Scanner
from kiosk.screens.unlock import UnlockScreen
from kiosk.widgets.themes import DARK, LIGHT
from kiosk.widgets.wording import zone_of

log = Log()


class KioskApp(App[None]):
    """A desk on a screen; the caller opens the desk before and closes it after.

    Ctrl-C only says how to quit, so that nobody closes a front desk by habit; `ctrl_c_quits` lets a person who tries
    it out stop it as any other program. `when_painted` is called when the list was seen for the first time; only then
    does the link begin. `driver_class` is how it is shown, where Textual is not to choose. `crash` is what the screen
    ended of, if it did.
    """

    TITLE = "Rollcall"
    CSS_PATH = "kiosk.tcss"
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (70, "-normal")]  # noqa: RUF012  Textual declares these without ClassVar
    VERTICAL_BREAKPOINTS = [(0, "-tiny"), (9, "-short"), (20, "-tall")]  # noqa: RUF012
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+t", "switch_theme", "Light", show=False, priority=True),
        Binding("ctrl+q", "quit", "Quit", show=False, priority=True),
        *hidden_bindings(),
    ]

    def __init__(
        self,
        desk: DeskPort,
        clock: WallClock,
        *,
        ctrl_c_quits: bool = False,
        when_painted: Callable[[], None] = lambda: None,
        driver_class: type[Driver] | None = None,
    ) -> None:
        super().__init__(driver_class)
        self._when_painted = when_painted
        self._ctrl_c_quits = ctrl_c_quits
        self.register_theme(DARK)
        self.register_theme(LIGHT)
        self.theme = DARK.name
        self.stylesheet.set_variables(self.get_css_variables())
        self._styled_as = DARK.name
        self._desk = desk
        self._clock = clock
        self._roster: RosterScreen | None = None
        self._scanner = Scanner()
        self.crash: BaseException | None = None

    def on_mount(self) -> None:
        """Show the roster; the link starts when it is seen."""
        self._roster = RosterScreen(self._desk, self._clock, self._first_painted)
        self.push_screen(self._roster)

    def get_system_commands(self, screen: Screen[object]) -> Iterable[SystemCommand]:
        """Every command by name, for the palette."""
        if isinstance(screen, RosterScreen):
            yield SystemCommand("All rooms", "List every child", partial(screen.show_room, ""))
            for room_id, name in screen.rooms:
                yield SystemCommand(f"Room: {name}", "List this room only", partial(screen.show_room, room_id))
            yield SystemCommand("Help", "Every key and sign", screen.action_help)
        for one in COMMANDS:
            if one.when_hidden or isinstance(screen, RosterScreen):
                yield SystemCommand(one.title, one.words, partial(self.action_command, one.name))
        yield SystemCommand("Light or dark", "Switch the colours", self.action_switch_theme)
        yield SystemCommand("Quit", "Close the screen; entries that wait are sent next time", self.action_quit)

    def refresh_css(self, animate: bool = True) -> None:  # noqa: FBT001, FBT002 - Textual's
        """Read the style sheets for another theme; Textual does so at its start, too, just after it read them."""
        if self._styled_as != self.theme:
            self._styled_as = self.theme
            super().refresh_css(animate)

    async def action_quit(self) -> None:
        """Leave the desk: not while it is locked, since behind its screen is the machine."""
        covers = [screen for screen in self.screen_stack if isinstance(screen, UnlockScreen)]
        if covers and self._desk.door.state().hides_names:
            covers[-1].refuse_to_leave()
        else:
            self.exit()

    def action_help_quit(self) -> None:
        """Ctrl-C."""
        if self._ctrl_c_quits:
            self.exit()
        else:
            super().action_help_quit()

    def guard_door(self) -> None:
        """Look at the door now; the screen does so once a second by itself."""
        if self._roster is not None:
            self._roster.guard_door()

    async def on_event(self, event: events.Event) -> None:
        """Hear every key before whoever has the focus: a scanner types a code wherever that is."""
        if isinstance(event, events.Key | events.Paste | events.MouseDown):
            self._desk.door.touch()
        if self._roster is not None and isinstance(event, events.Key | events.Paste):
            code = self._scanner.hear(event, self.screen)
            if code is not None:
                event.stop()
                event.prevent_default()
                if code:
                    self._roster.hear_scan(code)
                return
        await super().on_event(event)

    def action_command(self, name: str) -> None:
        """Carry out one of `kiosk.screens.commands`; what needs no names also over a question that is being asked."""
        command = find_command(name)
        if command.when_hidden:
            if self._roster is not None:
                self._roster.end_search()
            self._run_over(command)
        elif self._roster is not None:
            self._roster.give(command)

    def action_switch_theme(self) -> None:
        """From dark to light and back."""
        self.theme = LIGHT.name if self.theme == DARK.name else DARK.name

    @work(group="over")
    async def _run_over(self, command: Command) -> None:
        try:
            zone = zone_of((await self._desk.status()).time_zone)
            await command.run(Scene(self, self._desk, self._clock, zone))
        except Exception:
            log.exception("command_failed", command=command.name)

    def _first_painted(self) -> None:
        self._when_painted()
        self._run_link()

    @work(group="link")
    async def _run_link(self) -> None:
        try:
            await self._desk.run_link()
        except Exception:
            log.exception("link_stopped")

    def _handle_exception(self, error: Exception) -> None:
        """Keep what nobody expected for whoever started the screen, and leave without a word: no traceback here."""
        if self.crash is None:
            self.crash = error.error if isinstance(error, WorkerFailed) else error
        super()._handle_exception(error)
        self._exit_renderables.clear()
