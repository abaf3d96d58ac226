"""A replica of the first version becomes one of this version, wherever the upgrade is cut off, and loses nothing."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from kiosk.store.database import Database
from kiosk.store.errors import ReplicaTooNew, StorageFailed
from kiosk.store.integrity import check_content
from kiosk.store.replica import Replica
from kiosk.store.schema import MIGRATIONS, SCHEMA_VERSION, migrate, shape
from sync import effects as do
from sync import events as on
from sync.journal import check_run
from sync.messages import StagedSnapshot
from tests.contract.device_store import StoreHands, settling, storing
from tests.support.kiosk import CENTER_ID, DEVICE_ID, EPOCH, INCARNATION, Log, append, held
from tests.support.replica_files import copy_files, opened
from tests.support.replica_version_1 import ENTRIES, KEY, SETTLED, entries, prepare, write_version_1

ROOT = Path(__file__).parents[2]


@pytest.fixture
def first(tmp_path: Path) -> tuple[Path, Log]:
    path = tmp_path / "replica.db"
    return path, write_version_1(path)


class TestUpgrade(StoreHands):
    def test_a_replica_of_version_1_goes_on_where_it_was(self, first: tuple[Path, Log]) -> None:
        path, log = first
        found = opened(path)
        assert found.salvage is None
        replica = found.replica
        progress = self.where(replica)
        assert held(replica) == log.live()
        assert (progress.epoch, progress.version, progress.digests) == (log.head.epoch, 8, log.digests())
        journal = on.JournalStanding(incarnation=INCARNATION, seq=ENTRIES, hash=entries()[-1].hash, settled_seq=SETTLED)
        assert (progress.journal, progress.queue_depth) == (journal, ENTRIES - SETTLED)
        replica.database.close_now()

    def test_what_waited_before_the_upgrade_is_sent_after_it(self, first: tuple[Path, Log]) -> None:
        replica = opened(first[0]).replica
        read = self.do(do.ReadEntries(INCARNATION, SETTLED, 100), replica)
        assert read == on.EntriesRead(tuple(entries()[SETTLED:]))
        self.do(settling(entries()[SETTLED:]), replica)
        following = append(replica, 100)
        check_run([entries()[-1], following])
        assert self.where(replica).queue_depth == 1
        untold = replica.journal.settled_after(replica.progress.read().told_seq)
        assert [entry.seq for entry in untold] == list(range(2, ENTRIES + 1))
        replica.database.close_now()

    def test_whoever_only_reads_it_before_the_upgrade_is_told_what_to_do(self, first: tuple[Path, Log]) -> None:
        database = Database.open_reader(first[0], KEY)
        with pytest.raises(StorageFailed, match="start the desk once"):
            Replica(database).progress.read()
        database.close_now()

    def test_a_snapshot_that_version_3_staged_begins_anew(self, tmp_path: Path) -> None:
        database = Database.open(tmp_path / "replica.db", KEY)
        migrate(database, MIGRATIONS[:3])
        with database.transaction():
            database.execute(
                "INSERT INTO progress (one, device_id, center_id, incarnation, staged_epoch, staged_version,"
                " staged_part, staged_parts) VALUES (1, ?, ?, ?, ?, 4, 1, 2)",
                (DEVICE_ID, CENTER_ID, INCARNATION, EPOCH),
            )
        replica = Replica(database)
        prepare(replica)
        assert self.where(replica).staged == StagedSnapshot()
        log = Log()
        for number in range(1, 5):
            log.put_child(number)
        for part in log.snapshot(2):
            self.do(storing(part), replica)
        assert held(replica) == log.live()
        database.close_now()

    def test_an_empty_replica_of_version_1_is_upgraded_too(self, tmp_path: Path) -> None:
        database = Database.open(tmp_path / "replica.db", KEY)
        migrate(database, MIGRATIONS[:1])
        with database.transaction():
            database.execute(
                "INSERT INTO progress (one, device_id, center_id, incarnation) VALUES (1, ?, ?, ?)",
                (DEVICE_ID, CENTER_ID, INCARNATION),
            )
        replica = Replica(database)
        prepare(replica)
        assert append(replica, 1).seq == 1
        check_content(replica, lambda _: None)
        database.close_now()


class FailingDatabase(Database):
    """Fails before one statement, counted from when it is told."""

    fail_before = 0

    def execute(self, sql: str, parameters: object = ()) -> None:
        self.fail_before -= 1
        if self.fail_before == 0:
            raise StorageFailed(sql)
        super().execute(sql, parameters)  # type: ignore[arg-type]


def is_old_or_new(path: Path, log: Log) -> int:
    """The file is whole, of one version or the other, and holds what it held; gives the version."""
    database = Database.open(path, KEY)
    row = database.fetch_one("PRAGMA user_version")
    assert row is not None
    (version,) = row
    assert 1 <= version <= SCHEMA_VERSION
    fresh = Database.in_memory()
    migrate(fresh, MIGRATIONS[:version])
    assert shape(database) == shape(fresh)
    assert database.damaged_pages() == []
    replica = Replica(database)
    assert held(replica) == log.live()
    assert [row[0] for row in database.fetch_all("SELECT hash FROM journal ORDER BY seq")] == [
        entry.hash for entry in entries()
    ]
    prepare(replica)
    check_content(replica, lambda _: None)
    assert replica.journal.read_entries(INCARNATION, 0, 100) == tuple(entries())
    database.close_now()
    return int(version)


def test_an_upgrade_that_fails_at_any_statement_leaves_the_old_replica(first: tuple[Path, Log], tmp_path: Path) -> None:
    path, log = first
    versions = []
    number = 0
    while True:
        number += 1
        copy = copy_files(path, tmp_path / str(number))
        database = FailingDatabase.open(copy, KEY)
        assert isinstance(database, FailingDatabase)
        database.fail_before = number
        try:
            migrate(database)
        except StorageFailed:
            database.close_now()
            versions.append(is_old_or_new(copy, log))
        else:
            database.close_now()
            break
    assert is_old_or_new(copy, log) == SCHEMA_VERSION
    assert number > len(MIGRATIONS[1]) + len(MIGRATIONS[2])
    assert versions == sorted(versions)
    assert set(versions) == set(range(1, SCHEMA_VERSION))


@pytest.mark.slow
def test_an_upgrade_that_is_killed_at_any_statement_ends_old_or_new(first: tuple[Path, Log], tmp_path: Path) -> None:
    path, log = first
    versions = []
    number = 0
    while True:
        number += 1
        copy = copy_files(path, tmp_path / str(number))
        child = subprocess.run(
            [sys.executable, "-m", "tests.support.replica_version_1", str(copy), str(number)],
            cwd=ROOT,
            capture_output=True,
            check=False,
            timeout=60,
        )
        if child.returncode == 0:
            break
        assert child.returncode == -signal.SIGKILL, child.stderr.decode()
        versions.append(is_old_or_new(copy, log))
    assert is_old_or_new(copy, log) == SCHEMA_VERSION
    assert versions == sorted(versions)
    assert set(versions) == set(range(1, SCHEMA_VERSION + 1))
    print(f"killed before each of {number - 1} statements; found versions {versions}")


def test_a_replica_of_a_newer_program_is_refused_and_stays_where_it_is(first: tuple[Path, Log]) -> None:
    path, _ = first
    database = Database.open(path, KEY)
    database.execute(f"PRAGMA user_version = {SCHEMA_VERSION + 1}")
    database.close_now()
    before = path.read_bytes()
    with pytest.raises(ReplicaTooNew):
        opened(path)
    assert path.read_bytes() == before
    assert not (path.parent / "quarantine").exists()
