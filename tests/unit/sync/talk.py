"""Short ways to tell a session what happened and to read what it asks for."""

from collections.abc import Iterable, Sequence
from typing import TypeVar

import msgspec

from sync import effects as do
from sync import events as on
from sync.change_log import Head
from sync.codec import decode_from_device, decode_from_server, encode
from sync.device_session import DeviceSession
from sync.errors import CloseCode
from sync.events import Cursor
from sync.journal import Entry, EntryOutcome, Outcome
from sync.limits import PROTOCOL_VERSION
from sync.messages import DeviceMessage, Heartbeat, Hello, Page, Plan, PushStored, ServerMessage, SnapshotPart, Welcome
from sync.server_session import ServerSession
from tests.unit.sync.builders import EPOCH, INCARNATION, change_draft, journal_of, log_of

START_MS = 1_000_000
HEAD_VERSION = 10
T = TypeVar("T")
StructT = TypeVar("StructT", bound=msgspec.Struct)


def only(kind: type[T], effects: Sequence[object]) -> T:
    (found,) = (effect for effect in effects if isinstance(effect, kind))
    return found


def close_code(effects: Sequence[object]) -> CloseCode:
    assert isinstance(effects[-1], do.CloseLink), effects
    return effects[-1].code


def outcomes_of(entries: Iterable[Entry]) -> tuple[EntryOutcome, ...]:
    return tuple(EntryOutcome(entry.seq, entry.event_id, Outcome.APPLIED, version=1) for entry in entries)


def stored(entries: Sequence[Entry]) -> PushStored:
    return PushStored(through_seq=entries[-1].seq, hash=entries[-1].hash, outcomes=outcomes_of(entries))


def page(after: int, to: int, *, head: int | None = None, epoch: str = EPOCH) -> Page:
    rows = log_of(change_draft(n) for n in range(to))[2]
    return Page(
        epoch=epoch,
        after_version=after,
        to_version=to,
        to_hash=rows[-1].hash,
        head_version=to if head is None else head,
        changes=tuple(row.change for row in rows[after:]),
    )


def part(number: int, of: int, *, version: int = HEAD_VERSION) -> SnapshotPart:
    return SnapshotPart(epoch=EPOCH, version=version, hash=bytes(32), part=number, parts=of, records=())


def standing(seq: int, *, settled_seq: int | None = None, incarnation: str = INCARNATION) -> on.JournalStanding:
    """A journal that ends at `seq` with a hash of zeros."""
    settled = seq if settled_seq is None else settled_seq
    return on.JournalStanding(incarnation=incarnation, seq=seq, hash=bytes(32), settled_seq=settled)


def recorded(seq: int, incarnation: str = INCARNATION) -> on.EntryRecorded:
    return on.EntryRecorded(seq, incarnation)


class Desk:
    """A device session with a hand on its clock."""

    def __init__(self, *, journal_seq: int = 0, version: int = HEAD_VERSION, settled_seq: int | None = None) -> None:
        """Begin with so many entries in the journal, of which `settled_seq` have their outcome (None: all)."""
        self.now_ms = START_MS
        settled = journal_seq if settled_seq is None else settled_seq
        self.progress = on.ProgressRead(
            journal=standing(journal_seq, settled_seq=settled),
            epoch=EPOCH,
            version=version,
            hash=bytes(32),
            queue_depth=journal_seq - settled,
            wall_ms=5_000,
        )
        self.session = DeviceSession(app_version="1.0", schema_version=3, now_ms=START_MS)

    def on(self, event: on.DeviceEvent) -> Sequence[do.DeviceEffect]:
        return self.session.handle(event, self.now_ms)

    def hears(self, message: ServerMessage) -> Sequence[do.DeviceEffect]:
        return self.on(on.FrameReceived(encode(message)))

    def at(self, after_ms: int) -> Sequence[do.DeviceEffect]:
        self.now_ms = START_MS + after_ms
        return self.on(on.TimerFired())

    def greets(self) -> Hello:
        assert self.on(on.LinkOpened()) == (do.ReadProgress(),)
        (hello,) = said_by_device(self.on(self.progress))
        assert isinstance(hello, Hello)
        return hello

    def is_welcomed(
        self, plan: Plan = Plan.UP_TO_DATE, *, stored_seq: int = 0, head: int = HEAD_VERSION, push_max: int = 500
    ) -> Sequence[do.DeviceEffect]:
        self.greets()
        return self.hears(welcome(plan, stored_seq=stored_seq, head=head, push_max=push_max))

    def reopens(self) -> Sequence[do.DeviceEffect]:
        """The store takes back what the server lost."""
        depth = self.progress.journal.seq
        return self.on(on.EntriesReopened(INCARNATION, 0, queue_depth=depth))


def pushing(count: int = 5) -> Desk:
    """A desk whose push of so many entries waits for its acknowledgement."""
    desk = Desk(journal_seq=count, settled_seq=0)
    desk.is_welcomed()
    desk.on(on.EntriesRead(journal_of(count)))
    return desk


def welcome(
    plan: Plan = Plan.UP_TO_DATE, *, stored_seq: int = 0, head: int = HEAD_VERSION, push_max: int = 500
) -> Welcome:
    return Welcome(
        protocol=PROTOCOL_VERSION,
        epoch=EPOCH,
        head_version=head,
        plan=plan,
        stored_seq=stored_seq,
        stored_hash=bytes(32),
        heartbeat_interval_ms=5_000,
        push_entries_max=push_max,
        server_wall_ms=9_000,
        echo_monotonic_ms=START_MS,
    )


class Hall:
    """A server session with a hand on its clock."""

    def __init__(self, *, version: int = HEAD_VERSION, protocol: tuple[int, int] = (1, PROTOCOL_VERSION)) -> None:
        self.now_ms = START_MS
        self.hello = Hello(
            protocol_min=protocol[0],
            protocol_max=protocol[1],
            app_version="1.0",
            schema_version=3,
            incarnation=INCARNATION,
            epoch=EPOCH,
            version=version,
            hash=bytes(32),
            journal_seq=0,
            journal_hash=bytes(32),
            queue_depth=0,
            wall_ms=5_000,
            monotonic_ms=77,
        )
        self.session = ServerSession(now_ms=START_MS)

    def on(self, event: on.ServerEvent) -> Sequence[do.ServerEffect]:
        return self.session.handle(event, self.now_ms)

    def hears(self, message: DeviceMessage) -> Sequence[do.ServerEffect]:
        return self.on(on.FrameReceived(encode(message)))

    def at(self, after_ms: int) -> Sequence[do.ServerEffect]:
        self.now_ms = START_MS + after_ms
        return self.on(on.TimerFired())

    def is_greeted(
        self, *, head: int = HEAD_VERSION, cursor: Cursor = Cursor.OURS, stored_seq: int = 0
    ) -> Sequence[do.ServerEffect]:
        self.on(on.LinkOpened())
        assert isinstance(only(do.LoadDevice, self.hears(self.hello)), do.LoadDevice)
        return self.on(loaded(head=head, cursor=cursor, stored_seq=stored_seq))


def loaded(*, head: int = HEAD_VERSION, cursor: Cursor = Cursor.OURS, stored_seq: int = 0) -> on.DeviceLoaded:
    return on.DeviceLoaded(
        stored_seq=stored_seq,
        stored_hash=bytes(32),
        head=Head(EPOCH, head, bytes(32)),
        cursor=cursor,
        server_wall_ms=9_000,
    )


def server_heartbeat(version: int, hall: Hall) -> Heartbeat:
    """With the server's own clock, and no echo: the device has sent no sample yet."""
    return Heartbeat(version=version, wall_ms=9_000 + hall.now_ms - START_MS)


def in_snapshot(parts: int) -> tuple[Hall, list[bytes]]:
    """A hall that was just given a snapshot of so many parts, and what it sent of it."""
    hall = Hall(version=0)
    hall.is_greeted()
    snapshot = on.SnapshotLoaded(
        head=Head(EPOCH, HEAD_VERSION, bytes(32)), frames=tuple(f"part {n}".encode() for n in range(1, parts + 1))
    )
    return hall, frames(hall.on(snapshot))


def page_loaded(after: int, to: int, *, head: int | None = None, epoch: str = EPOCH) -> on.PageLoaded:
    return on.PageLoaded(
        epoch=epoch,
        after_version=after,
        to_version=to,
        head_version=to if head is None else head,
        frame=f"page {after}-{to}".encode(),
    )


def said_by_device(effects: Sequence[object]) -> list[DeviceMessage]:
    return [decode_from_device(effect.frame) for effect in effects if isinstance(effect, do.SendFrame)]


def said_by_server(effects: Sequence[object]) -> list[ServerMessage]:
    return [decode_from_server(effect.frame) for effect in effects if isinstance(effect, do.SendFrame)]


def frames(effects: Sequence[object]) -> list[bytes]:
    return [effect.frame for effect in effects if isinstance(effect, do.SendFrame)]


def with_fields(message: StructT, **changes: object) -> StructT:
    return msgspec.structs.replace(message, **changes)
