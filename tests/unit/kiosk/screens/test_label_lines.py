"""What a desk with a label printer says: the printer never takes what was recorded, or a code, out of sight."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from textual import events
from textual.screen import Screen

from kiosk.app import KioskApp
from kiosk.messages import PrinterTrouble
from kiosk.screens.asking import ChooseScreen
from kiosk.screens.child_day import ChildDayScreen
from kiosk.screens.collect import CollectScreen
from kiosk.screens.rollcall import RollCallScreen
from kiosk.screens.roster import RosterScreen
from kiosk.services.desk_file import LabelSettings
from kiosk.services.label_desk import FULL, JOBS_MAX
from kiosk.widgets.search_field import SearchField
from tests.support.building_desk import ANA, INES, MARTIM, ZOE
from tests.support.building_program import busy_morning
from tests.unit.kiosk.screens.test_building_screens import Seat, roster_is_shown, shown


@asynccontextmanager
async def printing_desk(folder: Path, *command: str, size: tuple[int, int] = (80, 24)) -> AsyncIterator[Seat]:
    async with busy_morning(folder / "desk") as (desk, clock):
        app = KioskApp(desk, clock)
        async with app.run_test(size=size) as pilot:
            seat = Seat(app, pilot, desk, clock)
            await seat.until(lambda: roster_is_shown(app), "the first roster")
            desk.building.labels.settings = LabelSettings(print_command=command, time_limit_s=1)
            printing = asyncio.create_task(desk.building.labels.run())
            yield seat
            printing.cancel()


@pytest.mark.parametrize(
    ("command", "thrown"),
    [
        (("false",), ""),
        (("sleep", "60"), " Throw away any label of it."),  # it was cut off: nobody knows what came out
        (("/nothing/like/this",), ""),
    ],
)
async def test_a_printer_that_fails_leaves_what_was_recorded_in_sight_and_says_the_code(
    command: tuple[str, ...], thrown: str, tmp_path: Path
) -> None:
    async with printing_desk(tmp_path, *command) as seat:
        await seat.press(*"martim", "enter")
        await seat.until(lambda: "Not printed" in shown(seat), "the trouble")
        trouble = f"Not printed: pick-up code {seat.desk.building.labels.code_of(MARTIM)} for Martim Sousa."
        await seat.until(lambda: f"{trouble} ^L tries again." in shown(seat), "the code")
        assert "Martim Sousa checked in 07:58 – recorded here   F4 undo 60 s" in shown(seat)
        await seat.press("ctrl+l")
        await seat.until(lambda: "Label to the printer, 2 times now." in shown(seat), "the second one")
        await seat.until(lambda: trouble in shown(seat), "the trouble again")
        await seat.press("f4")
        undone = f"Taken back: Martim Sousa.{thrown} It stays in the log as taken back."
        await seat.until(lambda: undone in " ".join(shown(seat).split()), "the undo")
        assert "Not printed" not in shown(seat)


async def test_a_label_that_fails_on_a_child_s_day_is_told_there_below_the_answer(tmp_path: Path) -> None:
    async with printing_desk(tmp_path, "false") as seat:
        await seat.press(*"ana", "f5")
        await seat.until_screen(ChildDayScreen)
        await seat.until_listed("came, Bees")
        seat.desk._following.hub.publish(PrinterTrouble("Not printed: pick-up code C3FK for Martim.", (MARTIM,)))
        await seat.press("p")
        code = seat.desk.building.labels.code_of(ANA)
        trouble = f"Not printed: pick-up code {code} for Ana Silva. P tries again."
        await seat.until(lambda: trouble in shown(seat), "the trouble")
        assert f"Pick-up code {code} for Ana Silva. Label to the printer." in shown(seat)
        assert "Martim" not in shown(seat)
        await seat.pilot.resize_terminal(40, 14)
        await seat.press("p")
        await seat.until(lambda: "Ana Silva. P tries again." in " ".join(shown(seat).split()), "all of it on few lines")


async def test_a_label_for_which_there_is_no_room_in_the_queue_is_told_beside_the_arrival(tmp_path: Path) -> None:
    async with busy_morning(tmp_path / "desk") as (desk, clock):
        app = KioskApp(desk, clock)
        async with app.run_test(size=(80, 24)) as pilot:
            seat = Seat(app, pilot, desk, clock)
            await seat.until(lambda: roster_is_shown(app), "the first roster")
            desk.building.labels.settings = LabelSettings(print_command=("true",))
            for _ in range(JOBS_MAX):
                await desk.building.labels.again(ANA)
            for name, child_id in (("martim", MARTIM), ("zoe", ZOE)):
                await seat.press(*name, "enter")
                await seat.until(lambda: "checked in 07:58 – recorded here" in shown(seat), "the arrival")
                await seat.until(lambda: bool(seat.line("result").count("\n")), "the trouble below it")
                _, second = seat.line("result").split("\n")
                assert f"pick-up code {desk.building.labels.code_of(child_id)} for" in second
                assert "^L tries again." in second
            await seat.press("ctrl+l")
            await seat.until_note(FULL)
            assert seat.line("result").count("Not printed") == 1


async def test_on_a_tiny_screen_the_code_of_what_was_not_printed_is_read(tmp_path: Path) -> None:
    async with printing_desk(tmp_path, "false", size=(20, 5)) as seat:
        await seat.press(*"martim", "enter")
        await seat.until(lambda: "Not printed: pick-up" in shown(seat), "the trouble")
        assert f"code {seat.desk.building.labels.code_of(MARTIM)}" in shown(seat)
        assert ">● Martim Sousa" in shown(seat)


@pytest.mark.parametrize(
    ("key", "opened", "said"),
    [
        ("ctrl+l", None, "Pick-up code"),
        ("f4", None, "Taken back: Martim Sousa."),
        ("enter", CollectScreen, ""),
        ("f3", ChooseScreen, ""),
        ("f5", ChildDayScreen, ""),
        ("f9", RollCallScreen, ""),
    ],
)
async def test_what_is_typed_after_a_key_that_acts_begins_a_new_search(
    key: str, opened: type[Screen[Any]] | None, said: str, tmp_path: Path
) -> None:
    async with printing_desk(tmp_path, "true") as seat:
        await seat.press(*"martim", "enter")
        await seat.until_note("Martim Sousa checked in")
        await seat.press(*"diogo", key)
        if opened is not None:
            await seat.until_screen(opened)
            await seat.press("escape")
            await seat.until_screen(RosterScreen)
        else:
            await seat.until_note(said)
        await seat.press(*"ines")
        await seat.until(lambda: "Inês Gonçalves" in shown(seat), "Inês")
        assert seat.app.screen.query_one(SearchField).value == "ines"


def key_at(key: str, letter: str | None, number: int) -> events.Key:
    """A key, a tenth of a second after the one before: no scanner."""
    pressed = events.Key(key, letter)
    pressed.time = number / 10
    return pressed


async def test_a_fast_typist_s_key_is_about_the_child_that_was_typed(tmp_path: Path) -> None:
    async with printing_desk(tmp_path, "true") as seat:
        for number, letter in enumerate("ines"):
            seat.app.post_message(key_at(letter, letter, number))
        seat.app.post_message(key_at("ctrl+l", None, 4))
        await seat.until_note(f"Pick-up code {seat.desk.building.labels.code_of(INES)} for Inês Gonçalves.")


async def test_a_label_that_is_printed_again_stands_in_the_day(tmp_path: Path) -> None:
    async with printing_desk(tmp_path, "sh", "-c", 'cat >> "$0"', str(tmp_path / "paper")) as seat:
        await seat.press(*"martim", "enter")
        await seat.until_note("Martim Sousa checked in")
        await seat.desk.building.labels.printed()
        await seat.press("f5")
        await seat.until_screen(ChildDayScreen)
        await seat.until_listed("came, Foxes")
        assert not any("label" in row for row in seat.rows)
        await seat.press("p")
        await seat.until_note("Label to the printer, 2 times now.")
        await seat.until_listed("07:58  label sent to the printer")
        await seat.press("end")
        await seat.until(lambda: "it may not be the only one" in seat.line("page-detail"), "what that means")
        code = seat.desk.building.labels.code_of(MARTIM)
        await seat.desk.building.labels.printed()
        assert (tmp_path / "paper").read_text(encoding="utf-8").count(f"Code {code}") == 2
        await seat.press("escape", "f4")
        await seat.until_note("Throw away any label of it.")
