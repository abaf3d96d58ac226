"""What a server store is tested with: the protocols it is given in, desks that write journals, and readers."""

import hashlib
import itertools
import os
import uuid
from collections.abc import Sequence
from typing import Protocol

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from server.services.journal_intake import DeviceKey
from sync.attendance import AttendanceEvent, EventKind, encode_event
from sync.change_log import Change, Head, commitment_of
from sync.codec import decode_from_server
from sync.digest import Held, sums
from sync.effects import LoadBucket, LoadDevice, LoadPage, LoadSnapshot, RecordApplied
from sync.events import BatchRefused, BatchStored, BucketLoaded, DeviceLoaded, PageLoaded, SnapshotLoaded
from sync.incidents import DeviceIncident
from sync.journal import Draft, Entry, JournalHead, Outcome, ParkReason, genesis, head_after, seal
from sync.limits import BUCKETS_MAX
from sync.messages import BucketDigest, JournalPosition, Page, SnapshotPart, SnapshotRecord, StagedSnapshot
from sync.records import RoomRecord

NOW_MS = 1_790_000_000_000
MINUTE_MS = 60_000
# The same evening: what desks wrote down in the seven hours before is no time in the future.
STORE_NOW_MS = NOW_MS + 7 * 60 * MINUTE_MS

Row = tuple[str, str, str, int, bytes]
"""Bucket, entity, id, version and body of a record that stands."""


class Store(Protocol):
    """What a session's performer calls."""

    async def load_device(self, device: DeviceKey, effect: LoadDevice) -> DeviceLoaded: ...
    async def store_batch(self, device: DeviceKey, entries: Sequence[Entry]) -> BatchStored | BatchRefused: ...
    async def load_page(self, device: DeviceKey, effect: LoadPage) -> PageLoaded: ...
    async def load_snapshot(self, device: DeviceKey, effect: LoadSnapshot) -> SnapshotLoaded: ...
    async def load_bucket(self, device: DeviceKey, effect: LoadBucket) -> BucketLoaded: ...
    def record_applied(self, device: DeviceKey, effect: RecordApplied) -> None: ...


class World(Protocol):
    """A store, and what a test needs around it; the store's clock stands at `STORE_NOW_MS`."""

    @property
    def store(self) -> Store: ...

    async def make_center(self) -> str:
        """A centre in Europe/Berlin whose log has not begun."""

    async def make_child(self, center_id: str) -> str:
        """A child of that centre, of which nothing is in the log."""

    async def make_device(self, center_id: str, public_key: bytes) -> DeviceKey:
        """An active device of that centre with this raw Ed25519 key."""

    async def revoke(self, device: DeviceKey) -> None:
        """Make the device revoked."""

    async def put_together(self, center_id: str, rooms: Sequence[tuple[str, RoomRecord]]) -> None:
        """Put rooms into the log as one unit, as the server does in one transaction."""

    async def remove_room(self, center_id: str, room_id: str) -> None:
        """Remove a room from the log, in a transaction of its own."""

    async def rows(self, center_id: str) -> set[Row]:
        """Every record that stands, as the store's own books have it."""

    async def incidents(self, center_id: str) -> dict[str, tuple[str, DeviceIncident]]:
        """What devices told of themselves, by id: the device and what it said."""

    async def begin_epoch(self, center_id: str) -> None:
        """Begin another life of the log, as a restore does, where nothing was lost."""


_numbers = itertools.count(1)


def new_id() -> str:
    """An id that no other test has, in canonical form."""
    digest = hashlib.sha256(f"{os.getpid()} {next(_numbers)}".encode()).digest()
    return str(uuid.UUID(bytes=digest[:16], version=4))


class Desk:
    """A device with its key and its journal, which grows by `write`."""

    def __init__(self, key: DeviceKey, private_key: Ed25519PrivateKey, incarnation: str = "") -> None:
        self.key = key
        self.private_key = private_key
        self.incarnation = incarnation or new_id()
        self.head: JournalHead = genesis(key.device_id, self.incarnation)

    def check_in(self, child_id: str, *, minute: int = 0, event_id: str = "", **changes: object) -> Entry:
        """Write down that a child came."""
        return self.record(child_id, EventKind.CHECK_IN, minute=minute, event_id=event_id, **changes)

    def check_out(self, child_id: str, *, minute: int = 0, event_id: str = "", **changes: object) -> Entry:
        """Write down that a child left."""
        return self.record(child_id, EventKind.CHECK_OUT, minute=minute, event_id=event_id, **changes)

    def event(self, child_id: str, kind: EventKind, *, minute: int = 0, **changes: object) -> Entry:
        """Write an event of any kind down; `changes` say what goes with it."""
        return self.record(child_id, kind, minute=minute, event_id="", **changes)

    def record(self, child_id: str, kind: EventKind, *, minute: int, event_id: str, **changes: object) -> Entry:
        """Write an event down; `changes` replace fields of it."""
        event = AttendanceEvent(
            event_id=event_id or new_id(),
            kind=kind,
            center_id=self.key.center_id,
            child_id=child_id,
            occurred_at_ms=NOW_MS + minute * MINUTE_MS,
            recorded_at_ms=NOW_MS + minute * MINUTE_MS,
        )
        event = msgspec.structs.replace(event, **changes)
        return self.write(event.event_id, kind.value, encode_event(event))

    def write(self, event_id: str, kind: str, body: bytes, *, boot_id: str = "boot", wall_ms: int = NOW_MS) -> Entry:
        """Write anything at all down, sealed and signed as a device does."""
        draft = Draft(
            event_id=event_id,
            kind=kind,
            body=body,
            hlc=self.head.seq + 1,
            wall_ms=wall_ms,
            monotonic_ms=1,
            boot_id=boot_id,
            base_epoch="",
            base_version=0,
        )
        entry = seal(self.head, draft, self.private_key.sign)
        self.head = head_after(entry)
        return entry


async def make_desk(world: World, center_id: str, private_key: Ed25519PrivateKey | None = None) -> Desk:
    """A new device of a centre with an empty journal."""
    private_key = private_key or Ed25519PrivateKey.generate()
    key = await world.make_device(center_id, private_key.public_key().public_bytes_raw())
    return Desk(key, private_key)


async def push(world: World, desk: Desk, *entries: Entry) -> BatchStored:
    """Push entries and expect them to be stored."""
    answer = await world.store.store_batch(desk.key, entries)
    assert isinstance(answer, BatchStored), answer
    return answer


async def refusal(world: World, desk: Desk, *entries: Entry) -> BatchRefused:
    """Push entries and expect them to be refused."""
    answer = await world.store.store_batch(desk.key, entries)
    assert isinstance(answer, BatchRefused), answer
    return answer


def hello_of(
    desk: Desk,
    head: Head | None = None,
    *,
    digests: Sequence[BucketDigest] = (),
    older: Sequence[JournalPosition] = (),
) -> LoadDevice:
    """What a Hello of this desk, with that cursor, asks of the store."""
    cursor = head or Head("", 0, b"")
    return LoadDevice(
        incarnation=desk.incarnation,
        epoch=cursor.epoch,
        version=cursor.version,
        hash=cursor.hash,
        journal_seq=desk.head.seq,
        journal_hash=desk.head.hash,
        older=tuple(older),
        digests=tuple(digests),
    )


async def greet(world: World, desk: Desk, head: Head | None = None) -> DeviceLoaded:
    """Load the device as for a Hello with that cursor."""
    return await world.store.load_device(desk.key, hello_of(desk, head))


async def head_of(world: World, desk: Desk) -> Head:
    """The head of the desk's centre."""
    return (await greet(world, desk)).head


async def changes_after(world: World, desk: Desk, version: int) -> tuple[Change, ...]:
    """All changes after a version, page by page."""
    found: list[Change] = []
    while (page := await read_page(world, desk, version)) is not None:
        found += page.changes
        version = page.to_version
    return tuple(found)


async def read_page(
    world: World, desk: Desk, after_version: int, up_to_version: int = 0, *, all_digests: bool = False
) -> Page | None:
    """One page, checked against what is said of it; None when there is nothing to send."""
    wanted = LoadPage(after_version, up_to_version, all_digests=all_digests)
    loaded = await world.store.load_page(desk.key, wanted)
    assert loaded.after_version == after_version
    if loaded.to_version == after_version:
        return None
    page = decode_from_server(loaded.frame)
    assert isinstance(page, Page)
    assert (page.epoch, page.after_version, page.to_version) == (
        loaded.epoch,
        after_version,
        loaded.to_version,
    )
    assert page.changes[-1].version == page.to_version <= page.head_version
    return page


async def read_snapshot(world: World, desk: Desk) -> tuple[Head, tuple[SnapshotRecord, ...]]:
    """All records of a snapshot and its position, parts checked."""
    loaded = await world.store.load_snapshot(desk.key, LoadSnapshot())
    return loaded.head, records_of(loaded)


async def read_bucket(world: World, desk: Desk, bucket: str) -> tuple[Head, tuple[SnapshotRecord, ...]]:
    """All records of a bucket and their position, parts checked."""
    loaded = await world.store.load_bucket(desk.key, LoadBucket(bucket))
    return loaded.head, records_of(loaded, bucket)


def records_of(loaded: SnapshotLoaded | BucketLoaded, bucket: str = "") -> tuple[SnapshotRecord, ...]:
    """The records of all parts, which belong together and sum up to what the last one says."""
    parts = [decode_from_server(frame) for frame in loaded.frames]
    records: list[SnapshotRecord] = []
    digests: tuple[BucketDigest, ...] = ()
    for number, part in enumerate(parts, start=1):
        assert isinstance(part, SnapshotPart)
        assert (part.part, part.parts, part.bucket) == (number, len(parts), bucket)
        assert Head(part.epoch, part.version, part.hash) == loaded.head
        records += part.records
        assert not digests, "digests before the last part"
        digests = part.digests
    assert all(commitment_of(one.salt, one.body) == one.commitment for one in records)
    told, held = {one.bucket: one.digest for one in digests}, wire_sums(records, bucket)
    assert told.items() <= held.items()
    assert len(told) == min(len(held), BUCKETS_MAX)
    return tuple(records)


def wire_sums(records: Sequence[SnapshotRecord], bucket: str = "") -> dict[str, bytes]:
    """What these records sum up to by bucket; `bucket` is there even when it is empty."""
    held = [Held(one.bucket, one.entity, one.entity_id, one.version, one.commitment) for one in records]
    totals = ({bucket: 0} if bucket else {}) | sums(held)
    return {name: total.to_bytes(32, "big") for name, total in totals.items()}


async def staged_of(world: World, desk: Desk, part: int) -> StagedSnapshot:
    """What a desk that has staged so many parts of the snapshot at hand says of it."""
    loaded = await world.store.load_snapshot(desk.key, LoadSnapshot())
    return StagedSnapshot(loaded.head.epoch, loaded.head.version, part, len(loaded.frames))


def apply(rows: set[Row], changes: Sequence[Change]) -> set[Row]:
    """What a replica holds after changes."""
    held = {(entity, entity_id): (bucket, version, body) for bucket, entity, entity_id, version, body in rows}
    for change in changes:
        held.pop((change.entity, change.entity_id), None)
        if change.operation.name == "PUT":
            held[change.entity, change.entity_id] = (change.bucket, change.version, change.body)
    return {(bucket, *key, version, body) for key, (bucket, version, body) in held.items()}


def as_rows(records: Sequence[SnapshotRecord]) -> set[Row]:
    """Snapshot records as rows."""
    return {(r.bucket, r.entity, r.entity_id, r.version, r.body) for r in records}


def outcomes(answer: BatchStored) -> list[Outcome]:
    """What became of each entry."""
    return [outcome.outcome for outcome in answer.outcomes]


def park_reason(answer: BatchStored) -> ParkReason:
    """Why the only entry of a push is parked."""
    (outcome,) = answer.outcomes
    assert outcome.outcome is Outcome.PARKED
    assert outcome.version == 0
    return outcome.reason
