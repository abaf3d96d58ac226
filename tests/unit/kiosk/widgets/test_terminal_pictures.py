"""Pictures as kitty and sixel terminals are told of them, read back by readers that share no code with the writers."""

import base64
import re
import unicodedata

import pytest

from kiosk.widgets.face import SIDES, boxed, lettered, named
from kiosk.widgets.terminal_pictures import (
    KITTY_IDS,
    KITTY_QUERY_ID,
    PLACEHOLDER,
    colour_of,
    kitty_deleted,
    kitty_shown,
    placeholders,
    sixels,
)
from sync.pictures import Colour, Picture
from tests.support.faces import face


def test_kitty_is_given_every_point_in_one_message_and_never_a_file() -> None:
    said = re.fullmatch(r"\x1b_G([^;]*);([A-Za-z0-9+/=]*)\x1b\\", kitty_shown(face(), 7, columns=16, rows=8))
    assert said is not None
    assert dict(each.split("=") for each in said[1].split(",")) == {
        "a": "T",
        "U": "1",
        "q": "2",
        "i": "7",
        "t": "d",
        "f": "24",
        "s": "32",
        "v": "32",
        "c": "16",
        "r": "8",
    }
    assert len(said[2]) == 4_096  # the most of one message
    assert base64.b64decode(said[2]) == bytes(part for row in face() for point in row for part in point)
    assert kitty_deleted([7, 8]) == "\x1b_Ga=d,d=I,i=7,q=2\x1b\\\x1b_Ga=d,d=I,i=8,q=2\x1b\\"


@pytest.mark.parametrize("side", [side for _, side in SIDES])
def test_the_place_of_an_image_is_text_of_its_size_in_its_colour(side: int) -> None:
    lines = placeholders(side, side // 2).split("\n")
    assert len(lines) == side // 2
    cells = [line.split(PLACEHOLDER)[1:] for line in lines]
    assert {len(row) for row in cells} == {side}
    marks = [row[0][1] for row in cells[:1]] + [cell[1] for cell in cells[0][1:]]
    assert len(set(marks)) == side
    assert all(unicodedata.combining(mark) == 230 for mark in marks)
    assert all(cell == marks[y] + marks[x] for y, row in enumerate(cells) for x, cell in enumerate(row))
    content = named(KITTY_IDS[0], side)
    assert [line.cell_length for line in content.split()] == [side] * (side // 2)
    red, green, blue = colour_of(KITTY_IDS[0])
    assert (red << 16) + (green << 8) + blue == KITTY_IDS[0]
    assert KITTY_QUERY_ID not in KITTY_IDS


@pytest.mark.parametrize(("width", "height"), [(96, 104), (72, 64), (13, 7)])
def test_a_sixel_terminal_shows_the_middle_of_the_picture_in_every_pixel(width: int, height: int) -> None:
    found = read_sixels(sixels(face(), width=width, height=height), width, height)
    picture, whole = face(), max(width, height)
    left, top = (whole - width) // 2, (whole - height) // 2
    for y in range(height):
        for x in range(width):
            wanted = picture[(top + y) * 32 // whole][(left + x) * 32 // whole]
            assert found[y][x] == tuple((part * 100 + 127) // 255 for part in wanted), (x, y)


def read_sixels(text: str, width: int, height: int) -> list[list[Colour]]:
    """The pixels in parts of a hundred; by the VT340's manual (EK-VT3XX-TP), chapter 14."""
    head = f'\x1bP0;1;0q"1;1;{width};{height}'
    assert text.startswith(head)
    assert text.endswith("\x1b\\")
    palette: dict[int, Colour] = {}
    pixels: dict[tuple[int, int], Colour] = {}
    colour, x, band = 0, 0, 0
    for sign in re.finditer(r"#(\d+)(?:;2;(\d+);(\d+);(\d+))?|!(\d+)([?-~])|([?-~])|([$-])", text[len(head) : -2]):
        number, red, green, blue, times, repeated, single, move = sign.groups()
        if number is not None:
            colour = int(number)
            if red is not None:
                palette[colour] = (int(red), int(green), int(blue))
        elif move is not None:
            x, band = 0, band + (move == "-")
        else:
            end = x + int(times or 1)
            bits = [bit for bit in range(6) if ord(repeated or single) - 63 >> bit & 1]
            drawn = [(at, band * 6 + bit) for at in range(x, end) for bit in bits]
            assert not pixels.keys() & drawn  # none is drawn twice
            pixels |= dict.fromkeys(drawn, palette[colour])
            x = end
    return [[pixels[x, y] for x in range(width)] for y in range(height)]


def test_a_picture_of_as_many_colours_as_there_are_is_drawn_with_all_of_them() -> None:
    colourful: Picture = tuple(tuple(((x + 32 * y) % 64 * 4, 0, 0) for x in range(32)) for y in range(32))
    text = sixels(colourful, width=32, height=32)
    assert len(re.findall(r"#\d+;2;", text)) == 64
    assert len({point for row in read_sixels(text, 32, 32) for point in row}) == 64


def test_beneath_a_sixel_without_colours_lie_initials_in_its_place() -> None:
    lines = boxed(lettered("Ana Silva"), 16).plain.split("\n")
    assert [len(line) for line in lines] == [16] * 8
    assert lines[1].rstrip() == "│ AS │"
