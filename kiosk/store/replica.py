"""One desk's store as a whole: its database, records, journals and progress, brought to the current schema."""

from kiosk.store.database import Database
from kiosk.store.errors import StorageFailed
from kiosk.store.incarnations import IncarnationStore
from kiosk.store.journal import JournalStore
from kiosk.store.progress import ProgressStore
from kiosk.store.records import RecordStore
from kiosk.store.schema import migrate
from kiosk.store.snapshots import SnapshotStore


class Replica:
    """Everything a desk keeps; plain calls, from one thread or through `database.run`."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.progress = ProgressStore(database)
        self.records = RecordStore(database, self.progress)
        self.journal = JournalStore(database, self.progress)
        self.incarnations = IncarnationStore(database, self.progress, self.journal)
        self.snapshots = SnapshotStore(database, self.progress, self.journal, self.incarnations)

    def prepare(self, *, device_id: str, center_id: str, incarnation: str) -> None:
        """Migrate, and begin with `incarnation` if this device never had one; a repeat changes nothing.

        Raises:
            ReplicaTooNew: a newer program wrote it.
            ReplicaForeign: it belongs to another device.

        """
        migrate(self.database)
        with self.database.transaction():
            self.progress.begin(device_id=device_id, center_id=center_id, incarnation=incarnation)

    def destroy(self) -> None:
        """Let nothing of it be read again: empty every table, then take the files away. The database is closed.

        Whoever holds the key must have destroyed it before: what a disk keeps of deleted files is not ours to decide.

        Raises:
            StorageFailed: an entry waits for its answer, so nothing was destroyed; or the disk failed.

        """
        with self.database.transaction():
            if self.journal.queue_depth():
                raise StorageFailed("An entry waits for its answer; the replica stays until it came.")
            for table in (
                "record",
                "staged_part",
                "bucket_seal",
                "journal",
                "older_journal",
                "pin_attempt",
                "label_print",
            ):
                self.database.execute(f"DELETE FROM {table}")
            self.progress.forget_everything()
        self.database.remove()
