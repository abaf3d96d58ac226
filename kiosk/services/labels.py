"""What stands on a label and where: name tags and pick-up slips, as text and for label printers (ZPL II)."""

import unicodedata
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

TEXT_COLUMNS: Final = 32
MARGIN_MM: Final = 2.0
LEADING: Final = 1.2
TITLE_MM: Final = (9.0, 7.5, 6.0, 5.0, 4.0, 3.2)
LINE_MM: Final = (3.4, 2.8, 2.3)
TITLE_LINES_MAX: Final = 2
# A title takes no more of the height, so that room, day and code have theirs.
TITLE_SHARE: Final = 0.5
# The built-in font of label printers is narrower than this for nearly every letter.
ZPL_WIDTH: Final = 0.62
MORE: Final = "… more at the desk"
_ZPL_SPECIAL: Final = frozenset("^~_\\")
# Signs that turn the direction of what follows: in a name they only ever hide something.
_TURNING: Final = frozenset("\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u061c")

Measure = Callable[[str, float], float]
"""How wide a text is (mm) in letters of a height (mm)."""


@dataclass(frozen=True)
class Label:
    """One label: what is read from afar, and lines below it, of which the last ones may be cut and say so."""

    title: str
    lines: tuple[str, ...]


@dataclass(frozen=True)
class Placed:
    """A line on a label: from the top (mm), in letters of a height (mm)."""

    text: str
    top_mm: float
    size_mm: float


@dataclass(frozen=True)
class Size:
    """A label's width and height in millimetres."""

    width_mm: float
    height_mm: float


def name_tag(name: str, code: str, room_name: str, day: str, allergies: Sequence[str]) -> Label:
    """The label that a child wears; allergies come last and stand whole or end with where the rest is."""
    below = [f"{room_name}  {day}".strip(), f"Code {code}" if code else ""]
    below += [f"ALLERGIES: {'; '.join(allergies)}"] if allergies else []
    return Label(clean(name), tuple(clean(line) for line in below if line))


def pickup_slip(codes: Sequence[tuple[str, str]], day: str) -> Label:
    """The label for whoever comes back: each child's given name with its code, and no family name to lose."""
    title = "  ".join(code for _, code in codes)
    names = ", ".join(f"{given} {code}" for given, code in codes)
    return Label(title, (clean(f"Pick-up {day}"), clean(names), "Bring this when you collect."))


def clean(text: str) -> str:
    """A text in one form, on one line, without signs that turn its direction."""
    kept = "".join(sign for sign in unicodedata.normalize("NFC", text) if sign not in _TURNING)
    return " ".join(kept.split())


# -- as text


def as_text(labels: Sequence[Label]) -> str:
    """Each label on lines of 32 columns, as receipt printers have; a form feed between two."""
    return "\f".join("".join(f"{line}\n" for line in _text_lines(label)) for label in labels)


def _text_lines(label: Label) -> Iterator[str]:
    def columns(text: str, _: float) -> float:
        return sum(_columns_of(sign) for sign in text)

    for text in (label.title, *label.lines):
        yield from wrapped(text, TEXT_COLUMNS, 1.0, columns)


def _columns_of(sign: str) -> int:
    if unicodedata.combining(sign):
        return 0
    return 2 if unicodedata.east_asian_width(sign) in "WF" else 1


# -- where everything stands


def layout(label: Label, size: Size, measure: Measure) -> tuple[Placed, ...]:
    """The label in letters as large as fit; a name that is too long for the smallest ends with `…`."""
    width = size.width_mm - 2 * MARGIN_MM
    height = size.height_mm - 2 * MARGIN_MM
    title_mm, title = _title(label.title, width, height * TITLE_SHARE, measure)
    left_mm = height - len(title) * title_mm * LEADING
    line_mm, lines = _lines(label.lines, width, left_mm, measure)
    placed, top_mm = [], MARGIN_MM
    for text, size_mm in [*((text, title_mm) for text in title), *((text, line_mm) for text in lines)]:
        placed.append(Placed(text, round(top_mm, 2), size_mm))
        top_mm += size_mm * LEADING
    return tuple(placed)


def _title(title: str, width: float, height: float, measure: Measure) -> tuple[float, list[str]]:
    for size_mm in TITLE_MM:
        lines = wrapped(title, width, size_mm, measure)
        if len(lines) <= TITLE_LINES_MAX and len(lines) * size_mm * LEADING <= height:
            return size_mm, lines
    smallest = TITLE_MM[-1]
    room = max(1, int(height / (smallest * LEADING)))
    return smallest, _cut(
        wrapped(title, width, smallest, measure), room, "…", lambda text: measure(text, smallest) <= width
    )


def _lines(lines: Sequence[str], width: float, height: float, measure: Measure) -> tuple[float, list[str]]:
    for size_mm in LINE_MM:
        found = [piece for line in lines for piece in wrapped(line, width, size_mm, measure)]
        if len(found) * size_mm * LEADING <= height:
            return size_mm, found
    smallest = LINE_MM[-1]
    found = [piece for line in lines for piece in wrapped(line, width, smallest, measure)]
    room = max(0, int(height / (smallest * LEADING)))
    if not room:
        return smallest, []
    return smallest, [*found[: room - 1], MORE if measure(MORE, smallest) <= width else "…"]


def _cut(lines: list[str], room: int, end: str, fits: Callable[[str], bool]) -> list[str]:
    if len(lines) <= room:
        return lines
    last = lines[room - 1]
    while last and not fits(last + end):
        last = last[:-1]
    return [*lines[: room - 1], last.rstrip() + end]


def wrapped(text: str, width: float, size_mm: float, measure: Measure) -> list[str]:
    """A text as lines that are no wider; a word that is wider by itself is broken."""
    lines, row = [], ""
    for word in text.split():
        longer = f"{row} {word}".strip()
        if measure(longer, size_mm) <= width:
            row = longer
            continue
        if row:
            lines.append(row)
        row = word
        while row and measure(row, size_mm) > width:
            head = _head(row, width, size_mm, measure)
            lines.append(head)
            row = row[len(head) :]
    return [*lines, row] if row else lines


def _head(word: str, width: float, size_mm: float, measure: Measure) -> str:
    end = 1
    while end < len(word) and measure(word[: end + 1], size_mm) <= width:
        end += 1
    while end < len(word) and unicodedata.combining(word[end]):
        end += 1
    return word[:end]


# -- as ZPL II


def as_zpl(labels: Sequence[Label], size: Size, dots_per_mm: int) -> str:
    """Each label as one format of ZPL II in UTF-8 (`^CI28`), every line at its place.

    A `^`, `~`, `_` or backslash in a text is written as its number after `^FH`: no name begins a command. `^PA` lets
    printers with a font for it set right-to-left letters joined and in their order.
    """
    return "".join(_zpl(layout(label, size, zpl_width), size, dots_per_mm) for label in labels)


def zpl_width(text: str, size_mm: float) -> float:
    """How wide a text is at most in the printer's own font."""
    return ZPL_WIDTH * size_mm * sum(_columns_of(sign) for sign in text)


def _zpl(placed: Sequence[Placed], size: Size, dots_per_mm: int) -> str:
    def dots(length_mm: float) -> int:
        return round(length_mm * dots_per_mm)

    lines = ["^XA", "^CI28", "^PA0,1,1,1", f"^PW{dots(size.width_mm)}", f"^LL{dots(size.height_mm)}", "^LH0,0"]
    for one in placed:
        where = f"^FO{dots(MARGIN_MM)},{dots(one.top_mm)}"
        lines.append(f"{where}^A0N,{dots(one.size_mm)},{dots(one.size_mm)}^FH_^FD{_zpl_text(one.text)}^FS")
    return "\n".join([*lines, "^XZ", ""])


def _zpl_text(text: str) -> str:
    return "".join(f"_{ord(sign):02X}" if sign in _ZPL_SPECIAL or sign < " " else sign for sign in text)
