"""How long a desk keeps what it sent: thirty days, never less than what waits, and always the end of the chain."""

from collections.abc import Iterator

import pytest

from kiosk.store.replica import Replica
from sync.journal import Entry, check_run
from sync.limits import JOURNAL_RETENTION_MS
from tests.contract.device_store import answer
from tests.support.kiosk import INCARNATION, NOON_MS, append, new_replica

LATER_MS = NOON_MS + JOURNAL_RETENTION_MS + 60_000


@pytest.fixture
def replica() -> Iterator[Replica]:
    replica = new_replica()
    yield replica
    replica.database.close_now()


def settle(replica: Replica, entries: list[Entry]) -> None:
    replica.journal.store_outcomes(INCARNATION, answer(entries), NOON_MS)


def kept(replica: Replica) -> list[int]:
    return [entry.seq for entry in replica.journal.recent(-1) if entry.incarnation == INCARNATION]


def test_answered_entries_are_kept_for_thirty_days(replica: Replica) -> None:
    settle(replica, [append(replica, number) for number in range(1, 5)])
    replica.journal.drop_old(NOON_MS + JOURNAL_RETENTION_MS)
    assert kept(replica) == [1, 2, 3, 4]


def test_after_a_quiet_month_the_last_entry_stays_and_the_chain_goes_on_from_it(replica: Replica) -> None:
    entries = [append(replica, number) for number in range(1, 5)]
    settle(replica, entries)
    replica.journal.drop_old(LATER_MS)
    assert kept(replica) == [4]
    following = append(replica, 5)
    assert following.seq == 5
    check_run([entries[-1], following])


def test_what_waits_is_never_dropped_nor_what_comes_after_it(replica: Replica) -> None:
    entries = [append(replica, number) for number in range(1, 6)]
    settle(replica, entries[:2])
    replica.journal.drop_old(LATER_MS)
    assert kept(replica) == [3, 4, 5]
    assert replica.journal.queue_depth() == 3


def test_an_empty_journal_has_nothing_to_drop(replica: Replica) -> None:
    replica.journal.drop_old(LATER_MS)
    assert append(replica, 1).seq == 1
