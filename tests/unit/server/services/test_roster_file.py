"""Reading CSV files: whatever bytes come, rows or problems with their place."""

import csv
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.services.roster_file import FILE_BYTES_MAX, Place, Problem, SourceFile, kind_of, read_files
from server.services.roster_rows import ALL_COLUMNS, COLUMNS_OF, check_rows

HEAD = "record,external_id,name\n"


def problems(content: bytes, name: str = "roster.csv") -> list[tuple[int, str]]:
    reading = read_files([SourceFile(name, content)], ALL_COLUMNS)
    return [(one.place.line, one.reason) for one in reading.problems]


def rows(text: str, name: str = "roster.csv") -> list[tuple[int, str, dict[str, str]]]:
    reading = read_files([SourceFile(name, text.encode())], ALL_COLUMNS)
    assert reading.problems == []
    return [(row.place.line, row.kind, row.cells) for row in reading.rows]


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_every_usual_kind_of_csv_is_read(delimiter: str, mark: str, end: str) -> None:
    text = mark + (HEAD + 'room,BEES,"Bees, and more"\n').replace("\n", end)
    if delimiter != ",":
        text = text.replace('"Bees, and more"', "Bees\x1fand more").replace(",", delimiter).replace("\x1f", ", ")
    assert rows(text) == [(2, "room", {"external_id": "BEES", "name": "Bees, and more"})]


def test_lines_are_counted_as_an_editor_does() -> None:
    text = HEAD + '\nroom,A,"two\nlines"\n\n\nroom,B,b\n'
    assert [(line, cells["external_id"]) for line, _, cells in rows(text)] == [(3, "A"), (7, "B")]


def test_a_file_named_after_its_kind_needs_no_record_column() -> None:
    assert rows("external_id,name\nBEES,Bees\n", "folder/Rooms.csv")[0][1] == "room"
    assert kind_of("C:\\data\\children.csv") == "child"
    assert kind_of("roster.csv") is None


@pytest.mark.parametrize(
    ("content", "line", "reason"),
    [
        (b"", 1, "the file is empty"),
        (b"\n\n", 1, "the file is empty"),
        (HEAD.encode(), 1, "nothing below the headings"),
        (b"\xff\xfer\x00", 1, "not UTF-8"),
        (HEAD.encode() + b"room,A,caf\xe9\n", 2, "not UTF-8"),
        (b"record,colour\nroom,red\n", 1, "heading is not known"),
        (b"record,name,name\nroom,a,b\n", 1, "here twice"),
        (b"record,,name\nroom,a,b\n", 1, "column 2 has no heading"),
        (b"external_id,name\nA,a\n", 1, "`record` is missing"),
        (HEAD.encode() + b"room,A\n", 2, "2 columns here, and 3 headings"),
        (HEAD.encode() + b"room,A,a,b\n", 2, "4 columns here"),
        (HEAD.encode() + b'room,A,"a\n', 2, "quotation mark"),
        (HEAD.encode() + b",A,a\n", 2, "say what this line is"),
        (b"x" * (FILE_BYTES_MAX + 1), 1, "larger than 16 MiB"),
    ],
)
def test_what_is_wrong_with_a_file_is_told_with_its_line(content: bytes, line: int, reason: str) -> None:
    found = problems(content)
    assert len(found) == 1
    assert found[0][0] == line
    assert reason in found[0][1]


@given(st.binary(max_size=400))
def test_no_bytes_make_it_fail(content: bytes) -> None:
    reading = read_files([SourceFile("rooms.csv", content)], ALL_COLUMNS)
    assert reading.rows or reading.problems
    check_rows(reading.rows)


@given(st.lists(st.text(max_size=30), min_size=len(ALL_COLUMNS), max_size=len(ALL_COLUMNS)))
def test_no_cells_make_the_check_fail(cells: list[str]) -> None:
    content = ",".join(ALL_COLUMNS) + "\n"
    for kind in COLUMNS_OF:
        content += ",".join([kind, *('"' + cell.replace('"', '""') + '"' for cell in cells[1:])]) + "\n"
    reading = read_files([SourceFile("roster.csv", content.encode("utf-8", "replace"))], ALL_COLUMNS)
    good, wrong = check_rows(reading.rows)
    assert {row.place for row in good} | {one.place for one in wrong} == {row.place for row in reading.rows}


def test_all_that_is_wrong_with_a_row_is_told_at_once() -> None:
    content = b"record,external_id,name,time_zone,capacity\ncenter,,,Nowhere,3\n"
    _, wrong = check_rows(read_files([SourceFile("a.csv", content)], ALL_COLUMNS).rows)
    assert {(one.column, one.place) for one in wrong} == {
        (column, Place("a.csv", 2)) for column in ("external_id", "name", "time_zone", "capacity")
    }
    assert all(isinstance(one, Problem) for one in wrong)


def test_the_documentation_lists_every_column() -> None:
    page = (Path(__file__).parents[4] / "docs" / "import-format.md").read_text(encoding="utf-8")
    for kind, columns in COLUMNS_OF.items():
        section = page.split(f"`{kind}`, or `")[1].split("###")[0]
        lines = [f"| `{one.name}` | {'yes' if one.required else ''} | {one.meaning} |" for one in columns]
        assert [line for line in section.splitlines() if line.startswith("| `")] == lines
    assert csv.field_size_limit() >= 1_000
