"""What the screen says when a desk is locked, was revoked, or has been given a new file."""

from kiosk.messages import Quarantined
from kiosk.screens.alerts import AlertsScreen
from kiosk.screens.collect import CollectScreen
from kiosk.screens.notice import NoticeScreen
from kiosk.screens.roster import RosterScreen
from kiosk.screens.unlock import UnlockScreen
from kiosk.widgets.wording import link_text, quarantine_text, zone_of
from tests.support.fake_desk import MINUTE_MS
from tests.unit.kiosk.screens.conftest import Kiosk, OpenKiosk

HOUR_MS = 60 * MINUTE_MS


def shown(kiosk: Kiosk) -> str:
    """Everything that can be read now."""
    lines = kiosk.app.screen._compositor.render_strips()
    return " ".join(" ".join(strip.text for strip in lines).split())


async def test_a_locked_desk_shows_no_name_and_says_how_to_open_it(open_kiosk: OpenKiosk) -> None:
    async with open_kiosk() as kiosk:
        assert "Silva" in shown(kiosk)
        await kiosk.desk.lock()
        await kiosk.until_screen(NoticeScreen)
        await kiosk.until(lambda: "Connect it" in shown(kiosk), "the explanation")
        assert "locked" in shown(kiosk)
        assert "Silva" not in shown(kiosk)
        await kiosk.press(*"ines", "enter", "escape", "question_mark")
        assert isinstance(kiosk.app.screen, NoticeScreen)
        assert kiosk.desk.waiting_ids() == []


async def test_the_list_comes_back_by_itself_when_the_server_answers(open_kiosk: OpenKiosk) -> None:
    async with open_kiosk() as kiosk:
        await kiosk.desk.lock()
        await kiosk.until_screen(NoticeScreen)
        await kiosk.desk.unlock()
        await kiosk.until_screen(RosterScreen)
        await kiosk.until(lambda: "Silva" in shown(kiosk), "the names")
        await kiosk.press(*"ines", "enter")
        await kiosk.until_result("Inês Gonçalves checked in")


async def test_a_question_that_is_open_when_the_lease_ends_is_answered_with_no(open_kiosk: OpenKiosk) -> None:
    async with open_kiosk() as kiosk:
        await kiosk.press(*"silva", "enter")  # Ana has an alert to be read first
        await kiosk.press("y")
        await kiosk.until_result("Ana Silva checked in")
        await kiosk.press("enter")
        await kiosk.until_screen(AlertsScreen)
        await kiosk.press("y")
        await kiosk.until_screen(CollectScreen)
        waiting = kiosk.desk.waiting_ids()
        await kiosk.desk.lock()
        await kiosk.until_screen(NoticeScreen)
        await kiosk.until(lambda: "Silva" not in shown(kiosk), "no name in sight")
        assert kiosk.desk.waiting_ids() == waiting
        await kiosk.desk.unlock()
        await kiosk.until_screen(RosterScreen)
        await kiosk.press("escape", *"ines", "enter")
        await kiosk.until_result("Inês Gonçalves checked in")


async def test_the_status_line_says_when_a_desk_should_be_connected(open_kiosk: OpenKiosk) -> None:
    async with open_kiosk() as kiosk:
        await kiosk.desk.go_offline()
        await kiosk.desk.let_lease_run_down(72 * HOUR_MS)
        await kiosk.until(lambda: "OFFLINE" in kiosk.text("link"), "offline")
        assert "connect" not in kiosk.text("link")
        await kiosk.desk.let_lease_run_down(72 * HOUR_MS - 1)
        await kiosk.until(lambda: "connect within 71 h" in kiosk.text("link"), "the warning")
        await kiosk.desk.let_lease_run_down(5 * MINUTE_MS)
        await kiosk.until(lambda: "connect within 5 min" in kiosk.text("link"), "the last warning")
        status = await kiosk.desk.status()
        await kiosk.desk.go_online()
        online = await kiosk.desk.status()
        assert "connect" not in link_text(online, kiosk.clock.wall_ms(), zone_of(status.time_zone))


async def test_a_revoked_desk_shows_one_calm_sentence_and_nothing_else(open_kiosk: OpenKiosk) -> None:
    async with open_kiosk(size=(60, 12)) as kiosk:
        await kiosk.desk.revoke("This desk (Front desk at Little Oaks Nursery) was revoked.")
        await kiosk.until_screen(NoticeScreen)
        await kiosk.until(lambda: "was revoked." in shown(kiosk), "the sentence")
        assert "Silva" not in shown(kiosk)
        await kiosk.press("enter", "escape", *"ana")
        assert isinstance(kiosk.app.screen, NoticeScreen)
        await kiosk.press("ctrl+q")
        await kiosk.until(lambda: not kiosk.app.is_running, "the end")


async def test_a_replaced_file_is_told_on_the_line_that_answers(open_kiosk: OpenKiosk) -> None:
    async with open_kiosk() as kiosk:
        assert isinstance(kiosk.app.screen, RosterScreen)
        kiosk.app.screen.hear(Quarantined("a page", "quarantine/x", settled=5, waiting=1, lost=0))
        await kiosk.until_result("damaged and has been replaced; 1 unsent entry saved.")


def test_entries_that_could_not_be_read_are_said_to_a_person() -> None:
    words = quarantine_text(Quarantined("a page", "quarantine/x", settled=5, waiting=0, lost=2))
    assert words.endswith("0 unsent entries saved, 2 not readable: tell the manager.")


async def test_nobody_leaves_a_locked_desk_for_the_machine_behind_it(open_kiosk: OpenKiosk) -> None:
    async with open_kiosk() as kiosk:
        kiosk.desk.door.pins = {"Ruth Appiah": "483920"}
        kiosk.app.guard_door()
        await kiosk.until_screen(UnlockScreen)
        await kiosk.press("ctrl+q")
        await kiosk.until(lambda: "Unlock the desk with a PIN first" in shown(kiosk), "the reason")
        assert kiosk.app.is_running
        titles = {one.title for one in kiosk.app.get_system_commands(kiosk.app.screen)}
        assert titles == {"This desk", "Roll call", "Light or dark", "Quit"}  # no screenshot, no keys, no room
        await kiosk.desk.door.unlock("Ruth Appiah", "483920")
        kiosk.app.guard_door()
        await kiosk.press("ctrl+q")
        await kiosk.until(lambda: not kiosk.app.is_running, "the end")
