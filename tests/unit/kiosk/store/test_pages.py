"""Reading a file without SQLite gives the rows that SQLite gives, whatever they hold and wherever they stand."""

import hashlib
from pathlib import Path

import pytest

from kiosk.store.database import Database
from kiosk.store.pages import RawFile, salt_of
from kiosk.store.wal import PAGE_BYTES

KEY = bytes(range(32))
SIZES = (0, 1, 60, 128, 900, 1_000, 4_000, 9_000, 20_000)
NUMBERS = (0, 1, -1, 127, -128, 2**15, -(2**23), 2**31, 2**47 - 1, -(2**47), 2**63 - 1, -(2**63))


def row_of(number: int) -> tuple[object, ...]:
    """Numbers of every width, texts and bytes from nothing to several pages, and nothing at all."""
    size = SIZES[number % len(SIZES)]
    text = ("aé漢😀" * size)[: size // 3]
    octets = hashlib.shake_256(str(number).encode()).digest(size // 2)
    return (f"{number:06}", NUMBERS[number % len(NUMBERS)], text, octets, None)


@pytest.fixture
def rows() -> list[tuple[object, ...]]:
    return [row_of(number) for number in range(300)]


def fill(path: Path, rows: list[tuple[object, ...]]) -> Database:
    database = Database.open(path, KEY)
    database.execute("CREATE TABLE one (a TEXT, b INTEGER, c TEXT, d BLOB, e TEXT, PRIMARY KEY (a)) WITHOUT ROWID")
    with database.transaction():
        database.execute_many("INSERT INTO one VALUES (?, ?, ?, ?, ?)", rows)
    return database


def test_every_row_of_a_closed_file_is_read(tmp_path: Path, rows: list[tuple[object, ...]]) -> None:
    fill(tmp_path / "a.db", rows).close_now()
    raw = RawFile(tmp_path / "a.db", KEY)
    assert sorted(row for row in raw.rows() if len(row) == 5) == rows
    assert raw.damaged == 0


def test_every_row_of_a_log_is_read(tmp_path: Path, rows: list[tuple[object, ...]]) -> None:
    database = fill(tmp_path / "a.db", rows)
    assert set(rows) <= set(RawFile(tmp_path / "a.db", KEY).rows())
    database.close_now()


def test_what_was_never_committed_is_not_read(tmp_path: Path, rows: list[tuple[object, ...]]) -> None:
    database = fill(tmp_path / "a.db", rows[:10])
    database.fetch_one("PRAGMA cache_size = 2")
    database.execute("BEGIN")
    database.execute_many("INSERT INTO one VALUES (?, ?, ?, ?, ?)", rows[10:])
    found = set(RawFile(tmp_path / "a.db", KEY).rows())
    assert set(rows[:10]) <= found
    assert not set(rows[10:]) & found
    database.execute("ROLLBACK")
    database.close_now()


def test_another_key_reads_nothing(tmp_path: Path, rows: list[tuple[object, ...]]) -> None:
    fill(tmp_path / "a.db", rows).close_now()
    raw = RawFile(tmp_path / "a.db", bytes(32))
    assert list(raw.rows()) == []
    assert raw.damaged == (tmp_path / "a.db").stat().st_size // PAGE_BYTES


def test_a_file_that_is_not_there_holds_nothing(tmp_path: Path) -> None:
    assert list(RawFile(tmp_path / "nothing.db", KEY).rows()) == []


def test_the_salt_of_a_new_file_follows_from_its_key(tmp_path: Path) -> None:
    Database.open(tmp_path / "a.db", KEY).close_now()
    assert (tmp_path / "a.db").read_bytes()[:16] == salt_of(KEY)
    assert salt_of(bytes(32)) != salt_of(KEY)


def test_a_damaged_page_takes_only_its_own_rows(tmp_path: Path, rows: list[tuple[object, ...]]) -> None:
    small = [row for row in rows if len(str(row[2])) < 400]
    fill(tmp_path / "a.db", small).close_now()
    with (tmp_path / "a.db").open("r+b") as file:
        file.seek(5 * PAGE_BYTES + 300)
        file.write(b"damage")
    raw = RawFile(tmp_path / "a.db", KEY)
    found = {row for row in raw.rows() if len(row) == 5}
    assert raw.damaged == 1
    assert found <= set(small)
    assert len(small) - 40 < len(found) < len(small)
