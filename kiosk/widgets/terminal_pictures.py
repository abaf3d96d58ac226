"""Pictures in the words of terminals: kitty's graphics protocol and sixel. Pure, and nothing goes through a file."""

import base64
from collections.abc import Iterable
from itertools import groupby
from typing import Final, NamedTuple

from sync.pictures import Colour, Picture
from sync.records import PICTURE_COLOURS_MAX

COLOURS_MAX: Final = PICTURE_COLOURS_MAX
# Numbers of images belong to whoever draws on a terminal, and these are ours; none is worn out: the screens that lie
# over one another show four faces at most. Being always the same, they can be deleted also after a desk was killed.
KITTY_QUERY_ID: Final = 0x52C000
KITTY_IDS: Final = range(0x52C001, 0x52C009)
# Kitty's placeholder, and the marks that number its rows and columns: the first of rowcolumn-diacritics.txt, as many
# as the largest face has columns.
PLACEHOLDER: Final = "\U0010eeee"
_PLACES: Final = "".join(
    map(
        chr,
        (
            *(0x0305, 0x030D, 0x030E, 0x0310, 0x0312, 0x033D, 0x033E, 0x033F, 0x0346, 0x034A, 0x034B, 0x034C),
            *(0x0350, 0x0351, 0x0352, 0x0357, 0x035B, 0x0363, 0x0364, 0x0365, 0x0366, 0x0367, 0x0368, 0x0369),
        ),
    )
)
_BAND: Final = 6  # rows of points in one character of sixel
_FULL: Final = 255
_RUN_MIN: Final = 4  # a shorter run is not shorter when counted


class CellSize(NamedTuple):
    """Pixels of one character."""

    width: int
    height: int


def kitty_shown(picture: Picture, image_id: int, *, columns: int, rows: int) -> str:
    """Say what an image looks like, to be shown where its placeholders stand; the terminal answers nothing.

    The points themselves, in the clear only on the line to the terminal: 3 bytes for each of 32 by 32 are 4,096
    characters, the most that one message may hold.
    """
    points = bytes(part for row in picture for point in row for part in point)
    head = f"a=T,U=1,q=2,i={image_id},t=d,f=24,s={len(picture)},v={len(picture)},c={columns},r={rows}"
    return f"\x1b_G{head};{base64.b64encode(points).decode()}\x1b\\"


def kitty_deleted(image_ids: Iterable[int]) -> str:
    """Forget these images, with their points; one that is not there is no error."""
    return "".join([f"\x1b_Ga=d,d=I,i={image_id},q=2\x1b\\" for image_id in image_ids])


def placeholders(columns: int, rows: int) -> str:
    """Lines of text in whose place the terminal shows an image: the one whose number is the colour of the text."""
    lines = [[PLACEHOLDER + _PLACES[row] + _PLACES[column] for column in range(columns)] for row in range(rows)]
    return "\n".join(["".join(line) for line in lines])


def colour_of(image_id: int) -> Colour:
    """The colour that names an image."""
    return image_id >> 16 & _FULL, image_id >> 8 & _FULL, image_id & _FULL


def sixels(picture: Picture, *, width: int, height: int) -> str:
    """A picture that fills so many pixels from the cursor: the middle of it, where the place is not a square."""
    numbers = {colour: number for number, colour in enumerate(dict.fromkeys(point for row in picture for point in row))}
    across, down = _spread(len(picture), width, max(width, height)), _spread(len(picture), height, max(width, height))
    palette = "".join([_colour(number, colour) for colour, number in numbers.items()])
    bands = [
        _band([picture[row] for row in down[top : top + _BAND]], numbers, across) for top in range(0, height, _BAND)
    ]
    return f'\x1bP0;1;0q"1;1;{width};{height}{palette}{"-".join(bands)}\x1b\\'


def _spread(count: int, length: int, whole: int) -> list[int]:
    """Which of `count` points each pixel shows, of the middle `length` of `whole` pixels."""
    first = (whole - length) // 2
    return [(first + pixel) * count // whole for pixel in range(length)]


def _colour(number: int, colour: Colour) -> str:
    parts = ";".join([str((part * 100 + _FULL // 2) // _FULL) for part in colour])
    return f"#{number};2;{parts}"


def _band(rows: list[tuple[Colour, ...]], numbers: dict[Colour, int], across: list[int]) -> str:
    """Up to six rows of pixels: for each colour which of them have it, column by column."""
    masks: dict[Colour, list[int]] = {}
    for bit, row in enumerate(rows):
        for column, colour in enumerate(row):
            masks.setdefault(colour, [0] * len(row))[column] |= 1 << bit
    return "$".join([f"#{numbers[colour]}{_line([mask[at] for at in across])}" for colour, mask in masks.items()])


def _line(masks: list[int]) -> str:
    runs = [(chr(ord("?") + mask), len(list(same))) for mask, same in groupby(masks)]
    return "".join([sign * count if count < _RUN_MIN else f"!{count}{sign}" for sign, count in runs])
