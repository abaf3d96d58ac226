"""The log is read as SQLite reads it, and what an unfinished COMMIT left is told from damage."""

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from kiosk.store.database import Database
from kiosk.store.pages import log_of
from kiosk.store.wal import PAGE_BYTES, frames, without_unfinished

KEY = bytes(range(32))
FRAME_BYTES = 24 + PAGE_BYTES
COMMITS = 4


@pytest.fixture
def logs(tmp_path: Path) -> Iterator[list[bytes]]:
    """The log after each COMMIT; the first two make a table and fill it."""
    database = Database.open(tmp_path / "a.db", KEY)
    found = []
    with database.transaction():
        database.execute("CREATE TABLE one (a INTEGER PRIMARY KEY, b TEXT)")
    found.append(log_of(tmp_path / "a.db"))
    for number in range(COMMITS - 1):
        with database.transaction():
            database.execute("INSERT INTO one VALUES (?, ?)", (number, "b" * 10_000))
        found.append(log_of(tmp_path / "a.db"))
    yield found
    database.close_now()


def spoilt(log: bytes, frame_at: int, octets: bytes = bytes(FRAME_BYTES)) -> bytes:
    return log[:frame_at] + octets + log[frame_at + len(octets) :]


def test_every_frame_is_found_and_each_commit_ends_with_its_last(logs: list[bytes]) -> None:
    found = list(frames(logs[-1]))
    assert [frame.at for frame in found] == [at + 24 for at in range(32, len(logs[-1]), FRAME_BYTES)]
    assert [frame.at + PAGE_BYTES for frame in found if frame.is_commit] == [len(log) for log in logs]


def test_a_log_that_is_whole_stays_whole(logs: list[bytes]) -> None:
    for log in logs:
        assert without_unfinished(log) == log


def test_of_a_last_commit_that_misses_a_frame_nothing_counts(logs: list[bytes]) -> None:
    for before, log in pairwise(logs):
        for at in range(len(before), len(log), FRAME_BYTES):
            assert without_unfinished(spoilt(log, at)) == before
            assert without_unfinished(log[:at]) == before


def test_what_the_first_commit_of_all_left_is_unfinished_too(logs: list[bytes]) -> None:
    assert without_unfinished(spoilt(logs[0], 32)) == logs[0][:32]


def test_a_log_that_breaks_off_before_its_last_commit_was_damaged(logs: list[bytes]) -> None:
    for at in range(32, len(logs[-2]), FRAME_BYTES):
        log = spoilt(logs[-1], at + 24, b"\xff" * 8)
        assert without_unfinished(log) == log


def test_a_spoilt_header_with_many_commits_behind_it_is_damage(logs: list[bytes]) -> None:
    log = spoilt(logs[-1], 0, bytes(8))
    assert without_unfinished(log) == log
    assert len(list(frames(log))) == len(list(frames(logs[-1])))


def test_nothing_is_nothing(tmp_path: Path) -> None:
    assert without_unfinished(b"") == b""
    assert list(frames(b"")) == []
    assert log_of(tmp_path / "no.db") == b""
