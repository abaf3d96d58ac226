"""Faces beside the questions of the desk: who comes, who leaves, with whom; and initials where there is no colour."""

import pytest

from kiosk.screens.alerts import AlertsScreen
from kiosk.screens.collect import CollectScreen
from kiosk.screens.family import FamilyScreen
from kiosk.screens.identity import IdentityScreen
from kiosk.widgets.face import HALF_BLOCK, Face
from tests.support.faces import face
from tests.unit.kiosk.screens.conftest import Kiosk, OpenKiosk


def faces(kiosk: Kiosk) -> list[str]:
    """What each face that can be seen shows, its caption last."""
    found = [one for one in kiosk.app.screen.query(Face) if one.display]
    return [str(one.content) for one in found]


async def test_a_release_shows_the_child_then_whoever_is_chosen_then_both(
    open_kiosk: OpenKiosk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLORTERM", "truecolor")
    monkeypatch.delenv("NO_COLOR", raising=False)
    async with open_kiosk() as kiosk:
        kiosk.desk.counter.pictures = {"ana": face(), "adult-1": face(), "adult-3": face()}
        await kiosk.desk.check_in("ana")
        await kiosk.press(*"ana", "enter")
        await kiosk.until_screen(AlertsScreen)
        (shown,) = faces(kiosk)
        assert shown.split("\n") == [*[HALF_BLOCK * 16] * 8, "Ana Silva"]
        await kiosk.press("y")
        await kiosk.until_screen(CollectScreen)
        assert faces(kiosk)[0].endswith("\nAna Silva")
        await kiosk.press("down")
        assert faces(kiosk)[0].endswith(f"{HALF_BLOCK}\nMaria Silva")
        await kiosk.press("down")
        assert faces(kiosk) == ["┌────┐\n│ RC │\n└────┘\nRui"]
        await kiosk.press(*"Joao Pinto")  # may never collect: who that is can be seen
        assert faces(kiosk)[0].endswith(f"{HALF_BLOCK}\nJoão Pinto")
        for width, height in ((80, 12), (60, 24), (80, 5), (120, 50), (80, 24)):
            await kiosk.pilot.resize_terminal(width, height)
        await kiosk.press("shift+tab", "home", "enter")
        await kiosk.until_screen(IdentityScreen)
        assert [one.rsplit("\n", 1)[1] for one in faces(kiosk)] == ["Ana Silva", "Maria Silva"]
        await kiosk.press("2")
        await kiosk.until_result("Ana Silva checked out")


async def test_without_colours_there_are_initials_and_without_pictures_nothing(
    open_kiosk: OpenKiosk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    async with open_kiosk() as kiosk:
        kiosk.desk.counter.families = {"ines": ("ines", "zoe")}
        kiosk.desk.counter.pictures = {"zoe": face()}
        await kiosk.press(*"ines", "enter")
        await kiosk.until_screen(FamilyScreen)
        assert faces(kiosk) == ["┌────┐\n│ IG │\n└────┘\nInês"]
        await kiosk.press("down")
        assert faces(kiosk) == ["┌────┐\n│ ZB │\n└────┘\nZoë"]
        await kiosk.press("escape")
        kiosk.desk.counter.pictures = {}
        await kiosk.press("escape", *"ines", "enter")
        await kiosk.until_screen(FamilyScreen)
        assert faces(kiosk) == []
