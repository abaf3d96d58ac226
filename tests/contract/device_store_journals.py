"""What every store of a device must do with several journals: forks, answers taken back, incidents, retention."""

from kiosk.link.device_store import EntriesSettled, News, OwnEntriesChanged
from kiosk.store.replica import Replica
from sync import effects as do
from sync import events as on
from sync.incidents import INCIDENT_KIND, DeviceIncident, Incident, decode_incident
from sync.journal import Entry, Outcome, check_run, genesis
from sync.limits import JOURNAL_RETENTION_MS, JOURNALS_MAX
from tests.contract.device_store import StoreHands, settling
from tests.support.kiosk import DEVICE_ID, INCARNATION, NOON_MS, append, sign, uuid_of

LATER_MS = NOON_MS + JOURNAL_RETENTION_MS + 60_000


def incidents(entries: tuple[Entry, ...]) -> list[DeviceIncident]:
    return [decode_incident(entry.body) for entry in entries if entry.kind == INCIDENT_KIND]


class JournalsContract(StoreHands):
    """The tests; a subclass has a fixture `replica` that gives a fresh one."""

    def read(self, replica: Replica, incarnation: str, after_seq: int = 0) -> tuple[Entry, ...]:
        read = self.do(do.ReadEntries(incarnation, after_seq, 500), replica)
        assert isinstance(read, on.EntriesRead)
        return read.entries

    def begin(self, replica: Replica, incarnation: str) -> on.IncarnationBegun:
        begun = self.do(do.BeginIncarnation(incarnation), replica)
        assert isinstance(begun, on.IncarnationBegun)
        return begun

    def forked(self, replica: Replica) -> tuple[list[Entry], on.IncarnationBegun]:
        """Five entries, two of them answered, and then a fork."""
        entries = [append(replica, number) for number in range(1, 6)]
        self.do(settling(entries[:2]), replica)
        return entries, self.begin(replica, INCARNATION)

    def test_a_fork_seals_what_waits_again_word_for_word(self, replica: Replica) -> None:
        entries, begun = self.forked(replica)
        fresh = self.read(replica, begun.journal.incarnation)
        assert begun.journal.incarnation != INCARNATION
        assert [entry.event_id for entry in fresh[:3]] == [entry.event_id for entry in entries[2:]]
        assert [entry.seq for entry in fresh] == [1, 2, 3, 4]
        assert [(e.kind, e.body, e.hlc, e.wall_ms, e.base_version) for e in fresh[:3]] == [
            (e.kind, e.body, e.hlc, e.wall_ms, e.base_version) for e in entries[2:]
        ]
        assert fresh[0].previous_hash == genesis(DEVICE_ID, begun.journal.incarnation).hash
        check_run(fresh)
        assert all(sign(entry.hash) == entry.signature for entry in fresh)
        assert (begun.journal.seq, begun.journal.hash, begun.journal.settled_seq) == (4, fresh[-1].hash, 0)
        assert begun.queue_depth == 4

    def test_a_fork_is_told_as_an_incident(self, replica: Replica) -> None:
        _, begun = self.forked(replica)
        (told,) = incidents(self.read(replica, begun.journal.incarnation))
        assert (told.incident, told.detail) == (Incident.JOURNAL_FORKED, {"incarnation": INCARNATION, "entries": 3})

    def test_what_was_answered_stays_in_the_older_journal(self, replica: Replica) -> None:
        entries, begun = self.forked(replica)
        assert self.read(replica, INCARNATION) == tuple(entries[:2])
        progress = self.where(replica)
        assert progress.journal == begun.journal
        assert progress.older == (
            on.JournalStanding(incarnation=INCARNATION, seq=2, hash=entries[1].hash, settled_seq=2),
        )

    def test_a_journal_of_which_nothing_was_answered_leaves_nothing_behind(self, replica: Replica) -> None:
        append(replica, 1)
        self.begin(replica, INCARNATION)
        assert self.where(replica).older == ()

    def test_an_older_copy_with_nothing_to_send_goes_on_under_another_name(self, replica: Replica) -> None:
        entries = [append(replica, number) for number in range(1, 4)]
        self.do(settling(entries), replica)
        begun = self.begin(replica, INCARNATION)
        assert begun.queue_depth == 1
        assert [entry.kind for entry in self.read(replica, begun.journal.incarnation)] == [INCIDENT_KIND]
        assert append(replica, 9).seq == 2

    def test_a_fork_of_an_older_journal_moves_what_waits_to_the_current_one(self, replica: Replica) -> None:
        entries, begun = self.forked(replica)
        self.do(do.ReopenEntries(INCARNATION, 1), replica)
        again = self.begin(replica, INCARNATION)
        assert again.journal.incarnation == begun.journal.incarnation
        fresh = self.read(replica, begun.journal.incarnation)
        assert [entry.event_id for entry in fresh if entry.kind != INCIDENT_KIND] == [
            *(entry.event_id for entry in entries[2:]), entries[1].event_id,
        ]  # fmt: skip
        check_run(fresh)
        (older,) = self.where(replica).older
        assert (older.seq, older.hash, older.settled_seq) == (1, entries[0].hash, 1)

    def test_a_word_of_a_fork_that_comes_twice_changes_nothing(self, replica: Replica) -> None:
        _, begun = self.forked(replica)
        assert self.begin(replica, INCARNATION) == begun
        assert self.begin(replica, uuid_of(4_711)) == begun

    def test_answers_of_an_older_journal_are_stored_beside_those_of_the_current(self, replica: Replica) -> None:
        entries, begun = self.forked(replica)
        self.do(do.ReopenEntries(INCARNATION, 1), replica)
        assert self.where(replica).older[0].settled_seq == 1
        fresh = list(self.read(replica, begun.journal.incarnation))
        self.do(settling(fresh[:2]), replica)
        news: list[News] = []
        stored = self.do(settling(entries[1:2], Outcome.DUPLICATE), replica, news)
        assert stored == on.OutcomesStored(2, 2)
        (settled,) = news
        assert isinstance(settled, EntriesSettled)
        assert [entry.incarnation for entry in settled.entries] == [INCARNATION]
        progress = self.where(replica)
        assert (progress.older[0].settled_seq, progress.journal.settled_seq) == (2, 2)

    def test_answers_taken_back_make_entries_wait_and_are_told_again(self, replica: Replica) -> None:
        entries = [append(replica, number) for number in range(1, 5)]
        self.do(settling(entries), replica)
        news: list[News] = []
        assert self.do(do.ReopenEntries(INCARNATION, 1), replica, news) == on.EntriesReopened(INCARNATION, 1, 3)
        assert news == [OwnEntriesChanged()]
        assert self.where(replica).journal.settled_seq == 1
        assert self.read(replica, INCARNATION, 1) == tuple(entries[1:])
        told = replica.progress.read().answers
        self.do(settling(entries[1:]), replica)
        assert [entry.seq for entry in replica.journal.settled_after(told)] == [2, 3, 4]

    def test_a_repeat_of_taking_back_changes_nothing(self, replica: Replica) -> None:
        entries = [append(replica, number) for number in range(1, 3)]
        self.do(settling(entries), replica)
        for _ in range(2):
            assert self.do(do.ReopenEntries(INCARNATION, 0), replica) == on.EntriesReopened(INCARNATION, 0, 2)
        assert self.do(do.ReopenEntries(uuid_of(7), 0), replica) == on.EntriesReopened(uuid_of(7), 0, 2)

    def test_entries_that_are_no_longer_kept_are_not_read(self, replica: Replica) -> None:
        entries = [append(replica, number) for number in range(1, 5)]
        self.do(settling(entries), replica)
        replica.journal.drop_old(LATER_MS)
        assert self.read(replica, INCARNATION) == ()
        assert self.read(replica, INCARNATION, 3) == (entries[3],)

    def test_older_journals_are_dropped_once_they_are_old(self, replica: Replica) -> None:
        _, begun = self.forked(replica)
        replica.journal.drop_old(NOON_MS + JOURNAL_RETENTION_MS)
        assert len(self.where(replica).older) == 1
        replica.journal.drop_old(LATER_MS)
        assert self.where(replica).older == ()
        assert len(self.read(replica, begun.journal.incarnation)) == 4

    def test_an_older_journal_that_waits_is_kept_however_old_it_is(self, replica: Replica) -> None:
        self.forked(replica)
        self.do(do.ReopenEntries(INCARNATION, 0), replica)
        replica.journal.drop_old(LATER_MS)
        assert len(self.read(replica, INCARNATION)) == 2

    def test_no_more_journals_are_offered_than_a_message_holds(self, replica: Replica) -> None:
        for number in range(1, JOURNALS_MAX + 3):
            entry = append(replica, number)
            self.do(settling([*self.waiting_before(replica), entry]), replica)
            self.begin(replica, entry.incarnation)
        older = self.where(replica).older
        assert len(older) == JOURNALS_MAX
        self.do(do.ReopenEntries(INCARNATION, 0), replica)
        assert INCARNATION in {standing.incarnation for standing in self.where(replica).older}

    def waiting_before(self, replica: Replica) -> list[Entry]:
        """The incident that the last fork left, which waits too."""
        journal = self.where(replica).journal
        return list(self.read(replica, journal.incarnation))[: journal.seq - 1]
