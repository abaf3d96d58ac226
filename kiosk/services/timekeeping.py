"""How time passes for a desk: its lease runs down, and a wall clock that was set is noticed and told of."""

from dataclasses import dataclass, field
from typing import Final

from kiosk.clock import Clock
from kiosk.store.journal import OwnEntry
from kiosk.store.pen import Pen
from kiosk.store.progress import Progress
from kiosk.store.replica import Replica
from sync.clock_evidence import ClockEstimate
from sync.incidents import Detail, Incident
from sync.journal import Entry
from sync.limits import INT64_MAX

# NTP slews by seconds and sets at most once; five minutes are a person, a flat battery, or a wrong time server.
STEP_MIN_MS: Final = 5 * 60_000
# A clock that jumps all day long fills no journal.
STEP_INTERVAL_MS: Final = 3_600_000


@dataclass(frozen=True)
class Moment:
    """One reading of this machine's clocks."""

    wall_ms: int
    monotonic_ms: int
    boot_id: str


def moment_of(clock: Clock) -> Moment:
    """Read the clocks."""
    return Moment(clock.wall_ms(), clock.monotonic_ms(), clock.boot_id())


@dataclass(frozen=True)
class ClockAnchor:
    """What was measured of the wall clock's error, and when; it holds on when somebody sets that clock."""

    moment: Moment
    measured: ClockEstimate

    def estimate_at(self, moment: Moment) -> ClockEstimate:
        """The error at another moment of this run.

        A wall clock that runs on is kept right by others; one that was set is off by that much more.
        """
        passed_ms = moment.monotonic_ms - self.moment.monotonic_ms
        step_ms = (moment.wall_ms - self.moment.wall_ms) - passed_ms
        if abs(step_ms) <= STEP_MIN_MS:
            return self.measured
        # The monotonic clock is one quartz; a thousandth is ten times what a bad one drifts.
        error_ms = self.measured.error_ms + abs(passed_ms) // 1_000
        return ClockEstimate(self.measured.offset_ms - step_ms, error_ms)


@dataclass
class StepWatch:
    """Compares the wall clock with the monotonic one, reading by reading, within one run of the program."""

    _last: Moment | None = field(default=None)
    _untold_ms: int = field(default=0)
    _told_at_ms: int | None = field(default=None)

    def step_ms(self, moment: Moment) -> int:
        """By how much the wall clock was set since it was last told; 0 when that is little, or was told just now."""
        last, self._last = self._last, moment
        if last is None or last.boot_id != moment.boot_id:
            return 0
        step_ms = (moment.wall_ms - last.wall_ms) - (moment.monotonic_ms - last.monotonic_ms)
        if abs(step_ms) > STEP_MIN_MS:
            self._untold_ms += step_ms
        is_soon = self._told_at_ms is not None and moment.monotonic_ms - self._told_at_ms < STEP_INTERVAL_MS
        if is_soon or not self._untold_ms:
            return 0
        told_ms, self._untold_ms = self._untold_ms, 0
        self._told_at_ms = moment.monotonic_ms
        return max(-INT64_MAX, min(told_ms, INT64_MAX))


@dataclass(frozen=True)
class Passage:
    """Where the desk stands now, and what it wrote down of itself on the way."""

    progress: Progress
    noted: tuple[OwnEntry, ...]


def let_time_pass(replica: Replica, pen: Pen, moment: Moment, step_ms: int = 0) -> Progress:
    """Move the lease on, inside the caller's transaction; a lease that just ended, and a step, become entries.

    Returns where the desk stands then.
    """
    before = replica.progress.read()
    replica.progress.advance_ratchet(monotonic_ms=moment.monotonic_ms, boot_id=moment.boot_id, wall_ms=moment.wall_ms)
    progress = replica.progress.read()
    is_over_now = progress.is_lease_over and not before.is_lease_over
    if is_over_now:
        _note(replica, pen, Incident.LEASE_EXPIRED, {"heard_at_ms": progress.last_contact_wall_ms or 0}, moment)
    if step_ms:
        _note(replica, pen, Incident.CLOCK_STEPPED, {"step_ms": step_ms}, moment)
    return replica.progress.read() if is_over_now or step_ms else progress


def _note(replica: Replica, pen: Pen, incident: Incident, detail: Detail, moment: Moment) -> Entry:
    return replica.incarnations.note(incident, detail, pen, wall_ms=moment.wall_ms)


def pass_time(replica: Replica, pen: Pen, moment: Moment, step_ms: int = 0) -> Passage:
    """The same as one transaction of its own, on the database's thread.

    Raises:
        StoreError: it could not be stored; the next round makes up for it.

    """
    with replica.database.transaction():
        before = replica.progress.read()
        after = let_time_pass(replica, pen, moment, step_ms)
    return Passage(after, noted_since(replica, before))


def noted_since(replica: Replica, before: Progress) -> tuple[OwnEntry, ...]:
    """What stands behind the end of the journal as it was."""
    return replica.journal.waiting_in(before.incarnation, before.journal_seq)


def keep_contact(replica: Replica, heard_ms: int) -> None:
    """Write down when the server was heard last (this device's clock, UTC milliseconds); for a desk that closes."""
    with replica.database.transaction():
        replica.progress.note_contact(wall_ms=heard_ms, clock=None)
