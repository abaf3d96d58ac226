"""CSV that opens as it is meant, and that no spreadsheet runs."""

import csv
import io

import pytest

from server.core.csv_text import BOM, csv_line, defused


@pytest.mark.parametrize(
    ("cell", "kept"),
    [
        ("=1+1", "'=1+1"),
        ("+351 555", "'+351 555"),
        ("-2", "'-2"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("\t=1", "'\t=1"),
        ("\rfoo", "'\rfoo"),
        ("  =1", "'  =1"),
        ('"=1', "'\"=1"),
        ("\uff1d1", "'\uff1d1"),
        ("Smith;=cmd", "Smith;'=cmd"),
        ("Smith, +1", "Smith,' +1"),
        ("a\n=1", "a\n'=1"),
        ("a|@x", "a|'@x"),
    ],
)
def test_what_a_spreadsheet_would_run_gets_an_apostrophe(cell: str, kept: str) -> None:
    assert defused(cell) == kept


@pytest.mark.parametrize(
    "cell", ["", "Ana Silva", "2026-09-21 08:00:00+01:00", "O'Neill-Ünal", "12.50", "a = b", "x@example.org", "a; b, c"]
)
def test_what_is_harmless_stays_as_it_is(cell: str) -> None:
    assert defused(cell) == cell


def test_a_line_is_read_back_as_it_was_written() -> None:
    cells = ['He said "no"', "two\nlines", "בן דוד", "<script>alert(1)</script>", "a,b;c"]
    line = csv_line(cells)
    assert line.endswith("\r\n")
    assert next(csv.reader(io.StringIO(line, newline=""))) == cells
    assert (BOM + line).encode()[:3] == b"\xef\xbb\xbf"
