"""A desk's store as a process of its own, for tests that kill it or make its disk fail.

`python -m tests.support.replica_writer PATH N` opens PATH and records N entries, one after the other; each line of its
output says what a person would be told of one of them: `recorded SEQ EVENT`, or `refused SEQ ERROR`.
"""

import sys
from pathlib import Path

from kiosk.store.errors import StoreError
from tests.support.kiosk import append, new_pen, uuid_of
from tests.support.replica_files import opened


def main(path: Path, count: int) -> None:
    """Record, and go on after a refusal, as a desk does."""
    found = opened(path, pen=new_pen(1_000_000))
    print("open" if found.salvage is None else "salvaged", flush=True)
    replica = found.replica
    for number in range(1, count + 1):
        try:
            entry = append(replica, number)
        except StoreError as error:
            print("refused", number, type(error).__name__, flush=True)
        else:
            print("recorded", entry.seq, uuid_of(number), flush=True)
    replica.database.close_now()


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
