"""Journeys at the desk: what a person presses and what the screen answers."""

import pytest
from textual import events

from kiosk.messages import Mark, Presence, Resync, SnapshotProgress
from kiosk.screens.alerts import AlertsScreen
from kiosk.screens.collect import CollectScreen
from kiosk.screens.commands import COMMANDS
from kiosk.screens.freshness import UNEXPECTED
from kiosk.screens.front import NO_PINS
from kiosk.screens.help import HelpScreen
from kiosk.screens.roster import RosterScreen
from kiosk.services.errors import DeskError
from tests.support.fake_desk import MINUTE_MS
from tests.unit.kiosk.screens.conftest import OpenKiosk


async def test_a_child_is_found_without_accents_and_checked_in_with_one_key(open_kiosk: OpenKiosk) -> None:
    async with open_kiosk() as kiosk:
        await kiosk.press(*"goncalves", "enter")
        await kiosk.until_result("Inês Gonçalves checked in 07:58 – recorded here")
        assert kiosk.chosen == "Inês Gonçalves"
        assert kiosk.table.chosen is not None
        assert kiosk.table.chosen.status is Presence.IN


async def test_enter_right_after_the_last_letter_acts_on_what_was_typed(open_kiosk: OpenKiosk) -> None:
    async with open_kiosk() as kiosk:
        kiosk.search.value = "lourenco"  # as a fast typist: the list has not been narrowed yet
        assert isinstance(kiosk.app.screen, RosterScreen)
        kiosk.app.screen.action_act()
        await kiosk.until_result("Lourenço Pacheco checked in")


async def test_recorded_here_turns_to_confirmed_when_the_server_has_it(open_kiosk: OpenKiosk) -> None:
    async with open_kiosk() as kiosk:
        await kiosk.press(*"ines", "enter")
        await kiosk.until_result("recorded here")
        await kiosk.desk.settle(kiosk.desk.waiting_ids()[0])
        await kiosk.until_result("✓ Inês Gonçalves checked in 07:58 – confirmed")


async def test_an_entry_that_needs_a_person_says_so_in_both_places(open_kiosk: OpenKiosk) -> None:
    async with open_kiosk() as kiosk:
        await kiosk.press(*"ines", "enter")
        await kiosk.until_result("recorded here")
        await kiosk.desk.settle(kiosk.desk.waiting_ids()[0], Mark.NEEDS_REVIEW)
        await kiosk.until_result("needs review")
        await kiosk.until(lambda: "1 needs review" in kiosk.text("data"), "the count on the status line")


async def test_the_next_name_replaces_the_one_just_done(open_kiosk: OpenKiosk) -> None:
    async with open_kiosk() as kiosk:
        await kiosk.press(*"ines", "enter")
        await kiosk.until_result("recorded here")
        await kiosk.press(*"zoe", "enter")
        await kiosk.until_result("Zoë Brandão checked in")
        assert kiosk.search.value == "zoe"


async def test_enter_with_nobody_chosen_records_nothing(open_kiosk: OpenKiosk) -> None:
    async with open_kiosk() as kiosk:
        await kiosk.press("enter")
        await kiosk.until_result("Choose a child first")
        assert kiosk.desk.waiting_ids() == []


async def test_no_letter_records_anything_wherever_the_cursor_is(open_kiosk: OpenKiosk) -> None:
    async with open_kiosk() as kiosk:
        await kiosk.press("down", "tab", *"io")
        assert kiosk.search.value == "io"
        assert kiosk.desk.waiting_ids() == []
        assert kiosk.text("result") == NO_PINS


async def test_the_search_keeps_the_focus_whatever_is_clicked(open_kiosk: OpenKiosk) -> None:
    async with open_kiosk() as kiosk:
        for place in ("#roster", "#header", "#status", "#room-filter"):
            await kiosk.pilot.click(place, offset=(3, 0))
            assert kiosk.search.has_focus
        await kiosk.pilot.click("#roster", offset=(3, 2))
        assert (kiosk.chosen, kiosk.search.has_focus) == ("Carlota Dias", True)
        await kiosk.press(*"zoe")
        assert (kiosk.search.value, kiosk.chosen) == ("zoe", "Zoë Brandão")


async def test_a_child_who_went_home_can_come_back(open_kiosk: OpenKiosk) -> None:
    async with open_kiosk() as kiosk:
        await kiosk.press(*"eva", "enter")
        await kiosk.until_result("Eva Freitas checked in")


async def test_critical_alerts_are_read_before_a_check_in(open_kiosk: OpenKiosk) -> None:
    async with open_kiosk() as kiosk:
        await kiosk.press(*"ana", "enter")
        await kiosk.until_screen(AlertsScreen)
        await kiosk.press("enter", "enter")  # a held key reads for nobody
        assert isinstance(kiosk.app.screen, AlertsScreen)
        assert kiosk.desk.waiting_ids() == []
        await kiosk.press("y")
        await kiosk.until_result("Ana Silva checked in")


async def test_turning_away_from_an_alert_records_nothing(open_kiosk: OpenKiosk) -> None:
    async with open_kiosk() as kiosk:
        await kiosk.press(*"ana", "enter")
        await kiosk.until_screen(AlertsScreen)
        await kiosk.press("escape")
        await kiosk.until_result("nothing was recorded for Ana Silva")
        assert kiosk.desk.waiting_ids() == []


async def test_a_lost_link_shows_since_when_and_how_many_wait(open_kiosk: OpenKiosk) -> None:
    async with open_kiosk() as kiosk:
        assert kiosk.text("link") == "● ONLINE"
        await kiosk.desk.go_offline()
        kiosk.clock.advance_ms(12 * MINUTE_MS)
        await kiosk.press(*"ines", "enter")
        await kiosk.until_result("Inês Gonçalves checked in 08:10")
        await kiosk.until(lambda: kiosk.text("link") == "○ OFFLINE since 07:58, 1 waiting", "the offline line")
        assert kiosk.text("data") == "data 12 min old"
        await kiosk.desk.go_online()
        await kiosk.until(lambda: kiosk.text("link") == "● ONLINE, 1 waiting", "the online line")


async def test_what_another_desk_saw_appears_and_the_cursor_stays_with_its_child(
    open_kiosk: OpenKiosk,
) -> None:
    async with open_kiosk() as kiosk:
        await kiosk.press("down", "down", "down", "down")
        chosen = kiosk.chosen
        kiosk.desk.seen_elsewhere("child-0", Presence.IN)
        kiosk.desk.remove("child-1")
        await kiosk.until(lambda: len(kiosk.table.lines) == 23, "one line fewer")
        assert kiosk.chosen == chosen
        assert kiosk.table.lines[0].status is Presence.IN


async def test_when_the_chosen_child_leaves_the_list_nobody_is_chosen(open_kiosk: OpenKiosk) -> None:
    async with open_kiosk() as kiosk:
        await kiosk.press("down")
        kiosk.desk.remove("child-0")
        await kiosk.until(lambda: len(kiosk.table.lines) == 23, "one line fewer")
        assert kiosk.chosen == ""


async def test_letters_typed_while_a_child_is_chosen_search(open_kiosk: OpenKiosk) -> None:
    async with open_kiosk() as kiosk:
        await kiosk.press("down", "down", *"ines")
        assert kiosk.chosen == "Inês Gonçalves"
        await kiosk.press("enter")
        await kiosk.until_result("Inês Gonçalves checked in")
        assert len(kiosk.desk.waiting_ids()) == 1


async def test_escape_shows_everybody_and_chooses_nobody(open_kiosk: OpenKiosk) -> None:
    async with open_kiosk() as kiosk:
        await kiosk.press(*"zoe", "escape")
        assert (kiosk.search.value, len(kiosk.table.lines), kiosk.chosen) == ("", 24, "")


async def test_f2_walks_through_the_rooms_and_back_to_all(open_kiosk: OpenKiosk) -> None:
    async with open_kiosk() as kiosk:
        shown = []
        for _ in range(4):
            await kiosk.press("f2")
            shown.append((kiosk.text("room-filter"), len(kiosk.table.lines)))
        assert shown == [("F2 Bees", 8), ("F2 Foxes", 9), ("F2 Owls", 7), ("F2 All rooms", 24)]


async def test_counts_are_of_the_whole_centre_whatever_is_listed(open_kiosk: OpenKiosk) -> None:
    async with open_kiosk() as kiosk:
        await kiosk.press("f2", *"zzz")
        assert len(kiosk.table.lines) == 0
        assert kiosk.text("counts-line") == "● 6 in  ○ 17 not yet here  ← 1 gone home"


@pytest.mark.parametrize("key", ["question_mark", "f1"])
async def test_help_opens_and_closes(open_kiosk: OpenKiosk, key: str) -> None:
    async with open_kiosk() as kiosk:
        await kiosk.press(key)
        await kiosk.until_screen(HelpScreen)
        await kiosk.press("escape")
        await kiosk.until_screen(RosterScreen)
        assert kiosk.search.value == ""


@pytest.mark.parametrize("keys", [(), ("a",), ("a", "enter"), ("f2",), ("question_mark",)])
async def test_a_tiny_terminal_and_back(open_kiosk: OpenKiosk, keys: tuple[str, ...]) -> None:
    async with open_kiosk() as kiosk:
        await kiosk.press(*keys)
        for width, height in ((20, 5), (1, 1), (200, 60), (80, 24)):
            await kiosk.pilot.resize_terminal(width, height)
            await kiosk.press("down")
        await kiosk.press("escape", "escape")
        assert isinstance(kiosk.app.screen, RosterScreen)
        assert kiosk.table.lines[0].display_name == "Afonso Almeida"


async def test_a_long_paste_is_cut_and_finds_nobody(open_kiosk: OpenKiosk) -> None:
    async with open_kiosk() as kiosk:
        kiosk.search.post_message(events.Paste("\x1b[31mé" * 2_500))
        await kiosk.until(lambda: bool(kiosk.search.value), "the paste")
        await kiosk.press("enter")
        await kiosk.until_result("Choose a child first")
        assert len(kiosk.search.value) == 80
        assert kiosk.search.value.isprintable()


async def test_what_is_pasted_is_a_search_by_its_first_line(open_kiosk: OpenKiosk) -> None:
    async with open_kiosk() as kiosk:
        await kiosk.press("down")
        kiosk.app.post_message(events.Paste("\nInês\nGonçalves"))
        await kiosk.until(lambda: kiosk.chosen == "Inês Gonçalves", "the pasted name")
        assert kiosk.search.value == "Inês"


async def test_a_refusal_of_the_desk_is_shown_as_it_is(open_kiosk: OpenKiosk) -> None:
    async with open_kiosk() as kiosk:
        await kiosk.press(*"ines")
        kiosk.desk.fail_next = DeskError("storage_full", "The disk is full. Call the manager.")
        await kiosk.press("enter")
        await kiosk.until_result("! The disk is full. Call the manager.")


async def test_a_surprise_is_logged_and_the_desk_goes_on(open_kiosk: OpenKiosk) -> None:
    async with open_kiosk() as kiosk:
        await kiosk.press(*"ines")
        kiosk.desk.fail_next = RuntimeError("something nobody thought of")
        await kiosk.press("enter")
        await kiosk.until_result(UNEXPECTED)
        await kiosk.press("enter")
        await kiosk.until_result("Inês Gonçalves checked in")


async def test_a_key_held_too_long_checks_in_once_and_hands_over_nobody(open_kiosk: OpenKiosk) -> None:
    async with open_kiosk() as kiosk:
        await kiosk.press(*"ines", *["enter"] * 12)
        await kiosk.until_screen(CollectScreen)
        assert len(kiosk.desk.waiting_ids()) == 1


async def test_progress_of_the_first_data_is_told(open_kiosk: OpenKiosk) -> None:
    async with open_kiosk() as kiosk:
        assert isinstance(kiosk.app.screen, RosterScreen)
        kiosk.app.screen.hear(SnapshotProgress(part=2, parts=9))
        assert kiosk.text("result") == "Receiving data, part 2 of 9."
        kiosk.app.screen.hear(Resync(dropped=1_001))
        await kiosk.press("down")
        assert kiosk.chosen == "Afonso Almeida"


async def test_five_hundred_children_are_drawn_only_where_they_are_seen(open_kiosk: OpenKiosk) -> None:
    async with open_kiosk(children=500) as kiosk:
        drawn: list[str] = []
        draw = kiosk.table._child_strip
        kiosk.table._child_strip = lambda line, width: drawn.append(line.child_id) or draw(line, width)  # type: ignore[func-returns-value,method-assign]
        await kiosk.press("down", "down")
        drawn.clear()
        kiosk.desk.seen_elsewhere("child-0", Presence.IN)
        await kiosk.until(lambda: bool(drawn), "a repaint")
        assert set(drawn) == {"child-0"}
        await kiosk.press("end")
        assert kiosk.search.cursor_at_end
        await kiosk.press("ctrl+end")
        assert kiosk.chosen == kiosk.table.lines[-1].display_name
        await kiosk.press("ctrl+home")
        assert kiosk.chosen == kiosk.table.lines[0].display_name
        await kiosk.press("ctrl+end")
        table = kiosk.table
        table.choose("")
        table.show(table.lines[:100], empty_words="")  # a shorter list is not shown from below its end
        await kiosk.until(lambda: table.scroll_offset.y == table.max_scroll_y > 0, "the end of the list")
        assert table.vertical_scrollbar.window_virtual_size == 101
        table.show(table.lines[:3], empty_words="")
        await kiosk.until(lambda: not table.show_vertical_scrollbar, "no bar beside three lines")
        assert table.scroll_offset.y == 0


async def test_light_and_dark(open_kiosk: OpenKiosk) -> None:
    async with open_kiosk() as kiosk:
        assert kiosk.app.current_theme.dark
        await kiosk.press("ctrl+t")
        assert not kiosk.app.current_theme.dark


async def test_the_palette_knows_rooms_help_colours_and_the_way_out(open_kiosk: OpenKiosk) -> None:
    async with open_kiosk() as kiosk:
        titles = [command.title for command in kiosk.app.get_system_commands(kiosk.app.screen)]
        assert titles == [
            "All rooms", "Room: Bees", "Room: Foxes", "Room: Owls", "Help",
            *(command.title for command in COMMANDS), "Light or dark", "Quit",
        ]  # fmt: skip


async def test_a_kiosk_that_starts_on_a_tiny_terminal_keeps_search_list_and_status(open_kiosk: OpenKiosk) -> None:
    async with open_kiosk(size=(20, 5)) as kiosk:
        screen = kiosk.app.screen
        shown = [child.id for child in screen.children if child.display]
        assert shown == ["find", "roster", "answers"]
        assert screen.query_one("#status").region.bottom == 5


async def test_a_child_that_is_announced_is_absent_waited_for_by_nobody_and_taken_in_all_the_same(
    open_kiosk: OpenKiosk,
) -> None:
    async with open_kiosk() as kiosk:
        line = next(line for line in kiosk.table.lines if line.display_name == "Inês Gonçalves")
        kiosk.desk.announce(line.child_id, "sick")
        words = "● 6 in  ○ 16 not yet here  ← 1 gone home  – 1 absent"
        await kiosk.until(lambda: kiosk.text("counts-line") == words, "the child among the absent ones")
        await kiosk.press(*"goncalves", "enter")
        await kiosk.until_result("Inês Gonçalves checked in 07:58 – recorded here")
