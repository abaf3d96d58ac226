"""What every store of a device must do with the effects of a session; inherit and give `replica`."""

import msgspec
import pytest

from kiosk.link.device_store import EntriesSettled, News, SnapshotReplaced, StoreEffect, perform_store
from kiosk.store.errors import BrokenPage, GapInLog, JournalForked
from kiosk.store.replica import Replica
from sync import effects as do
from sync import events as on
from sync.journal import Entry, EntryOutcome, Outcome, ParkReason, check_run
from sync.messages import Plan, PushStored, SnapshotPart, StagedSnapshot
from tests.support.kiosk import EPOCH, INCARNATION, NOON_MS, Log, append, held, new_pen, uuid_of


def answer(entries: list[Entry], outcome: Outcome = Outcome.APPLIED) -> PushStored:
    outcomes = tuple(EntryOutcome(e.seq, e.event_id, outcome, ParkReason.NOT_PARKED, e.seq) for e in entries)
    return PushStored(through_seq=entries[-1].seq, hash=entries[-1].hash, outcomes=outcomes)


def settling(entries: list[Entry], outcome: Outcome = Outcome.APPLIED) -> do.StoreOutcomes:
    return do.StoreOutcomes(entries[0].incarnation, answer(entries, outcome))


def storing(part: SnapshotPart, plan: Plan = Plan.SNAPSHOT) -> do.StoreSnapshotPart:
    return do.StoreSnapshotPart(part, plan)


class StoreHands:
    """Carries out effects with one pen, and reads where a replica stands."""

    def do(self, effect: StoreEffect, replica: Replica, news: list[News] | None = None) -> object:
        heard: list[News] = [] if news is None else news
        return perform_store(effect, replica, wall_ms=NOON_MS, pen=_PEN, tell=heard.append)

    def where(self, replica: Replica) -> on.ProgressRead:
        progress = self.do(do.ReadProgress(), replica)
        assert isinstance(progress, on.ProgressRead)
        return progress

    def filled(self, replica: Replica, records: int = 5) -> Log:
        log = Log()
        for number in range(1, records + 1):
            log.put_child(number)
        for part in log.snapshot(2):
            self.do(storing(part), replica)
        return log


_PEN = new_pen()


class DeviceStoreContract(StoreHands):
    """The tests; a subclass has a fixture `replica` that gives a fresh one."""

    def test_a_fresh_desk_stands_at_nothing(self, replica: Replica) -> None:
        progress = self.where(replica)
        assert (progress.epoch, progress.version, progress.hash) == ("", 0, b"")
        assert (progress.journal.seq, progress.journal.settled_seq, progress.queue_depth) == (0, 0, 0)
        assert len(progress.journal.hash) == 32
        assert (progress.older, progress.digests, progress.staged) == ((), (), StagedSnapshot())

    def test_entries_come_back_as_they_were_sealed(self, replica: Replica) -> None:
        entries = [append(replica, number) for number in range(1, 6)]
        read = self.do(do.ReadEntries(INCARNATION, 0, 100), replica)
        assert read == on.EntriesRead(tuple(entries))
        check_run(entries)
        assert self.do(do.ReadEntries(INCARNATION, 2, 2), replica) == on.EntriesRead(tuple(entries[2:4]))
        assert self.do(do.ReadEntries(INCARNATION, 5, 2), replica) == on.EntriesRead(())

    def test_outcomes_are_kept_and_a_repeat_is_no_news(self, replica: Replica) -> None:
        entries = [append(replica, number) for number in range(1, 4)]
        news: list[News] = []
        stored = self.do(settling(entries[:2]), replica, news)
        assert stored == on.OutcomesStored(2, 1)
        assert [type(item) for item in news] == [EntriesSettled]
        settled = news[0]
        assert isinstance(settled, EntriesSettled)
        assert [entry.seq for entry in settled.entries] == [1, 2]
        news.clear()
        assert self.do(settling(entries[:2]), replica, news) == on.OutcomesStored(2, 1)
        assert news == [EntriesSettled(())]

    def test_an_older_acknowledgement_never_moves_the_number_back(self, replica: Replica) -> None:
        entries = [append(replica, number) for number in range(1, 4)]
        self.do(settling(entries), replica)
        self.do(settling(entries[:1]), replica)
        progress = self.where(replica)
        assert progress.queue_depth == 0

    def test_an_acknowledgement_without_outcomes_settles_nothing(self, replica: Replica) -> None:
        entry = append(replica, 1)
        self.do(do.StoreOutcomes(INCARNATION, PushStored(through_seq=1, hash=entry.hash)), replica)
        progress = self.where(replica)
        assert progress.queue_depth == 1

    @pytest.mark.parametrize("fault", ["hash", "beyond", "event"])
    def test_an_answer_for_another_journal_is_a_fork(self, replica: Replica, fault: str) -> None:
        entry = append(replica, 1)
        right = answer([entry])
        wrong = {
            "hash": PushStored(through_seq=1, hash=bytes(32), outcomes=right.outcomes),
            "beyond": PushStored(through_seq=2, hash=entry.hash, outcomes=right.outcomes),
            "event": PushStored(
                through_seq=1, hash=entry.hash, outcomes=(EntryOutcome(1, uuid_of(99), Outcome.APPLIED),)
            ),
        }[fault]
        with pytest.raises(JournalForked):
            self.do(do.StoreOutcomes(INCARNATION, wrong), replica)
        progress = self.where(replica)
        assert progress.queue_depth == 1

    def test_a_snapshot_replaces_everything_with_its_last_part(self, replica: Replica) -> None:
        append(replica, 1)
        log = self.filled(replica)
        assert held(replica) == log.live()
        assert replica.progress.read().head == log.head
        log.put_child(77)
        log.remove("child", uuid_of(1))  # type: ignore[arg-type]
        *first, last = log.snapshot(2)
        before = held(replica)
        for part in first:
            self.do(storing(part), replica)
        assert held(replica) == before
        news: list[News] = []
        self.do(storing(last), replica, news)
        assert news == [SnapshotReplaced()]
        assert held(replica) == log.live()
        assert replica.journal.queue_depth() == 1

    def test_a_part_out_of_order_is_refused_and_part_one_begins_anew(self, replica: Replica) -> None:
        log = Log()
        for number in range(1, 7):
            log.put_child(number)
        parts = log.snapshot(2)
        self.do(storing(parts[0]), replica)
        with pytest.raises(GapInLog):
            self.do(storing(parts[2]), replica)
        for part in parts:
            self.do(storing(part), replica)
        assert held(replica) == log.live()

    def test_a_page_that_repeats_changes_nothing(self, replica: Replica) -> None:
        log = self.filled(replica)
        log.put_child(1, "Changed")
        page = log.page(5)
        assert self.do(do.StorePage(page), replica) == on.PageStored(log.head)
        assert self.do(do.StorePage(page), replica) == on.PageStored(log.head)
        assert held(replica) == log.live()

    @pytest.mark.parametrize("fault", ["gap", "epoch"])
    def test_a_page_that_does_not_follow_changes_nothing(self, replica: Replica, fault: str) -> None:
        log = self.filled(replica)
        log.put_child(8)
        log.put_child(9)
        wrong = {"gap": log.page(6), "epoch": msgspec.structs.replace(log.page(5), epoch="another")}[fault]
        before, head = held(replica), replica.progress.read().head
        with pytest.raises(GapInLog):
            self.do(do.StorePage(wrong), replica)
        assert (held(replica), replica.progress.read().head) == (before, head)

    @pytest.mark.parametrize("fault", ["hash", "body", "half"])
    def test_a_page_that_is_not_what_its_hashes_say_asks_for_a_snapshot(self, replica: Replica, fault: str) -> None:
        log = self.filled(replica)
        append(replica, 1)
        log.put_child(8)
        log.put_child(9)
        right = log.page(5)
        change, last = right.changes
        replace = msgspec.structs.replace
        wrong = {
            "hash": replace(right, to_hash=bytes(32)),
            "body": replace(right, changes=(replace(change, body=b"{}"), last)),
            "half": replace(right, changes=(change, replace(last, transaction_last=False))),
        }[fault]
        before = held(replica)
        with pytest.raises(BrokenPage):
            self.do(do.StorePage(wrong), replica)
        assert held(replica) == before
        progress = self.where(replica)
        assert (progress.epoch, progress.version, progress.hash, progress.queue_depth) == (EPOCH, 0, b"", 1)
        for part in log.snapshot(2):
            self.do(storing(part), replica)
        assert held(replica) == log.live()
        assert replica.journal.queue_depth() == 1
