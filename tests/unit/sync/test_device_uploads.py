"""What the device's half of uploading does about several journals, forks, forgotten outcomes and a slow server."""

from collections.abc import Callable, Sequence

import pytest

from sync import effects as do
from sync import events as on
from sync.device_uploads import FORKS_MAX, DeviceUploads, Effects, Upload
from sync.errors import ImpossibleTransition, ProtocolViolation
from sync.journal import Entry
from sync.limits import ACKNOWLEDGEMENT_DEADLINE_MS, SLOW_DOWN_MAX_MS
from sync.messages import ForkFound, JournalPosition, Plan, Push, Welcome
from sync.push_size import FIRST_PUSH_ENTRIES
from tests.unit.sync.builders import INCARNATION, journal_of
from tests.unit.sync.talk import START_MS, only, recorded, said_by_device, standing, stored, welcome, with_fields

OLDER = "older"
FRESH = "fresh"
ZEROS = bytes(32)


def uploads(*journals: on.JournalStanding, queue_depth: int = 0) -> DeviceUploads:
    """The last journal is the current one."""
    progress = on.ProgressRead(
        journal=journals[-1],
        epoch="e",
        version=1,
        hash=ZEROS,
        queue_depth=queue_depth,
        wall_ms=0,
        older=journals[:-1],
    )
    return DeviceUploads(progress, START_MS)


def told(
    *, stored_seq: int, plan: Plan = Plan.UP_TO_DATE, stored_hash: bytes = ZEROS, older: int | None = None
) -> Welcome:
    positions = () if older is None else (JournalPosition(OLDER, older, ZEROS),)
    return with_fields(welcome(plan, stored_seq=stored_seq), stored_hash=stored_hash, older=positions)


def begun(seq: int, *, incarnation: str = FRESH, depth: int = 0) -> on.IncarnationBegun:
    return on.IncarnationBegun(journal=standing(seq, settled_seq=0, incarnation=incarnation), queue_depth=depth)


def pushed(half: DeviceUploads, entries: Sequence[Entry]) -> Effects:
    effects = half.entries_read(entries, START_MS)
    assert said_by_device(effects) == [Push(tuple(entries))]
    return effects


# -- several journals


def test_the_oldest_journal_is_offered_first_and_then_the_current_one() -> None:
    half = uploads(standing(3, settled_seq=0, incarnation=OLDER), standing(2, settled_seq=0))
    (read,) = half.welcomed(told(stored_seq=0, older=0), START_MS)
    assert read == do.ReadEntries(OLDER, 0, FIRST_PUSH_ENTRIES)
    entries = journal_of(3, incarnation=OLDER)
    pushed(half, entries)
    assert half.acknowledged(stored(entries), START_MS) == (do.StoreOutcomes(OLDER, stored(entries)),)
    (read,) = half.outcomes_stored(on.OutcomesStored(3, queue_depth=2), START_MS)
    assert isinstance(read, do.ReadEntries)
    assert (read.incarnation, read.after_seq) == (INCARNATION, 0)


def test_an_older_journal_that_the_server_says_nothing_of_is_left_alone() -> None:
    half = uploads(standing(3, settled_seq=0, incarnation=OLDER), standing(2))
    assert half.welcomed(told(stored_seq=2), START_MS) == ()


def test_an_older_journal_that_is_longer_on_the_server_is_left_alone_once_it_is_settled() -> None:
    half = uploads(standing(3, incarnation=OLDER), standing(2))
    assert half.welcomed(told(stored_seq=2, older=9), START_MS) == ()


def test_an_older_journal_that_forked_hands_what_is_unanswered_to_the_current_one() -> None:
    half = uploads(standing(3, settled_seq=1, incarnation=OLDER), standing(2), queue_depth=2)
    assert half.welcomed(told(stored_seq=2, older=9), START_MS) == (do.BeginIncarnation(OLDER),)
    (read,) = half.incarnation_begun(begun(4, incarnation=INCARNATION, depth=2), START_MS)
    assert read == do.ReadEntries(INCARNATION, 2, FIRST_PUSH_ENTRIES)


# -- forks


@pytest.mark.parametrize(("stored_seq", "stored_hash"), [(6, ZEROS), (5, b"x" * 32)])
def test_a_journal_whose_next_number_is_taken_goes_on_under_another_incarnation(
    stored_seq: int, stored_hash: bytes
) -> None:
    half = uploads(standing(5, settled_seq=0), queue_depth=5)
    effects = half.welcomed(told(stored_seq=stored_seq, stored_hash=stored_hash), START_MS)
    assert effects == (do.BeginIncarnation(INCARNATION),)
    assert half.state is Upload.BEGINNING_INCARNATION
    (read,) = half.incarnation_begun(begun(6, depth=6), START_MS)
    assert read == do.ReadEntries(FRESH, 0, FIRST_PUSH_ENTRIES)
    assert half.queue_depth == 6


def test_two_journals_that_differ_at_their_end_tell_everything_again() -> None:
    half = uploads(standing(5, settled_seq=3))
    effects = half.welcomed(told(stored_seq=5, stored_hash=b"x" * 32), START_MS)
    assert effects == (do.ReopenEntries(INCARNATION, 0),)
    assert half.entries_reopened(on.EntriesReopened(INCARNATION, 0, 5), START_MS) == (do.BeginIncarnation(INCARNATION),)


def test_a_longer_journal_in_another_life_of_the_log_is_told_again_as_a_whole() -> None:
    half = uploads(standing(5))
    effects = half.welcomed(told(stored_seq=9, plan=Plan.RECONCILE), START_MS)
    assert effects == (do.ReopenEntries(INCARNATION, 0),)


def test_a_longer_journal_tells_even_what_is_settled_again_for_nobody_knows_which_life_of_the_server_answered() -> None:
    half = uploads(standing(5))
    assert half.welcomed(told(stored_seq=9), START_MS) == (do.ReopenEntries(INCARNATION, 0),)
    assert half.entries_reopened(on.EntriesReopened(INCARNATION, 0, 5), START_MS) == (do.BeginIncarnation(INCARNATION),)


def test_a_fork_that_the_server_finds_ends_the_incarnation_and_not_the_link() -> None:
    half = uploads(standing(5, settled_seq=3), queue_depth=2)
    half.welcomed(told(stored_seq=3), START_MS)
    pushed(half, journal_of(5)[3:])
    assert half.fork_found(ForkFound(INCARNATION, 4)) == (do.ReopenEntries(INCARNATION, 0),)
    reopened = on.EntriesReopened(INCARNATION, 0, queue_depth=5)
    assert half.chore_done(reopened, START_MS) == (do.BeginIncarnation(INCARNATION),)
    (read,) = half.chore_done(begun(6), START_MS)
    assert read == do.ReadEntries(FRESH, 0, FIRST_PUSH_ENTRIES)
    assert not half.has_chores


def test_a_fork_of_another_journal_breaks_the_protocol() -> None:
    half = uploads(standing(2, settled_seq=0))
    half.welcomed(told(stored_seq=0), START_MS)
    pushed(half, journal_of(2))
    with pytest.raises(ProtocolViolation):
        half.fork_found(ForkFound("another", 1))


def test_a_fork_without_a_push_breaks_the_protocol() -> None:
    half = uploads(standing(2))
    half.welcomed(told(stored_seq=2), START_MS)
    with pytest.raises(ProtocolViolation):
        half.fork_found(ForkFound(INCARNATION, 1))


def test_a_server_that_finds_a_fork_in_every_journal_is_not_sound() -> None:
    half = uploads(standing(2, settled_seq=0))
    half.welcomed(told(stored_seq=0), START_MS)
    incarnation = INCARNATION
    for number in range(FORKS_MAX):
        pushed(half, journal_of(2, incarnation=incarnation))
        half.fork_found(ForkFound(incarnation, 1))
        incarnation = f"fresh-{number}"
        half.incarnation_begun(begun(2, incarnation=incarnation), START_MS)
    pushed(half, journal_of(2, incarnation=incarnation))
    with pytest.raises(ProtocolViolation):
        half.fork_found(ForkFound(incarnation, 1))


def test_an_entry_recorded_under_the_new_incarnation_before_it_is_known_is_not_forgotten() -> None:
    half = uploads(standing(5, settled_seq=0))
    half.welcomed(told(stored_seq=6), START_MS)
    assert half.entry_recorded(recorded(2, FRESH), START_MS) == ()
    (read,) = half.incarnation_begun(begun(1), START_MS)
    assert read == do.ReadEntries(FRESH, 0, FIRST_PUSH_ENTRIES)
    entries = journal_of(2, incarnation=FRESH)
    pushed(half, entries)
    half.acknowledged(stored(entries), START_MS)
    assert half.outcomes_stored(on.OutcomesStored(2, queue_depth=0), START_MS) == ()


def test_a_late_word_of_a_journal_that_is_no_longer_written_changes_nothing() -> None:
    half = uploads(standing(5, settled_seq=0))
    half.welcomed(told(stored_seq=6), START_MS)
    half.incarnation_begun(begun(0), START_MS)
    assert half.entry_recorded(recorded(6), START_MS) == ()
    assert half.queue_depth == 0


# -- outcomes that the server forgot


def test_an_answer_that_takes_back_what_was_settled_reopens_it_first() -> None:
    half = uploads(standing(5, settled_seq=3), queue_depth=2)
    half.welcomed(told(stored_seq=3), START_MS)
    entries = journal_of(5)
    pushed(half, entries[3:])
    resend = with_fields(stored(entries[:1]), outcomes=())
    assert half.acknowledged(resend, START_MS) == (do.ReopenEntries(INCARNATION, 1),)
    (read,) = half.entries_reopened(on.EntriesReopened(INCARNATION, 1, queue_depth=4), START_MS)
    assert read == do.ReadEntries(INCARNATION, 1, FIRST_PUSH_ENTRIES)
    assert half.queue_depth == 4


def test_a_reopened_older_journal_is_offered_again() -> None:
    half = uploads(standing(3, incarnation=OLDER), standing(0))
    assert half.welcomed(told(stored_seq=0, older=1), START_MS) == (do.ReopenEntries(OLDER, 1),)
    (read,) = half.entries_reopened(on.EntriesReopened(OLDER, 1, queue_depth=2), START_MS)
    assert read == do.ReadEntries(OLDER, 1, FIRST_PUSH_ENTRIES)


def test_in_another_life_of_the_log_every_journal_is_told_again() -> None:
    half = uploads(standing(3, incarnation=OLDER), standing(5))
    assert half.welcomed(told(stored_seq=5, older=3, plan=Plan.RECONCILE), START_MS) == (do.ReopenEntries(OLDER, 0),)
    assert half.has_chores
    reopened = half.chore_done(on.EntriesReopened(OLDER, 0, queue_depth=3), START_MS)
    assert reopened == (do.ReopenEntries(INCARNATION, 0),)
    (read,) = half.chore_done(on.EntriesReopened(INCARNATION, 0, queue_depth=8), START_MS)
    assert read == do.ReadEntries(OLDER, 0, FIRST_PUSH_ENTRIES)


def test_entries_that_were_answered_long_ago_and_are_not_kept_leave_no_hole_if_the_server_has_them() -> None:
    half = uploads(standing(5))
    half.welcomed(told(stored_seq=4, plan=Plan.RECONCILE), START_MS)
    half.chore_done(on.EntriesReopened(INCARNATION, 0, queue_depth=2), START_MS)
    pushed(half, journal_of(5)[3:])


def test_entries_that_neither_side_has_end_the_incarnation() -> None:
    half = uploads(standing(5))
    half.welcomed(told(stored_seq=2, plan=Plan.RECONCILE), START_MS)
    half.chore_done(on.EntriesReopened(INCARNATION, 0, queue_depth=2), START_MS)
    assert half.entries_read(journal_of(5)[3:], START_MS) == (do.BeginIncarnation(INCARNATION),)


# -- a slow server


def test_advice_to_slow_down_holds_the_next_push_back_for_its_delay() -> None:
    half = uploads(standing(2, settled_seq=0))
    half.slow_down(700, START_MS)
    assert half.welcomed(told(stored_seq=0), START_MS) == ()
    assert half.deadline == (START_MS + 700, "")
    assert half.go_on(START_MS + 699) == ()
    assert only(do.ReadEntries, half.go_on(START_MS + 700)).after_seq == 0


def test_no_advice_holds_a_push_back_for_longer_than_agreed() -> None:
    half = uploads(standing(2, settled_seq=0))
    half.slow_down(10**9, START_MS)
    half.welcomed(told(stored_seq=0), START_MS)
    assert half.deadline == (START_MS + SLOW_DOWN_MAX_MS, "")


def test_a_chore_does_not_wait_for_the_slow_server() -> None:
    half = uploads(standing(2))
    half.slow_down(700, START_MS)
    assert half.welcomed(told(stored_seq=0), START_MS) == (do.ReopenEntries(INCARNATION, 0),)


def test_only_a_push_that_waits_for_its_answer_can_be_late() -> None:
    half = uploads(standing(2, settled_seq=0))
    assert half.deadline is None
    half.welcomed(told(stored_seq=0), START_MS)
    assert half.deadline is None
    half.entries_read(journal_of(2), START_MS + 10)
    assert half.deadline == (START_MS + 10 + ACKNOWLEDGEMENT_DEADLINE_MS, "a push was not acknowledged")


# -- revoked


def test_a_revoked_device_destroys_itself_once_everything_is_told() -> None:
    half = uploads(standing(2, settled_seq=0), queue_depth=2)
    half.welcomed(told(stored_seq=0, plan=Plan.UPLOAD_ONLY), START_MS, is_revoked=True)
    entries = journal_of(2)
    pushed(half, entries)
    half.acknowledged(stored(entries), START_MS)
    assert half.outcomes_stored(on.OutcomesStored(2, queue_depth=0), START_MS) == (do.DestroyReplica(),)
    assert half.state is Upload.DESTROYING
    assert half.go_on(START_MS) == ()


def test_a_revoked_device_with_nothing_to_tell_destroys_itself_at_once() -> None:
    half = uploads(standing(2))
    welcomed = half.welcomed(told(stored_seq=2, plan=Plan.UPLOAD_ONLY), START_MS, is_revoked=True)
    assert welcomed == (do.DestroyReplica(),)


def test_an_entry_recorded_before_the_destruction_is_told_first() -> None:
    half = uploads(standing(2))
    half.welcomed(told(stored_seq=2, plan=Plan.UPLOAD_ONLY), START_MS, is_revoked=True)
    assert half.entry_recorded(recorded(3), START_MS) == ()
    (read,) = half.destruction_refused(on.DestructionRefused(3, INCARNATION), START_MS)
    assert read == do.ReadEntries(INCARNATION, 2, FIRST_PUSH_ENTRIES)


# -- our own defects


def test_what_was_not_asked_for_is_a_defect() -> None:
    half = uploads(standing(2))
    half.welcomed(told(stored_seq=2), START_MS)
    defects: list[Callable[[], object]] = [
        lambda: half.entries_read((), START_MS),
        lambda: half.outcomes_stored(on.OutcomesStored(1, 0), START_MS),
        lambda: half.entries_reopened(on.EntriesReopened(INCARNATION, 0, 0), START_MS),
        lambda: half.incarnation_begun(begun(1), START_MS),
        lambda: half.destruction_refused(on.DestructionRefused(1, INCARNATION), START_MS),
        half.replica_destroyed,
    ]
    for deliver in defects:
        with pytest.raises(ImpossibleTransition):
            deliver()


def test_entries_that_are_no_longer_kept_end_the_incarnation() -> None:
    half = uploads(standing(5, settled_seq=2))
    half.welcomed(told(stored_seq=2), START_MS)
    assert half.entries_read(journal_of(5)[3:], START_MS) == (do.BeginIncarnation(INCARNATION),)


def test_a_word_of_an_entry_that_is_known_changes_nothing() -> None:
    half = uploads(standing(5))
    half.welcomed(told(stored_seq=5), START_MS)
    assert half.entry_recorded(recorded(4), START_MS) == ()
    assert half.queue_depth == 0


def test_a_resend_that_takes_nothing_back_reads_again_from_there() -> None:
    half = uploads(standing(5, settled_seq=1))
    half.welcomed(told(stored_seq=3), START_MS)
    pushed(half, journal_of(5)[1:])
    half.acknowledged(stored(journal_of(5)[1:]), START_MS)
    half.outcomes_stored(on.OutcomesStored(5, 0), START_MS)
    half.entry_recorded(recorded(7), START_MS)
    entries = journal_of(7)
    pushed(half, entries[5:])
    resend = with_fields(stored(entries[:3]), outcomes=())
    assert half.acknowledged(resend, START_MS) == (do.ReopenEntries(INCARNATION, 3),)
