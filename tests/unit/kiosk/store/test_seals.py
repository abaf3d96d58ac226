"""Each page is compared with what is here: by the seal always, and by the records themselves when it is time."""

from collections import Counter
from dataclasses import dataclass, replace

import msgspec
import pytest

from kiosk.store.replica import Replica
from kiosk.store.seals import ReadingPlan, broken_seals, move_seals
from sync.digest import Held
from sync.messages import Plan
from sync.records import Entity
from tests.support.kiosk import NOON_MS, Log, held, new_pen, new_replica, uuid_of

DAY = "day:2026-09-21"


@dataclass
class Following:
    """A replica that takes a page for each change of its centre, each with the digests at its end."""

    log: Log
    replica: Replica

    def event(self, number: int) -> tuple[str, ...]:
        """One more event of the day; gives the buckets that differ after its page."""
        self.log.put_event(number)
        page = self.log.page(self.log.head.version - 1)
        digests = tuple(each for each in self.log.digests() if each.bucket == DAY)
        return self.replica.records.apply_page(msgspec.structs.replace(page, digests=digests)).differing

    def lose(self, number: int) -> None:
        """An event vanishes behind the store's back."""
        with self.replica.database.transaction():
            self.replica.database.execute("DELETE FROM record WHERE entity_id = ?", (uuid_of(number),))


@pytest.fixture
def following() -> Following:
    log, replica = Log(), new_replica()
    log.put_child(1)
    (part,) = log.snapshot(10)
    replica.snapshots.store_part(part, Plan.SNAPSHOT, new_pen(), wall_ms=NOON_MS)
    return Following(log, replica)


def test_a_record_that_vanished_before_the_program_began_is_missed_with_the_first_page(following: Following) -> None:
    for number in range(2, 6):
        assert following.event(number) == ()
    following.lose(3)
    again = replace(following, replica=Replica(following.replica.database))
    assert again.event(6) == (DAY,)


def test_a_record_that_vanished_later_is_missed_once_as_much_has_changed(following: Following) -> None:
    assert following.event(2) == ()
    following.lose(2)
    found = [following.event(number) for number in range(3, 103)]
    assert found == [()] * 99 + [(DAY,)]


def test_a_seal_that_is_not_what_the_server_says_is_looked_into_at_once(following: Following) -> None:
    assert following.event(2) == ()
    with following.replica.database.transaction():
        following.replica.database.execute("DELETE FROM record WHERE entity_id = ?", (uuid_of(2),))
        gone = [Held(change.bucket, change.entity, change.entity_id, change.version, change.commitment)
                for change in following.log.changes[-1:]]  # fmt: skip
        move_seals(following.replica.database, gone=gone, come=[])
    assert following.event(3) == (DAY,)


def test_a_seal_that_is_wrong_over_records_that_are_right_is_no_difference(following: Following) -> None:
    assert following.event(2) == ()
    with following.replica.database.transaction():
        following.replica.database.execute("UPDATE bucket_seal SET total = zeroblob(32)")
    assert following.event(3) == ()


def test_a_bucket_is_read_back_no_more_often_than_it_grew() -> None:
    plan = ReadingPlan()
    assert plan.is_due(DAY)
    plan.was_read(DAY, 250)
    plan.changed([DAY] * 249)
    assert not plan.is_due(DAY)
    plan.changed([DAY])
    assert plan.is_due(DAY)


def test_one_page_may_put_one_record_twice_move_it_and_remove_another(following: Following) -> None:
    log, replica = following.log, following.replica
    start = log.head.version
    log.put_event(2)
    log.put_event(3)
    log.put_event(2, day="2026-09-22")
    log.remove(Entity.EVENT, uuid_of(3), DAY)
    log.put_event(4)
    log.put_event(4, outcome="duplicate")
    page = msgspec.structs.replace(log.page(start), digests=log.digests())
    assert replica.records.apply_page(page).differing == ()
    assert held(replica) == log.live()
    assert broken_seals(replica.database) == []


def test_a_page_of_many_changes_is_read_and_committed_like_a_page_of_one(following: Following) -> None:
    def statements(changes: int) -> Counter[str]:
        start = following.log.head.version
        for number in range(changes):
            following.log.put_event(1_000 + start + number)
        said: Counter[str] = Counter()
        connection = following.replica.database._usable()
        connection.set_trace_callback(lambda sql: said.update([str(sql).split(" ")[0]]))
        following.replica.records.apply_page(following.log.page(start))
        connection.set_trace_callback(None)
        return said

    one, many = statements(1), statements(50)
    assert many - one == Counter(INSERT=49)
    assert many["COMMIT"] == 1
