"""A table of any length as PDF (ISO 32000-1), written page by page: what was written is forgotten.

A document holds its pages in any order and tells at its end where each part begins, so nothing but a number of each
page must be kept until then. Libraries for PDF keep the whole document.
"""

import zlib
from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from server.web.fonts import PER_MILLE, Letters, stream
from server.web.right_to_left import drawn

# A4 on its side, in points of a 72nd of an inch.
WIDE: Final = 842.0
HIGH: Final = 595.0
MARGIN: Final = 28.0
GAP: Final = 4.0
SIZE: Final = 7.0
LEADING: Final = 8.6
TITLE_SIZE: Final = 13.0
FOOT: Final = 22.0
# A note of 500 letters in the narrowest column; no cell fills a page.
LINES_OF_CELL_MAX: Final = 40
_CATALOG: Final = 1
_PAGES: Final = 2
_FONT: Final = 3
_ABOUT: Final = 8  # behind the font, which has at most five objects
_FIRST_FREE: Final = 9


@dataclass(frozen=True, slots=True)
class PdfColumn:
    """A column and its part of the width of the page."""

    title: str
    weight: float


@dataclass(frozen=True, slots=True)
class PdfHead:
    """What stands above the table: a title, and lines below it on the first page."""

    title: str
    lines: tuple[str, ...]
    made_at: datetime


@dataclass(slots=True)
class PdfReport:
    """A document that grows; give its bytes on in the order in which they come."""

    head: PdfHead
    columns: Sequence[PdfColumn]
    letters: Letters
    _written: int = 0
    _of_pages: "array[int]" = field(default_factory=lambda: array("Q"))
    _of_others: dict[int, int] = field(default_factory=dict)
    _drawn: bytearray = field(default_factory=bytearray)
    _y: float = 0.0

    @property
    def pages(self) -> int:
        """How many pages are finished."""
        return len(self._of_pages) // 2

    def begin(self) -> bytes:
        """Give the beginning of the document."""
        # The second line tells transports that the file is not text (7.5.2).
        begun = self._out(b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n")
        self._open_page()
        return begun

    def rows(self, rows: Iterable[Sequence[str]]) -> bytes:
        """Draw rows, and give the pages that are full."""
        made = bytearray()
        for row in rows:
            cells = [self._lines(cell, width) for cell, (_, width) in zip(row, self._places(), strict=True)]
            high = max(map(len, cells)) * LEADING + 3
            if self._y - high < MARGIN + FOOT:
                made += self._close_page()
                self._open_page()
            self._row(cells)
            self._rule()
        return bytes(made)

    def remark(self, text: str) -> bytes:
        """Give a comment that readers skip: whoever loads the document can tell how far it has come."""
        return self._out(b"%% %s\n" % text.encode("ascii", "replace"))

    def end(self, said: str) -> bytes:
        """Say a last sentence below the table, and give the rest of the document."""
        made = bytearray()
        wide = WIDE - 2 * MARGIN
        lines = self._lines(said, wide)
        if self.letters.lacking:
            lines += self._lines(
                f"{self.letters.mark} stands for a letter that no font of this server has ({self.letters.lacking} "
                "times); the same report as CSV has it, and REPORT_FONT can name a font that does.",
                wide,
            )
        if self._y - len(lines) * LEADING < MARGIN + FOOT:
            made += self._close_page()
            self._open_page()
        for line in lines:
            self._y -= LEADING
            self._text(line, MARGIN, self._y, SIZE)
        made += self._close_page()
        return bytes(made) + self._tail()

    def _places(self) -> list[tuple[float, float]]:
        """The left edge and the width of each column."""
        whole = sum(column.weight for column in self.columns)
        room = WIDE - 2 * MARGIN
        found, left = [], MARGIN
        for column in self.columns:
            width = room * column.weight / whole
            found.append((left, width - GAP))
            left += width
        return found

    def _open_page(self) -> None:
        self._drawn = bytearray()
        self._y = HIGH - MARGIN
        if not self.pages:
            self._y -= TITLE_SIZE
            self._text(self.head.title, MARGIN, self._y, TITLE_SIZE)
            for line in self.head.lines:
                self._y -= LEADING + 1
                self._text(line, MARGIN, self._y, SIZE)
            self._y -= LEADING
        titles = [self._lines(one.title, width) for one, (_, width) in zip(self.columns, self._places(), strict=True)]
        self._drawn += b"2 Tr 0.25 w\n"  # drawn with an outline: bold
        self._row(titles)
        self._drawn += b"0 Tr\n"
        self._rule()

    def _row(self, cells: Sequence[Sequence[str]]) -> None:
        for lines, (left, _) in zip(cells, self._places(), strict=True):
            for number, line in enumerate(lines, start=1):
                self._text(line, left, self._y - number * LEADING, SIZE)
        self._y -= max(map(len, cells)) * LEADING + 3

    def _rule(self) -> None:
        y = self._y + 1
        self._drawn += f"0.3 w 0.75 G {MARGIN:.1f} {y:.1f} m {WIDE - MARGIN:.1f} {y:.1f} l S 0 G\n".encode()

    def _text(self, line: str, left: float, y: float, size: float) -> None:
        if line:
            place = f"BT /F {size:g} Tf {left:.1f} {y:.1f} Td ".encode()
            self._drawn += place + self.letters.shown(drawn(line)) + b" Tj ET\n"

    def _lines(self, text: str, width: float) -> list[str]:
        """The lines into which a text is cut, between words where that is possible."""
        room = width * PER_MILLE / SIZE
        found: list[str] = []
        for paragraph in text.splitlines() or [""]:
            line = ""
            for word in paragraph.split(" "):
                longer = f"{line} {word}" if line else word
                if self.letters.width(longer) <= room:
                    line = longer
                    continue
                found += [line] if line else []
                *whole, line = self._pieces(word, room)
                found += whole
            found.append(line)
        return found if len(found) <= LINES_OF_CELL_MAX else [*found[: LINES_OF_CELL_MAX - 1], "…"]

    def _pieces(self, word: str, room: float) -> list[str]:
        """A word that is wider than its column, cut where it must be."""
        found = [""]
        for one in word:
            if found[-1] and self.letters.width(found[-1] + one) > room:
                found.append("")
            found[-1] += one
        return found

    def _close_page(self) -> bytes:
        number = _FIRST_FREE + 2 * self.pages
        foot = f"{self.head.title} · page {self.pages + 1}"
        self._text(foot, MARGIN, MARGIN, SIZE)
        page = (
            f"<< /Type /Page /Parent {_PAGES} 0 R /MediaBox [0 0 {WIDE:g} {HIGH:g}] /Contents {number + 1} 0 R "
            f"/Resources << /Font << /F {_FONT} 0 R >> >> >>"
        )
        content = stream("/Filter /FlateDecode", zlib.compress(bytes(self._drawn)))
        return self._object(number, page.encode()) + self._object(number + 1, content)

    def _object(self, number: int, body: bytes) -> bytes:
        if number >= _FIRST_FREE:
            self._of_pages.append(self._written)
        else:
            self._of_others[number] = self._written
        return self._out(b"%d 0 obj\n%s\nendobj\n" % (number, body))

    def _tail(self) -> bytes:
        fonts = self.letters.objects(_FONT)
        made = bytearray()
        for number, body in enumerate(fonts, start=_FONT):
            made += self._object(number, body)
        about = (
            f"<< /Title {_text_string(self.head.title)} /Producer (Rollcall) "
            f"/CreationDate (D:{self.head.made_at:%Y%m%d%H%M%S}Z) >>"
        )
        made += self._object(_ABOUT, about.encode())
        kids = " ".join(f"{_FIRST_FREE + 2 * number} 0 R" for number in range(self.pages))
        made += self._object(_PAGES, f"<< /Type /Pages /Count {self.pages} /Kids [{kids}] >>".encode())
        shown = "/ViewerPreferences << /DisplayDocTitle true >>"
        catalog = f"<< /Type /Catalog /Pages {_PAGES} 0 R /Lang (en) {shown} >>"
        made += self._object(_CATALOG, catalog.encode())
        return bytes(made) + self._table()

    def _table(self) -> bytes:
        """Where each object begins (7.5.4): lines of exactly twenty bytes; a number that is not used is free."""
        start, count = self._written, _FIRST_FREE + len(self._of_pages)
        lines = [b"xref\n0 %d\n0000000000 65535 f \n" % count]
        for number in range(1, _FIRST_FREE):
            at = self._of_others.get(number)
            lines.append(b"0000000000 65535 f \n" if at is None else b"%010d 00000 n \n" % at)
        lines += [b"%010d 00000 n \n" % at for at in self._of_pages]
        words = f"trailer\n<< /Size {count} /Root {_CATALOG} 0 R /Info {_ABOUT} 0 R >>\nstartxref\n{start}\n%%EOF\n"
        return b"".join(lines) + words.encode()

    def _out(self, made: bytes) -> bytes:
        self._written += len(made)
        return made


def _text_string(text: str) -> str:
    """A text of the document's own data, in any script (7.9.2.2)."""
    return f"<feff{text.encode('utf-16-be').hex()}>"
