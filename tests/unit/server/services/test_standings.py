"""What a process remembers of logs and devices: which reading wins, and what makes it worthless."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from server.repositories.sync_reading import DIGESTS_MAX, CenterStanding, DeviceStanding, JournalKey
from server.services.standings import KEPT_MS, TRUSTED_MS, Polled, Readings, Standings, differing, oldest_day
from sync.change_log import Head
from sync.limits import BUCKETS_MAX
from sync.messages import BucketDigest, JournalPosition
from tests.support.clock import FakeClock

CENTER, DEVICE = "center", "device"
NOW = datetime(2026, 3, 29, 23, 30, tzinfo=UTC)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def standings(clock: FakeClock) -> Standings:
    return Standings(clock.monotonic_ms)


def at(version: int, epoch: str = "first", *, compacted: int = 0) -> CenterStanding:
    head = Head(epoch, version, version.to_bytes(32, "big"))
    return CenterStanding(head, compacted, has_digests=True, time_zone="Europe/Berlin")


def known_device(state: str = "active") -> DeviceStanding:
    return DeviceStanding(CENTER, DEVICE, state, bytes(32))


def polled(
    standings: Standings,
    center: CenterStanding | None,
    moved: Mapping[JournalKey, JournalPosition | None] | None = None,
) -> Readings:
    """What a poll reads that asks now, and finds every device active."""
    return Readings(
        begun_ms=standings.now_ms(),
        asked=standings.polled(),
        centers={} if center is None else {CENTER: center},
        totals={},
        not_active={},
        moved=moved or {},
    )


def test_a_later_reading_wins_over_one_that_began_before_it(standings: Standings, clock: FakeClock) -> None:
    begun_ms = clock.monotonic_ms()
    clock.advance_ms(1)
    standings.keep_center(CENTER, at(6), {}, clock.monotonic_ms())
    standings.keep_device(known_device("revoked"), {}, "first", clock.monotonic_ms())
    standings.keep_center(CENTER, at(5), {}, begun_ms)
    standings.keep_device(known_device(), {}, "first", begun_ms)
    assert standings.center(CENTER) == at(6)
    assert standings.device(DEVICE) == known_device("revoked")
    standings.confirm(replace(polled(standings, at(5)), begun_ms=begun_ms))
    assert standings.center(CENTER) == at(6)
    assert standings.device(DEVICE) == known_device("revoked")


def test_a_hint_makes_what_was_read_before_it_stale(standings: Standings, clock: FakeClock) -> None:
    standings.keep_center(CENTER, at(5), {}, clock.monotonic_ms())
    standings.head_moved(CENTER, "first", 5)
    assert standings.center(CENTER) == at(5)
    standings.head_moved(CENTER, "first", 6)
    assert standings.center(CENTER) is None
    clock.advance_ms(1)
    standings.keep_center(CENTER, at(6), {}, clock.monotonic_ms())
    assert standings.center(CENTER) == at(6)
    standings.head_moved(CENTER, "first", 4)
    assert standings.center(CENTER) == at(6)


def test_a_hint_that_comes_before_the_answer_counts(standings: Standings, clock: FakeClock) -> None:
    begun_ms = clock.monotonic_ms()
    clock.advance_ms(1)
    standings.head_moved(CENTER, "first", 6)
    clock.advance_ms(1)
    standings.keep_center(CENTER, at(5), {}, begun_ms)
    assert standings.center(CENTER) is None


def test_a_hint_of_a_life_that_is_over_does_not_count_for_ever(standings: Standings, clock: FakeClock) -> None:
    standings.keep_center(CENTER, at(5), {}, clock.monotonic_ms())
    standings.head_moved(CENTER, "first", 9)
    clock.advance_ms(1)
    standings.confirm(polled(standings, at(3, "second")))
    assert standings.center(CENTER) == at(3, "second")


def test_what_nobody_confirms_is_worth_nothing(standings: Standings, clock: FakeClock) -> None:
    standings.keep_center(CENTER, at(5), {}, clock.monotonic_ms())
    standings.keep_device(known_device(), {}, "first", clock.monotonic_ms())
    clock.advance_ms(TRUSTED_MS)
    assert (standings.center(CENTER), standings.device(DEVICE)) == (at(5), known_device())
    clock.advance_ms(1)
    assert (standings.center(CENTER), standings.device(DEVICE)) == (None, None)


def test_what_a_poll_does_not_find_is_forgotten(standings: Standings, clock: FakeClock) -> None:
    standings.keep_center(CENTER, at(5), {}, clock.monotonic_ms())
    standings.keep_device(known_device(), {}, "first", clock.monotonic_ms())
    clock.advance_ms(1)
    standings.confirm(polled(standings, None))
    assert (standings.center(CENTER), standings.device(DEVICE)) == (None, None)


def test_what_nobody_came_for_is_not_polled_for_ever(standings: Standings, clock: FakeClock) -> None:
    journal = JournalPosition("incarnation", 0, bytes(32))
    standings.keep_center(CENTER, at(5), {}, clock.monotonic_ms())
    standings.keep_device(known_device(), {journal.incarnation: journal}, "first", clock.monotonic_ms())
    clock.advance_ms(KEPT_MS)
    assert standings.polled() == Polled((CENTER,), (DEVICE,), {(CENTER, DEVICE, journal.incarnation): 0})
    standings.followed(CENTER, DEVICE)
    clock.advance_ms(KEPT_MS)
    assert standings.polled().device_ids == (DEVICE,)
    clock.advance_ms(1)
    assert standings.polled() == Polled((), (), {})


def test_a_journal_that_the_poll_did_not_ask_for_is_not_taken_for_an_empty_one(
    standings: Standings, clock: FakeClock
) -> None:
    standings.keep_center(CENTER, at(5), {}, clock.monotonic_ms())
    read = polled(standings, at(5))
    standings.keep_device(
        known_device(), {"late": JournalPosition("late", 7, bytes(32))}, "first", clock.monotonic_ms()
    )
    clock.advance_ms(1)
    standings.confirm(read)
    assert standings.device(DEVICE) is None


@pytest.mark.parametrize("state", ["revoked", "suspended", ""])
def test_a_device_that_is_not_active_is_remembered_as_such_unless_it_is_gone(
    standings: Standings, clock: FakeClock, state: str
) -> None:
    standings.keep_center(CENTER, at(5), {}, clock.monotonic_ms())
    standings.keep_device(known_device(), {}, "first", clock.monotonic_ms())
    standings.confirm(replace(polled(standings, at(5)), not_active={DEVICE: state}))
    assert standings.device(DEVICE) == (known_device(state) if state else None)


def test_what_this_process_stored_during_a_poll_stands(standings: Standings, clock: FakeClock) -> None:
    begin, end = (JournalPosition("i", seq, bytes([seq]) * 32) for seq in (4, 6))
    standings.keep_center(CENTER, at(5), {}, clock.monotonic_ms())
    standings.keep_device(known_device(), {"i": begin}, "first", clock.monotonic_ms())
    clock.advance_ms(1)
    read = polled(standings, at(5), {(CENTER, DEVICE, "i"): JournalPosition("i", 5, bytes(32))})
    standings.entries_stored(DEVICE, end)
    standings.confirm(read)
    assert standings.polled().journals == {(CENTER, DEVICE, "i"): 6}
    standings.confirm(polled(standings, at(5), {(CENTER, DEVICE, "i"): None}))
    assert standings.polled().journals == {(CENTER, DEVICE, "i"): 0}


def test_sums_are_read_again_only_when_the_head_moved(standings: Standings, clock: FakeClock) -> None:
    standings.keep_center(CENTER, at(5), {"reference": 1}, clock.monotonic_ms())
    assert standings.oldest_days({CENTER: at(5)}, NOW) == {}
    assert standings.oldest_days({CENTER: at(6)}, NOW) == {CENTER: "day:2026-03-16"}
    standings.keep_center(CENTER, at(5), None, clock.monotonic_ms())
    assert standings.oldest_days({CENTER: at(5)}, NOW) == {}


def test_the_oldest_day_is_one_of_the_centres_calendar() -> None:
    assert oldest_day(NOW, "Europe/Berlin") == "day:2026-03-16"
    assert oldest_day(NOW, "America/New_York") == "day:2026-03-15"


def told(*buckets: str, value: int = 7) -> tuple[BucketDigest, ...]:
    return tuple(BucketDigest(bucket, value.to_bytes(32, "big")) for bucket in buckets)


def test_a_bucket_differs_when_its_sum_does() -> None:
    oldest = "day:2026-03-16"
    totals = {"reference": 7, "day:2026-03-16": 7}
    assert differing(told("reference", "day:2026-03-16"), totals, oldest) == ()
    assert differing(told("reference", "day:2026-03-16", value=8), totals, oldest) == ("reference", "day:2026-03-16")
    assert differing(told("reference", "day:2026-03-20"), totals, oldest) == ("day:2026-03-20",)


def test_days_that_nobody_keeps_and_days_that_are_not_told_of_do_not_differ() -> None:
    oldest = "day:2026-03-16"
    totals = {"reference": 7, "day:2026-03-16": 7, "day:2026-03-17": 7}
    assert differing(told("reference", "day:2026-03-15", "day:2026-03-17"), totals, oldest) == ()
    assert differing((), totals, oldest) == ()


def test_the_reference_bucket_differs_when_it_is_not_told_of() -> None:
    assert differing(told("day:2026-03-16"), {"reference": 7, "day:2026-03-16": 7}, "") == ("reference",)


def test_sums_that_were_cut_off_say_nothing_of_the_others() -> None:
    totals = {"reference": 7} | {f"day:{9999 - number:04}-01-01": 7 for number in range(DIGESTS_MAX - 1)}
    assert differing(told("reference", "day:2026-03-16"), totals, "") == ()
    assert differing(told("reference", "day:9999-01-01", value=8), totals, "") == ("reference", "day:9999-01-01")


def test_no_more_buckets_differ_than_fit_a_message() -> None:
    days = [f"day:2026-03-{number:03}" for number in range(BUCKETS_MAX)]
    assert len(differing(told(*days), {"reference": 1}, "")) == BUCKETS_MAX
