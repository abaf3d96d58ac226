"""The journal: what follows what, what repeats, and what can never be put together."""

from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync.errors import BrokenChain
from sync.journal import (
    Entry,
    EntryOutcome,
    Fork,
    Hole,
    JournalHead,
    Outcome,
    ParkReason,
    check_run,
    entry_hash,
    genesis,
    head_after,
    judge_run,
    seal,
)
from tests.unit.sync.builders import (
    DEVICE,
    INCARNATION,
    draft,
    entries_after,
    event,
    instances,
    journal_of,
    sign,
    tampered,
)


def stored_as(entries: tuple[Entry, ...]) -> tuple[JournalHead, Callable[[int], bytes | None]]:
    head = head_after(entries[-1]) if entries else genesis(DEVICE, INCARNATION)
    hashes = {entry.seq: entry.hash for entry in entries}
    return head, hashes.get


# -- writing


def test_the_first_entry_is_number_one_and_follows_the_genesis_of_its_journal() -> None:
    (first,) = journal_of(1)
    assert first.seq == 1
    assert first.previous_hash == genesis(DEVICE, INCARNATION).hash


def test_an_entry_is_signed_over_its_hash() -> None:
    entry = seal(genesis(DEVICE, INCARNATION), draft(event(1)), sign)
    assert entry.hash == entry_hash(entry)
    assert entry.signature == sign(entry.hash)


def test_no_two_journals_begin_alike() -> None:
    heads = {genesis(device, life).hash for device in ("a", "ab", "b") for life in ("", "b", "1")}
    assert len(heads) == 9


def test_a_sealed_journal_is_a_run() -> None:
    check_run(journal_of(5))
    check_run(journal_of(5)[2:])
    check_run(())


# -- checking


@pytest.mark.parametrize(
    "field",
    ["incarnation", "event_id", "kind", "boot_id", "base_epoch"],
)
def test_a_text_that_was_changed_is_noticed(field: str) -> None:
    one, two, three = journal_of(3)
    with pytest.raises(BrokenChain, match="entry 2"):
        check_run((one, tampered(two, **{field: "other"}), three))


@pytest.mark.parametrize("field", ["hlc", "wall_ms", "monotonic_ms", "base_version"])
def test_a_number_that_was_changed_is_noticed(field: str) -> None:
    one, two, three = journal_of(3)
    with pytest.raises(BrokenChain, match="entry 2"):
        check_run((one, tampered(two, **{field: 77}), three))


def test_a_body_that_was_changed_is_noticed() -> None:
    one, two = journal_of(2)
    with pytest.raises(BrokenChain, match="not that of its content"):
        check_run((one, tampered(two, body=two.body + b" ")))


def test_an_entry_that_was_changed_and_hashed_again_breaks_the_one_behind_it() -> None:
    one, two, three = journal_of(3)
    other = tampered(two, body=b"{}")
    with pytest.raises(BrokenChain, match="entry 3 does not follow"):
        check_run((one, tampered(other, hash=entry_hash(other)), three))


@pytest.mark.parametrize("order", [(0, 2), (1, 0), (0, 0), (0, 1, 1)])
def test_numbers_must_be_dense(order: tuple[int, ...]) -> None:
    entries = journal_of(3)
    with pytest.raises(BrokenChain, match="does not follow"):
        check_run([entries[index] for index in order])


def test_an_entry_hung_behind_another_one_is_noticed() -> None:
    one, two = journal_of(2)
    with pytest.raises(BrokenChain, match="not that of its content"):
        check_run((one, tampered(two, previous_hash=bytes(32))))


@given(instances(Entry))
def test_any_change_of_number_changes_the_hash(entry: Entry) -> None:
    assert entry_hash(tampered(entry, seq=entry.seq ^ 1)) != entry_hash(entry)


# -- judging a push


def test_a_run_that_continues_is_fresh() -> None:
    entries = journal_of(5)
    verdict = judge_run(*stored_as(entries[:2]), entries[2:])
    assert verdict.repeated == ()
    assert verdict.fresh == entries[2:]


def test_a_run_that_was_stored_is_a_repeat() -> None:
    entries = journal_of(5)
    verdict = judge_run(*stored_as(entries), entries[1:4])
    assert verdict.repeated == entries[1:4]
    assert verdict.fresh == ()


def test_a_run_that_overlaps_is_split_where_the_stored_part_ends() -> None:
    entries = journal_of(5)
    verdict = judge_run(*stored_as(entries[:3]), entries[1:])
    assert verdict.repeated == entries[1:3]
    assert verdict.fresh == entries[3:]


def test_an_empty_run_says_nothing() -> None:
    verdict = judge_run(*stored_as(journal_of(2)), ())
    assert verdict.repeated == verdict.fresh == ()


def test_a_run_that_starts_too_late_leaves_a_hole() -> None:
    entries = journal_of(5)
    with pytest.raises(Hole, match="entry 3 is missing"):
        judge_run(*stored_as(entries[:2]), entries[3:])


def test_another_entry_after_the_stored_end_is_a_fork() -> None:
    entries = journal_of(3)
    other = tuple(entries_after(head_after(entries[1]), [event(90), event(91)]))
    with pytest.raises(Fork, match="another entry 3"):
        judge_run(*stored_as(entries), other[1:])


def test_another_entry_with_a_stored_number_is_a_fork() -> None:
    entries = journal_of(4)
    other = tuple(entries_after(head_after(entries[1]), [event(90)]))
    with pytest.raises(Fork, match="entry 3 is stored with another hash"):
        judge_run(*stored_as(entries), other)


def test_a_fork_in_the_middle_is_found_by_the_last_repeat() -> None:
    entries = journal_of(5)
    clone = (*entries[:2], *entries_after(head_after(entries[1]), [event(n) for n in (90, 91, 92, 93)]))
    with pytest.raises(Fork, match="entry 5 is stored with another hash"):
        judge_run(*stored_as(entries), clone)


def test_a_journal_of_another_device_never_follows() -> None:
    with pytest.raises(Fork):
        judge_run(*stored_as(()), journal_of(1, device="another"))


def test_another_incarnation_is_no_part_of_this_journal() -> None:
    with pytest.raises(BrokenChain, match="another incarnation"):
        judge_run(*stored_as(journal_of(2)), journal_of(3, incarnation="another"))


def test_a_tampered_run_is_refused_before_it_is_compared() -> None:
    entries = journal_of(3)
    with pytest.raises(BrokenChain) as caught:
        judge_run(*stored_as(entries), (tampered(entries[0], body=b"{}"),))
    assert not isinstance(caught.value, Fork | Hole)


@given(st.integers(1, 12), st.lists(st.tuples(st.integers(0, 12), st.integers(1, 12)), max_size=20))
def test_any_overlapping_pushes_give_each_entry_fresh_once(count: int, pushes: list[tuple[int, int]]) -> None:
    entries = journal_of(count)
    stored: tuple[Entry, ...] = ()
    for first, length in [*pushes, (0, count)]:
        start = min(first, len(stored), count - 1)
        end = min(start + length, count)
        verdict = judge_run(*stored_as(stored), entries[start:end])
        assert verdict.repeated + verdict.fresh == entries[start:end]
        stored += verdict.fresh
        assert stored == entries[: max(len(stored), end)]
    assert stored == entries


# -- numbers of a newer server


def test_an_outcome_or_a_reason_of_a_newer_server_reads_as_one_for_a_person() -> None:
    newer = msgspec.msgpack.encode([3, "event", 77, 88, 5])
    read = msgspec.msgpack.decode(newer, type=EntryOutcome)
    assert (read.outcome, read.reason, read.version) == (Outcome.PARKED, ParkReason.OTHER, 5)


def test_what_is_no_number_is_no_outcome() -> None:
    kinds: tuple[Callable[[Any], object], ...] = (Outcome, ParkReason)
    for kind in kinds:
        with pytest.raises(ValueError, match="no number"):
            kind("no number")
