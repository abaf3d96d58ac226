"""When a centre last closed, by its own clock."""

from datetime import UTC, datetime, time

import pytest

from server.services.auto_close import last_closing


@pytest.mark.parametrize(
    ("now", "closes_at", "expected"),
    [
        ("2026-11-27T17:59:59+00:00", time(19), "2026-11-26T18:00:00+00:00"),
        ("2026-11-27T18:00:00+00:00", time(19), "2026-11-27T18:00:00+00:00"),
        ("2026-11-27T22:59:00+00:00", time(19), "2026-11-27T18:00:00+00:00"),
        # Night care that closes in the morning.
        ("2026-11-27T05:59:00+00:00", time(7), "2026-11-26T06:00:00+00:00"),
        ("2026-11-27T06:30:00+00:00", time(7), "2026-11-27T06:00:00+00:00"),
        # Summer time ends on 25 October: 02:30 comes twice, and the second one counts.
        ("2026-10-25T00:45:00+00:00", time(2, 30), "2026-10-24T00:30:00+00:00"),
        ("2026-10-25T01:45:00+00:00", time(2, 30), "2026-10-25T01:30:00+00:00"),
        # It begins on 29 March: 02:30 is left out, and half past three is the same time.
        ("2026-03-29T01:15:00+00:00", time(2, 30), "2026-03-28T01:30:00+00:00"),
        ("2026-03-29T01:30:00+00:00", time(2, 30), "2026-03-29T01:30:00+00:00"),
        # The days around have other offsets.
        ("2026-10-26T12:00:00+00:00", time(19), "2026-10-25T18:00:00+00:00"),
        ("2026-10-25T12:00:00+00:00", time(19), "2026-10-24T17:00:00+00:00"),
    ],
)
def test_the_last_closing_is_by_the_clock_of_the_centre(now: str, closes_at: time, expected: str) -> None:
    found = last_closing(datetime.fromisoformat(now), closes_at, "Europe/Berlin")
    assert found == datetime.fromisoformat(expected)
    assert found.tzinfo is UTC
