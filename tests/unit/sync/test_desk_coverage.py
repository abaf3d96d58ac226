"""Coverage: a test for each row of what a desk's last word is worth."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync.desk_coverage import LINKED_MS, DeskWord, Gap, coverage, is_linked
from tests.unit.sync.builders import at_ms

AT_MS = at_ms(0)
BEFORE_MS, LATER_MS = AT_MS - 1, AT_MS + 1


@pytest.mark.parametrize(
    ("word", "gap"),
    [
        (DeskWord(name="A"), Gap.NEVER_HEARD),
        (DeskWord(name="A", waiting=0, is_linked=True), Gap.NEVER_HEARD),
        (DeskWord(name="A", heard_at_ms=LATER_MS, waiting=3), Gap.ENTRIES_WAIT),
        (DeskWord(name="A", heard_at_ms=LATER_MS, waiting=1, is_linked=True), Gap.ENTRIES_WAIT),
        (DeskWord(name="A", heard_at_ms=LATER_MS), Gap.QUEUE_UNKNOWN),
        (DeskWord(name="A", heard_at_ms=BEFORE_MS, waiting=0), Gap.SILENT),
        (DeskWord(name="A", heard_at_ms=BEFORE_MS, waiting=0, is_linked=True), None),
        (DeskWord(name="A", heard_at_ms=AT_MS, waiting=0), None),
        (DeskWord(name="A", heard_at_ms=LATER_MS, waiting=0), None),
    ],
)
def test_what_a_desk_could_still_hold_follows_from_its_last_word(word: DeskWord, gap: Gap | None) -> None:
    found = coverage({"desk": word}, AT_MS)
    (line,) = found.desks
    assert line.gap is gap
    assert (line.device_id, line.name, line.is_linked) == ("desk", "A", word.is_linked)
    assert (line.heard_until_ms, line.waiting) == (word.heard_at_ms, word.waiting)
    assert found.is_complete is (gap is None)
    assert found.at_ms == AT_MS


def test_one_desk_that_was_not_heard_makes_the_statement_incomplete_and_desks_stand_by_name() -> None:
    words = {
        "3": DeskWord(name="Back", heard_at_ms=AT_MS, waiting=0),
        "2": DeskWord(name="Front", heard_at_ms=AT_MS, waiting=0),
        "1": DeskWord(name="Front"),
    }
    found = coverage(words, AT_MS)
    assert [line.device_id for line in found.desks] == ["3", "1", "2"]
    assert not found.is_complete
    assert coverage({key: words[key] for key in "23"}, AT_MS).is_complete


def test_a_centre_without_desks_has_nothing_to_wait_for() -> None:
    assert coverage({}, AT_MS).is_complete


def test_a_desk_counts_as_linked_until_its_silence_would_have_ended_the_link() -> None:
    assert is_linked(AT_MS, AT_MS + LINKED_MS)
    assert not is_linked(AT_MS, AT_MS + LINKED_MS + 1)
    assert is_linked(AT_MS + 5, AT_MS)


@given(st.integers(-5, 5), st.sampled_from([None, 0, 1]), st.booleans(), st.integers(-5, 5))
def test_a_statement_for_an_earlier_moment_never_has_a_gap_more(
    heard: int, waiting: int | None, linked: bool, earlier: int
) -> None:
    words = {"A": DeskWord(name="A", heard_at_ms=AT_MS + heard, waiting=waiting, is_linked=linked)}
    if coverage(words, AT_MS).is_complete:
        assert coverage(words, AT_MS - abs(earlier)).is_complete
