"""What a desk gets that nobody meant: calm words, nothing recorded, and ready again for the next child."""

from textual import events

from kiosk.messages import Presence
from kiosk.screens.roster import RosterScreen
from kiosk.services.errors import DeskError
from tests.unit.kiosk.screens.conftest import OpenKiosk, scan

TENTH_S = 0.1
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


async def test_a_scan_a_tenth_of_a_second_after_a_bad_input_is_taken(open_kiosk: OpenKiosk) -> None:
    """The keys carry the moments of the scanner, so that no machine is too slow for it; B10 has the real time."""
    async with open_kiosk(children=20) as kiosk:
        lines = await kiosk.desk.roster()
        kiosk.desk.counter.codes = {f"CARD-{number:02}": line.child_id for number, line in enumerate(lines)}
        cards = iter(kiosk.desk.counter.codes)
        now_s = 10.0

        async def is_ready_again() -> None:
            nonlocal now_s
            card = next(cards)
            await scan(kiosk, card, at_s=now_s + TENTH_S)
            child_id = kiosk.desk.counter.codes[card]
            await kiosk.until(lambda: kiosk.desk.counter.lines()[child_id].status is Presence.IN, card)
            assert card not in kiosk.search.value
            now_s += 10

        await scan(kiosk, "CARD-1", at_s=now_s, enter=False)  # half a scan
        now_s += 0.06
        await is_ready_again()
        for bad in ("CARD-18CARD-19", "NO-SUCH-CARD-1", "9" * 500):  # two run together, unknown, without an end
            await scan(kiosk, bad, at_s=now_s)
            now_s += len(bad) / 100
            await is_ready_again()

        assert isinstance(kiosk.app.screen, RosterScreen)
        for card in ("CARD-16", "CARD-17"):  # while the first is being written down
            kiosk.app.screen.hear_scan(card)
        await kiosk.until_result("checked in")
        await is_ready_again()
        came = [kiosk.desk.counter.lines()[lines[number].child_id].status for number in (16, 17)]
        assert came == [Presence.IN, Presence.IN]
        kiosk.app.post_message(events.Key("escape", None))
        kiosk.app.post_message(events.Key("enter", "\r"))  # on nothing
        await is_ready_again()
        kiosk.app.post_message(events.Paste("A1" * 5_000))
        await kiosk.until(lambda: bool(kiosk.search.value), "the paste")
        kiosk.app.post_message(events.Key("escape", None))
        await is_ready_again()
        kiosk.clock.set_wall_ms(0)
        await is_ready_again()
        kiosk.clock.set_wall_ms(YEAR_2038_MS)
        kiosk.desk.fail_next = DeskError("storage_full", "Nothing was recorded: the disk is full.")
        await scan(kiosk, "CARD-19", at_s=now_s)
        await kiosk.until_result("the disk is full")
        now_s += 0.1
        await is_ready_again()
