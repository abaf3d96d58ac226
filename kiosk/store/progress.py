"""The one row that says where this desk stands: in the change log, its journal, and against the server's clock."""

from dataclasses import dataclass

from kiosk.store.database import Database
from kiosk.store.errors import ReplicaUnreadable
from sync.change_log import Head
from sync.clock_evidence import ClockEstimate


@dataclass(frozen=True)
class Progress:
    """The row. `version` 0 with an empty epoch: no snapshot yet. Times are UTC milliseconds since 1970."""

    device_id: str
    center_id: str
    incarnation: str
    epoch: str
    version: int
    hash: bytes
    acknowledged_seq: int
    told_seq: int
    hlc: int
    clock_offset_ms: int | None
    clock_error_ms: int | None
    last_contact_wall_ms: int | None

    @property
    def head(self) -> Head:
        """The cursor in the change log."""
        return Head(self.epoch, self.version, self.hash)


@dataclass(frozen=True)
class Staged:
    """How far a snapshot is staged; `part` 0: not begun."""

    epoch: str
    version: int
    part: int
    parts: int


class ProgressStore:
    """Reads and writes the row; writes belong inside the caller's transaction."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def begin(self, *, device_id: str, center_id: str, incarnation: str) -> None:
        """Make the row for a device that has none; a replica of another device is refused.

        Raises:
            ReplicaUnreadable: the file belongs to another device.

        """
        self._database.execute(
            "INSERT INTO progress (one, device_id, center_id, incarnation) VALUES (1, ?, ?, ?)"
            " ON CONFLICT (one) DO NOTHING",
            (device_id, center_id, incarnation),
        )
        found = self.read()
        if (found.device_id, found.center_id) != (device_id, center_id):
            message = "The replica in this folder belongs to another device; put the right device.json back."
            raise ReplicaUnreadable(message)

    def read(self) -> Progress:
        """The row as it stands."""
        row = self._database.fetch_one(
            "SELECT device_id, center_id, incarnation, epoch, version, hash, acknowledged_seq, told_seq, hlc,"
            " clock_offset_ms, clock_error_ms, last_contact_wall_ms FROM progress WHERE one = 1"
        )
        if row is None:
            raise ReplicaUnreadable("The replica has lost its place; enrol this desk again into an empty folder.")
        return Progress(*row)

    def move_cursor(self, head: Head) -> None:
        """The replica now stands at `head`."""
        self._database.execute(
            "UPDATE progress SET epoch = ?, version = ?, hash = ? WHERE one = 1",
            (head.epoch, head.version, head.hash),
        )

    def staged(self) -> Staged:
        """How far a snapshot is staged."""
        row = self._database.fetch_one(
            "SELECT staged_epoch, staged_version, staged_part, staged_parts FROM progress WHERE one = 1"
        )
        return Staged(*row) if row else Staged("", 0, 0, 0)

    def stage(self, staged: Staged) -> None:
        """A part of a snapshot is staged, or with part 0: none is."""
        self._database.execute(
            "UPDATE progress SET staged_epoch = ?, staged_version = ?, staged_part = ?, staged_parts = ? WHERE one = 1",
            (staged.epoch, staged.version, staged.part, staged.parts),
        )

    def acknowledge(self, through_seq: int) -> None:
        """The server settled everything up to here; the number never falls."""
        self._database.execute(
            "UPDATE progress SET acknowledged_seq = max(acknowledged_seq, ?) WHERE one = 1", (through_seq,)
        )

    def told(self, through_seq: int) -> None:
        """Somebody outside was told the outcomes up to here; the number never falls."""
        self._database.execute("UPDATE progress SET told_seq = max(told_seq, ?) WHERE one = 1", (through_seq,))

    def stamp(self, hlc: int) -> None:
        """The newest hybrid timestamp of this device."""
        self._database.execute("UPDATE progress SET hlc = max(hlc, ?) WHERE one = 1", (hlc,))

    def note_contact(self, *, wall_ms: int, clock: ClockEstimate | None) -> None:
        """The server was heard at `wall_ms` of this device's clock; a new estimate replaces the old."""
        self._database.execute("UPDATE progress SET last_contact_wall_ms = ? WHERE one = 1", (wall_ms,))
        if clock is not None:
            self._database.execute(
                "UPDATE progress SET clock_offset_ms = ?, clock_error_ms = ? WHERE one = 1",
                (clock.offset_ms, clock.error_ms),
            )
