"""One desk's store as a whole: its database, records, journal and progress, brought to the current schema."""

from kiosk.store.database import Database
from kiosk.store.journal import JournalStore
from kiosk.store.progress import ProgressStore
from kiosk.store.records import RecordStore
from kiosk.store.schema import migrate


class Replica:
    """Everything a desk keeps; plain calls, from one thread or through `database.run`."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.progress = ProgressStore(database)
        self.records = RecordStore(database, self.progress)
        self.journal = JournalStore(database, self.progress)

    def prepare(self, *, device_id: str, center_id: str, incarnation: str) -> None:
        """Migrate, and begin with `incarnation` if this device never had one; a repeat changes nothing.

        Raises:
            ReplicaTooNew: a newer program wrote it.
            ReplicaUnreadable: it belongs to another device.

        """
        migrate(self.database)
        with self.database.transaction():
            self.progress.begin(device_id=device_id, center_id=center_id, incarnation=incarnation)
