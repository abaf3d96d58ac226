"""A disk that fails, and a program that is killed while it mends a replica: what was said to be recorded is there."""

import contextlib
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from kiosk.store.database import files_of
from kiosk.store.errors import StorageFull
from kiosk.store.quarantine import QUARANTINE
from sync.journal import check_run
from tests.support.kiosk import append, held, uuid_of
from tests.support.replica_files import PAGE_BYTES, copy_files, made, opened

ROOT = Path(__file__).parents[2]
ENTRIES = 6
STRACE = shutil.which("strace")
# The first calls make the file and its tables; what a person does comes after them.
OPENING_SYNCS = 18

needs_strace = pytest.mark.skipif(STRACE is None, reason="strace makes system calls fail; it is not installed")


@dataclass(frozen=True)
class Heard:
    """What the writer said before it ended."""

    code: int
    recorded: dict[str, int]
    refused: list[str]
    is_salvaged: bool


def write(path: Path, *inject: str, count: int = ENTRIES) -> Heard:
    """Run the writer; strace does what is to be injected."""
    tracing = [str(STRACE), "-f", "-qq", "-o", str(path.with_name("trace")), *inject] if inject else []
    child = subprocess.run(
        [*tracing, sys.executable, "-m", "tests.support.replica_writer", str(path), str(count)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    lines = [line.split() for line in child.stdout.splitlines()]
    recorded = {
        event: int(seq) for word, seq, event in (line for line in lines if len(line) == 3) if word == "recorded"
    }
    refused = [uuid_of(int(line[1])) for line in lines if line[0] == "refused"]
    return Heard(child.returncode, recorded, refused, ["salvaged"] in lines)


def failing_sync(when: str) -> tuple[str, ...]:
    return ("-e", "trace=fsync,fdatasync", "-e", f"inject=fsync,fdatasync:error=EIO:when={when}")


def check_journal(path: Path, heard: Heard) -> None:
    """What was recorded is there under its number, each entry once, in one chain; what was refused may be."""
    found = opened(path)
    assert found.salvage is None
    replica = found.replica
    incarnation = replica.progress.read().incarnation
    run = replica.journal.read_entries(incarnation, 0, 500)
    check_run(run)
    kept = {entry.event_id: entry.seq for entry in run}
    assert len(kept) == len(run)
    assert heard.recorded.items() <= kept.items()
    assert kept.keys() <= heard.recorded.keys() | set(heard.refused)
    assert append(replica, 700).seq == len(run) + 1
    replica.database.close_now()


@needs_strace
@pytest.mark.slow
def test_a_sync_that_fails_once_is_told_and_the_next_entry_is_recorded(tmp_path: Path) -> None:
    refused = []
    for call in range(OPENING_SYNCS, OPENING_SYNCS + 9):
        folder = tmp_path / str(call)
        folder.mkdir()
        heard = write(folder / "replica.db", *failing_sync(str(call)))
        if heard.code:
            assert not heard.recorded
        else:
            assert len(heard.recorded) + len(heard.refused) == ENTRIES
            assert len(heard.refused) <= 1
            refused.append(len(heard.refused))
        check_journal(folder / "replica.db", heard)
    print(f"entries refused, by which sync failed: {refused}")
    assert sum(refused) > 2


@needs_strace
def test_a_disk_that_syncs_no_more_records_nothing_and_loses_nothing(tmp_path: Path) -> None:
    path = tmp_path / "replica.db"
    heard = write(path, *failing_sync(f"{OPENING_SYNCS + 4}+"))
    assert heard.recorded
    assert heard.refused
    assert len(heard.recorded) + len(heard.refused) == ENTRIES
    check_journal(path, heard)


@needs_strace
@pytest.mark.slow
@pytest.mark.parametrize("call", ["rename", "fsync"])
def test_a_mending_that_is_killed_anywhere_goes_on_at_the_next_start(tmp_path: Path, call: str) -> None:
    whole, lived = made(tmp_path / "whole", records=20, entries=12)
    with whole.open("r+b") as file:
        file.write(bytes(PAGE_BYTES))
    number = 0
    while True:
        number += 1
        path = copy_files(whole, tmp_path / f"{call}{number}")
        inject = ("-e", f"trace={call}", "-e", f"inject={call}:signal=KILL:when={number}")
        heard = write(path, *inject, count=0)
        found = opened(path)
        kept = {entry.event_id for entry in found.replica.journal.recent(-1)}
        assert lived.entries.keys() <= kept, f"killed at {call} {number}"
        assert held(found.replica) == {}
        found.replica.database.close_now()
        (folder,) = (path.parent / QUARANTINE).iterdir()
        assert folder.suffix == ""
        assert (folder / path.name).read_bytes() == whole.read_bytes()
        left = {file.name for file in path.parent.iterdir()} - {path.name, QUARANTINE, "trace"}
        assert left == set()
        if heard.code == 0:
            assert heard.is_salvaged
            break
        assert heard.code in (-signal.SIGKILL, 128 + signal.SIGKILL)
    print(f"killed at each of {number - 1} calls of {call}")
    assert number > 4


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "small"
    folder.mkdir()
    mounting = ["mount", "-t", "tmpfs", "-o", "size=1m,mode=700", "tmpfs", str(folder)]
    if subprocess.run(mounting, check=False, capture_output=True).returncode:
        pytest.skip("only root may mount a small disk")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def test_a_mending_that_finds_no_room_goes_on_once_there_is(tmp_path: Path, small_disk: Path) -> None:
    whole, lived = made(tmp_path / "whole", records=20, entries=12)
    path = small_disk / "replica.db"
    shutil.copyfile(whole, path)
    with path.open("r+b") as file:
        file.write(bytes(PAGE_BYTES))
    filler = small_disk / "filler"
    with filler.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(b"x" * PAGE_BYTES)
    for _ in range(2):
        with pytest.raises(StorageFull):
            opened(path)
    filler.unlink()
    found = opened(path)
    assert lived.entries.keys() <= {entry.event_id for entry in found.replica.journal.recent(-1)}
    found.replica.database.close_now()


@needs_strace
@pytest.mark.slow
def test_an_unclean_start_that_is_killed_anywhere_loses_nothing(tmp_path: Path) -> None:
    replica = opened(tmp_path / "replica.db").replica
    for number in range(1, 20):
        append(replica, number)
    for number in range(1, 30, 3):
        path = copy_files(tmp_path / "replica.db", tmp_path / str(number))
        write(path, "-e", "trace=pwrite64", "-e", f"inject=pwrite64:signal=KILL:when={number}", count=0)
        found = opened(path)
        assert found.salvage is None
        incarnation = found.replica.progress.read().incarnation
        assert len(found.replica.journal.read_entries(incarnation, 0, 100)) == 19
        found.replica.database.close_now()
        assert not files_of(path.with_name(f"{path.name}.check"))[0].exists()
    replica.database.close_now()
