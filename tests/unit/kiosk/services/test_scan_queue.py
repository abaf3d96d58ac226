"""Scans wait in order, few at a time, and not so long that nobody thinks of them any more."""

from kiosk.services.scan_queue import SCANS_MAX, WAIT_MAX_MS, ScanQueue


def test_scans_are_taken_in_the_order_in_which_they_came_and_one_too_many_is_told() -> None:
    queue = ScanQueue()
    codes = [f"CARD-{number}" for number in range(SCANS_MAX)]
    assert all(queue.add(code, at_ms) for at_ms, code in enumerate(codes))
    assert not queue.add("ONE-TOO-MANY-1", SCANS_MAX)
    assert [queue.take(SCANS_MAX) for _ in codes] == codes
    assert queue.take(SCANS_MAX) is None
    assert queue.add("AGAIN-1", SCANS_MAX)  # there is room again
    queue.clear()
    assert len(queue) == 0


def test_a_scan_of_long_ago_or_of_a_clock_that_was_set_back_is_not_taken_and_the_next_one_is() -> None:
    queue = ScanQueue()
    for at_ms in (0, 1_000 + WAIT_MAX_MS, 1_000):
        queue.add(f"CARD-{at_ms}", at_ms)
    assert queue.take(WAIT_MAX_MS + 1) == ""
    assert queue.take(WAIT_MAX_MS) == ""
    assert queue.take(1_000 + WAIT_MAX_MS) == "CARD-1000"
