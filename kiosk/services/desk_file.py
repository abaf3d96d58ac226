"""`desk.toml`: what whoever sets a desk up may decide in its data folder; what is not in it has its usual value."""

import tomllib
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Final, Literal

import msgspec

from kiosk.services.errors import DeskError

DESK_FILE: Final = "desk.toml"
FILE_BYTES_MAX: Final = 64 * 1024

Word = Annotated[str, msgspec.Meta(min_length=1, max_length=500, pattern=r"^[^\x00-\x1f\x7f]*$")]
# From a spine label to a sheet of A5.
Millimetres = Annotated[float, msgspec.Meta(ge=20, le=210)]


class LabelFormat(StrEnum):
    """What the print command gets on its standard input."""

    TEXT = "text"
    PDF = "pdf"
    ZPL = "zpl"


class LabelWhen(StrEnum):
    """When labels are printed."""

    ARRIVAL = "arrival"
    ASKED = "asked"


class Photos(StrEnum):
    """How photos are drawn on a terminal."""

    GRAPHICS = "graphics"
    BLOCKS = "blocks"


class LabelSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How labels are printed. Without a command nothing is.

    `print_command` is the program and its arguments, started without a shell. `size_mm` is width and height, `font` a
    TrueType file for PDF; empty takes a usual one of the system. `time_limit_s` is for one print, in seconds.
    """

    print_command: Annotated[tuple[Word, ...], msgspec.Meta(max_length=20)] = ()
    format: LabelFormat = LabelFormat.TEXT
    when: LabelWhen = LabelWhen.ARRIVAL
    allergies: bool = False
    size_mm: tuple[Millimetres, Millimetres] = (62, 38)
    dots_per_mm: Literal[6, 8, 12, 24] = 8
    font: Annotated[str, msgspec.Meta(max_length=500)] = ""
    time_limit_s: Annotated[int, msgspec.Meta(ge=1, le=120)] = 20


class SheetSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How roll-call sheets are printed: plain text of 78 columns, as `LabelSettings` says of a command."""

    print_command: Annotated[tuple[Word, ...], msgspec.Meta(max_length=20)] = ()
    time_limit_s: Annotated[int, msgspec.Meta(ge=1, le=120)] = 20


class ScreenSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How the desk is shown. `graphics` asks the terminal what it can draw, `blocks` never does."""

    photos: Photos = Photos.GRAPHICS


class DeskFile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The whole file."""

    labels: LabelSettings = LabelSettings()
    sheets: SheetSettings = SheetSettings()
    screen: ScreenSettings = ScreenSettings()


def read_desk_file(path: Path) -> DeskFile:
    """Read the file; one that is not there decides nothing.

    Raises:
        DeskError: bad_settings, with the place: a desk that half follows its file would be worse than one that asks.

    """
    try:
        with path.open("rb") as file:
            text = file.read(FILE_BYTES_MAX + 1)
    except FileNotFoundError:
        return DeskFile()
    except OSError as error:
        raise DeskError("bad_settings", f"{path} cannot be read ({error.strerror}); check who owns it.") from error
    if len(text) > FILE_BYTES_MAX:
        raise DeskError("bad_settings", f"{path} is larger than {FILE_BYTES_MAX} bytes.")
    try:
        return msgspec.convert(tomllib.loads(text.decode()), DeskFile)
    except (ValueError, RecursionError) as error:  # also of TOML, of UTF-8 and of msgspec
        raise DeskError("bad_settings", f"{path} is not what it must be: {error}.") from error
