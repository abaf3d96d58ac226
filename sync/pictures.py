"""Small pictures of people as desks hold them: points of few colours, made and read without an image library.

What one costs is the same for every picture (`sync.records.PictureRecord`), so there is nothing to unpack that could
grow. Sizes are numbers of points along a side; colours are (red, green, blue), each 0 to 255.
"""

import base64
import binascii
import string
from collections.abc import Sequence
from typing import Final, TypeAlias

from sync.records import PICTURE_COLOURS_MAX, PICTURE_SIDE, PIXELS, PictureRecord

Colour: TypeAlias = tuple[int, int, int]
Picture: TypeAlias = tuple[tuple[Colour, ...], ...]
"""Rows of points from the top left; as many rows as points in a row."""

# RFC 4648, table 1: the character of a colour's number.
_ALPHABET: Final = string.ascii_uppercase + string.ascii_lowercase + string.digits + "+/"
_NUMBER_OF: Final = {character: number for number, character in enumerate(_ALPHABET)}
_COLOUR_BYTES: Final = 3


def pack(palette: Sequence[Colour], pixels: bytes) -> PictureRecord:
    """Make the record of a picture; `pixels` holds the number of a colour for each point, row by row.

    Raises:
        ValueError: there are too many colours, a point names none of them, or it is not `PIXELS` points.

    """
    if not 0 < len(palette) <= PICTURE_COLOURS_MAX:
        message = f"a picture has 1 to {PICTURE_COLOURS_MAX} colours"
        raise ValueError(message)
    if len(pixels) != PIXELS or max(pixels) >= len(palette):
        message = f"a picture is {PIXELS} points of its own colours"
        raise ValueError(message)
    colours = bytes(part for colour in palette for part in colour)
    return PictureRecord(
        palette=base64.b64encode(colours).decode(),
        pixels="".join([_ALPHABET[number] for number in pixels]),
    )


def unpack(record: PictureRecord) -> Picture | None:
    """Give the points of a picture; None when the record makes none, as one of a later version may."""
    try:
        parts = base64.b64decode(record.palette, validate=True)
    except (binascii.Error, ValueError):
        return None
    if len(parts) % _COLOUR_BYTES or len(record.pixels) != PIXELS:
        return None
    colours: list[Colour] = [(parts[at], parts[at + 1], parts[at + 2]) for at in range(0, len(parts), _COLOUR_BYTES)]
    numbers = [_NUMBER_OF.get(character, PICTURE_COLOURS_MAX) for character in record.pixels]
    if max(numbers) >= len(colours):
        return None
    points = [colours[number] for number in numbers]
    return tuple(tuple(points[at : at + PICTURE_SIDE]) for at in range(0, PIXELS, PICTURE_SIDE))


def scaled(picture: Picture, side: int) -> Picture:
    """Give the picture with so many points along a side: each is the mean of what it covers.

    Raises:
        ValueError: the side is not 1 to `PICTURE_SIDE`, since nothing is known between two points.

    """
    if not 0 < side <= len(picture):
        message = f"a picture is scaled to 1 to {len(picture)} points"
        raise ValueError(message)
    narrow = [_scaled(row, side) for row in picture]
    columns = [_scaled(column, side) for column in zip(*narrow, strict=True)]
    return tuple(zip(*columns, strict=True))


def _scaled(points: Sequence[Colour], count: int) -> tuple[Colour, ...]:
    """A line of points as `count` points. Lengths are in parts of which a point has `count`, so all of it is exact."""
    length = len(points)
    found = []
    for number in range(count):
        first, last = number * length, (number + 1) * length
        sums = [0, 0, 0]
        for at in range(first // count, -(-last // count)):
            weight = min(last, (at + 1) * count) - max(first, at * count)
            sums = [total + weight * part for total, part in zip(sums, points[at], strict=True)]
        red, green, blue = (total // length for total in sums)
        found.append((red, green, blue))
    return tuple(found)
