"""Whoever sees badly can read it: measured on the painted screen, in both sets of colours."""

import pytest
from rich.color import Color
from textual.app import App

from kiosk.screens.people import PeopleScreen
from kiosk.screens.rooms import RoomsScreen
from tests.unit.kiosk.screens.conftest import OpenKiosk
from tests.unit.kiosk.screens.test_building_screens import Seat, seat

__all__ = ["seat"]

CONTRAST_MIN = 4.5  # WCAG 2.2, success criterion 1.4.3, level AA
ORNAMENT = set("▁▂▃▄▅▆▇█▏▎▍▌▋▊▉╶╴╷╵─│┌┐└┘╭╮╰╯├┤┬┴┼━┃┏┓┗┛ ")


def luminance(color: Color) -> float:
    shares = [
        value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4
        for value in color.get_truecolor().normalized
    ]
    return 0.2126 * shares[0] + 0.7152 * shares[1] + 0.0722 * shares[2]


def contrast(one: Color, other: Color) -> float:
    darker, lighter = sorted((luminance(one), luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def pale_texts(app: App[None]) -> list[str]:
    pale = []
    for strip in app.screen._compositor.render_strips():
        for segment in strip:
            style = segment.style
            if style is None or style.color is None or style.bgcolor is None or set(segment.text) <= ORNAMENT:
                continue
            if contrast(style.color, style.bgcolor) < CONTRAST_MIN:
                pale.append(segment.text.strip())
    return pale


@pytest.mark.parametrize("theme", ["dark", "light"])
async def test_every_text_stands_out_from_its_background(open_kiosk: OpenKiosk, theme: str) -> None:
    async with open_kiosk() as kiosk:
        if theme == "light":
            await kiosk.press("ctrl+t")
        await kiosk.press(*"ines", "enter")
        await kiosk.until_result("recorded here")
        assert pale_texts(kiosk.app) == []
        await kiosk.desk.go_offline()
        await kiosk.press("escape", "down")
        assert pale_texts(kiosk.app) == []


@pytest.mark.parametrize("theme", ["dark", "light"])
async def test_the_chosen_line_of_a_page_stands_out_whatever_its_own_colour(seat: Seat, theme: str) -> None:
    if theme == "light":
        await seat.press("ctrl+t")
    await seat.press("f7")
    await seat.until_screen(RoomsScreen)
    await seat.until_listed("! Bees")  # a warning
    await seat.press("down")
    assert pale_texts(seat.app) == []
    await seat.press("escape", "f6")
    await seat.until_screen(PeopleScreen)
    await seat.until_listed("Pedro Vaz")  # who is in
    for _ in range(3):
        await seat.press("down")
        assert pale_texts(seat.app) == []
