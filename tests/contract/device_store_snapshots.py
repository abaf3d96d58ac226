"""What every store of a device must do with digests: snapshots that go on, repairs, other lives of the log."""

import msgspec
import pytest

from kiosk.link.device_store import News, OwnEntriesChanged, SnapshotReplaced
from kiosk.store.errors import BrokenPage, GapInLog
from kiosk.store.replica import Replica
from kiosk.store.seals import broken_seals
from sync import effects as do
from sync import events as on
from sync.digest import wire_digests
from sync.incidents import Incident, decode_incident
from sync.intake import WITNESSED_KIND, read_testimony
from sync.journal import Entry, check_run
from sync.messages import Plan, SnapshotPart, StagedSnapshot
from sync.records import Entity
from tests.contract.device_store import StoreHands, storing
from tests.support.kiosk import EPOCH, INCARNATION, Log, append, held, new_epoch, uuid_of

OTHER_EPOCH = "33333333-3333-4333-8333-333333333333"
DAY = "day:2026-09-21"
replace = msgspec.structs.replace


class SnapshotsContract(StoreHands):
    """The tests; a subclass has a fixture `replica` that gives a fresh one."""

    def entries(self, replica: Replica) -> tuple[Entry, ...]:
        found: list[Entry] = []
        while True:
            read = self.do(do.ReadEntries(INCARNATION, len(found), 500), replica)
            assert isinstance(read, on.EntriesRead)
            if not read.entries:
                return tuple(found)
            found += read.entries

    def store_all(self, replica: Replica, parts: list[SnapshotPart], plan: Plan = Plan.SNAPSHOT) -> on.DeviceEvent:
        stored = None
        for part in parts:
            stored = self.do(storing(part, plan), replica)
        assert isinstance(stored, on.SnapshotPartStored)
        return stored

    # -- snapshots

    def test_a_desk_says_how_far_a_snapshot_is_staged_and_goes_on_from_there(self, replica: Replica) -> None:
        log = Log()
        for number in range(1, 7):
            log.put_child(number)
        first, second, last = log.snapshot(2)
        self.store_all(replica, [first, second])
        assert self.where(replica).staged == StagedSnapshot(EPOCH, 6, 2, 3)
        self.do(storing(last), replica)
        assert self.where(replica).staged == StagedSnapshot()
        assert held(replica) == log.live()

    def test_digests_are_those_of_the_log(self, replica: Replica) -> None:
        log = Log()
        log.put_child(1)
        log.put_event(2)
        self.store_all(replica, log.snapshot(5))
        assert self.where(replica).digests == log.digests()

    @pytest.mark.parametrize("fault", ["commitment", "body", "digest", "bucket_untold", "no_text"])
    def test_a_snapshot_that_is_not_what_it_says_is_refused_and_begins_anew(self, replica: Replica, fault: str) -> None:
        log = self.filled(replica)
        before = held(replica)
        log.put_child(6)
        log.put_event(7)
        *first, last = log.snapshot(3)
        record = last.records[0]
        digest = last.digests[0]
        wrong = {
            "commitment": replace(last, records=(replace(record, commitment=bytes(32)), *last.records[1:])),
            "body": replace(last, records=(replace(record, body=b"{}"), *last.records[1:])),
            "digest": replace(last, digests=(replace(digest, digest=bytes(32)), *last.digests[1:])),
            "bucket_untold": replace(last, digests=last.digests[1:]),
            "no_text": replace(last, records=(replace(record, body=b"\xff", commitment=b""), *last.records[1:])),
        }[fault]
        self.store_all(replica, first)
        with pytest.raises(GapInLog):
            self.do(storing(wrong), replica)
        assert self.where(replica).staged == StagedSnapshot()
        assert held(replica) == before
        with pytest.raises(GapInLog):
            self.do(storing(last), replica)
        self.store_all(replica, [*first, last])
        assert held(replica) == log.live()

    def test_an_erased_record_keeps_its_commitment(self, replica: Replica) -> None:
        log = Log()
        log.put_child(1)
        (part,) = log.snapshot(5)
        erased = replace(part, records=(replace(part.records[0], body=b"", salt=b""),))
        self.do(storing(erased), replica)
        assert self.where(replica).digests == log.digests()

    def test_a_server_of_protocol_1_tells_neither_commitments_nor_digests(self, replica: Replica) -> None:
        log = Log()
        log.put_child(1)
        (part,) = log.snapshot(5)
        bare = replace(part, records=(replace(part.records[0], commitment=b""),), digests=())
        self.do(storing(bare), replica)
        assert self.where(replica).digests == log.digests()

    def test_a_record_that_comes_twice_stands_as_it_came_last(self, replica: Replica) -> None:
        log = Log()
        log.put_child(1)
        log.put_child(2)
        first, last = (replace(part, digests=()) for part in log.snapshot(1))
        again = replace(first.records[0], version=2, body=last.records[0].body, salt=b"", commitment=b"")
        self.store_all(replica, [first, replace(last, records=(again, *last.records))])
        assert {key: version for key, (version, _) in held(replica).items()} == {
            (Entity.CHILD, uuid_of(1)): 2,
            (Entity.CHILD, uuid_of(2)): 2,
        }
        assert broken_seals(replica.database) == []

    def test_what_was_staged_and_cannot_be_read_begins_anew(self, replica: Replica) -> None:
        log = Log()
        log.put_child(1)
        log.put_child(2)
        first, last = log.snapshot(1)
        self.do(storing(first), replica)
        with replica.database.transaction():
            replica.database.execute("UPDATE staged_part SET records = x'93'")
        with pytest.raises(GapInLog):
            self.do(storing(last), replica)
        assert self.where(replica).staged == StagedSnapshot()
        self.store_all(replica, [first, last])
        assert held(replica) == log.live()

    def test_pages_that_go_on_end_what_was_staged(self, replica: Replica) -> None:
        log = self.filled(replica)
        log.put_child(6)
        self.do(storing(log.snapshot(2)[0]), replica)
        self.do(do.StorePage(log.page(5)), replica)
        assert self.where(replica).staged == StagedSnapshot()

    # -- digests of pages

    def test_a_page_at_the_head_is_compared_with_what_is_here(self, replica: Replica) -> None:
        log = self.filled(replica)
        log.put_child(6)
        page = replace(log.page(5), digests=log.digests())
        assert self.do(do.StorePage(page), replica) == on.PageStored(log.head, ())

    def test_a_bucket_that_lost_a_record_differs_at_the_next_page(self, replica: Replica) -> None:
        log = self.filled(replica)
        self.lose(replica, 3)
        log.put_child(6)
        page = replace(log.page(5), digests=log.digests())
        assert self.do(do.StorePage(page), replica) == on.PageStored(log.head, ("reference",))
        assert self.where(replica).digests != log.digests()

    def lose(self, replica: Replica, number: int) -> None:
        """A record vanishes behind the store's back."""
        with replica.database.transaction():
            replica.database.execute("DELETE FROM record WHERE entity_id = ?", (uuid_of(number),))

    # -- repairs

    def test_a_repair_puts_one_bucket_right_and_says_so(self, replica: Replica) -> None:
        log = self.filled(replica)
        log.put_event(6)
        self.do(do.StorePage(log.page(5)), replica)
        self.lose(replica, 3)
        news: list[News] = []
        first, *middle, last = log.snapshot(2, "reference")
        self.store_all(replica, [first, *middle])
        assert self.where(replica).staged == StagedSnapshot()
        stored = self.do(storing(last), replica, news)
        assert stored == on.SnapshotPartStored(last.part, 1, INCARNATION)
        assert news == [SnapshotReplaced(), OwnEntriesChanged()]
        assert held(replica) == log.live()
        assert self.where(replica).digests == log.digests()
        (incident,) = self.entries(replica)
        told = decode_incident(incident.body)
        assert told.incident is Incident.BUCKET_REPAIRED
        assert told.detail == {"bucket": "reference", "records": 5, "version": 6}

    def test_a_repair_of_what_was_right_is_no_incident(self, replica: Replica) -> None:
        log = self.filled(replica)
        stored = self.store_all(replica, log.snapshot(2, "reference"))
        assert stored == on.SnapshotPartStored(3)
        assert self.entries(replica) == ()

    def test_a_repair_moves_a_record_that_stood_in_the_wrong_bucket(self, replica: Replica) -> None:
        log = self.filled(replica)
        with replica.database.transaction():
            replica.database.execute("UPDATE record SET bucket = ? WHERE entity_id = ?", (DAY, uuid_of(2)))
        self.store_all(replica, log.snapshot(2, "reference"))
        assert self.where(replica).digests == log.digests()
        assert held(replica) == log.live()

    def test_a_repair_empties_a_bucket_of_which_nothing_is_left(self, replica: Replica) -> None:
        log = self.filled(replica)
        log.put_event(6)
        self.do(do.StorePage(log.page(5)), replica)
        log.remove(Entity.EVENT, uuid_of(6), DAY)
        page = log.page(6)
        self.do(do.StorePage(page), replica)
        with replica.database.transaction():
            replica.database.execute("UPDATE record SET bucket = ? WHERE entity_id = ?", (DAY, uuid_of(2)))
        (empty,) = log.snapshot(2, DAY)
        self.do(storing(empty), replica)
        self.store_all(replica, log.snapshot(2, "reference"))
        assert held(replica) == log.live()

    @pytest.mark.parametrize("fault", ["position", "epoch", "records", "digest"])
    def test_a_repair_that_does_not_fit_changes_nothing(self, replica: Replica, fault: str) -> None:
        log = self.filled(replica)
        self.lose(replica, 3)
        (part,) = log.snapshot(10, "reference")
        wrong = {
            "position": replace(part, version=4),
            "epoch": replace(part, epoch=OTHER_EPOCH),
            "records": replace(part, records=(replace(part.records[0], bucket=DAY), *part.records[1:])),
            "digest": replace(part, digests=(replace(part.digests[0], digest=bytes(32)),)),
        }[fault]
        before = held(replica)
        with pytest.raises(GapInLog):
            self.do(storing(wrong), replica)
        assert held(replica) == before
        assert self.entries(replica) == ()

    # -- another life of the log

    def lived(self, replica: Replica) -> tuple[Log, Log]:
        """A desk with one entry of its own that holds two facts, and a restored server that holds one of them."""
        log = Log()
        log.put_child(1)
        log.put_event(101)
        log.put_event(102)
        log.put_event(3)
        self.store_all(replica, log.snapshot(5))
        append(replica, 3)
        restored = Log()
        restored.put_child(1)
        restored.put_event(101)
        return log, restored

    def test_a_reconciled_desk_witnesses_what_the_other_life_lost(self, replica: Replica) -> None:
        log, restored = self.lived(replica)
        parts = [new_epoch(part, OTHER_EPOCH) for part in restored.snapshot(1)]
        stored = self.store_all(replica, parts, Plan.RECONCILE)
        own, witnessed, incident = self.entries(replica)
        check_run((own, witnessed, incident))
        assert stored == on.SnapshotPartStored(len(parts), 3, INCARNATION)
        assert (witnessed.kind, witnessed.event_id) == (WITNESSED_KIND, uuid_of(102))
        assert witnessed.body == log.live()[("event", uuid_of(102))][1]
        assert read_testimony(witnessed).record is not None
        told = decode_incident(incident.body)
        assert (told.incident, told.detail["witnessed"]) == (Incident.RECONCILED, 1)
        assert (told.detail["from_epoch"], told.detail["to_epoch"]) == (EPOCH, OTHER_EPOCH)
        assert held(replica) == restored.live()
        assert self.where(replica).queue_depth == 3

    def test_nothing_is_witnessed_before_the_last_part(self, replica: Replica) -> None:
        _, restored = self.lived(replica)
        first, *_ = (new_epoch(part, OTHER_EPOCH) for part in restored.snapshot(1))
        self.do(storing(first, Plan.RECONCILE), replica)
        assert len(self.entries(replica)) == 1

    def test_a_plain_snapshot_witnesses_nothing(self, replica: Replica) -> None:
        _, restored = self.lived(replica)
        self.store_all(replica, [new_epoch(part, OTHER_EPOCH) for part in restored.snapshot(1)])
        assert len(self.entries(replica)) == 1

    def test_a_second_reconciliation_witnesses_nothing_twice(self, replica: Replica) -> None:
        _, restored = self.lived(replica)
        for _ in range(2):
            self.store_all(replica, [new_epoch(p, OTHER_EPOCH) for p in restored.snapshot(1)], Plan.RECONCILE)
        kinds = [entry.kind for entry in self.entries(replica)]
        assert kinds.count(WITNESSED_KIND) == 1

    def test_many_facts_are_witnessed_each_once(self, replica: Replica) -> None:
        log = Log()
        for number in range(1, 251):
            log.put_event(number)
        self.store_all(replica, log.snapshot(100))
        empty = new_epoch(Log().snapshot(1)[0], OTHER_EPOCH)
        self.do(storing(empty, Plan.RECONCILE), replica)
        witnessed = {entry.event_id for entry in self.entries(replica) if entry.kind == WITNESSED_KIND}
        assert witnessed == {uuid_of(number) for number in range(1, 251)}

    # -- days that were dropped on purpose

    def test_a_late_event_of_a_dropped_day_is_no_difference(self, replica: Replica) -> None:
        log = Log()
        log.put_child(1)
        for day in range(1, 18):
            log.put_event(day, f"2026-09-{day:02}")
        self.store_all(replica, log.snapshot(50))
        assert replica.records.drop_old_days("2026-09-17") == 3
        log.put_event(99, "2026-09-02")
        page = replace(log.page(18), digests=tuple(d for d in log.digests() if d.bucket == "day:2026-09-02"))
        assert page.digests
        assert self.do(do.StorePage(page), replica) == on.PageStored(log.head, ())
        told = {digest.bucket for digest in self.where(replica).digests}
        assert "day:2026-09-02" not in told
        assert len(told) == 15

    def test_a_broken_page_forgets_the_cursor_and_not_the_life_it_is_of(self, replica: Replica) -> None:
        log = self.filled(replica)
        log.put_child(9)
        with pytest.raises(BrokenPage):
            self.do(do.StorePage(replace(log.page(5), to_hash=bytes(32))), replica)
        progress = self.where(replica)
        assert (progress.epoch, progress.version, progress.digests) == (EPOCH, 0, wire_digests({}))
