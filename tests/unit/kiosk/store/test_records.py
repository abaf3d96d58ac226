"""Any history of the log, however it is cut into pages, repeated or begun by a snapshot, ends in the same replica."""

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from kiosk.services.knowledge import Knowledge
from kiosk.store.errors import GapInLog
from kiosk.store.replica import Replica
from sync.change_log import ChangeDraft, Operation
from sync.messages import Plan, SnapshotPart
from sync.records import Entity
from tests.support.kiosk import NOON_MS, Log, held, new_pen, new_replica, uuid_of

ACTIONS = st.lists(st.tuples(st.sampled_from(["put", "remove", "event"]), st.integers(1, 6)), min_size=1, max_size=30)


def store(replica: Replica, part: SnapshotPart) -> None:
    replica.snapshots.store_part(part, Plan.SNAPSHOT, new_pen(), wall_ms=NOON_MS)


def log_of(actions: list[tuple[str, int]]) -> Log:
    log = Log()
    for at, (action, number) in enumerate(actions):
        if action == "put":
            log.put_child(number, f"Name {at}")
        elif action == "remove":
            log.remove(Entity.CHILD, uuid_of(number))
        else:
            log.put_event(100 + at)
    return log


@settings(max_examples=60, deadline=None)
@given(before=ACTIONS, after=ACTIONS, part=st.integers(1, 5), cuts=st.lists(st.integers(0, 40), max_size=12))
def test_pages_in_any_cut_and_order_end_where_the_log_ends(
    before: list[tuple[str, int]], after: list[tuple[str, int]], part: int, cuts: list[int]
) -> None:
    replica = new_replica()
    for piece in log_of(before).snapshot(part):
        store(replica, piece)
    log = log_of(before + after)
    start = len(before)
    for cut in cuts:
        # Pages from anywhere to anywhere: what does not follow is refused, what came before changes nothing.
        low = min(cut, len(log.changes))
        high = min(low + 3, len(log.changes))
        where = replica.progress.read().version
        try:
            replica.records.apply_page(log.page(low, high))
        except GapInLog:
            assert low != where
            assert high > where
    where = replica.progress.read().version
    assert where >= start
    replica.records.apply_page(log.page(where))
    assert held(replica) == log.live()
    assert replica.progress.read().head == log.head


def test_old_days_are_dropped_whole() -> None:
    replica = new_replica()
    log = Log()
    log.put_child(1)
    for day in range(1, 21):
        log.put_event(day, f"2026-09-{day:02}")
    for part in log.snapshot(50):
        store(replica, part)
    assert replica.records.drop_old_days("2026-09-20") == 6
    days = {record.bucket for record in replica.records.all()}
    assert min(days - {"reference"}) == "day:2026-09-07"
    assert len(days) == 15


def test_a_clock_that_is_years_ahead_drops_no_day_that_is_needed() -> None:
    replica = new_replica()
    log = Log()
    for day in range(1, 11):
        log.put_event(day, f"2026-09-{day:02}")
    for part in log.snapshot(50):
        store(replica, part)
    assert replica.records.drop_old_days("2038-01-19") == 0


def test_records_of_a_kind_that_came_later_are_kept_and_in_the_digests_and_nothing_else() -> None:
    log = Log()
    log.put_child(1)
    later = ChangeDraft(
        bucket="reference", entity="hologram", entity_id=uuid_of(9), operation=Operation.PUT, body=b'{"depth":3}',
        ends_unit=True,
    )  # fmt: skip
    log.append([later])
    known = new_replica()
    for part in log.snapshot(1):
        store(known, part)
    assert held(known) == log.live()
    log.append([msgspec.structs.replace(later, body=b'{"depth":4}')])
    known.records.apply_page(log.page(len(log.changes) - 1))
    assert held(known) == log.live()
    sums = known.records.digests()
    knowledge = Knowledge("device")
    knowledge.load(len(log.changes), known.records.all(), ())
    assert list(knowledge.children) == [uuid_of(1)]
    log.append([msgspec.structs.replace(later, operation=Operation.REMOVE, body=b"")])
    news = knowledge.apply(len(log.changes), log.changes[-1:])
    assert (news.reference_changed, list(knowledge.children)) == (True, [uuid_of(1)])
    known.records.apply_page(log.page(len(log.changes) - 1))
    assert held(known) == log.live()
    assert known.records.digests() != sums


def test_children_and_names_are_read_from_the_body_by_the_database() -> None:
    replica = new_replica()
    log = Log()
    log.put_child(1, "Żółć")
    log.put_event(2)
    for part in log.snapshot(50):
        store(replica, part)
    query = "SELECT entity, name, child_id FROM record ORDER BY entity"
    assert replica.database.fetch_all(query) == [
        ("child", "Żółć, Ada", None),
        ("event", None, "018f0000-0000-7000-8000-00000000000a"),
    ]
