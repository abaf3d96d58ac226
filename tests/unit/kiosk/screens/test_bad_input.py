"""What a desk gets that nobody meant: calm words, nothing recorded, and ready again for the next child."""

from textual import events

from kiosk.screens.roster import RosterScreen
from kiosk.services.errors import DeskError
from tests.unit.kiosk.screens.conftest import OpenKiosk

YEAR_2038_MS = 2_147_483_648_000  # one second more than a signed 32-bit number holds


async def test_after_every_bad_input_the_next_child_is_checked_in(open_kiosk: OpenKiosk) -> None:
    async with open_kiosk() as kiosk:
        field = kiosk.search
        names = iter(("Inês Gonçalves", "Zoë Brandão", "Afonso Almeida", "Carlota Dias", "Diogo Faria"))

        async def is_ready_again() -> None:
            name = next(names)
            await kiosk.press("escape", "escape")
            assert isinstance(kiosk.app.screen, RosterScreen)
            field.post_message(events.Paste(name))
            await kiosk.until(lambda: kiosk.chosen == name, name)
            await kiosk.press("enter")
            await kiosk.until_result(f"{name} checked in")

        await kiosk.press("down", "escape", "enter")  # ENTER on nothing
        assert kiosk.desk.waiting_ids() == []
        field.post_message(events.Paste("A1" * 5_000))  # 10,000 characters
        await kiosk.until(lambda: bool(field.value), "the paste")
        assert len(field.value) == 80
        await is_ready_again()

        await kiosk.pilot.resize_terminal(20, 5)
        await kiosk.press("z", "enter", "escape")
        await kiosk.pilot.resize_terminal(80, 24)
        await is_ready_again()

        for wall_ms in (0, YEAR_2038_MS):
            kiosk.clock.set_wall_ms(wall_ms)
            await is_ready_again()
        await kiosk.press("escape", "escape")
        field.post_message(events.Paste("Lara Neves"))
        await kiosk.until(lambda: kiosk.chosen == "Lara Neves", "the name")
        for code in ("storage_full", "storage_failed"):
            kiosk.desk.fail_next = DeskError(code, f"Nothing was recorded: {code}.")
            await kiosk.press("enter")
            await kiosk.until_result(f"Nothing was recorded: {code}.")
        await is_ready_again()
