"""A face in a few colours, for the screens of tests and of the documents."""

from typing import Final

from sync.pictures import Colour, Picture, pack, unpack
from sync.records import PICTURE_SIDE, PictureRecord

BACKDROP: Final = (96, 132, 170)
SKIN: Final = (226, 178, 148)
HAIR: Final = (84, 54, 38)
SHIRT: Final = (196, 72, 62)
DARK: Final = (52, 36, 32)
_PALETTE: Final[tuple[Colour, ...]] = (BACKDROP, SKIN, HAIR, SHIRT, DARK)


def face_record() -> PictureRecord:
    """Somebody with brown hair and a red shirt."""
    numbers = [_number(x, y) for y in range(PICTURE_SIDE) for x in range(PICTURE_SIDE)]
    return pack(_PALETTE, bytes(numbers))


def face() -> Picture:
    """The points of the same."""
    picture = unpack(face_record())
    assert picture is not None
    return picture


def _number(x: int, y: int) -> int:
    if (y in (13, 14) and x in (12, 13, 18, 19)) or (y == 20 and 13 <= x <= 18):
        return 4
    if _is_within(x, y, 15.5, 15.5, 7.5, 9) and y > 8:
        return 1
    if _is_within(x, y, 15.5, 12, 9.5, 9):
        return 2
    return 3 if _is_within(x, y, 15.5, 33, 14, 9) else 0


def _is_within(x: float, y: float, middle_x: float, middle_y: float, across: float, down: float) -> bool:
    return ((x - middle_x) / across) ** 2 + ((y - middle_y) / down) ** 2 <= 1
