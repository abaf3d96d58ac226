"""Damaged replicas are kept, but not without end, and what may still hold an entry is given up last."""

from pathlib import Path

import pytest

from kiosk.store import quarantine
from kiosk.store.quarantine import FOLDERS_MAX, QUARANTINE, REASON
from kiosk.store.salvage import Rescue
from tests.support.kiosk import NOON_MS

WHOLE = Rescue(settled=(), waiting=(), refused=0, damaged_pages=0)
IN_PART = Rescue(settled=(), waiting=(), refused=1, damaged_pages=0)
UNREAD = Rescue(settled=(), waiting=(), refused=0, damaged_pages=1)
REPLICA_BYTES = 100


def set_aside(desk: Path, saved: Rescue, wall_ms: int = NOON_MS) -> Path:
    replica = desk / "replica.db"
    replica.write_bytes(bytes(REPLICA_BYTES))
    folder = quarantine.begin(replica, "a page is damaged", wall_ms)
    quarantine.move_in(folder, replica)
    quarantine.note_saved(folder, saved)
    return quarantine.close(folder)


def left(desk: Path) -> set[Path]:
    quarantine.trim(desk / QUARANTINE)
    return set((desk / QUARANTINE).iterdir())


def test_the_newest_are_kept(tmp_path: Path) -> None:
    folders = [set_aside(tmp_path, WHOLE) for _ in range(FOLDERS_MAX + 2)]
    assert left(tmp_path) == set(folders[2:])


def test_a_clock_that_was_set_back_does_not_make_the_newest_the_oldest(tmp_path: Path) -> None:
    folders = [set_aside(tmp_path, WHOLE, wall_ms=NOON_MS - number * 86_400_000) for number in range(FOLDERS_MAX + 1)]
    assert left(tmp_path) == set(folders[1:])


def test_a_new_folder_never_gets_the_name_of_one_that_is_there(tmp_path: Path) -> None:
    for _ in range(3 * FOLDERS_MAX):
        assert set_aside(tmp_path, WHOLE) in left(tmp_path)


@pytest.mark.parametrize("saved", [IN_PART, UNREAD])
def test_what_may_hold_an_entry_that_was_not_saved_stays_longer(tmp_path: Path, saved: Rescue) -> None:
    first = set_aside(tmp_path, saved)
    folders = [set_aside(tmp_path, WHOLE) for _ in range(FOLDERS_MAX + 2)]
    assert left(tmp_path) == {first, *folders[-FOLDERS_MAX + 1 :]}


def test_even_of_those_no_more_are_kept(tmp_path: Path) -> None:
    folders = [set_aside(tmp_path, IN_PART) for _ in range(FOLDERS_MAX + 2)]
    assert left(tmp_path) == set(folders[2:])
    newest = set_aside(tmp_path, WHOLE)
    assert left(tmp_path) == {*folders[3:], newest}


def test_no_more_bytes_are_kept_than_the_bound(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quarantine, "BYTES_MAX", 5 * REPLICA_BYTES)
    first = set_aside(tmp_path, IN_PART)
    folders = [set_aside(tmp_path, WHOLE) for _ in range(3)]
    assert len(left(tmp_path)) < 4
    assert {first, folders[-1]} <= left(tmp_path)
    monkeypatch.setattr(quarantine, "BYTES_MAX", 1)
    assert left(tmp_path) == {first, folders[-1]}


def test_a_folder_without_a_word_of_what_was_saved_counts_as_one_that_holds_more(tmp_path: Path) -> None:
    folders = [set_aside(tmp_path, WHOLE) for _ in range(FOLDERS_MAX)]
    (folders[0] / REASON).unlink()
    newest = set_aside(tmp_path, WHOLE)
    assert left(tmp_path) == {folders[0], *folders[2:], newest}


def test_what_somebody_else_put_there_stays(tmp_path: Path) -> None:
    set_aside(tmp_path, WHOLE)
    other = tmp_path / QUARANTINE / "kept by hand"
    other.mkdir()
    for _ in range(FOLDERS_MAX + 1):
        set_aside(tmp_path, WHOLE)
    assert other in left(tmp_path)
    assert len(left(tmp_path)) == FOLDERS_MAX + 1


def test_the_reason_is_the_first_line_and_what_was_saved_stands_below(tmp_path: Path) -> None:
    folder = set_aside(tmp_path, IN_PART)
    assert (folder / REASON).read_text().splitlines() == [
        "a page is damaged",
        "Saved: answered entries: 0, waiting entries: 0.",
        "Left in it: entries that do not prove themselves: 1, damaged pages: 0.",
    ]
    quarantine.note_saved(folder, WHOLE)
    assert (folder / REASON).read_text().splitlines()[::2] == ["a page is damaged", quarantine.ALL_SAVED]
