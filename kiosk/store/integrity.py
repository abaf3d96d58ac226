"""Whether a replica is what this program wrote: its pages, its tables, its records against their seals, its journals.

Every byte of the file is covered by the HMAC of its page, which is checked first. What follows finds pages that are
genuine and do not belong together: an older log beside a newer file, a page of an older copy.
"""

from collections.abc import Callable, Iterator

from kiosk.store.database import Database
from kiosk.store.errors import ReplicaUnreadable
from kiosk.store.replica import Replica
from kiosk.store.schema import MIGRATIONS, SCHEMA_VERSION, migrate, schema_version, shape
from kiosk.store.seals import broken_seals
from sync.change_log import commitment_of
from sync.errors import BrokenChain
from sync.journal import Entry, check_run

Watch = Callable[[str], None]
"""Is told which step begins; for whoever shows progress."""


def check_pages(database: Database, watch: Watch) -> None:
    """Check every page, and how pages fit together.

    Raises:
        ReplicaUnreadable: one is damaged.

    """
    watch("pages")
    damaged = database.damaged_pages()
    if damaged:
        raise ReplicaUnreadable(damaged[0])


def check_tables(database: Database, watch: Watch) -> None:
    """Check, before anything is migrated, that the tables are those of the version that the file says it has.

    Raises:
        ReplicaUnreadable: they are not.

    """
    watch("tables")
    version = schema_version(database)
    if version > SCHEMA_VERSION:
        return
    fresh = Database.in_memory()
    try:
        migrate(fresh, MIGRATIONS[:version])
        if shape(database) != shape(fresh):
            raise ReplicaUnreadable("the tables are not those of this program")
    finally:
        fresh.close_now()
    if database.fetch_all("PRAGMA foreign_key_check"):
        raise ReplicaUnreadable("a row refers to one that is not there")


def check_content(replica: Replica, watch: Watch) -> None:
    """Check what is in the tables of a replica that is prepared.

    Raises:
        ReplicaUnreadable: something is not what this program wrote; the message says what, and names nobody.

    """
    checks = (("records", _records), ("seals", _seals), ("journals", _journals))
    for name, check in checks:
        watch(name)
        for finding in check(replica):
            raise ReplicaUnreadable(finding)


def _records(replica: Replica) -> Iterator[str]:
    for salt, body, commitment in replica.database.fetch_each("SELECT salt, body, commitment FROM record"):
        is_erased = not salt and not body
        if not is_erased and commitment_of(salt, body.encode()) != commitment:
            yield "a record is not the one that was committed to"


def _seals(replica: Replica) -> Iterator[str]:
    for bucket in broken_seals(replica.database):
        yield f"bucket {bucket} is not what it was"


def _journals(replica: Replica) -> Iterator[str]:
    progress = replica.progress.read()
    ends = {progress.incarnation: (progress.journal_seq, progress.journal_hash)}
    rows = replica.database.fetch_all("SELECT incarnation, seq, hash FROM older_journal")
    ends.update({incarnation: (seq, digest) for incarnation, seq, digest in rows})
    kept = replica.database.fetch_all("SELECT DISTINCT incarnation FROM journal")
    if not {incarnation for (incarnation,) in kept} <= ends.keys():
        yield "entries of a journal that nobody knows"
    for incarnation, end in ends.items():
        yield from _one_journal(replica, incarnation, end, is_dense=incarnation == progress.incarnation)


def _one_journal(replica: Replica, incarnation: str, end: tuple[int, bytes], *, is_dense: bool) -> Iterator[str]:
    """An older journal may have holes, where entries were lost with damaged pages; it ends where it is said to."""
    last: Entry | None = None
    while run := replica.journal.kept(incarnation, last.seq if last else 0):
        for entry in run:
            follows = last is not None and entry.seq == last.seq + 1
            try:
                check_run((last, entry) if follows and last is not None else (entry,))
            except BrokenChain as error:
                yield str(error)
            if is_dense and last is not None and not follows:
                yield f"entry {last.seq + 1} is missing"
            last = entry
    if (last.seq, last.hash) != end if last is not None else end[0] != 0:
        yield f"the journal does not end with entry {end[0]}"
