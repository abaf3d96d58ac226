"""A replica as the first version of the program wrote it, and the upgrade of one, for tests that cut it off.

`python -m tests.support.replica_version_1 PATH N` upgrades PATH and kills itself with SIGKILL before statement N.
"""

import os
import signal
import sys
from pathlib import Path

from kiosk.store.database import Database
from kiosk.store.replica import Replica
from kiosk.store.schema import MIGRATIONS, migrate
from sync.attendance import encode_event
from sync.change_log import Operation
from sync.journal import Draft, Entry, genesis, head_after, seal
from tests.support.kiosk import CENTER_ID, CHILD_ID, DEVICE_ID, INCARNATION, NOON_MS, Log, event_of, sign

KEY = bytes(range(32))
ENTRIES = 5
SETTLED = 2


def entries() -> list[Entry]:
    """The journal of that time."""
    head, made = genesis(DEVICE_ID, INCARNATION), []
    for number in range(1, ENTRIES + 1):
        event = event_of(number)
        draft = Draft(
            event_id=event.event_id,
            kind=event.kind,
            body=encode_event(event),
            hlc=number,
            wall_ms=NOON_MS + number,
            monotonic_ms=number,
            boot_id="boot",
            base_epoch="",
            base_version=0,
        )
        made.append(seal(head, draft, sign))
        head = head_after(made[-1])
    return made


def write_version_1(path: Path) -> Log:
    """Make the file, with a replica that is up to date and a journal of which some entries wait."""
    log = Log()
    for number in range(1, 8):
        log.put_child(number)
    log.put_event(8)
    database = Database.open(path, KEY)
    migrate(database, MIGRATIONS[:1])
    with database.transaction():
        for change in log.changes:
            assert change.operation is Operation.PUT
            row = (change.bucket, change.entity, change.entity_id, change.version, change.body.decode(), change.salt)
            database.execute("INSERT INTO record VALUES (?, ?, ?, ?, ?, ?, ?)", (*row, change.commitment))
        for entry in entries():
            outcome = 1 if entry.seq <= SETTLED else None
            settled = (outcome, 0, entry.seq, NOON_MS) if outcome else (None, 0, 0, None)
            database.execute(_INSERT, (*_values(entry), CHILD_ID, entry.wall_ms, *settled))
        database.execute(
            "INSERT INTO progress (one, device_id, center_id, incarnation, epoch, version, hash, acknowledged_seq,"
            " told_seq, hlc) VALUES (1, ?, ?, ?, ?, ?, ?, ?, 1, ?)",
            (DEVICE_ID, CENTER_ID, INCARNATION, *log_head(log), SETTLED, ENTRIES),
        )
    database.close_now()
    return log


_INSERT = f"INSERT INTO journal VALUES ({', '.join('?' * 20)})"


def _values(entry: Entry) -> tuple[object, ...]:
    values = [getattr(entry, name) for name in entry.__struct_fields__]
    return tuple(
        value.decode() if name == "body" else value for name, value in zip(entry.__struct_fields__, values, strict=True)
    )


def log_head(log: Log) -> tuple[str, int, bytes]:
    return log.head.epoch, log.head.version, log.head.hash


def prepare(replica: Replica) -> None:
    replica.prepare(device_id=DEVICE_ID, center_id=CENTER_ID, incarnation="another")


def main(path: Path, kill_before: int) -> None:
    """Upgrade, and die on the way; the word at the end says how many statements it took when it did not."""
    database = Database.open(path, KEY)
    seen = 0

    def count(_statement: str) -> None:
        nonlocal seen
        seen += 1
        if seen == kill_before:
            os.kill(os.getpid(), signal.SIGKILL)

    database._connection.set_trace_callback(count)
    prepare(Replica(database))
    print(seen)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
