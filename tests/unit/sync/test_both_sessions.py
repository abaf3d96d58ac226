"""The two halves together, through stores in memory, with no loop and no clock."""

from collections import deque

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync import effects as do
from sync import events as on
from sync.change_log import Change, Head, check_changes, cut_page, genesis, number
from sync.codec import encode
from sync.device_session import DeviceSession
from sync.intake import Intake, Origin, StoredFact
from sync.journal import Entry, EntryOutcome, Hole, JournalHead, head_after, judge_run
from sync.journal import genesis as journal_genesis
from sync.messages import Page, SnapshotPart, SnapshotRecord
from sync.server_session import ServerSession
from tests.unit.sync.builders import CENTER, CHILD, DEVICE, EPOCH, INCARNATION, entries_after, event, salt

EMPTY = genesis(CENTER, EPOCH)
ORIGIN = Origin(device_id=DEVICE, device_name="desk", is_entitled=True, received_at_ms=0)
RECORDS_A_PART = 3


class Server:
    """One centre, one device's journal; nothing here is ever half done."""

    def __init__(self) -> None:
        self.log: list[Change] = []
        self.heads: list[Head] = [EMPTY]
        self.facts: list[StoredFact] = []
        self.entries: list[Entry] = []
        self.outcomes: list[EntryOutcome] = []

    @property
    def journal_head(self) -> JournalHead:
        return head_after(self.entries[-1]) if self.entries else journal_genesis(DEVICE, INCARNATION)

    def perform(self, effect: do.ServerEffect) -> on.ServerEvent | None:
        match effect:
            case do.LoadDevice(epoch=epoch, version=version, hash=hash_):
                known = epoch == EPOCH and version < len(self.heads) and self.heads[version].hash == hash_
                strange = on.Cursor.FOREIGN if epoch else on.Cursor.NONE
                stored = self.journal_head
                return on.DeviceLoaded(
                    stored_seq=stored.seq,
                    stored_hash=stored.hash,
                    head=self.heads[-1],
                    cursor=on.Cursor.OURS if known else strange,
                    server_wall_ms=0,
                )
            case do.StoreBatch(entries):
                return self.store(entries)
            case do.LoadPage(after):
                return self.page(after)
            case do.LoadSnapshot():
                return self.snapshot()
        return None

    def store(self, entries: tuple[Entry, ...]) -> on.BatchStored:
        stored = self.journal_head
        try:
            verdict = judge_run(stored, lambda seq: self.entries[seq - 1].hash, entries)
        except Hole:
            return on.BatchStored(through_seq=stored.seq, hash=stored.hash, outcomes=())
        intake = Intake(
            center_id=CENTER,
            time_zone="UTC",
            head_version=len(self.log),
            known_children=[CHILD],
            stored=self.facts,
        )
        for entry in verdict.fresh:
            decision = intake.decide(entry, ORIGIN)
            self.entries.append(entry)
            self.outcomes.append(decision.outcome)
            if decision.draft and decision.fact:
                head, (row,) = number(self.heads[-1], [decision.draft], [salt()])
                self.log.append(row.change)
                self.heads.append(head)
                self.facts.append(StoredFact(decision.fact, row.change.version))
        last = entries[-1]
        answered = tuple(self.outcomes[entry.seq - 1] for entry in entries)
        return on.BatchStored(through_seq=last.seq, hash=last.hash, outcomes=answered)

    def page(self, after: int) -> on.PageLoaded:
        changes = cut_page(self.log[after:])
        to, head = after + len(changes), self.heads[-1].version
        page = Page(
            epoch=EPOCH,
            after_version=after,
            to_version=to,
            to_hash=self.heads[to].hash,
            head_version=head,
            changes=changes,
        )
        return on.PageLoaded(epoch=EPOCH, after_version=after, to_version=to, head_version=head, frame=encode(page))

    def snapshot(self) -> on.SnapshotLoaded:
        records = [
            SnapshotRecord(each.bucket, each.entity, each.entity_id, each.version, each.body, each.salt)
            for each in self.log
        ]
        cuts = range(0, max(1, len(records)), RECORDS_A_PART)
        head = self.heads[-1]
        parts = [
            SnapshotPart(
                epoch=EPOCH,
                version=head.version,
                hash=head.hash,
                part=index,
                parts=len(cuts),
                records=tuple(records[start : start + RECORDS_A_PART]),
            )
            for index, start in enumerate(cuts, start=1)
        ]
        return on.SnapshotLoaded(head=head, frames=tuple(encode(part) for part in parts))


class Kiosk:
    """One replica and one journal."""

    def __init__(self) -> None:
        self.head = Head("", 0, bytes(32))
        self.records: dict[str, bytes] = {}
        self.staged: dict[str, bytes] = {}
        self.entries: list[Entry] = []
        self.outcomes: dict[int, EntryOutcome] = {}

    def record(self, *numbers: int) -> None:
        head = head_after(self.entries[-1]) if self.entries else journal_genesis(DEVICE, INCARNATION)
        self.entries += entries_after(head, [event(n, minute=n * 30) for n in numbers])

    @property
    def queue_depth(self) -> int:
        return len(self.entries) - len(self.outcomes)

    def perform(self, effect: do.DeviceEffect) -> on.DeviceEvent | None:
        match effect:
            case do.ReadProgress():
                end = head_after(self.entries[-1]) if self.entries else journal_genesis(DEVICE, INCARNATION)
                return on.ProgressRead(
                    journal=on.JournalStanding(
                        incarnation=INCARNATION, seq=end.seq, hash=end.hash, settled_seq=len(self.outcomes)
                    ),
                    epoch=self.head.epoch,
                    version=self.head.version,
                    hash=self.head.hash,
                    queue_depth=self.queue_depth,
                    wall_ms=0,
                )
            case do.ReadEntries(_, after_seq, entries_max):
                return on.EntriesRead(tuple(self.entries[after_seq : after_seq + entries_max]))
            case do.StoreOutcomes(_, stored):
                for outcome in stored.outcomes:
                    assert self.outcomes.setdefault(outcome.seq, outcome) == outcome
                return on.OutcomesStored(stored.through_seq, self.queue_depth)
            case do.ReopenEntries(which, after_seq):
                self.outcomes = {seq: outcome for seq, outcome in self.outcomes.items() if seq <= after_seq}
                return on.EntriesReopened(which, after_seq, self.queue_depth)
            case do.StorePage(page):
                self.head = check_changes(self.head, page.changes)
                assert self.head.hash == page.to_hash
                self.records |= {change.entity_id: change.body for change in page.changes}
                return on.PageStored(self.head)
            case do.StoreSnapshotPart(part):
                self.staged |= {each.entity_id: each.body for each in part.records}
                if part.part == part.parts:
                    self.records, self.staged = self.staged, {}
                    self.head = Head(part.epoch, part.version, part.hash)
                return on.SnapshotPartStored(part.part)
        return None


class Link:
    """Both sessions, and what is under way between them; each `step` delivers one thing."""

    def __init__(self, server: Server, kiosk: Kiosk) -> None:
        self.server, self.kiosk = server, kiosk
        self.hall = ServerSession(now_ms=0)
        self.desk = DeviceSession(app_version="1", schema_version=1, now_ms=0)
        self.to_hall: deque[on.ServerEvent] = deque([on.LinkOpened()])
        self.to_desk: deque[on.DeviceEvent] = deque([on.LinkOpened()])
        self.phase: do.NotePhase | None = None

    @property
    def is_quiet(self) -> bool:
        return not self.to_hall and not self.to_desk

    def run(self, steps: int = 10_000) -> None:
        while not self.is_quiet and steps:
            self.step(at_hall=bool(self.to_hall))
            steps -= 1
        assert self.is_quiet
        assert not self.hall.is_closed
        assert not self.desk.is_closed

    def step(self, *, at_hall: bool) -> None:
        if at_hall and self.to_hall:
            for effect in self.hall.handle(self.to_hall.popleft(), 0):
                self._at_hall(effect)
        elif self.to_desk:
            for each in self.desk.handle(self.to_desk.popleft(), 0):
                self._at_desk(each)

    def _at_hall(self, effect: do.ServerEffect) -> None:
        version = len(self.server.log)
        if isinstance(effect, do.SendFrame):
            self.to_desk.append(on.FrameReceived(effect.frame))
        elif (result := self.server.perform(effect)) is not None:
            self.to_hall.append(result)
        if len(self.server.log) > version:
            self.to_hall.append(on.HeadMoved(EPOCH, len(self.server.log)))

    def _at_desk(self, effect: do.DeviceEffect) -> None:
        if isinstance(effect, do.SendFrame):
            self.to_hall.append(on.FrameReceived(effect.frame))
        elif isinstance(effect, do.NotePhase):
            self.phase = effect
        elif (result := self.kiosk.perform(effect)) is not None:
            self.to_desk.append(result)


def assert_equal(server: Server, kiosk: Kiosk) -> None:
    assert kiosk.head == server.heads[-1]
    assert kiosk.records == {change.entity_id: change.body for change in server.log}
    assert server.entries == kiosk.entries
    assert list(kiosk.outcomes.values()) == server.outcomes


def test_what_a_desk_recorded_comes_back_to_it_as_the_centres_own_log() -> None:
    server, kiosk = Server(), Kiosk()
    kiosk.record(*range(1, 80))
    link = Link(server, kiosk)
    link.run()
    assert_equal(server, kiosk)
    assert link.phase is not None
    assert link.phase.is_current


def test_an_entry_that_is_recorded_while_the_link_is_up_is_sent_at_once() -> None:
    server, kiosk = Server(), Kiosk()
    link = Link(server, kiosk)
    link.run()
    kiosk.record(1)
    link.to_desk.append(on.EntryRecorded(1, INCARNATION))
    link.run()
    assert_equal(server, kiosk)


def test_a_new_desk_gets_a_snapshot_of_many_parts_and_then_follows() -> None:
    server, first, second = Server(), Kiosk(), Kiosk()
    first.record(*range(1, 40))
    Link(server, first).run()
    second.entries, second.outcomes = list(first.entries), dict(first.outcomes)
    link = Link(server, second)
    link.run()
    assert_equal(server, second)
    second.record(40)
    link.to_desk.append(on.EntryRecorded(40, INCARNATION))
    link.run()
    assert_equal(server, second)


def test_a_desk_that_comes_back_up_to_date_is_sent_nothing() -> None:
    server, kiosk = Server(), Kiosk()
    kiosk.record(1, 2)
    Link(server, kiosk).run()
    before = msgspec.structs.asdict(kiosk.head)
    link = Link(server, kiosk)
    link.run()
    assert msgspec.structs.asdict(kiosk.head) == before
    assert link.phase == do.NotePhase(is_current=True, head_version=2)


@pytest.mark.parametrize("kept", [0, 1, 7])
def test_a_server_that_was_restored_from_a_backup_is_healed_by_its_desk(kept: int) -> None:
    server, kiosk = Server(), Kiosk()
    kiosk.record(*range(1, 11))
    Link(server, kiosk).run()
    server.entries, server.outcomes = server.entries[:kept], server.outcomes[:kept]
    server.log, server.facts, server.heads = server.log[:kept], server.facts[:kept], server.heads[: kept + 1]
    Link(server, kiosk).run()
    assert server.entries == kiosk.entries
    assert kiosk.head == server.heads[-1]


@given(st.lists(st.tuples(st.booleans(), st.lists(st.booleans(), max_size=60)), max_size=6))
def test_links_that_break_anywhere_lose_nothing_and_repeat_nothing(told: list[tuple[bool, list[bool]]]) -> None:
    server, kiosk = Server(), Kiosk()
    recorded = 0
    for records, steps in told:
        if records:
            kiosk.record(recorded + 1, recorded + 2)
            recorded += 2
        link = Link(server, kiosk)
        for at_hall in steps:
            link.step(at_hall=at_hall)
    link = Link(server, kiosk)
    link.run()
    assert_equal(server, kiosk)
    assert [entry.seq for entry in server.entries] == list(range(1, recorded + 1))
