"""What a desk with a label printer says: the printer never takes what was recorded, or a code, out of sight."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from kiosk.app import KioskApp
from kiosk.screens.child_day import ChildDayScreen
from kiosk.services.desk_file import LabelSettings
from tests.support.building_desk import MARTIM
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


@pytest.mark.parametrize("command", [("false",), ("sleep", "60"), ("/nothing/like/this",)])
async def test_a_printer_that_fails_leaves_what_was_recorded_in_sight_and_says_the_code(
    command: tuple[str, ...], tmp_path: Path
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
        await seat.until(lambda: "Taken back: Martim Sousa. Throw away any label of it." in shown(seat), "the undo")
        assert "Not printed" not in shown(seat)


async def test_on_a_tiny_screen_the_code_of_what_was_not_printed_is_read(tmp_path: Path) -> None:
    async with printing_desk(tmp_path, "false", size=(20, 5)) as seat:
        await seat.press(*"martim", "enter")
        await seat.until(lambda: "Not printed: pick-up" in shown(seat), "the trouble")
        assert f"code {seat.desk.building.labels.code_of(MARTIM)}" in shown(seat)
        assert ">● Martim Sousa" in shown(seat)


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
        await seat.until_listed("07:58  label printed again")
        code = seat.desk.building.labels.code_of(MARTIM)
        await seat.desk.building.labels.printed()
        assert (tmp_path / "paper").read_text(encoding="utf-8").count(f"Code {code}") == 2
        await seat.press("escape", "f4")
        await seat.until_note("Throw away any label of it.")
