"""What was measured of the wall clock's error holds on when somebody sets that clock, also while no program runs."""

import pytest

from kiosk.link.device_store import perform_store
from kiosk.store.replica import Replica
from sync import effects as do
from sync.clock_evidence import ClockEstimate
from tests.support.kiosk import NOON_MS, new_pen, new_replica

HOUR_MS = 3_600_000
CENTURY_MS = 100 * 365 * 24 * HOUR_MS
MEASURED = ClockEstimate(offset_ms=250, error_ms=20)


@pytest.fixture
def replica() -> Replica:
    """A desk that was measured at noon of its clock, a second after its machine started."""
    replica = new_replica()
    with replica.database.transaction():
        replica.progress.advance_ratchet(monotonic_ms=1_000, boot_id="boot", wall_ms=NOON_MS)
        replica.progress.note_contact(wall_ms=NOON_MS, clock=MEASURED)
    return replica


def after(replica: Replica, *, monotonic_ms: int, wall_ms: int, boot_id: str = "boot") -> int | None:
    """The known error when this much has passed by each clock."""
    with replica.database.transaction():
        replica.progress.advance_ratchet(monotonic_ms=1_000 + monotonic_ms, boot_id=boot_id, wall_ms=NOON_MS + wall_ms)
    return replica.progress.read().clock_offset_ms


@pytest.mark.parametrize("step_ms", [HOUR_MS, -HOUR_MS, CENTURY_MS, -CENTURY_MS])
def test_a_clock_that_was_set_is_off_by_that_much_more(replica: Replica, step_ms: int) -> None:
    assert after(replica, monotonic_ms=5_000, wall_ms=5_000 + step_ms) == 250 - step_ms
    assert after(replica, monotonic_ms=6_000, wall_ms=6_000 + step_ms) == 250 - step_ms
    assert after(replica, monotonic_ms=7_000, wall_ms=7_000) == 250


@pytest.mark.parametrize("drift_ms", [0, 60_000, -60_000])
def test_a_clock_that_is_only_kept_right_changes_nothing(replica: Replica, drift_ms: int) -> None:
    assert after(replica, monotonic_ms=HOUR_MS, wall_ms=HOUR_MS + drift_ms) == 250


def test_across_a_restart_a_clock_that_was_set_back_is_an_unknown_one(replica: Replica) -> None:
    assert after(replica, monotonic_ms=0, wall_ms=-HOUR_MS, boot_id="next") is None


@pytest.mark.parametrize("passed_ms", [-60_000, 0, HOUR_MS])
def test_across_a_restart_a_clock_that_went_on_is_taken_at_its_word(replica: Replica, passed_ms: int) -> None:
    assert after(replica, monotonic_ms=0, wall_ms=passed_ms, boot_id="next") == 250


def test_nothing_measured_stays_nothing() -> None:
    replica = new_replica()
    assert after(replica, monotonic_ms=0, wall_ms=0) is None
    assert after(replica, monotonic_ms=5_000, wall_ms=HOUR_MS) is None


@pytest.mark.parametrize("wall_ms", [2**62, -(2**62)])
def test_no_step_is_too_large_to_be_kept(replica: Replica, wall_ms: int) -> None:
    for _ in range(3):
        after(replica, monotonic_ms=5_000, wall_ms=wall_ms)
        after(replica, monotonic_ms=6_000, wall_ms=-wall_ms)
    assert replica.progress.read().clock_offset_ms is not None


def test_a_new_measurement_is_of_the_clock_as_it_is_now(replica: Replica) -> None:
    set_ms = NOON_MS + 24 * HOUR_MS
    note = do.NoteClock(sent_wall_ms=set_ms - 40, round_trip_ms=40, server_wall_ms=NOON_MS, lease_ms=0)
    perform_store(note, replica, wall_ms=set_ms, pen=new_pen())
    assert replica.progress.read().clock_offset_ms == NOON_MS - (set_ms - 20)
