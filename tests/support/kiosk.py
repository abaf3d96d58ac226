"""Drafts, pages and replicas for the kiosk's tests."""

import itertools

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from kiosk.store.database import Database
from kiosk.store.pen import Pen
from kiosk.store.replica import Replica
from sync.attendance import AttendanceEvent, EventKind, encode_event
from sync.change_log import Change, ChangeDraft, Head, Operation, genesis, number
from sync.digest import Held, sums, wire_digests
from sync.journal import Draft, Entry
from sync.messages import BucketDigest, Page, SnapshotPart, SnapshotRecord
from sync.records import REFERENCE_BUCKET, ChildRecord, Entity, EventRecord, encode_record

DEVICE_ID = "018f0000-0000-7000-8000-0000000000d1"
OTHER_DEVICE_ID = "018f0000-0000-7000-8000-0000000000d2"
CENTER_ID = "018f0000-0000-7000-8000-00000000c0de"
CHILD_ID = "018f0000-0000-7000-8000-00000000000a"
INCARNATION = "11111111-1111-4111-8111-111111111111"
EPOCH = "22222222-2222-4222-8222-222222222222"
NOON_MS = 1_790_000_000_000
_KEY = Ed25519PrivateKey.from_private_bytes(bytes(32))


def sign(message: bytes) -> bytes:
    return _KEY.sign(message)


def uuid_of(number_: int) -> str:
    return f"018f0000-0000-7000-8000-{number_:012x}"


def new_pen(first: int = 1) -> Pen:
    """A pen of the test's device; its fresh ids are 5000...1, 5000...2 and so on."""
    numbers = itertools.count(first)
    return Pen(
        sign=sign,
        new_id=lambda: f"50000000-0000-4000-8000-{next(numbers):012x}",
        monotonic_ms=lambda: 1_000,
        boot_id="boot",
    )


def new_replica(database: Database | None = None) -> Replica:
    replica = Replica(database or Database.in_memory())
    replica.prepare(device_id=DEVICE_ID, center_id=CENTER_ID, incarnation=INCARNATION)
    return replica


def event_of(number_: int, child_id: str = CHILD_ID) -> AttendanceEvent:
    return AttendanceEvent(
        event_id=uuid_of(number_),
        kind=EventKind.CHECK_IN,
        center_id=CENTER_ID,
        child_id=child_id,
        occurred_at_ms=NOON_MS + number_,
        recorded_at_ms=NOON_MS + number_,
    )


def entry_draft(number_: int) -> Draft:
    event = event_of(number_)
    return Draft(
        event_id=event.event_id,
        kind=event.kind,
        body=encode_event(event),
        hlc=number_,
        wall_ms=NOON_MS + number_,
        monotonic_ms=number_,
        boot_id="boot",
        base_epoch="",
        base_version=0,
    )


def append(replica: Replica, number_: int) -> Entry:
    with replica.database.transaction():
        return replica.journal.append(lambda _: entry_draft(number_), sign, child_id=CHILD_ID)


class Log:
    """A centre's change log in memory, and pages of it."""

    def __init__(self) -> None:
        self.start = genesis(CENTER_ID, EPOCH)
        self.heads = [self.start]
        self.changes: list[Change] = []

    @property
    def head(self) -> Head:
        return self.heads[-1]

    def append(self, drafts: list[ChangeDraft]) -> None:
        salts = [bytes((len(self.changes) % 256,)) * 16] * len(drafts)
        for draft, salt in zip(drafts, salts, strict=True):
            head, rows = number(self.head, [draft], [salt])
            self.heads.append(head)
            self.changes.extend(row.change for row in rows)

    def put(self, entity: Entity, entity_id: str, record: msgspec.Struct, bucket: str = REFERENCE_BUCKET) -> None:
        self.append([draft_of(entity, entity_id, encode_record(record), bucket)])

    def remove(self, entity: Entity, entity_id: str, bucket: str = REFERENCE_BUCKET) -> None:
        self.append([draft_of(entity, entity_id, b"", bucket, Operation.REMOVE)])

    def put_child(self, number_: int, family_name: str = "Abel") -> None:
        record = ChildRecord(given_name="Ada", family_name=family_name)
        self.put(Entity.CHILD, uuid_of(number_), record)

    def put_event(self, number_: int, day: str = "2026-09-21", outcome: str = "applied") -> None:
        record = EventRecord(
            event=msgspec.Raw(encode_event(event_of(number_))),
            device_id=OTHER_DEVICE_ID,
            device_name="Back door",
            incarnation="x",
            seq=number_,
            hlc=number_,
            received_at_ms=NOON_MS,
            outcome=outcome,
        )
        self.put(Entity.EVENT, uuid_of(number_), record, f"day:{day}")

    def page(self, after: int, to: int | None = None) -> Page:
        end = self.heads[len(self.changes) if to is None else to]
        return Page(
            epoch=EPOCH,
            after_version=after,
            to_version=end.version,
            to_hash=end.hash,
            head_version=self.head.version,
            changes=tuple(self.changes[after : end.version]),
        )

    def live(self) -> dict[tuple[str, str], tuple[int, bytes]]:
        """What a replica must hold: (entity, id) to (version, body); a fold that shares no code with the store."""
        found: dict[tuple[str, str], tuple[int, bytes]] = {}
        for change in self.changes:
            found.pop((change.entity, change.entity_id), None)
            if change.operation is Operation.PUT:
                found[(change.entity, change.entity_id)] = (change.version, change.body)
        return found

    def standing(self) -> list[Change]:
        """The last change of each record that was not removed."""
        last: dict[tuple[str, str], Change] = {}
        for change in self.changes:
            last[(change.entity, change.entity_id)] = change
        return [change for change in last.values() if change.operation is Operation.PUT]

    def digests(self) -> tuple[BucketDigest, ...]:
        """Of every bucket, at the head."""
        held = (Held(c.bucket, c.entity, c.entity_id, c.version, c.commitment) for c in self.standing())
        return wire_digests(sums(held))

    def snapshot(self, records_a_part: int, bucket: str = "") -> list[SnapshotPart]:
        """All records at the head, or those of one bucket, as a server of protocol 2 sends them."""
        records = [
            SnapshotRecord(c.bucket, c.entity, c.entity_id, c.version, c.body, c.salt, c.commitment)
            for c in self.standing()
            if bucket in ("", c.bucket)
        ]
        digests = tuple(each for each in self.digests() if bucket in ("", each.bucket))
        pieces = [records[at : at + records_a_part] for at in range(0, max(len(records), 1), records_a_part)]
        return [
            SnapshotPart(
                epoch=EPOCH,
                version=self.head.version,
                hash=self.head.hash,
                part=part,
                parts=len(pieces),
                records=tuple(piece),
                bucket=bucket,
                digests=digests if part == len(pieces) else (),
            )
            for part, piece in enumerate(pieces, start=1)
        ]


def new_epoch(part: SnapshotPart, epoch: str) -> SnapshotPart:
    """The same part in another life of the log."""
    return msgspec.structs.replace(part, epoch=epoch)


def draft_of(
    entity: Entity, entity_id: str, body: bytes, bucket: str, operation: Operation = Operation.PUT
) -> ChangeDraft:
    return ChangeDraft(
        bucket=bucket, entity=entity, entity_id=entity_id, operation=operation, body=body, ends_unit=True
    )


def held(replica: Replica) -> dict[tuple[str, str], tuple[int, bytes]]:
    return {
        (record.entity, record.entity_id): (record.version, record.body.encode()) for record in replica.records.all()
    }
