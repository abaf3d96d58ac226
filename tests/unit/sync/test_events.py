"""What the world tells a session: values that never change, in the past tense."""

from typing import Any, get_args

import pytest

from sync import events as on

ALL: list[Any] = sorted({*get_args(on.DeviceEvent), *get_args(on.ServerEvent)}, key=lambda kind: kind.__name__)


@pytest.mark.parametrize("kind", ALL)
def test_an_event_cannot_be_changed(kind: Any) -> None:
    assert kind.__struct_config__.frozen


def test_both_halves_share_what_happens_to_a_link() -> None:
    shared = set(get_args(on.DeviceEvent)) & set(get_args(on.ServerEvent))
    assert shared == {on.LinkOpened, on.LinkClosed, on.FrameReceived, on.TimerFired, on.StoreFailed}


def test_without_a_word_a_link_has_no_known_end() -> None:
    assert on.LinkOpened() == on.LinkOpened(good_for_ms=0)


@pytest.mark.parametrize("late", [True, False])
def test_a_word_of_the_journal_that_is_overtaken_does_not_count(late: bool) -> None:
    near, far = on.EntryRecorded(31, "i"), on.EntryRecorded(34, "i")
    first, second = (far, near) if late else (near, far)
    assert on.newer_entry(on.newer_entry(None, first), second) == far


def test_a_word_of_another_journal_always_counts() -> None:
    assert on.newer_entry(on.EntryRecorded(34, "old"), on.EntryRecorded(1, "new")) == on.EntryRecorded(1, "new")


@pytest.mark.parametrize("late", [True, False])
def test_a_word_of_the_head_that_is_overtaken_does_not_count(late: bool) -> None:
    near, far = on.HeadMoved("e", 31), on.HeadMoved("e", 34)
    first, second = (far, near) if late else (near, far)
    assert on.newer_head(on.newer_head(None, first), second) == far
    assert on.newer_head(far, on.HeadMoved("another", 1)) == on.HeadMoved("another", 1)
