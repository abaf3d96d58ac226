"""How a desk notices that its clock was set, and writes down that its lease is over, once."""

import pytest

from kiosk.services.timekeeping import STEP_INTERVAL_MS, STEP_MIN_MS, ClockAnchor, Moment, StepWatch, pass_time
from kiosk.store.replica import Replica
from sync.clock_evidence import ClockEstimate
from sync.incidents import Incident, decode_incident
from tests.support.kiosk import NOON_MS, new_pen, new_replica

MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS


def at(passed_ms: int, step_ms: int = 0, boot_id: str = "boot") -> Moment:
    """So long after noon by the monotonic clock, and so far off by the other."""
    return Moment(NOON_MS + passed_ms + step_ms, passed_ms, boot_id)


def steps(*moments: Moment) -> list[int]:
    watch = StepWatch()
    return [watch.step_ms(moment) for moment in moments]


@pytest.mark.parametrize("step_ms", [STEP_MIN_MS + 1, -STEP_MIN_MS - 1, 10 * 365 * 24 * HOUR_MS])
def test_a_clock_that_was_set_is_noticed_once(step_ms: int) -> None:
    assert steps(at(0), at(1_000, step_ms), at(2_000, step_ms)) == [0, step_ms, 0]


def test_a_clock_that_is_only_corrected_a_little_is_no_news() -> None:
    assert steps(at(0), at(MINUTE_MS, STEP_MIN_MS), at(2 * MINUTE_MS, 2 * STEP_MIN_MS)) == [0, 0, 0]


def test_a_new_start_of_the_machine_is_no_step() -> None:
    assert steps(at(0), at(0, HOUR_MS, "another")) == [0, 0]


def test_a_clock_that_jumps_all_the_time_is_told_of_once_an_hour_with_the_sum() -> None:
    jumps = [at(minute * MINUTE_MS, minute * 10 * MINUTE_MS) for minute in range(62)]
    told = steps(*jumps)
    assert [(minute, step_ms) for minute, step_ms in enumerate(told) if step_ms] == [
        (1, 10 * MINUTE_MS),
        (1 + STEP_INTERVAL_MS // MINUTE_MS, 600 * MINUTE_MS),
    ]


@pytest.mark.parametrize("step_ms", [10 * HOUR_MS, -NOON_MS])
def test_what_was_measured_of_a_clock_holds_on_when_it_is_set(step_ms: int) -> None:
    anchor = ClockAnchor(at(0), ClockEstimate(offset_ms=70, error_ms=9))
    assert anchor.estimate_at(at(MINUTE_MS)) == ClockEstimate(70, 9)
    found = anchor.estimate_at(at(MINUTE_MS, step_ms))
    moment = at(MINUTE_MS, step_ms)
    assert moment.wall_ms + found.offset_ms == NOON_MS + MINUTE_MS + 70
    assert found.error_ms == 9 + MINUTE_MS // 1_000


def granted(lease_ms: int) -> Replica:
    replica = new_replica()
    with replica.database.transaction():
        replica.progress.advance_ratchet(monotonic_ms=0, boot_id="boot", wall_ms=NOON_MS)
        replica.progress.grant_lease(lease_ms)
    return replica


def test_the_end_of_a_lease_is_written_down_once_and_the_clock_that_is_set_back_changes_nothing() -> None:
    replica, pen = granted(HOUR_MS), new_pen()
    before = pass_time(replica, pen, at(HOUR_MS - 1))
    assert (before.progress.is_lease_over, before.noted) == (False, ())
    over = pass_time(replica, pen, at(HOUR_MS))
    assert over.progress.is_lease_over
    assert [decode_incident(one.body.encode()).incident for one in over.noted] == [Incident.LEASE_EXPIRED]
    later = pass_time(replica, pen, at(HOUR_MS + MINUTE_MS, -10 * HOUR_MS), -10 * HOUR_MS)
    assert later.progress.is_lease_over
    assert [decode_incident(one.body.encode()).incident for one in later.noted] == [Incident.CLOCK_STEPPED]
    assert decode_incident(later.noted[0].body.encode()).detail == {"step_ms": -10 * HOUR_MS}
    assert replica.journal.queue_depth() == 2


def test_a_desk_that_was_granted_no_lease_is_never_locked() -> None:
    replica = new_replica()
    assert not pass_time(replica, new_pen(), at(1_000 * 24 * HOUR_MS)).progress.is_lease_over
