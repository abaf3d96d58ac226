"""Journeys through the rest of the day at a desk: the shipped use-cases behind the shipped screens."""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import pytest
from textual.pilot import Pilot
from textual.screen import Screen
from textual.widgets import Digits, Input, Static

from kiosk.app import KioskApp
from kiosk.screens.app_code import AppCodeScreen
from kiosk.screens.asking import AskScreen, ChooseScreen, SureScreen
from kiosk.screens.child_day import ChildDayScreen
from kiosk.screens.collect import CollectScreen
from kiosk.screens.health import HealthScreen
from kiosk.screens.help import HelpScreen
from kiosk.screens.identity import IdentityScreen
from kiosk.screens.override import OverrideScreen
from kiosk.screens.people import PeopleScreen
from kiosk.screens.rollcall import RollCallScreen
from kiosk.screens.rooms import RoomScreen, RoomsScreen
from kiosk.screens.roster import RosterScreen
from kiosk.screens.today import TodayScreen
from kiosk.widgets.choice_list import ChoiceList
from kiosk.widgets.quiet_line import QuietLine
from kiosk.widgets.roster_table import RosterTable
from sync.attendance import EventKind
from sync.desk_code import desk_code, desk_of, typed_code
from sync.desk_code import shown as shown_code
from tests.support.building_desk import ANA, CHILDREN, UnlinkedDesk, event_at
from tests.support.building_program import busy_morning
from tests.support.kiosk_clock import StandingClock

ROUNDS_MAX = 400


@dataclass
class Seat:
    """What a person at the desk presses and sees."""

    app: KioskApp
    pilot: Pilot[None]
    desk: UnlinkedDesk
    clock: StandingClock

    async def press(self, *keys: str) -> None:
        await self.pilot.press(*keys)
        await self.pilot.pause()

    async def until(self, happened: Callable[[], bool], what: str) -> None:
        for _ in range(ROUNDS_MAX):
            if happened():
                return
            await self.pilot.pause(0.01)
        raise AssertionError(f"never happened: {what}; screen: {self.app.screen}, note: {self.note!r}")

    async def until_screen(self, kind: type[Screen[Any]]) -> None:
        await self.until(lambda: type(self.app.screen) is kind, kind.__name__)

    async def until_note(self, words: str) -> None:
        await self.until(lambda: words in self.note, words)

    async def until_listed(self, words: str) -> None:
        await self.until(lambda: any(words in row for row in self.rows), words)

    @property
    def note(self) -> str:
        return self.line("page-note") or self.line("result")

    @property
    def rows(self) -> list[str]:
        """What the list on top says, line by line."""
        return [str(option.prompt) for each in self.app.screen.query(ChoiceList) for option in each.options]

    def line(self, name: str) -> str:
        for screen in reversed(self.app.screen_stack):
            for found in screen.query(f"#{name}").results(Static):
                return str(found.content)
        return ""

    def digits(self, name: str) -> str:
        return self.app.screen.query_one(f"#{name}", Digits).value


@pytest.fixture
async def seat(tmp_path: Path) -> AsyncIterator[Seat]:
    async with busy_morning(tmp_path / "desk") as (desk, clock):
        app = KioskApp(desk, clock)
        async with app.run_test(size=(80, 24)) as pilot:
            found = Seat(app, pilot, desk, clock)
            await found.until(lambda: bool(roster_is_shown(app)), "the first roster")
            yield found


def roster_is_shown(app: KioskApp) -> bool:
    return len(app.screen_stack) > 1 and bool(app.screen_stack[1].query_one(RosterTable).lines)


async def test_a_roll_call_from_the_first_key_to_its_end(seat: Seat) -> None:
    await seat.press("enter")  # nobody chosen; then a question is open, and F9 works over it
    await seat.press(*"ana", "enter")
    await seat.press("f9")
    await seat.until_screen(RollCallScreen)
    await seat.until_listed("Rui Costa (visitor)")
    roster = seat.app.screen_stack[1]
    assert isinstance(roster, RosterScreen)
    roster.hear_scan("CARD-1")  # nothing is closed for it, and nobody is left to wonder
    await seat.until_note("A card was scanned; ESC goes back to the roster")
    assert "Not begun" in seat.line("page-title")
    await seat.press("f9")  # once more opens no second one
    assert [type(screen) for screen in seat.app.screen_stack].count(RollCallScreen) == 1
    await seat.press("s")  # Afonso, the first without a word
    await seat.until_note("Afonso Almeida: safe – recorded here.")
    await seat.press("m")
    await seat.until_note("Ana Silva: MISSING")
    await seat.press("space")
    await seat.until_note("Beatriz Cardoso: safe")
    await seat.until(lambda: (seat.digits("roll-safe"), seat.digits("roll-missing")) == ("2", "1"), "the counts")
    (rollcall_id,) = (await seat.desk.building.rollcalls.view()).open_ids
    said = {"rollcall_id": rollcall_id, "child_id": ANA, "mark": "present"}
    await seat.desk.hear_of(event_at(EventKind.ROLLCALL_MARK, seat.clock.wall_ms(), 1, **said))
    await seat.until_listed("safe 07:58 Back door")  # found at the same moment elsewhere: missing still
    assert any("Ana Silva" in row and "! MISSING" in row for row in seat.rows)
    await seat.until(lambda: "Back door 07:58" in seat.line("roll-desks"), "the other desk")
    await seat.press("f", "f")
    assert [row.split("  ")[0] for row in seat.rows] == ["Ana Silva"]
    await seat.press("f", "a")
    await seat.until_screen(AskScreen)
    await seat.press(*"tom", "enter")
    await seat.until_note("tom added as a visitor, and safe")
    await seat.press("p")
    await seat.until_note("Kept: rollcall-kiosk sheet prints it.")
    await seat.press("b")
    assert seat.app.screen.check_action("begin", ()) is False
    await seat.press("e")
    await seat.until_screen(SureScreen)
    await seat.press("enter")  # a held key ends nothing
    assert isinstance(seat.app.screen, SureScreen)
    await seat.press("y")
    await seat.until_note("Ended – recorded here.")
    await seat.until(lambda: "ended 07:58" in seat.line("page-title"), "the end")
    await seat.press("escape")
    assert not isinstance(seat.app.screen, RollCallScreen)


async def test_a_childs_day_is_corrected_completed_and_questioned_by_keys(seat: Seat) -> None:
    await seat.press("f5")
    await seat.until_note("Choose a child first")
    await seat.press(*"ana", "f5")
    await seat.until_screen(ChildDayScreen)
    await seat.until_listed("07:32  came, Bees")
    await seat.press("t")  # nothing is chosen yet
    await seat.until_note("Choose an arrival")
    await seat.press("down", "t")
    await seat.until_screen(AskScreen)
    await seat.press(*"23:59", "enter", *"why not", "enter")
    await seat.until_note("has not come yet")
    await seat.press("t")
    await seat.until_screen(AskScreen)
    await seat.press(*"07:25", "enter", *"long queue", "enter")
    await seat.until_listed("07:25  came, Bees")
    assert "first said 07:32; why: long queue" in seat.line("page-detail")
    await seat.press("i")
    await seat.until_screen(ChooseScreen)
    await seat.press("down", "down", "enter")  # yesterday
    await seat.until_screen(AskScreen)
    await seat.press(*"0810", "enter", *"nobody at the desk", "enter")
    await seat.until_listed("08:10  came, Bees")
    await seat.until(lambda: any("no check-out before?" in row for row in seat.rows), "the question")
    await seat.press("home", "enter")
    await seat.until_screen(ChooseScreen)
    await seat.press("down", "enter")  # left in between
    await seat.until_screen(AskScreen)
    await seat.press(*"16:00", "enter")
    await seat.until_note("Answered – recorded here.")
    await seat.until(lambda: not any("no check-out before?" in row for row in seat.rows), "no question")
    await seat.press("end", "x")
    await seat.until_note("Choose an entry that counts.")
    await seat.press("escape")
    await seat.until_screen(RosterScreen)


async def test_people_rooms_today_and_the_desk_itself_by_keys(seat: Seat) -> None:
    await seat.press("f6")
    await seat.until_screen(PeopleScreen)
    await seat.until_listed("Luísa Pires")
    assert seat.line("page-title") == "STAFF AND VISITORS  2 of 3 staff in, 1 visitor in"
    await seat.press("home", "enter")
    await seat.until_screen(ChooseScreen)
    await seat.press("down", "enter")
    await seat.until_note("Luísa Pires signed in")
    await seat.press("v")
    await seat.until_screen(AskScreen)
    await seat.press(*"Eva Lima", "enter", *"Inspection", "enter", "enter")
    await seat.until_listed("Inspection")
    await seat.press("escape", "f7")
    await seat.until_screen(RoomsScreen)
    await seat.until_listed("Bees")
    await seat.press("down", "down", "enter")
    await seat.until_screen(RoomScreen)
    await seat.until_listed("[ ] Diogo Faria")
    await seat.press("a", "enter")
    await seat.until_screen(ChooseScreen)
    await seat.press("down", "enter")
    await seat.until_note("2 children moved to Bees – recorded here. ! Bees: 5 of 4, 1 OVER")
    await seat.press("escape", "escape", "f12")
    await seat.until_screen(TodayScreen)
    await seat.until_listed("○ not yet here (3)")
    await seat.press("f")
    await seat.until(lambda: len(seat.rows) == 4, "one group")
    await seat.press("escape", "ctrl+d")
    await seat.until_screen(HealthScreen)
    await seat.until(lambda: "not at the server yet" in seat.line("health"), "what to do")
    await seat.press("ctrl+d")
    await seat.until_screen(RosterScreen)
    await seat.press("question_mark")
    await seat.until_screen(HelpScreen)
    keys = str(seat.app.screen.query_one(Static).content)
    assert all(f" F{number} " in keys for number in (3, 5, 6, 7, 9, 12))
    names = {command.title for command in seat.app.get_system_commands(seat.app.screen_stack[1])}
    assert {"Roll call", "Staff and visitors", "Rooms", "This desk", "Today's names"} <= names


async def test_a_code_for_a_parents_app_is_shown_by_an_unlocked_desk_with_keys(seat: Seat) -> None:
    await seat.press("ctrl+a")
    await seat.until_note("This desk has no keys yet; connect it to the network.")
    pepper, keyring = bytes(range(32)), seat.desk.keyring
    keyring.keys = msgspec.structs.replace(keyring.keys, pin_pepper=pepper)
    await seat.press("ctrl+a")
    await seat.until_screen(AppCodeScreen)
    code = desk_code(pepper, keyring.keys.device_id, seat.desk.parts.following.now_ms())
    await seat.until(lambda: shown_code(code) in seat.line("app-code"), "the code of this desk and minute")
    assert seat.line("dialog-note").startswith("Another one in ")
    assert desk_of(typed_code(shown_code(code)), pepper, [keyring.keys.device_id], seat.clock.wall_ms()) is not None
    await seat.press("escape")
    await seat.until_screen(RosterScreen)


async def test_a_label_says_its_code_and_the_code_is_checked_when_the_child_leaves(seat: Seat) -> None:
    code = seat.desk.building.labels.code_of(ANA)
    await seat.press(*"ana", "ctrl+l")
    await seat.until_note(f"Pick-up code {code} for Ana Silva. No label printer is set up at this desk.")
    await seat.press("f5")
    await seat.until_screen(ChildDayScreen)
    await seat.press("p")
    await seat.until_note(f"Pick-up code {code} for Ana Silva.")
    await seat.press("escape", "enter")
    await seat.until_screen(CollectScreen)
    await seat.press("down", "enter")
    await seat.until_screen(IdentityScreen)
    await seat.press("5")
    for wrong in ("zzzz", "cccc"):
        await seat.until_screen(AskScreen)
        await seat.press(*wrong, "enter")
        await seat.until(lambda: "not the code for Ana Silva" in seat.line("dialog-title"), "the refusal")
    await seat.press(*code.lower(), "enter")
    await seat.until_note("Ana Silva checked out")
    (left,) = (one for one in seat.desk.parts.following.knowledge.facts(ANA).values() if one.event.kind == "check_out")
    assert (left.event.identity_check, left.event.auth_method) == ("code_match", "staff_attested")


@pytest.mark.parametrize("size", [(20, 5), (120, 40)])
async def test_every_page_opens_in_any_size_and_keeps_what_matters(tmp_path: Path, size: tuple[int, int]) -> None:
    async with busy_morning(tmp_path / "desk") as (desk, clock):
        app = KioskApp(desk, clock)
        async with app.run_test(size=size) as pilot:
            seat = Seat(app, pilot, desk, clock)
            await seat.until(lambda: bool(roster_is_shown(app)), "the first roster")
            for key, kind in (("f6", PeopleScreen), ("f12", TodayScreen), ("f7", RoomsScreen), ("f9", RollCallScreen)):
                await seat.press(key)
                await seat.until_screen(kind)
                await seat.until(lambda: len(seat.rows) > 2, "the list")
                assert seat.app.screen.query_one(ChoiceList).size.height > 0
                assert seat.app.screen.query_one("#page-title", QuietLine).size.height == 1
                await seat.press("escape")
                await seat.until_screen(RosterScreen)


async def test_at_20_by_5_the_code_is_read_and_a_day_says_who_came(tmp_path: Path) -> None:
    async with busy_morning(tmp_path / "desk") as (desk, clock):
        app = KioskApp(desk, clock)
        async with app.run_test(size=(20, 5)) as pilot:
            seat = Seat(app, pilot, desk, clock)
            await seat.until(lambda: roster_is_shown(app), "the first roster")
            code = desk.building.labels.code_of(ANA)
            await seat.press(*"ana")
            await seat.until(lambda: "Nobody has a PIN" not in shown(seat), "room for the list")
            await seat.press("ctrl+l")
            await seat.until(lambda: f"Pick-up code {code}" in shown(seat), "the code on the roster")
            assert ">● Ana Silva" in shown(seat)
            assert seat.app.screen.query_one("#status").region.bottom == 5
            await seat.press("i")
            await seat.until(lambda: code not in shown(seat), "room for the list again")
            await seat.press("backspace", *"ana", "f5")
            await seat.until_screen(ChildDayScreen)
            await seat.until(lambda: "07:32 came" in shown(seat), "that it came")
            assert shown(seat).split("\n")[2].rstrip().endswith("…")  # recorded here, by its sign
            assert "Choose an entry" not in shown(seat)
            await seat.press("p")
            await seat.until(lambda: f"Pick-up code {code}" in shown(seat), "the code on the day")
            assert "07:32 came" in shown(seat)


async def test_what_is_chosen_has_a_sign_and_not_a_colour_alone(seat: Seat) -> None:
    assert ">" not in shown(seat)
    await seat.press(*"ana")
    await seat.until(lambda: ">Ana Silva " in shown(seat), "the sign on the roster")
    await seat.press("enter")
    await seat.until_screen(CollectScreen)
    assert "> " not in shown(seat).replace(">A", "")  # nobody is chosen at first
    await seat.press("down")
    assert "> Maria Silva · parent" in shown(seat)
    assert "✗ João Pinto" in shown(seat)
    await seat.press("escape", "f6")
    await seat.until_screen(PeopleScreen)
    await seat.until_listed("Luísa Pires")
    await seat.press("home")
    assert "> Luísa Pires" in shown(seat)
    assert "  Pedro Vaz" in shown(seat)
    await seat.press("enter")
    await seat.until_screen(ChooseScreen)
    await seat.press("down", "down")
    assert "  Bees " in shown(seat)
    assert "> Foxes " in shown(seat)


async def test_a_child_not_on_file_from_the_door_to_the_way_home_and_back(seat: Seat) -> None:
    await seat.press(*"mia", "space", *"ek", "ctrl+g")
    await seat.until_screen(AskScreen)
    await seat.press("enter", "p", "enter", "enter")  # one letter is no name: what was typed stays
    await seat.until(lambda: "Type the full name" in seat.line("dialog-note"), "what is wrong")
    assert [each.value for each in seat.app.screen.query(Input)] == ["Mia Ek", "p", ""]
    await seat.press("enter", *"bo", "enter", "enter")
    await seat.until_screen(ChooseScreen)
    assert seat.line("dialog-title") == "To which room does Mia Ek go?"
    await seat.press("down", "enter")
    await seat.until_note("Mia Ek checked in 07:58 – recorded here   F4 undo 60 s")
    await seat.until(lambda: "Mia Ek not on file " in shown(seat), "the roster")

    await seat.press("f9")
    await seat.until_listed("Mia Ek (not on file)")
    await seat.press("down", "down", "down", "s")
    await seat.until_note("Mia Ek: safe – recorded here.")
    await seat.press("escape", "enter")
    await seat.until_screen(CollectScreen)
    assert seat.line("list-note") == "Came with bo."
    assert "Not on file: there is no list" in seat.line("dialog-note")
    await seat.press(*"bo", "enter")
    await seat.until_screen(OverrideScreen)
    assert "nobody has said who may collect it" in seat.line("dialog-title")
    seat.app.screen.query_one("#reason", Input).value = "passport seen"
    await seat.press("enter")
    await seat.until_screen(IdentityScreen)
    await seat.press("2")
    await seat.until_note("Mia Ek checked out 07:58 – recorded here")
    await seat.press("f4")
    await seat.until_note("Taken back: Mia Ek.")
    await seat.until(lambda: "● In" in next(line for line in shown(seat).split("\n") if "Mia" in line), "in again")

    await seat.press("escape", *"ana", "ctrl+g")
    await seat.until_screen(AskScreen)
    await seat.press("enter", "enter", "enter")
    await seat.until_screen(ChooseScreen)
    assert seat.line("dialog-title") == "Is it Ana Silva (Bees)?"
    await seat.press("down", "enter")
    await seat.until_note("Ana Silva (Bees) is in already; nothing was recorded.")
    assert len(await seat.desk.roster()) == len(CHILDREN) + 1


def shown(seat: Seat) -> str:
    """Everything that can be read now, line by line."""
    return "\n".join(strip.text for strip in seat.app.screen._compositor.render_strips())
