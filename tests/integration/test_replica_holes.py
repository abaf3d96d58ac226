"""What a damaged page left of an answered journal heals a restored server: all of it arrives, and nothing twice."""

from collections import Counter, deque
from pathlib import Path

import msgspec
import pytest

from kiosk.link.device_store import STORE_EFFECTS, perform_store
from kiosk.store.database import Database
from kiosk.store.opening import Opened
from kiosk.store.replica import Replica
from sync import effects as do
from sync import events as on
from sync.attendance import EventKind
from sync.device_session import DeviceSession
from sync.incidents import INCIDENT_KIND
from sync.journal import Entry
from sync.records import REFERENCE_BUCKET, ChildRecord, Entity, encode_record
from sync.server_session import ServerSession
from tests.simulation.model_store import CenterState, ModelServerStore, Reader
from tests.support.kiosk import CENTER_ID, CHILD_ID, DEVICE_ID, EPOCH, NOON_MS, append, draft_of, held, sign, uuid_of
from tests.support.replica_files import PAGE_BYTES, PEN, copy_files, opened

ENTRIES = 40
BACKED_UP = 10
READER = Reader(device_id=DEVICE_ID)
NEXT_EPOCH = "33333333-3333-4333-8333-333333333333"
NOTES = (do.NotePhase, do.KeepAdvice)


class Center:
    """A server of one centre with one child, its backups, and how a desk meets it."""

    def __init__(self) -> None:
        self.store = ModelServerStore(
            CENTER_ID,
            epoch=EPOCH,
            salt=bytes,
            wall_ms=lambda: NOON_MS,
            verify=lambda _device, digest, signature: sign(digest) == signature,
        )
        child = encode_record(ChildRecord(given_name="Ada", family_name="Abel"))
        self.store.write([draft_of(Entity.CHILD, CHILD_ID, child, REFERENCE_BUCKET)])
        self.backups: dict[int, CenterState] = {0: self.store.state}

    def back_up(self) -> None:
        self.backups[len(self.events)] = self.store.state

    @property
    def pushed(self) -> list[Entry]:
        return [line.entry for journal in self.store.state.journals.values() for line in journal]

    @property
    def events(self) -> Counter[str]:
        """How often each event took effect, by what stands in the log."""
        changes = (row.change for row in self.store.state.log)
        return Counter(change.entity_id for change in changes if change.entity == Entity.EVENT)

    def meet(self, replica: Replica) -> None:
        """One link from the first word until both have nothing more to say."""
        device = DeviceSession(app_version="1.0", schema_version=2, now_ms=0)
        server = ServerSession(now_ms=0)
        to_device: deque[on.DeviceEvent] = deque([on.LinkOpened()])
        to_server: deque[on.ServerEvent] = deque([on.LinkOpened()])
        while to_device or to_server:
            if to_device:
                for effect in device.handle(to_device.popleft(), 0):
                    self._device_does(effect, replica, to_device, to_server)
            else:
                for answer in server.handle(to_server.popleft(), 0):
                    self._server_does(answer, to_device, to_server)

    def _device_does(
        self,
        effect: do.DeviceEffect,
        replica: Replica,
        to_device: deque[on.DeviceEvent],
        to_server: deque[on.ServerEvent],
    ) -> None:
        if isinstance(effect, do.SendFrame):
            to_server.append(on.FrameReceived(effect.frame))
        elif isinstance(effect, STORE_EFFECTS):
            to_device.append(perform_store(effect, replica, wall_ms=NOON_MS, pen=PEN))
        else:
            assert isinstance(effect, NOTES), effect

    def _server_does(
        self, effect: do.ServerEffect, to_device: deque[on.DeviceEvent], to_server: deque[on.ServerEvent]
    ) -> None:
        if isinstance(effect, do.SendFrame):
            to_device.append(on.FrameReceived(effect.frame))
            return
        before = self.store.state.head.version
        event = self.store.perform(effect, READER)
        if event is not None:
            to_server.append(event)
        head = self.store.state.head
        if head.version != before:
            to_server.append(on.HeadMoved(head.epoch, head.version))


def lived(path: Path, center: Center) -> None:
    """A desk that told its server everything, in two links; a backup was made between them."""
    replica = opened(path).replica
    for first in range(1, ENTRIES, BACKED_UP):
        for number in range(first, first + BACKED_UP):
            append(replica, number)
        center.meet(replica)
        center.back_up()
    assert replica.journal.queue_depth() == 0
    replica.database.close_now()


def gaps(found: Opened) -> list[int]:
    """The numbers that are missing in the older journal."""
    journals = found.replica.journal.journals()
    kept = [entry.seq for journal in journals[:-1] for entry in found.replica.journal.kept(journal.incarnation, 0)]
    return sorted(set(range(1, max(kept, default=0))) - set(kept))


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Center]:
    """A replica of which one page with entries is lost, in the middle of them, and what the server knew."""
    folder = tmp_path_factory.mktemp("desk")
    center = Center()
    lived(folder / "replica.db", center)
    for page in range(1, (folder / "replica.db").stat().st_size // PAGE_BYTES):
        path = copy_files(folder / "replica.db", folder / str(page))
        with path.open("r+b") as file:
            file.seek(page * PAGE_BYTES)
            file.write(bytes(PAGE_BYTES))
        found = opened(copy_files(path, folder / f"{page}-tried"))
        missing = gaps(found)
        found.replica.database.close_now()
        if missing and missing[0] > BACKED_UP:
            print(f"page {page} of the file is lost, and with it entries {missing}")
            return path, center
    raise AssertionError("no page holds entries")


@pytest.mark.parametrize("epoch", [EPOCH, NEXT_EPOCH])
@pytest.mark.parametrize("backup", [0, BACKED_UP, ENTRIES - BACKED_UP, ENTRIES])
def test_all_that_was_saved_arrives_at_a_restored_server_and_nothing_twice(
    desk: tuple[Path, Center], tmp_path: Path, backup: int, epoch: str
) -> None:
    path, before = desk
    center = Center()
    center.store.restore(before.backups[backup], epoch)
    found = opened(copy_files(path, tmp_path / "copy"))
    replica = found.replica
    assert found.salvage is not None
    missing = {uuid_of(number) for number in gaps(found)}
    saved = {one.entry.event_id for one in found.salvage.saved.settled}
    assert len(saved) == ENTRIES - len(missing)

    center.meet(replica)

    everything = {uuid_of(number) for number in range(1, ENTRIES + 1)}
    known = {uuid_of(number) for number in range(1, backup + 1)} | (everything - missing)
    assert center.events == Counter(known)
    assert replica.journal.queue_depth() == 0
    assert {entity_id for entity, entity_id in held(replica) if entity == Entity.EVENT} == known
    incidents = [entry for entry in center.pushed if entry.kind == INCIDENT_KIND]
    assert len(incidents) == len({entry.event_id for entry in incidents})

    after = center.store.state
    center.meet(replica)
    assert msgspec.structs.replace(center.store.state, applied={}) == msgspec.structs.replace(after, applied={})
    replica.database.close_now()


def test_an_older_journal_with_a_hole_goes_on_in_the_current_one_behind_it(tmp_path: Path) -> None:
    """What stands before the hole is told under its own numbers, what stands behind it under new ones."""
    center = Center()
    replica = Replica(Database.in_memory())
    replica.prepare(device_id=DEVICE_ID, center_id=CENTER_ID, incarnation=PEN.new_id())
    older = replica.progress.read().incarnation
    for number in range(1, 10):
        append(replica, number)
    center.meet(replica)
    replica.incarnations.begin(older, PEN, wall_ms=NOON_MS)
    with replica.database.transaction():
        replica.database.execute("DELETE FROM journal WHERE incarnation = ? AND seq IN (4, 5)", (older,))
    center.store.restore(center.backups[0], NEXT_EPOCH)
    center.meet(replica)
    current = replica.progress.read().incarnation
    facts = [entry for entry in center.pushed if entry.kind == EventKind.CHECK_IN]
    before = [entry.event_id for entry in facts if entry.incarnation == older]
    behind = [entry.event_id for entry in facts if entry.incarnation == current]
    assert before == [uuid_of(number) for number in (1, 2, 3)]
    assert behind == [uuid_of(number) for number in (6, 7, 8, 9)]
    # Entries 4 and 5 are gone as entries; the desk had the facts in its records, and is their witness.
    assert center.events == Counter(uuid_of(number) for number in range(1, 10))
    assert replica.journal.queue_depth() == 0
