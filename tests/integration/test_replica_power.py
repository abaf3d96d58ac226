"""A desk that loses its power in the middle of a COMMIT is whole: what was told is there, and nothing is set aside."""

from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random

import pytest

from kiosk.store.database import files_of
from kiosk.store.quarantine import QUARANTINE
from kiosk.store.replica import Replica
from kiosk.store.wal import PAGE_BYTES
from sync.incidents import Incident
from sync.journal import Entry, check_run
from sync.messages import Plan
from tests.contract.device_store import answer
from tests.support.kiosk import CHILD_ID, NOON_MS, Log, append, entry_draft, held, new_epoch, sign, uuid_of
from tests.support.replica_files import PEN, copy_files, opened, told

FRAME_BYTES = 24 + PAGE_BYTES
LOST = bytes(FRAME_BYTES)
LOSSES = 24
LAST = 99
OTHER_EPOCH = "33333333-3333-4333-8333-333333333333"
SEED = 20_261_124
Commit = Callable[[Replica], None]
Pieces = list[bytes]


def prepared(path: Path) -> Replica:
    """A desk that was at work: records, entries that are answered and entries that wait."""
    replica = opened(path).replica
    for part in other_life("Abel").snapshot(50):
        replica.snapshots.store_part(part, Plan.SNAPSHOT, PEN, wall_ms=NOON_MS)
    written = [append(replica, number) for number in range(1, 31)]
    replica.journal.store_outcomes(written[0].incarnation, answer(written[:10]), NOON_MS)
    return replica


def other_life(family_name: str, events: int = 8) -> Log:
    log = Log()
    for number in range(1, 31):
        log.put_child(number, family_name)
    for number in range(10_000, 10_000 + events):
        log.put_event(number)
    return log


def record(replica: Replica) -> None:
    append(replica, LAST)


def record_with_an_incident(replica: Replica) -> None:
    with replica.database.transaction():
        replica.incarnations.note(Incident.CLOCK_STEPPED, {"step_ms": 1}, PEN, wall_ms=NOON_MS)
        replica.journal.append(lambda _: entry_draft(LAST), sign, child_id=CHILD_ID)


def note_an_incident(replica: Replica) -> None:
    with replica.database.transaction():
        replica.incarnations.note(Incident.CLOCK_STEPPED, {"step_ms": 1}, PEN, wall_ms=NOON_MS)


def settle(replica: Replica) -> None:
    incarnation = replica.progress.read().incarnation
    replica.journal.store_outcomes(incarnation, answer(list(replica.journal.kept(incarnation, 0))), NOON_MS)


def fork(replica: Replica) -> None:
    replica.incarnations.begin(replica.progress.read().incarnation, PEN, wall_ms=NOON_MS)


def reconcile(replica: Replica) -> None:
    (part,) = other_life("Changed", events=2).snapshot(100)
    replica.snapshots.store_part(new_epoch(part, OTHER_EPOCH), Plan.RECONCILE, PEN, wall_ms=NOON_MS)


COMMITS: tuple[Commit, ...] = (record, record_with_an_incident, note_an_incident, settle, fork, reconcile)


def pieces_of(path: Path, commit: Commit, folder: Path) -> tuple[bytes, Pieces]:
    """The log before the last COMMIT, and the frames of that one."""
    replica = prepared(path)
    before = files_of(copy_files(path, folder / "before"))[1].read_bytes()
    commit(replica)
    copy = copy_files(path, folder / "whole")
    after = files_of(copy)[1].read_bytes()
    replica.database.close_now()
    assert after.startswith(before)
    frames = [after[at : at + FRAME_BYTES] for at in range(len(before), len(after), FRAME_BYTES)]
    return before, frames


def losses(count: int, luck: Random) -> Iterator[tuple[bool, ...]]:
    """Which frames reached the disk, by luck; those after the first that is lost are there for nothing."""
    for _ in range(LOSSES):
        share = luck.choice((0.2, 0.5, 0.9))
        yield tuple(luck.random() < share for _ in range(count))


def lay(whole: Path, to: Path, log: bytes) -> Path:
    path = copy_files(whole, to)
    files_of(path)[1].write_bytes(log)
    return path


@pytest.mark.slow
@pytest.mark.parametrize("commit", COMMITS)
def test_after_a_power_loss_within_a_commit_a_desk_has_all_that_it_told(tmp_path: Path, commit: Commit) -> None:
    before, frames = pieces_of(tmp_path / "replica.db", commit, tmp_path)
    whole = tmp_path / "whole" / "replica.db"
    untouched = opened(copy_files(tmp_path / "before" / "replica.db", tmp_path / "untouched")).replica
    lived = told(untouched)
    untouched.database.close_now()
    print(f"seed {SEED}, {len(frames)} frames")
    kept_of_it = 0
    for number, reached in enumerate(losses(len(frames), Random(SEED))):
        left = (frame if is_here else LOST for frame, is_here in zip(frames, reached, strict=True))
        path = lay(whole, tmp_path / str(number), before + b"".join(left))
        found = opened(path)
        assert found.salvage is None, f"frames {reached}: {found.salvage}"
        assert not (path.parent / QUARANTINE).exists()
        replica = found.replica
        entries = {entry.event_id: entry for entry in replica.journal.recent(-1)}
        assert lived.entries.keys() <= entries.keys()
        assert all(reached) or held(replica) == lived.records
        kept_of_it += len(entries) > len(lived.entries)
        run = replica.journal.read_entries(replica.progress.read().incarnation, 0, 500)
        check_run(run)
        assert append(replica, 700).seq == (run[-1].seq if run else 0) + 1
        replica.database.close_now()
        assert opened(path).salvage is None
    print(f"{kept_of_it} times something of it was there")


def last_entry(path: Path) -> Entry:
    replica = opened(path).replica
    run = replica.journal.read_entries(replica.progress.read().incarnation, 0, 500)
    replica.database.close_now()
    return run[-1]


@pytest.mark.parametrize("commit", [record, record_with_an_incident])
def test_an_entry_whose_page_reached_the_disk_is_taken_back_as_it_was(tmp_path: Path, commit: Commit) -> None:
    before, frames = pieces_of(tmp_path / "replica.db", commit, tmp_path)
    whole = tmp_path / "whole" / "replica.db"
    right = last_entry(copy_files(whole, tmp_path / "right"))
    assert right.event_id == uuid_of(LAST)
    taken_back = 0
    for number in range(len(frames)):
        left = [*frames[:number], LOST, *frames[number + 1 :]]
        found = last_entry(lay(whole, tmp_path / str(number), before + b"".join(left)))
        taken_back += found == right
        assert found == right or found.event_id == uuid_of(30)
    assert taken_back > len(frames) // 2


def test_an_incident_alone_is_not_taken_back(tmp_path: Path) -> None:
    before, frames = pieces_of(tmp_path / "replica.db", note_an_incident, tmp_path)
    for number in range(len(frames)):
        left = [*frames[:number], LOST, *frames[number + 1 :]]
        path = lay(tmp_path / "whole" / "replica.db", tmp_path / str(number), before + b"".join(left))
        assert last_entry(path).event_id == uuid_of(30)


def is_set_aside_with_its_entries(path: Path) -> None:
    found = opened(path)
    assert found.salvage is not None
    assert found.salvage.reason == "the log of the replica does not lead to all that is in it"
    assert {uuid_of(30), uuid_of(LAST)} <= {entry.event_id for entry in found.replica.journal.recent(-1)}
    found.replica.database.close_now()


def test_a_log_that_breaks_off_before_the_last_commit_is_damaged(tmp_path: Path) -> None:
    """Two COMMITs, the first of them spoilt: that one was synced, and somebody was told of it."""
    replica = prepared(tmp_path / "replica.db")
    spoilt_at = files_of(tmp_path / "replica.db")[1].stat().st_size
    settle(replica)
    record(replica)
    path = copy_files(tmp_path / "replica.db", tmp_path / "copy")
    replica.database.close_now()
    with files_of(path)[1].open("r+b") as file:
        file.seek(spoilt_at)
        file.write(LOST)
    is_set_aside_with_its_entries(path)


def test_a_log_whose_two_last_commits_look_like_one_is_damaged(tmp_path: Path) -> None:
    """The mark that parts them is spoilt: no one COMMIT holds two entries that somebody asked for."""
    replica = prepared(tmp_path / "replica.db")
    append(replica, LAST - 1)
    spoilt_at = files_of(tmp_path / "replica.db")[1].stat().st_size - FRAME_BYTES
    record(replica)
    path = copy_files(tmp_path / "replica.db", tmp_path / "copy")
    replica.database.close_now()
    with files_of(path)[1].open("r+b") as file:
        file.seek(spoilt_at)
        file.write(bytes(24))
    is_set_aside_with_its_entries(path)
