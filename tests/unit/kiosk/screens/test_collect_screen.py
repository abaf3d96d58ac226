"""Handing over a child: only to who may, and never by a slip of a finger."""

import pytest
from textual.widgets import OptionList

from kiosk.screens.alerts import AlertsScreen
from kiosk.screens.collect import CollectScreen
from kiosk.screens.identity import IdentityScreen
from kiosk.screens.override import OverrideScreen
from kiosk.screens.roster import RosterScreen
from sync.resemblance import Resemblance, resemblance
from tests.unit.kiosk.screens.conftest import Kiosk, OpenKiosk


async def ask_for(kiosk: Kiosk, name: str, child_id: str) -> None:
    await kiosk.desk.check_in(child_id)
    await kiosk.press(*name, "enter")
    if child_id == "ana":  # a court order is read before she is given to anybody
        await kiosk.until_screen(AlertsScreen)
        await kiosk.press("enter", "y")
    await kiosk.until_screen(CollectScreen)


async def say_how_known(kiosk: Kiosk, key: str = "1") -> None:
    await kiosk.until_screen(IdentityScreen)
    await kiosk.press("enter", key)  # a held ENTER is no answer


async def test_a_child_leaves_with_an_adult_of_the_list(open_kiosk: OpenKiosk) -> None:
    async with open_kiosk() as kiosk:
        await ask_for(kiosk, "ana", "ana")
        await kiosk.press("down", "down", "enter")
        await say_how_known(kiosk, "2")
        await kiosk.until_result("Ana Silva checked out 07:58 – recorded here")
        assert kiosk.desk.collected_by == "adult-2"


async def test_who_may_not_collect_cannot_be_picked(open_kiosk: OpenKiosk) -> None:
    async with open_kiosk() as kiosk:
        await ask_for(kiosk, "ana", "ana")
        for _ in range(6):
            await kiosk.press("down")
            people = kiosk.app.screen.query_one("#collectors")
            assert getattr(people, "highlighted", None) in {0, 1}


async def test_a_blocked_name_typed_in_full_is_stopped(open_kiosk: OpenKiosk) -> None:
    async with open_kiosk() as kiosk:
        await ask_for(kiosk, "ana", "ana")
        await kiosk.press("tab", *"pinto", "space", *"joao", "enter", "enter")
        assert "STOP: João Pinto may not collect" in kiosk.text("dialog-note")
        await kiosk.press("escape")
        await kiosk.until_result("nothing was recorded for Ana Silva")
        assert len(kiosk.desk.waiting_ids()) == 1  # the check-in alone


async def test_a_name_close_to_a_blocked_one_is_asked_twice(open_kiosk: OpenKiosk) -> None:
    async with open_kiosk() as kiosk:
        await ask_for(kiosk, "ana", "ana")
        await kiosk.press("tab", *"joana", "space", *"pinta")
        assert kiosk.text("dialog-note") == "ENTER goes on with this adult."
        await kiosk.press("ctrl+u", *"j", "space", *"pinto", "enter")
        assert "ENTER again only if it is not João Pinto" in kiosk.text("dialog-note")
        await kiosk.press("enter")
        await kiosk.until_screen(OverrideScreen)
        await kiosk.press(*"no", "enter")
        assert "8 letters or more" in kiosk.text("dialog-note")
        await kiosk.press(*"t", *"hisisjoanapinto", "enter")
        await say_how_known(kiosk)
        await kiosk.until_result("Ana Silva checked out")
        release = kiosk.desk.counter.released[-1]
        assert (release.adult_name, release.reason, release.warnings) == (
            "j pinto", "nothisisjoanapinto", ("near_blocked_name",),
        )  # fmt: skip


async def test_who_may_collect_on_other_days_only_is_not_today_and_cannot_be_picked(open_kiosk: OpenKiosk) -> None:
    async with open_kiosk() as kiosk:
        await ask_for(kiosk, "ana", "ana")
        people = kiosk.app.screen.query_one("#collectors", OptionList)
        assert [(str(option.prompt), option.disabled) for option in people.options] == [
            ("  Maria Silva · mother · +351 912 000 101", False),
            ("  Rui Costa · grandfather · temporary · +351 912 000 102", False),
            ("✗ Helena Silva – not today", True),
            ("✗ João Pinto – MAY NOT COLLECT", True),
        ]
        await kiosk.press("tab", *"silva", "space", *"helena", "enter", "enter")
        assert "STOP: Helena Silva may not collect today" in kiosk.text("dialog-note")
        await kiosk.press("backspace", "enter")
        assert "Close to Helena Silva, who may not collect today" in kiosk.text("dialog-note")
        await kiosk.press("escape")
        await kiosk.until_screen(RosterScreen)
        assert len(kiosk.desk.waiting_ids()) == 1  # the check-in alone


async def test_letters_typed_on_the_list_begin_another_name(open_kiosk: OpenKiosk) -> None:
    async with open_kiosk() as kiosk:
        await ask_for(kiosk, "ana", "ana")
        await kiosk.press(*"Eva", "space", *"Luz", "enter")
        await say_how_known(kiosk)
        await kiosk.until_result("Ana Silva checked out")
        assert kiosk.desk.collected_by == "Eva Luz"


async def test_a_typed_name_of_the_list_is_that_adult(open_kiosk: OpenKiosk) -> None:
    async with open_kiosk() as kiosk:
        await ask_for(kiosk, "ana", "ana")
        await kiosk.press("tab", *"maria", "space", *"silva", "enter")
        await say_how_known(kiosk)
        await kiosk.until_result("Ana Silva checked out")
        assert kiosk.desk.collected_by == "adult-1"


async def test_a_child_with_nobody_on_the_list_asks_for_a_name(open_kiosk: OpenKiosk) -> None:
    async with open_kiosk() as kiosk:
        await ask_for(kiosk, "zoe", "zoe")
        assert "Nobody on this list may collect" in kiosk.text("dialog-note")
        await kiosk.press("enter", *"Eva", "space", *"Luz", "enter")
        await say_how_known(kiosk)
        await kiosk.until_result("Zoë Brandão checked out")
        assert kiosk.desk.collected_by == "Eva Luz"


async def test_escape_goes_back_and_records_nothing(open_kiosk: OpenKiosk) -> None:
    async with open_kiosk() as kiosk:
        await ask_for(kiosk, "ana", "ana")
        await kiosk.press("escape")
        await kiosk.until_screen(RosterScreen)
        await kiosk.until_result("nothing was recorded for Ana Silva")


@pytest.mark.parametrize(
    ("typed", "found"),
    [
        ("João Pinto", Resemblance.SAME),
        ("joao PINTO", Resemblance.SAME),
        ("Pinto, João", Resemblance.SAME),
        ("Joao Pintto", Resemblance.NEAR),
        ("J. Pinto", Resemblance.NEAR),
        ("Pinto", Resemblance.NEAR),
        ("João Manuel Pinto", Resemblance.NEAR),
        ("Maria Silva", Resemblance.NONE),
        ("Ana Pinto", Resemblance.NONE),
        ("", Resemblance.NONE),
        (" .,- ", Resemblance.NONE),
    ],
)
def test_names_are_compared_without_accents_order_and_one_slip(typed: str, found: Resemblance) -> None:
    assert resemblance(typed, "João Pinto") is found
