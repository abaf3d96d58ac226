"""What the disk of the crash file lane loses and keeps: a store that forgets to sync must not get away with it."""

from collections.abc import Callable
from pathlib import Path

import pytest

from kiosk.store.errors import StorageFailed, StorageFull
from tests.simulation.crashes import Crash
from tests.simulation.desk_store import CrashingDatabase
from tests.simulation.disk import CrashDisk
from tests.simulation.luck import Luck

SEEDS = range(10)


def _nothing(_point: str) -> None:
    """No crash point is armed."""


def _dies_at(point: str, passes: int) -> Callable[[str], None]:
    left = [passes]

    def reach(reached: str) -> None:
        if reached == point:
            left[0] -= 1
            if left[0] < 0:
                raise Crash(point)

    return reach


def _filled(disk: CrashDisk) -> CrashingDatabase:
    database = disk.open()
    with database.transaction():
        database.execute("CREATE TABLE line (number INTEGER PRIMARY KEY, padding TEXT)")
    return database


def _write(database: CrashingDatabase, number: int) -> None:
    with database.transaction():
        database.execute("INSERT INTO line VALUES (?, ?)", (number, "x" * 3_000))


def _numbers(database: CrashingDatabase) -> list[int]:
    return [number for (number,) in database.fetch_all("SELECT number FROM line ORDER BY number")]


@pytest.mark.parametrize("seed", SEEDS)
def test_what_was_committed_survives_any_number_of_power_losses(tmp_path: Path, seed: int) -> None:
    luck = Luck(seed, "disk")
    disk = CrashDisk(tmp_path, luck, _nothing)
    database = _filled(disk)
    for number in range(8):
        _write(database, number)
        if luck.chance(0.5):
            database = disk.lose_power(database)
    assert _numbers(disk.lose_power(database)) == list(range(8))


@pytest.mark.parametrize("point", ["disk: before a write", "disk: before a sync", "disk: after a sync"])
@pytest.mark.parametrize("seed", SEEDS)
def test_a_transaction_that_loses_its_power_is_whole_or_absent(tmp_path: Path, seed: int, point: str) -> None:
    disk = CrashDisk(tmp_path, Luck(seed, "disk"), _nothing)
    database = _filled(disk)
    _write(database, 1)
    database.reach = disk._reach = _dies_at(point, seed % 4)
    written = _write_until_it_dies(database)
    disk._reach = _nothing
    found = _numbers(disk.lose_power(database))
    assert found in ([*range(1, written + 1)], [*range(1, written + 2)])


def _write_until_it_dies(database: CrashingDatabase) -> int:
    for number in range(2, 100):
        try:
            _write(database, number)
        except Crash:
            return number - 1
    raise AssertionError("the disk never lost its power")


def test_without_a_sync_at_each_commit_something_committed_is_lost(tmp_path: Path) -> None:
    lost = 0
    for seed in SEEDS:
        disk = CrashDisk(tmp_path / str(seed), Luck(seed, "disk"), _nothing)
        database = _filled(disk)
        database.fetch_all("PRAGMA synchronous = NORMAL")
        for number in range(3):
            _write(database, number)
        survived = _numbers(disk.lose_power(database))
        assert survived == list(range(len(survived))), "what is left is the beginning, never a later part alone"
        lost += len(survived) < 3
    assert lost, "a disk that forgets nothing proves nothing"


@pytest.mark.parametrize("is_full_afterwards", [False, True])
@pytest.mark.parametrize("failures", [1, 2, 3])
@pytest.mark.parametrize("seed", SEEDS)
def test_what_is_shown_after_syncs_that_failed_is_not_lost(
    tmp_path: Path, seed: int, failures: int, *, is_full_afterwards: bool
) -> None:
    disk = CrashDisk(tmp_path, Luck(seed, "disk"), _nothing)
    database = _filled(disk)
    _write(database, 1)
    disk.fails_syncs = failures
    with pytest.raises(StorageFailed):
        _write(database, 2)
    disk.heal()
    disk.is_full = is_full_afterwards
    shown = _numbers(database)
    assert shown in ([1], [1, 2])
    # What failed may come back, for a log that SQLite deleted is gone only once its folder is synced.
    assert _numbers(disk.lose_power(database)) in (shown, [1, 2])


def test_a_full_disk_refuses_and_what_is_there_can_be_read(tmp_path: Path) -> None:
    disk = CrashDisk(tmp_path, Luck(1, "disk"), _nothing)
    database = _filled(disk)
    _write(database, 1)
    disk.is_full = True
    with pytest.raises(StorageFull):
        _write(database, 2)
    assert _numbers(database) == [1]
    disk.is_full = False
    _write(database, 3)
    assert _numbers(disk.lose_power(database)) == [1, 3]


def test_a_disk_that_is_replaced_is_empty(tmp_path: Path) -> None:
    disk = CrashDisk(tmp_path, Luck(1, "disk"), _nothing)
    database = disk.replace(_filled(disk))
    assert database.fetch_all("SELECT name FROM sqlite_schema") == []
