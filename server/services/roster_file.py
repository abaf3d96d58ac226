"""Reads CSV files into rows of text with their places, and tells what is wrong with a file as such."""

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

FILE_BYTES_MAX: Final = 16 * 1024 * 1024  # 50,000 rows of 300 bytes
ROWS_MAX: Final = 50_000
_DELIMITERS: Final = ",;\t"
RECORD_COLUMN: Final = "record"

# A file that holds one kind of record says so by its name and needs no `record` column.
KIND_OF_FILE: Final = {
    "centers": "center",
    "rooms": "room",
    "children": "child",
    "guardians": "guardian",
    "staff": "staff",
    "pickups": "pickup",
    "alerts": "alert",
}
KINDS: Final = tuple(KIND_OF_FILE.values())


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """A line of a file, counted from 1 as editors do."""

    file: str
    line: int


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong at one place; `column` is the heading, empty when it is the whole line."""

    place: Place
    column: str
    reason: str


@dataclass(frozen=True, slots=True)
class TextRow:
    """A line as it stands: what kind of record it is, and its texts by column."""

    place: Place
    kind: str
    cells: dict[str, str]


@dataclass(slots=True)
class Reading:
    """What came out of the files: rows that can be looked at, and problems so far."""

    rows: list[TextRow] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)

    def complain(self, place: Place, reason: str, column: str = "") -> None:
        """Note a problem."""
        self.problems.append(Problem(place, column, reason))


@dataclass(frozen=True, slots=True)
class SourceFile:
    """A file to read: the name that people know it by, and its bytes."""

    name: str
    content: bytes


def read_files(files: Sequence[SourceFile], columns: Sequence[str]) -> Reading:
    """Read all rows of all files; `columns` are the headings that may occur. Never raises on any bytes."""
    reading = Reading()
    for file in files:
        _read_file(file, frozenset(columns), reading)
        if len(reading.rows) > ROWS_MAX:
            reading.complain(Place(file.name, 1), f"more than {ROWS_MAX} rows at once: import in several steps")
            reading.rows.clear()
            break
    return reading


def _read_file(file: SourceFile, columns: frozenset[str], reading: Reading) -> None:
    text = _decoded(file, reading)
    if text is None:
        return
    lines = _Lines(text)
    try:
        header = next(lines, None)
        if header is None:
            reading.complain(Place(file.name, 1), "the file is empty")
            return
        headings = [heading.strip().casefold() for heading in header[1]]
        if not _header_is_good(Place(file.name, header[0]), headings, columns, reading):
            return
        found = 0
        for line, cells in lines:
            found += 1
            _read_row(Place(file.name, line), headings, cells, reading)
        if not found:
            reading.complain(Place(file.name, header[0]), "there is nothing below the headings")
    except csv.Error as error:
        reason = f"this cannot be read as CSV ({error}); is a quotation mark missing?"
        reading.complain(Place(file.name, lines.line), reason)


def _decoded(file: SourceFile, reading: Reading) -> str | None:
    if len(file.content) > FILE_BYTES_MAX:
        reading.complain(Place(file.name, 1), f"the file is larger than {FILE_BYTES_MAX // 1024 // 1024} MiB")
        return None
    try:
        return file.content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = file.content.count(b"\n", 0, error.start) + 1
        reading.complain(Place(file.name, line), "this is not UTF-8: save the file as CSV UTF-8")
        return None


class _Lines(Iterator[tuple[int, list[str]]]):
    """The records of a CSV text with the line each starts on; blank lines are passed over."""

    def __init__(self, text: str) -> None:
        first = text.lstrip("\r\n").split("\n", 1)[0]
        delimiter = max(_DELIMITERS, key=first.count)
        self._reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
        self.line = 1

    def __next__(self) -> tuple[int, list[str]]:
        while True:
            self.line = self._reader.line_num + 1
            cells = next(self._reader)
            if any(cell.strip() for cell in cells):
                return self.line, cells


def _header_is_good(place: Place, headings: list[str], columns: frozenset[str], reading: Reading) -> bool:
    before = len(reading.problems)
    for number, heading in enumerate(headings, start=1):
        if heading not in columns:
            known = "this heading is not known" if heading else f"column {number} has no heading"
            reading.complain(place, f"{known}; docs/import-format.md lists the headings", heading[:40])
        elif heading in headings[: number - 1]:
            reading.complain(place, "this heading stands here twice", heading)
    if RECORD_COLUMN not in headings and kind_of(place.file) is None:
        names = ", ".join(f"{name}.csv" for name in KIND_OF_FILE)
        reason = f"the column `record` is missing; only files named {names} can do without it"
        reading.complain(place, reason, RECORD_COLUMN)
    return len(reading.problems) == before


def kind_of(file_name: str) -> str | None:
    """Give the kind of record that a file without a `record` column holds, by its name."""
    stem = file_name.replace("\\", "/").rsplit("/", 1)[-1].rsplit(".", 1)[0]
    return KIND_OF_FILE.get(stem.casefold())


def _read_row(place: Place, headings: list[str], cells: list[str], reading: Reading) -> None:
    if len(cells) != len(headings):
        reading.complain(place, f"there are {len(cells)} columns here, and {len(headings)} headings")
        return
    texts = {heading: cell.strip() for heading, cell in zip(headings, cells, strict=True)}
    kind = texts.pop(RECORD_COLUMN, None)
    if kind is None:
        kind = kind_of(place.file) or ""
    if kind.casefold() not in KINDS:
        reason = f"say what this line is: one of {', '.join(KINDS)}"
        reading.complain(place, reason, RECORD_COLUMN)
        return
    reading.rows.append(TextRow(place, kind.casefold(), {name: text for name, text in texts.items() if text}))
