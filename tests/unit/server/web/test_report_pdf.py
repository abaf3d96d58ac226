"""PDF documents of any length: their parts are where they say, the letters are those of the text."""

import re
import zlib
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from server.web.fonts import KNOWN_FONTS, Courier, Letters, letters
from server.web.report_pdf import LINES_OF_CELL_MAX, PdfColumn, PdfHead, PdfReport

HEAD = PdfHead("Daily sheet: Zoë's", ("2026-09-21",), datetime(2026, 9, 21, tzinfo=UTC))
COLUMNS = (PdfColumn("Child", 2), PdfColumn("Came", 1))
FONT = next((path for path in KNOWN_FONTS if path.exists()), None)


def document(rows: int, font: Letters, cell: str = "Ana") -> bytes:
    pdf = PdfReport(HEAD, COLUMNS, font)
    made = pdf.begin()
    for number in range(rows):
        made += pdf.rows([(cell, f"08:{number % 60:02}")])
        made += pdf.remark(f"part {number + 1} of {rows}")
    return made + pdf.end("End.")


def text_of(made: bytes) -> str:
    """What Courier pages show, in order."""
    packed = re.findall(rb"/FlateDecode /Length \d+ >>\nstream\n(.*?)\nendstream", made, re.DOTALL)
    pages = [zlib.decompress(one) for one in packed]
    words = [bytes.fromhex(one.decode()) for page in pages for one in re.findall(rb"<([0-9a-f]*)> Tj", page)]
    return "\n".join(word.decode("cp1252") for word in words)


@pytest.mark.parametrize("make", [Courier, lambda: letters(None)])
def test_every_object_stands_where_the_table_at_the_end_says(make: Callable[[], Letters]) -> None:
    font = make()
    made = document(120, font)
    start = int(made.rsplit(b"startxref\n", 1)[1].split(b"\n")[0])
    assert made[start : start + 5] == b"xref\n"
    count = int(made[start:].split(b"\n")[1].split(b" ")[1])
    table = made[start:].split(b"\n", 2)[2]
    used = 0
    for number in range(count):
        line = table[20 * number : 20 * number + 20]
        if line[17:18] == b"n":
            used += 1
            assert made[int(line[:10]) :].startswith(b"%d 0 obj\n" % number)
    pages = made.count(b"/Type /Page /Parent")
    assert used == 2 * pages + 3 + (1 if isinstance(font, Courier) else 5)
    assert pages == int(re.search(rb"/Count (\d+)", made).group(1)) == 3  # type: ignore[union-attr]
    assert b"% part 120 of 120\n" in made
    assert made.endswith(b"%%EOF\n")


def test_what_a_font_lacks_is_a_mark_that_is_explained() -> None:
    courier = Courier()
    shown = text_of(document(1, courier, "Ana <script> \u6f22\u5b57"))
    assert "Ana <script> ¤¤" in shown
    assert courier.lacking == 2
    assert "¤ stands for a letter that no font of this server has" in shown
    assert "stands for" not in text_of(document(1, Courier(), "Łódź".replace("Ł", "L").replace("ź", "z")))


@pytest.mark.skipif(FONT is None, reason="there is no TrueType font here")
def test_the_letters_of_a_font_file_can_be_read_back() -> None:
    made = document(1, letters(FONT), "Łódź \u05d1\u05df")
    (back,) = [
        found
        for one in re.findall(rb"/FlateDecode /Length \d+ >>\nstream\n(.*?)\nendstream", made, re.DOTALL)
        if b"begincmap" in (found := zlib.decompress(one))
    ]
    for letter in "Łódź\u05d1\u05df":
        assert f"<{ord(letter):04x}>".encode() in back


def test_a_file_that_is_no_font_is_passed_over(tmp_path: Path) -> None:
    broken = tmp_path / "broken.ttf"
    broken.write_bytes(b"no font at all")
    assert letters(broken).mark == letters(None).mark
    assert letters(tmp_path / "not there.ttf").mark == letters(None).mark


def test_long_words_are_cut_and_no_cell_fills_a_page() -> None:
    shown = text_of(document(1, Courier(), "W" * 300))
    assert shown.count("W") == 300
    assert "…" in text_of(document(1, Courier(), "a\n" * (LINES_OF_CELL_MAX + 5)))


def test_what_was_written_is_forgotten() -> None:
    pdf = PdfReport(HEAD, COLUMNS, Courier())
    pdf.begin()
    for _ in range(400):
        pdf.rows([("Ana", "08:00")])
    kept = [len(bytes(value)) for name in PdfReport.__slots__ if isinstance(value := getattr(pdf, name), bytearray)]
    assert pdf.pages > 8
    assert sum(kept) < 20_000
