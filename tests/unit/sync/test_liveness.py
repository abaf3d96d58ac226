"""Heartbeats and silence."""

from sync.limits import HEARTBEAT_INTERVAL_MS, SILENCE_MAX_MS
from sync.liveness import Liveness


def test_a_half_open_link_is_noticed_within_fifteen_seconds() -> None:
    assert 2 * HEARTBEAT_INTERVAL_MS < SILENCE_MAX_MS < 15_000


def test_a_heartbeat_is_due_after_a_whole_interval_of_our_own_silence() -> None:
    liveness = Liveness(100)
    assert not liveness.heartbeat_due(100 + HEARTBEAT_INTERVAL_MS - 1)
    assert liveness.heartbeat_due(100 + HEARTBEAT_INTERVAL_MS)
    liveness.sent(5_000)
    assert not liveness.heartbeat_due(100 + HEARTBEAT_INTERVAL_MS)


def test_hearing_ends_the_silence_and_sending_does_not() -> None:
    liveness = Liveness(0)
    liveness.sent(10_000)
    assert not liveness.is_silent(SILENCE_MAX_MS - 1)
    assert liveness.is_silent(SILENCE_MAX_MS)
    liveness.heard(10_000)
    assert not liveness.is_silent(SILENCE_MAX_MS)


def test_the_deadline_is_whatever_comes_first() -> None:
    liveness = Liveness(0)
    assert liveness.deadline_ms == HEARTBEAT_INTERVAL_MS
    liveness.sent(12_000)
    assert liveness.deadline_ms == SILENCE_MAX_MS
