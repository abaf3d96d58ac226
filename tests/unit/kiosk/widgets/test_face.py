"""How a person is drawn in a terminal: two points in each cell, or initials."""

import pytest
from textual.color import Color

from kiosk.widgets.face import HALF_BLOCK, SIDES, can_draw, drawn, initials, lettered, side_for
from sync.pictures import scaled
from sync.records import PICTURE_SIDE
from tests.support.faces import BACKDROP, SHIRT, face


@pytest.mark.parametrize("side", [side for _, side in SIDES])
def test_every_cell_is_two_points_one_above_the_other(side: int) -> None:
    found = drawn(face(), side)
    assert found.plain == "\n".join([HALF_BLOCK * side] * (side // 2))
    points = scaled(face(), side)
    assert len(found.spans) == side * side // 2
    for number, span in enumerate(found.spans):
        row, column = divmod(number, side)
        assert found.plain[span.start : span.end] == HALF_BLOCK
        assert not isinstance(span.style, str)
        assert span.style.foreground == Color(*points[2 * row][column])
        assert span.style.background == Color(*points[2 * row + 1][column])


def test_a_face_begins_with_its_backdrop_and_ends_with_its_shirt() -> None:
    first, *_, last = drawn(face(), PICTURE_SIDE).spans
    assert not isinstance(first.style, str)
    assert not isinstance(last.style, str)
    assert first.style.foreground == Color(*BACKDROP)
    middle = drawn(face(), PICTURE_SIDE).spans[-PICTURE_SIDE // 2].style
    assert not isinstance(middle, str)
    assert middle.background == Color(*SHIRT)


@pytest.mark.parametrize(
    ("color_system", "no_color", "ansi", "expected"),
    [
        ("truecolor", False, False, True),
        ("256", False, False, True),
        ("standard", False, False, False),
        ("windows", False, False, False),
        (None, False, False, False),
        ("truecolor", True, False, False),
        ("truecolor", False, True, False),
    ],
)
def test_a_face_needs_colours_that_are_what_they_say(
    color_system: str | None, no_color: bool, ansi: bool, expected: bool
) -> None:
    assert can_draw(color_system, no_color=no_color, ansi=ansi) is expected


def test_small_terminals_have_small_pictures_and_tiny_ones_none() -> None:
    assert [side_for(rows) for rows in (9, 23, 24, 29, 30, 200)] == [0, 0, 16, 16, 24, 24]


def test_initials_are_of_the_first_and_the_last_name() -> None:
    names = ("Ana Silva", "Ana Maria da Silva", "Zoë", "élodie d'Arc", "(name not received yet)", "", "7 Dwarfs")
    assert [initials(name) for name in names] == ["AS", "AS", "Z", "ÉD", "NY", "?", "D"]
    assert lettered("Zoë").plain == "┌────┐\n│ Z  │\n└────┘"
