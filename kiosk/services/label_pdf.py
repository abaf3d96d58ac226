"""Labels as PDF: with a font of the system, or, where it lacks letters, in plain Latin ones, and then it says so.

The fonts that every PDF reader has know Western European letters only, and a font of our own would be a vendored file.
So a TrueType font of the system is taken. Letters that it lacks, and scripts whose letters join (Arabic, most of
India), which need a shaping engine, are told in plain letters as far as Unicode takes them apart, else as `?`.
"""

import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from fpdf import FPDF
from fpdf.bidi import BidiParagraph

from kiosk.log import Log
from kiosk.services.labels import MARGIN_MM, Label, Size, layout

USUAL_FONTS: Final = (
    "/usr/share/fonts/truetype/noto/NotoSans-Bold.ttf",
    "/usr/share/fonts/truetype/dejavu/DejaVuSans-Bold.ttf",
    "/usr/share/fonts/dejavu/DejaVuSans-Bold.ttf",
    "/usr/share/fonts/TTF/DejaVuSans-Bold.ttf",
    "/Library/Fonts/Arial Unicode.ttf",
)
POINTS_PER_MM: Final = 72 / 25.4
# From the top of a line to where its letters stand.
_BASELINE: Final = 0.8
_FONT_BEGINS: Final = (b"\x00\x01\x00\x00", b"OTTO", b"true")
_OWN: Final = "label"
_CORE: Final = "helvetica"
_RIGHT_TO_LEFT: Final = frozenset({"R", "AL"})
_UNTAKEN: Final = str.maketrans(
    {"ł": "l", "Ł": "L", "đ": "d", "Đ": "D", "\u0131": "i", "œ": "oe", "Œ": "OE", "ħ": "h", "Ħ": "H", "ŋ": "ng",
     "Ŋ": "Ng", "–": "-", "—": "-", "…": "...", "’": "'", "\u2018": "'", "“": '"', "”": '"', "ẞ": "SS"}
)  # fmt: skip


log = Log()


@dataclass(frozen=True)
class Pdf:
    """The document, and whether every letter stands in it as it was written."""

    content: bytes
    is_simplified: bool


def as_pdf(labels: Sequence[Label], size: Size, font: str = "") -> Pdf:
    """One page for each label. `font` is a TrueType file; empty, or one that cannot be read, takes a usual one.

    Takes tenths of a second: not on the screen's thread.
    """
    document = FPDF(unit="mm", format=(size.width_mm, size.height_mm))
    document.set_auto_page_break(False)
    document.set_margin(0)
    knows = _set_font(document, font)
    is_simplified = False

    def measure(text: str, size_mm: float) -> float:
        document.set_font_size(size_mm * POINTS_PER_MM)
        return document.get_string_width(text)

    for label in labels:
        shown = Label(settable(label.title, knows), tuple(settable(line, knows) for line in label.lines))
        is_simplified = is_simplified or shown != label
        document.add_page()
        for one in layout(shown, size, measure):
            document.set_font_size(one.size_mm * POINTS_PER_MM)
            text = in_sight(settable(one.text, knows))  # the layout may have added an ellipsis
            document.text(MARGIN_MM, one.top_mm + one.size_mm * _BASELINE, text)
    return Pdf(bytes(document.output()), is_simplified)


def settable(text: str, knows: Callable[[str], bool]) -> str:
    """A text in letters that can be set; the same text when all of them can."""
    return "".join(sign if knows(sign) else _plain(sign, knows) for sign in text)


def in_sight(text: str) -> str:
    """A text in the order in which its letters stand from left to right (Unicode Annex 9)."""
    if not any(unicodedata.bidirectional(sign) in _RIGHT_TO_LEFT for sign in text):
        return text
    return BidiParagraph(text).get_reordered_string()


def is_joined(sign: str) -> bool:
    """Whether a letter takes its shape from its neighbours, so that no font alone can set it."""
    if unicodedata.bidirectional(sign) == "AL":
        return True
    # Marks that stand above or below and in scripts that move them: NFC has taken in those of Latin letters.
    return unicodedata.category(sign) in {"Mn", "Mc"}


def _plain(sign: str, knows: Callable[[str], bool]) -> str:
    taken = unicodedata.normalize("NFKD", sign.translate(_UNTAKEN))
    kept = "".join(piece for piece in taken if not unicodedata.combining(piece) and knows(piece))
    return kept or ("" if unicodedata.combining(sign) else "?")


def _set_font(document: FPDF, font: str) -> Callable[[str], bool]:
    """Choose the font, and say which letters can be set with it."""
    for path in (font, *USUAL_FONTS):
        if not _is_font(path):
            continue
        try:
            document.add_font(_OWN, fname=path)
        except Exception as error:  # noqa: BLE001 - a font file is wrong in as many ways as its library has errors
            log.info("font_not_taken", reason=type(error).__name__)
            continue
        document.set_font(_OWN)
        known = frozenset(document.fonts[_OWN].cmap)  # type: ignore[union-attr]
        return lambda sign: ord(sign) in known and not is_joined(sign)
    document.set_font(_CORE)
    return _is_western


def _is_font(path: str) -> bool:
    """Whether a file begins as a TrueType or OpenType font does."""
    try:
        with Path(path).open("rb") as file:
            return file.read(4) in _FONT_BEGINS
    except (OSError, ValueError):
        return False


def _is_western(sign: str) -> bool:
    try:
        return bool(sign.encode("latin-1"))
    except UnicodeEncodeError:
        return False
