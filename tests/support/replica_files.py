"""Real replicas on real files, with a life behind them, for tests that damage, cut off or copy them."""

import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from random import Random

from kiosk.store.database import Database, files_of
from kiosk.store.journal import OwnEntry
from kiosk.store.opening import Opened, Owner, open_replica
from kiosk.store.pen import Pen
from kiosk.store.replica import Replica
from sync.messages import Plan
from tests.contract.device_store import answer
from tests.support.kiosk import CENTER_ID, DEVICE_ID, NOON_MS, Log, append, held, new_pen

KEY = bytes(range(32))
OWNER = Owner(DEVICE_ID, CENTER_ID)
PAGE_BYTES = 4_096
PEN = new_pen()
Content = dict[str, list[tuple[object, ...]]]
TABLES = ("record", "staged_part", "journal", "older_journal", "progress", "bucket_seal")


@dataclass(frozen=True)
class Lived:
    """What a person was told that the desk holds: entries by event id, and the records."""

    entries: dict[str, OwnEntry]
    records: dict[tuple[str, str], tuple[int, bytes]]

    @property
    def waiting(self) -> set[str]:
        return {event_id for event_id, entry in self.entries.items() if entry.outcome is None}


def opened(path: Path, key: bytes = KEY, pen: Pen = PEN) -> Opened:
    return open_replica(path, key, OWNER, pen, wall_ms=NOON_MS, watch=lambda _: None)


def live(replica: Replica, *, records: int = 120, entries: int = 40) -> None:
    """A snapshot, pages, a journal that forked once, answers for half of it, and a snapshot that was cut off."""
    log = Log()
    for number in range(1, records + 1):
        log.put_child(number)
        log.put_event(10_000 + number)
    for part in log.snapshot(50):
        replica.snapshots.store_part(part, Plan.SNAPSHOT, PEN, wall_ms=NOON_MS)
    first = replica.progress.read().incarnation
    written = [append(replica, number) for number in range(1, entries // 2 + 1)]
    replica.journal.store_outcomes(first, answer(written[: entries // 4]), NOON_MS)
    replica.incarnations.begin(first, PEN, wall_ms=NOON_MS)
    current = replica.progress.read().incarnation
    written = list(replica.journal.kept(current, 0))
    replica.journal.store_outcomes(current, answer(written[:5]), NOON_MS)
    for number in range(entries // 2 + 1, entries + 1):
        append(replica, number)
    log.put_child(1, "Changed")
    replica.records.apply_page(log.page(2 * records))
    replica.snapshots.store_part(log.snapshot(50)[0], Plan.SNAPSHOT, PEN, wall_ms=NOON_MS)


def told(replica: Replica) -> Lived:
    return Lived({entry.event_id: entry for entry in replica.journal.recent(-1)}, held(replica))


def made(folder: Path, *, records: int = 120, entries: int = 40) -> tuple[Path, Lived]:
    """A replica that was closed as it should be."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "replica.db"
    replica = opened(path).replica
    live(replica, records=records, entries=entries)
    lived = told(replica)
    replica.database.close_now()
    assert not files_of(path)[1].exists()
    return path, lived


def copy_files(path: Path, folder: Path) -> Path:
    """The files as they are at this moment, as a backup or a power loss would find them."""
    folder.mkdir(parents=True)
    for file in files_of(path)[:2]:
        if file.exists():
            shutil.copyfile(file, folder / file.name)
    return folder / path.name


def flip_a_bit(file: Path, luck: Random) -> int:
    """Turn over one bit somewhere; gives its byte."""
    at = luck.randrange(file.stat().st_size)
    with file.open("r+b") as opened_file:
        opened_file.seek(at)
        (byte,) = opened_file.read(1)
        opened_file.seek(at)
        opened_file.write(bytes((byte ^ 1 << luck.randrange(8),)))
        opened_file.flush()
        os.fsync(opened_file.fileno())
    return at


def content(path: Path, key: bytes = KEY) -> Content:
    """Everything that a reader of the file is given, without any check before."""
    database = Database.open(path, key)
    try:
        return {name: database.fetch_all(f"SELECT * FROM {name} ORDER BY 1, 2") for name in TABLES}
    finally:
        database.close_now()
