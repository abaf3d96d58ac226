"""The file: encrypted, whole or not at all, one program at a time, and clear when the disk is full or the key wrong."""

import asyncio
import contextlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from kiosk.store.database import Database
from kiosk.store.errors import ReplicaInUse, ReplicaTooNew, ReplicaUnreadable, StorageFailed, StorageFull
from kiosk.store.folder_lock import FolderLock
from kiosk.store.journal import COUNT_WAITING
from kiosk.store.replica import Replica
from kiosk.store.schema import MIGRATIONS, SCHEMA_VERSION, migrate
from sync.messages import Plan
from tests.support.kiosk import INCARNATION, NOON_MS, Log, append, held, new_pen, new_replica

KEY = bytes(range(32))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "replica.db"


def test_nothing_readable_is_on_the_disk(path: Path) -> None:
    replica = new_replica(Database.open(path, KEY))
    append(replica, 1)
    for file in path.parent.iterdir():
        content = file.read_bytes()
        assert b"check_in" not in content
        assert b"SQLite format" not in content
        assert file.stat().st_mode & 0o077 == 0, file
    replica.database.close_now()


def test_durability_is_what_was_promised(path: Path) -> None:
    database = Database.open(path, KEY)
    assert database.fetch_one("PRAGMA journal_mode") == ("wal",)
    assert database.fetch_one("PRAGMA synchronous") == (2,)
    assert database.fetch_one("PRAGMA foreign_keys") == (1,)
    database.close_now()


def test_what_was_written_is_there_after_opening_again(path: Path) -> None:
    replica = new_replica(Database.open(path, KEY))
    entries = [append(replica, number) for number in range(1, 4)]
    replica.database.close_now()
    again = new_replica(Database.open(path, KEY))
    assert again.journal.read_entries(INCARNATION, 0, 10) == tuple(entries)
    again.database.close_now()


def test_a_wrong_key_is_refused_and_the_file_stays_as_it_is(path: Path) -> None:
    new_replica(Database.open(path, KEY)).database.close_now()
    before = path.read_bytes()
    with pytest.raises(ReplicaUnreadable):
        Database.open(path, bytes(32))
    assert path.read_bytes() == before


@pytest.mark.parametrize("damage", ["empty", "noise", "gone"])
def test_a_damaged_file_is_refused_and_stays_as_it_is(path: Path, damage: str) -> None:
    replica = new_replica(Database.open(path, KEY))
    append(replica, 1)
    replica.database.close_now()
    if damage == "gone":
        path.unlink()
        Path(f"{path}-wal").write_bytes(b"left over")
    else:
        path.write_bytes(b"" if damage == "empty" else b"\x55" * 8192)
    before = {file.name: file.read_bytes() for file in path.parent.iterdir()}
    with pytest.raises(ReplicaUnreadable):
        Database.open(path, KEY)
    assert {file.name: file.read_bytes() for file in path.parent.iterdir()} == before


def test_a_file_of_another_device_is_refused(path: Path) -> None:
    replica = new_replica(Database.open(path, KEY))
    with pytest.raises(ReplicaUnreadable):
        replica.prepare(device_id="another", center_id="c", incarnation="i")
    replica.database.close_now()


def test_a_half_made_file_of_an_earlier_start_is_no_harm(path: Path) -> None:
    path.with_name("replica.db.new").write_bytes(b"")
    Database.open(path, KEY).close_now()
    assert path.stat().st_size > 0


def append_until_full(replica: Replica) -> int:
    """The number that found no room."""
    for number in range(2, 1_000):
        try:
            append(replica, number)
        except StorageFull:
            return number
    raise AssertionError("it is never full")


def test_a_full_disk_refuses_clearly_and_recovers_without_a_restart(path: Path) -> None:
    replica = new_replica(Database.open(path, KEY))
    append(replica, 1)
    (pages,) = replica.database.fetch_one("PRAGMA page_count") or (0,)
    replica.database.fetch_one(f"PRAGMA max_page_count = {pages}")
    number = append_until_full(replica)
    kept = replica.journal.read_entries(INCARNATION, 0, 500)
    assert [entry.seq for entry in kept] == list(range(1, number))
    replica.database.fetch_one(f"PRAGMA max_page_count = {pages + 1000}")
    assert append(replica, number).seq == number
    replica.database.close_now()


def test_an_error_inside_a_transaction_leaves_nothing_half_done() -> None:
    replica = new_replica()

    def fail_inside() -> None:
        with replica.database.transaction():
            replica.progress.told(7)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail_inside()
    assert replica.progress.read().told_seq == 0


def test_what_is_read_in_one_go_is_of_one_moment_also_beside_a_writer(path: Path) -> None:
    replica = new_replica(Database.open(path, KEY))
    append(replica, 1)
    reader = Replica(Database.open_reader(path, KEY))
    with reader.database.reading():
        before = reader.journal.recent(-1)
        append(replica, 2)
        assert reader.journal.recent(-1) == before
    assert len(reader.journal.recent(-1)) == 2
    reader.database.close_now()
    replica.database.close_now()


def test_what_waits_is_counted_without_reading_the_journal() -> None:
    replica = new_replica(Database.in_memory())
    ((*_, how),) = replica.database.fetch_all(f"EXPLAIN QUERY PLAN {COUNT_WAITING}")
    assert how == "SCAN journal USING COVERING INDEX journal_waiting"


def test_a_file_that_was_given_up_is_checked_before_it_is_used_again(path: Path) -> None:
    replica = new_replica(Database.open(path, KEY))
    for number in range(1, 50):
        append(replica, number)
    replica.database._give_up()
    assert append(replica, 50).seq == 50
    replica.database._give_up()
    with path.open("r+b") as file:
        file.seek(path.stat().st_size - 100)
        file.write(b"damage")
    with pytest.raises(ReplicaUnreadable, match="start it again"):
        replica.database.fetch_one("SELECT 1")
    replica.database.close_now()


def test_what_is_staged_of_a_snapshot_survives_a_restart(path: Path) -> None:
    log = Log()
    for number in range(1, 7):
        log.put_child(number)
    first, second, last = log.snapshot(2)
    for part in (first, second, last):
        replica = new_replica(Database.open(path, KEY))
        replica.snapshots.store_part(part, Plan.SNAPSHOT, new_pen(), wall_ms=NOON_MS)
        replica.database.close_now()
    again = new_replica(Database.open(path, KEY))
    assert held(again) == log.live()
    again.database.close_now()


def test_a_second_program_is_refused(tmp_path: Path) -> None:
    lock = FolderLock(tmp_path / "kiosk.lock")
    lock.acquire()
    with pytest.raises(ReplicaInUse):
        FolderLock(tmp_path / "kiosk.lock").acquire()
    lock.release()
    again = FolderLock(tmp_path / "kiosk.lock")
    again.acquire()
    again.release()


def test_a_schema_of_a_newer_program_is_refused() -> None:
    database = Database.in_memory()
    migrate(database)
    database.execute(f"PRAGMA user_version = {SCHEMA_VERSION + 1}")
    with pytest.raises(ReplicaTooNew):
        migrate(database)


def test_a_migration_that_fails_changes_nothing() -> None:
    database = Database.in_memory()
    migrate(database)
    with pytest.raises(StorageFailed):
        migrate(database, (*MIGRATIONS, ("CREATE TABLE extra (one INTEGER)", "no SQL at all")))
    assert database.fetch_one("PRAGMA user_version") == (SCHEMA_VERSION,)
    assert database.fetch_all("SELECT name FROM sqlite_schema WHERE name = 'extra'") == []


async def test_everything_asked_of_the_thread_happens_in_order(path: Path) -> None:
    database = Database.open(path, KEY)
    found: list[int] = []
    await asyncio.gather(*(database.run(lambda n=n: found.append(n)) for n in range(50)))  # type: ignore[misc]
    assert found == list(range(50))
    await database.close()


WRITER = """
import sys
from collections.abc import Iterator
from pathlib import Path
from kiosk.store.database import Database
from sync.messages import Plan
from tests.support.kiosk import INCARNATION, NOON_MS, Log, append, held, new_pen, new_replica
replica = new_replica(Database.open(Path(sys.argv[1]), bytes(range(32))))
for number in range(1, 100_000):
    entry = append(replica, number)
    print(entry.seq, entry.hash.hex(), flush=True)
"""


@pytest.mark.parametrize("lines", [1, 7, 40])
def test_a_kill_in_the_middle_of_writing_loses_nothing_that_was_said(path: Path, lines: int) -> None:
    with subprocess.Popen([sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None
        said = [writer.stdout.readline().split() for _ in range(lines)]
        writer.kill()
        said += [line.split() for line in writer.stdout if line.endswith("\n")]
    replica = new_replica(Database.open(path, KEY))
    kept = {entry.seq: entry.hash.hex() for entry in replica.journal.read_entries(INCARNATION, 0, 100_000)}
    assert len(kept) - len(said) in (0, 1)
    assert all(kept[int(seq)] == digest for seq, digest in said)
    assert append(replica, 200_000).seq == len(kept) + 1
    replica.database.close_now()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "small"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=256k,mode=700", "tmpfs", str(folder)], check=False, capture_output=True
    )
    if mounted.returncode:
        pytest.skip("only root may mount a small disk")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def test_a_disk_that_is_really_full_loses_nothing_and_works_again_with_room(small_disk: Path) -> None:
    replica = new_replica(Database.open(small_disk / "replica.db", KEY))
    append(replica, 1)
    filler = small_disk / "filler"
    with filler.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(b"x" * 4096)
    number = append_until_full(replica)
    with pytest.raises(StorageFull):
        append(replica, number)
    assert [entry.seq for entry in replica.journal.read_entries(INCARNATION, 0, 500)] == list(range(1, number))
    filler.unlink()
    assert append(replica, number).seq == number
    replica.database.close_now()
    again = new_replica(Database.open(small_disk / "replica.db", KEY))
    assert len(again.journal.read_entries(INCARNATION, 0, 500)) == number
    again.database.close_now()
