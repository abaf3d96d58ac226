"""Bounds that must fit each other, whatever each of them is."""

from sync import limits


def test_whatever_is_put_into_a_frame_fits_it() -> None:
    assert limits.PAYLOAD_BYTES_MAX < limits.UNIT_BYTES_MAX < limits.FRAME_BYTES_MAX
    assert limits.RECORD_BODY_BYTES_MAX < limits.UNIT_BYTES_MAX
    assert limits.ENTRY_BODY_BYTES_MAX < limits.RECORD_BODY_BYTES_MAX


def test_a_slow_link_moves_a_full_frame_within_the_silence_that_is_borne() -> None:
    bytes_a_second = 64_000 / 8
    assert limits.PAYLOAD_BYTES_MAX / bytes_a_second * 1_000 < limits.SILENCE_MAX_MS


def test_a_half_open_link_is_noticed_within_fifteen_seconds_and_not_by_one_lost_heartbeat() -> None:
    assert 2 * limits.HEARTBEAT_INTERVAL_MS < limits.SILENCE_MAX_MS < 15_000


def test_a_replica_tells_the_digests_of_all_buckets_that_it_keeps() -> None:
    assert limits.REPLICA_DAYS + 2 < limits.BUCKETS_MAX


def test_entries_are_kept_longer_than_the_replica_and_as_long_as_the_lease() -> None:
    assert limits.REPLICA_DAYS * 24 * 3_600_000 < limits.JOURNAL_RETENTION_MS
    assert limits.LEASE_MS <= limits.JOURNAL_RETENTION_MS


def test_both_sides_speak_the_protocol_before_the_present_one() -> None:
    assert limits.PROTOCOL_MIN == limits.PROTOCOL_VERSION - 1
