"""The one row that says where this desk stands: in the change log, its journal, and against the server's clock."""

from dataclasses import dataclass
from typing import Final, NamedTuple

from kiosk.store.database import Database
from kiosk.store.errors import ReplicaForeign, ReplicaUnreadable
from sync.change_log import Head
from sync.clock_evidence import ClockEstimate
from sync.messages import StagedSnapshot


@dataclass(frozen=True)
class Staged:
    """How far a snapshot, or with `bucket` the repair of one, is staged; `part` 0: not begun."""

    epoch: str = ""
    version: int = 0
    part: int = 0
    parts: int = 0
    bucket: str = ""

    @property
    def snapshot(self) -> StagedSnapshot:
        """What a server may go on from; a repair always begins anew."""
        if self.bucket:
            return StagedSnapshot()
        return StagedSnapshot(self.epoch, self.version, self.part, self.parts)


NOTHING_STAGED: Final = Staged()


class Progress(NamedTuple):
    """The row. `version` 0 with an empty epoch: no snapshot yet. Times are UTC milliseconds since 1970.

    `journal_seq` and `journal_hash` are the end of the current journal (0 and empty: nothing written yet). `answers`
    counts the outcomes this desk ever got. `ratchet_ms` is a clock that only moves forward; `lease_until_ms` is on it,
    0 when no lease was granted. What begins with `staged` is told by `staged`.
    """

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
    journal_seq: int
    journal_hash: bytes
    answers: int
    dropped_before: str
    ratchet_ms: int
    lease_until_ms: int
    staged_epoch: str
    staged_version: int
    staged_part: int
    staged_parts: int
    staged_bucket: str

    @property
    def head(self) -> Head:
        """The cursor in the change log."""
        return Head(self.epoch, self.version, self.hash)

    @property
    def staged(self) -> Staged:
        """How far a snapshot or a repair is staged."""
        return Staged(self.staged_epoch, self.staged_version, self.staged_part, self.staged_parts, self.staged_bucket)

    @property
    def is_lease_over(self) -> bool:
        """Whether the desk has been without its server for longer than it may."""
        return bool(self.lease_until_ms) and self.ratchet_ms >= self.lease_until_ms

    @property
    def lease_left_ms(self) -> int | None:
        """How long the desk may go on without its server; None when no lease was granted."""
        return max(0, self.lease_until_ms - self.ratchet_ms) if self.lease_until_ms else None


class ProgressStore:
    """Reads and writes the row; writes belong inside the caller's transaction."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def begin(self, *, device_id: str, center_id: str, incarnation: str) -> None:
        """Make the row for a device that has none; a replica of another device is refused.

        Raises:
            ReplicaForeign: the file belongs to another device.

        """
        self._database.execute(
            "INSERT INTO progress (one, device_id, center_id, incarnation) VALUES (1, ?, ?, ?)"
            " ON CONFLICT (one) DO NOTHING",
            (device_id, center_id, incarnation),
        )
        found = self.read()
        if (found.device_id, found.center_id) != (device_id, center_id):
            message = "The replica in this folder belongs to another device; put the right device.json back."
            raise ReplicaForeign(message)

    def read(self) -> Progress:
        """The row as it stands."""
        row = self._database.fetch_one(f"SELECT {_COLUMNS} FROM progress WHERE one = 1")
        if row is None:
            raise ReplicaUnreadable("The replica has lost its place; start the desk again.")
        return Progress._make(row)

    def move_cursor(self, head: Head) -> None:
        """The replica now stands at `head`."""
        self._database.execute(
            "UPDATE progress SET epoch = ?, version = ?, hash = ? WHERE one = 1",
            (head.epoch, head.version, head.hash),
        )

    def stage(self, staged: Staged) -> None:
        """A part is staged, or with part 0: none is."""
        self._database.execute(
            "UPDATE progress SET staged_epoch = ?, staged_version = ?, staged_part = ?, staged_parts = ?,"
            " staged_bucket = ? WHERE one = 1",
            (staged.epoch, staged.version, staged.part, staged.parts, staged.bucket),
        )

    def days_dropped(self, before: str) -> None:
        """Days before this bucket are no longer here on purpose."""
        self._database.execute("UPDATE progress SET dropped_before = ? WHERE one = 1", (before,))

    def forget_everything(self) -> None:
        """Only which device this was stays."""
        self._database.execute(
            "UPDATE progress SET epoch = '', version = 0, hash = x'', journal_seq = 0, journal_hash = x'',"
            " acknowledged_seq = 0, staged_epoch = '', staged_version = 0, staged_part = 0, staged_parts = 0,"
            " staged_bucket = '' WHERE one = 1"
        )

    # -- the journal

    def journal_grew(self, *, seq: int, digest: bytes, hlc: int) -> None:
        """The current journal now ends here; the hybrid timestamp never falls."""
        self._database.execute(
            "UPDATE progress SET journal_seq = ?, journal_hash = ?, hlc = max(hlc, ?) WHERE one = 1",
            (seq, digest, hlc),
        )

    def journal_began(self, incarnation: str) -> None:
        """From now on this is the current journal; nothing is in it yet."""
        self._database.execute(
            "UPDATE progress SET incarnation = ?, journal_seq = 0, journal_hash = x'', acknowledged_seq = 0"
            " WHERE one = 1",
            (incarnation,),
        )

    def settle(self, *, acknowledged_seq: int, answers: int) -> None:
        """The server settled the current journal up to here, and this desk got so many more answers."""
        self._database.execute(
            "UPDATE progress SET acknowledged_seq = ?, answers = answers + ? WHERE one = 1", (acknowledged_seq, answers)
        )

    def told(self, through_answer: int) -> None:
        """Somebody outside was told the answers up to this one; the number never falls."""
        self._database.execute("UPDATE progress SET told_seq = max(told_seq, ?) WHERE one = 1", (through_answer,))

    # -- time

    def note_contact(self, *, wall_ms: int, clock: ClockEstimate | None) -> None:
        """The server was heard at `wall_ms` of this device's clock; a new estimate replaces the old."""
        self._database.execute("UPDATE progress SET last_contact_wall_ms = ? WHERE one = 1", (wall_ms,))
        if clock is not None:
            self._database.execute(
                "UPDATE progress SET clock_offset_ms = ?, clock_error_ms = ? WHERE one = 1",
                (clock.offset_ms, clock.error_ms),
            )

    def advance_ratchet(self, *, monotonic_ms: int, boot_id: str, wall_ms: int) -> None:
        """Move the ratchet by what has passed since it was moved last, never back.

        Within one start of the machine the monotonic clock knows that (it must count sleep too), and whoever sets the
        wall clock changes nothing. Across a restart only the wall clock can say anything: set back, it says nothing.
        What was measured of the wall clock's error follows when that clock is set, or is forgotten where by how much
        cannot be known.
        """
        row = self._database.fetch_one(
            "SELECT ratchet_wall_ms, ratchet_monotonic_ms, ratchet_boot_id, clock_offset_ms FROM progress WHERE one = 1"
        )
        last_wall_ms, last_monotonic_ms, last_boot_id, offset_ms = row or (None, 0, "", None)
        passed_ms = by_wall_ms = 0 if last_wall_ms is None else wall_ms - last_wall_ms
        if boot_id == last_boot_id:
            passed_ms = monotonic_ms - last_monotonic_ms
            self._follow_step(by_wall_ms - passed_ms, offset_ms)
        elif by_wall_ms < -_STEP_MIN_MS:
            self._keep_offset(None)
        self._database.execute(
            "UPDATE progress SET ratchet_ms = min(ratchet_ms + ?, ?), ratchet_wall_ms = ?, ratchet_monotonic_ms = ?,"
            " ratchet_boot_id = ? WHERE one = 1",
            (min(max(passed_ms, 0), _RATCHET_MAX_MS), _RATCHET_MAX_MS, wall_ms, monotonic_ms, boot_id),
        )

    def _follow_step(self, step_ms: int, offset_ms: int | None) -> None:
        """The wall clock was set by so much: it is off by that much more."""
        if offset_ms is not None and abs(step_ms) > _STEP_MIN_MS:
            self._keep_offset(max(-_OFFSET_MAX_MS, min(offset_ms - step_ms, _OFFSET_MAX_MS)))

    def _keep_offset(self, offset_ms: int | None) -> None:
        self._database.execute("UPDATE progress SET clock_offset_ms = ? WHERE one = 1", (offset_ms,))

    def grant_lease(self, lease_ms: int) -> None:
        """The server allows this desk to go on without it for so long from now; move the ratchet first."""
        self._database.execute("UPDATE progress SET lease_until_ms = ratchet_ms + ? WHERE one = 1", (lease_ms,))


_COLUMNS: Final = (
    "device_id, center_id, incarnation, epoch, version, hash, acknowledged_seq, told_seq, hlc, clock_offset_ms,"
    " clock_error_ms, last_contact_wall_ms, journal_seq, journal_hash, answers, dropped_before, ratchet_ms,"
    " lease_until_ms, staged_epoch, staged_version, staged_part, staged_parts, staged_bucket"
)
# The two clocks are not read at one instant: a busy thread may lie between. Less than a minute moves nobody's day.
_STEP_MIN_MS: Final = 60_000
_OFFSET_MAX_MS: Final = 2**62
# A wall clock may jump by millions of years; twice this and a lease still fit a number of SQLite.
_RATCHET_MAX_MS: Final = 2**61
