"""A lease runs on a clock that only moves forward: neither a clock that is set nor a restart prolongs it."""

import pytest

from kiosk.link.device_store import perform_store
from kiosk.store.replica import Replica
from sync import effects as do
from sync import events as on
from tests.support.kiosk import NOON_MS, new_pen, new_replica

DAY_MS = 24 * 3_600_000


@pytest.fixture
def replica() -> Replica:
    return new_replica()


def advance(replica: Replica, *, monotonic_ms: int = 0, boot_id: str = "boot", wall_ms: int = NOON_MS) -> int:
    """Move the ratchet; says how far it is."""
    with replica.database.transaction():
        replica.progress.advance_ratchet(monotonic_ms=monotonic_ms, boot_id=boot_id, wall_ms=wall_ms)
    return replica.progress.read().ratchet_ms


def grant(replica: Replica, lease_ms: int) -> None:
    with replica.database.transaction():
        replica.progress.grant_lease(lease_ms)


def test_a_ratchet_begins_at_nothing(replica: Replica) -> None:
    assert advance(replica, monotonic_ms=5_000) == 0


def test_within_one_start_it_moves_by_the_monotonic_clock(replica: Replica) -> None:
    advance(replica)
    assert advance(replica, monotonic_ms=1_000, wall_ms=NOON_MS + 900) == 1_000
    assert advance(replica, monotonic_ms=900, wall_ms=NOON_MS + 900) == 1_000


@pytest.mark.parametrize("step_ms", [-30 * DAY_MS, 56 * 365 * DAY_MS])
def test_a_wall_clock_that_is_set_changes_nothing(replica: Replica, step_ms: int) -> None:
    advance(replica)
    assert advance(replica, monotonic_ms=1_000, wall_ms=NOON_MS + step_ms) == 1_000
    assert advance(replica, monotonic_ms=2_000, wall_ms=NOON_MS + step_ms + 1_000) == 2_000


def test_across_a_restart_only_the_wall_clock_counts(replica: Replica) -> None:
    advance(replica, monotonic_ms=9_000_000)
    assert advance(replica, monotonic_ms=10, boot_id="next", wall_ms=NOON_MS + DAY_MS) == DAY_MS
    assert advance(replica, monotonic_ms=30, boot_id="next", wall_ms=NOON_MS + 9 * DAY_MS) == DAY_MS + 20


def test_a_restart_with_the_clock_set_back_stands_still(replica: Replica) -> None:
    advance(replica, monotonic_ms=9_000_000)
    assert advance(replica, monotonic_ms=10, boot_id="next", wall_ms=0) == 0


@pytest.mark.parametrize("wall_ms", [-(2**62), 2**62, 0])
def test_no_clock_is_too_far_off(replica: Replica, wall_ms: int) -> None:
    advance(replica)
    advance(replica, boot_id="second", wall_ms=wall_ms)
    grant(replica, DAY_MS)
    assert replica.progress.read().lease_left_ms == DAY_MS
    before = replica.progress.read().ratchet_ms
    assert advance(replica, boot_id="third", wall_ms=-(2**62)) == before
    assert advance(replica, boot_id="fourth", wall_ms=2**62) >= before


def test_without_a_grant_there_is_no_lease_to_run_out(replica: Replica) -> None:
    advance(replica)
    advance(replica, monotonic_ms=400 * DAY_MS)
    progress = replica.progress.read()
    assert (progress.is_lease_over, progress.lease_left_ms) == (False, None)


def test_a_lease_is_over_when_its_time_has_passed_and_good_again_with_the_next(replica: Replica) -> None:
    advance(replica)
    grant(replica, 3 * DAY_MS)
    advance(replica, monotonic_ms=3 * DAY_MS - 1)
    progress = replica.progress.read()
    assert (progress.is_lease_over, progress.lease_left_ms) == (False, 1)
    advance(replica, monotonic_ms=3 * DAY_MS)
    progress = replica.progress.read()
    assert (progress.is_lease_over, progress.lease_left_ms) == (True, 0)
    grant(replica, 3 * DAY_MS)
    assert not replica.progress.read().is_lease_over


@pytest.mark.parametrize(("lease_ms", "left_ms"), [(DAY_MS, DAY_MS), (0, None)])
def test_a_word_from_the_server_moves_the_ratchet_and_grants(
    replica: Replica, lease_ms: int, left_ms: int | None
) -> None:
    advance(replica)
    note = do.NoteClock(sent_wall_ms=NOON_MS + 60, round_trip_ms=40, server_wall_ms=NOON_MS, lease_ms=lease_ms)
    heard = perform_store(note, replica, wall_ms=NOON_MS + 100, pen=new_pen())
    assert heard == on.ClockNoted(NOON_MS + 100)
    progress = replica.progress.read()
    assert (progress.ratchet_ms, progress.lease_left_ms) == (1_000, left_ms)
    assert progress.last_contact_wall_ms == NOON_MS + 100


def test_a_server_that_grants_none_leaves_the_lease_as_it_is(replica: Replica) -> None:
    advance(replica, monotonic_ms=1_000)
    grant(replica, DAY_MS)
    note = do.NoteClock(sent_wall_ms=NOON_MS, round_trip_ms=0, server_wall_ms=NOON_MS)
    perform_store(note, replica, wall_ms=NOON_MS, pen=new_pen())
    assert replica.progress.read().lease_left_ms == DAY_MS
