"""An entry is taken back only where the journal ends, and is then the very same."""

import pytest

from kiosk.store.replica import Replica
from kiosk.store.salvage import Saved
from kiosk.store.unfinished import take_back
from sync.journal import Entry
from tests.support.kiosk import CHILD_ID, INCARNATION, NOON_MS, append, new_replica, sign


@pytest.fixture
def entries() -> list[Entry]:
    """What another desk with the same journal wrote."""
    replica = new_replica()
    return [append(replica, number) for number in range(1, 5)]


@pytest.fixture
def replica() -> Replica:
    """A desk that has the first of them."""
    replica = new_replica()
    append(replica, 1)
    return replica


def left(*entries: Entry) -> list[Saved]:
    return [Saved(entry, CHILD_ID, NOON_MS, None, 0, 0, None) for entry in entries]


def test_what_goes_on_where_the_journal_ends_is_taken_back(replica: Replica, entries: list[Entry]) -> None:
    take_back(replica, left(*entries[1:]), sign)
    assert list(replica.journal.kept(INCARNATION, 0)) == entries


@pytest.mark.parametrize("chosen", [(2,), (1, 3), (0,), ()])
def test_what_does_not_follow_is_left_out(replica: Replica, entries: list[Entry], chosen: tuple[int, ...]) -> None:
    take_back(replica, left(*(entries[number] for number in chosen)), sign)
    assert list(replica.journal.kept(INCARNATION, 0)) == entries[:1]


def test_an_entry_behind_another_one_than_the_last_is_left_out(entries: list[Entry]) -> None:
    replica = new_replica()
    other = append(replica, 9)
    take_back(replica, left(entries[1]), sign)
    assert list(replica.journal.kept(INCARNATION, 0)) == [other]
