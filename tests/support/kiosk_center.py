"""One centre in memory, kept by the shared core: its change log, its devices' journals, snapshot and pages."""

import time
import uuid
from dataclasses import dataclass, field
from typing import Any

import msgspec

from sync import effects as do
from sync import events as on
from sync.change_log import (
    Change,
    ChangeDraft,
    Head,
    Operation,
    check_changes,
    cut_page,
    genesis,
    next_hash,
    number,
)
from sync.digest import Held, sums, wire_digests
from sync.driver import Driver
from sync.errors import CloseCode
from sync.intake import Intake, Origin, StoredFact, fact_of_record
from sync.journal import Entry, EntryOutcome, Fork, Hole, JournalHead, head_after, judge_run
from sync.journal import genesis as journal_genesis
from sync.messages import BucketDigest, JournalPosition, Page, SnapshotPart, SnapshotRecord
from sync.records import (
    RECORD_TYPES,
    REFERENCE_BUCKET,
    AdultRecord,
    AlertRecord,
    CenterRecord,
    ChildRecord,
    Entity,
    EventRecord,
    PickupRecord,
    RoomRecord,
    encode_record,
)

CENTER_ID = "018f0000-0000-7000-8000-00000000c0de"
ROOM_ID = "018f0000-0000-7000-8000-000000000001"
ADA = "018f0000-0000-7000-8000-00000000000a"
BEN = "018f0000-0000-7000-8000-00000000000b"
ZOE = "018f0000-0000-7000-8000-00000000000c"
TWIN = "018f0000-0000-7000-8000-00000000000d"
MOTHER = "018f0000-0000-7000-8000-0000000000a1"
BLOCKED = "018f0000-0000-7000-8000-0000000000a2"


@dataclass
class Journal:
    """What the server keeps of one device's journal."""

    head: JournalHead
    entries: list[Entry] = field(default_factory=list)
    outcomes: list[EntryOutcome] = field(default_factory=list)


class FakeCenter:
    """The centre; whoever follows it is in `drivers` and hears of every change."""

    def __init__(self, center_id: str = CENTER_ID) -> None:
        self.center_id = center_id
        self.head = genesis(center_id, str(uuid.UUID(int=7, version=4)))
        self.changes: list[Change] = []
        self.journals: dict[tuple[str, str], Journal] = {}
        self.clock_offset_ms = 0
        self.part_records = 3
        self.lease_ms = 0
        self.revoked: set[str] = set()
        self.drivers: list[Driver[do.ServerEffect]] = []

    @property
    def clock_ms(self) -> int:
        return time.time_ns() // 1_000_000 + self.clock_offset_ms

    def put(self, entity: Entity, entity_id: str, record: Any, bucket: str = REFERENCE_BUCKET) -> None:
        self._append([_draft(Operation.PUT, entity, entity_id, bucket, encode_record(record))])

    def remove(self, entity: Entity, entity_id: str) -> None:
        """Take a reference record away."""
        self._append([_draft(Operation.REMOVE, entity, entity_id, REFERENCE_BUCKET, b"")])

    def _append(self, drafts: list[ChangeDraft]) -> None:
        salts = (len(self.changes).to_bytes(16, "big") for _ in drafts)
        self.head, rows = number(self.head, drafts, salts)
        self.changes.extend(row.change for row in rows)
        for driver in self.drivers:
            driver.deliver(on.HeadMoved(self.head.epoch, self.head.version))

    def fill(self) -> None:
        """A centre with four children, one room, and two adults of whom one must not collect."""
        self.put(Entity.CENTER, self.center_id, CenterRecord(code="OAK", name="Oak House", time_zone="Europe/Paris"))
        self.put(Entity.ROOM, ROOM_ID, RoomRecord(name="Foxes", capacity=10))
        nuts = AlertRecord(kind="allergy", severity="critical", text="Nuts")
        self.child(ADA, "Ada", "Abel", alerts=(nuts,))
        self.child(BEN, "Benjamin", "Brook", preferred_name="Ben")
        self.child(ZOE, "Zoé", "Żółć")
        self.child(TWIN, "Ada", "Abel")
        self.put(Entity.ADULT, MOTHER, AdultRecord(given_name="Mia", family_name="Brook", phone="1"))
        self.put(Entity.ADULT, BLOCKED, AdultRecord(given_name="Max", family_name="Brook"))
        for adult_id, status in ((MOTHER, "authorised"), (BLOCKED, "not_authorised")):
            record = PickupRecord(child_id=BEN, adult_id=adult_id, status=status, relationship="parent")
            self.put(Entity.PICKUP, f"{adult_id[:-4]}{status[:3].encode().hex()[:4]}", record)

    def child(self, child_id: str, given: str, family: str, **more: Any) -> None:
        record = ChildRecord(given_name=given, family_name=family, home_room_id=ROOM_ID, **more)
        self.put(Entity.CHILD, child_id, record)

    def begin_anew_without(self, *entity_ids: str) -> None:
        """A new life of the log, as after a restored backup, in which some records never were."""
        kept = [change for change in self.changes if change.entity_id not in entity_ids]
        self.changes = []
        self.head = genesis(self.center_id, str(uuid.UUID(int=8, version=4)))
        for change in kept:
            record = msgspec.json.decode(change.body, type=RECORD_TYPES[Entity(change.entity)])
            self.put(Entity(change.entity), change.entity_id, record, change.bucket)

    def forget_journals(self, *, after_seq: int) -> None:
        """Restore the journals from an older backup, in which none was longer than this."""
        for (device_id, incarnation), journal in self.journals.items():
            kept = journal.entries[:after_seq]
            head = head_after(kept[-1]) if kept else journal_genesis(device_id, incarnation)
            self.journals[(device_id, incarnation)] = Journal(head, kept, journal.outcomes[:after_seq])

    def live_records(self) -> dict[tuple[str, str], Change]:
        live: dict[tuple[str, str], Change] = {}
        for change in self.changes:
            if change.operation is Operation.PUT:
                live[(change.entity, change.entity_id)] = change
            else:
                live.pop((change.entity, change.entity_id), None)
        return live

    def snapshot(self) -> tuple[SnapshotPart, ...]:
        records = [
            SnapshotRecord(c.bucket, c.entity, c.entity_id, c.version, c.body, c.salt, c.commitment)
            for c in self.live_records().values()
        ]
        size = self.part_records
        slices = [tuple(records[at : at + size]) for at in range(0, len(records), size)] or [()]
        return tuple(
            SnapshotPart(
                epoch=self.head.epoch,
                version=self.head.version,
                hash=self.head.hash,
                part=part,
                parts=len(slices),
                records=piece,
                digests=self.digests() if part == len(slices) else (),
            )
            for part, piece in enumerate(slices, start=1)
        )

    def digests(self) -> tuple[BucketDigest, ...]:
        live = self.live_records().values()
        return wire_digests(sums(Held(c.bucket, c.entity, c.entity_id, c.version, c.commitment) for c in live))

    def page(self, after_version: int) -> Page:
        changes = cut_page(self.changes[after_version:])
        head = Head(self.head.epoch, after_version, self.hash_at(after_version))
        end = check_changes(head, changes)
        return Page(
            epoch=self.head.epoch,
            after_version=after_version,
            to_version=end.version,
            to_hash=end.hash,
            head_version=self.head.version,
            changes=changes,
        )

    def hash_at(self, version: int) -> bytes:
        digest = genesis(self.center_id, self.head.epoch).hash
        for change in self.changes[:version]:
            digest = next_hash(digest, change)
        return digest

    def events(self) -> list[EventRecord]:
        return [
            msgspec.json.decode(change.body, type=EventRecord)
            for change in self.changes
            if change.entity == Entity.EVENT
        ]

    def journal(self, device_id: str, incarnation: str) -> Journal:
        key = (device_id, incarnation)
        if key not in self.journals:
            self.journals[key] = Journal(journal_genesis(device_id, incarnation))
        return self.journals[key]

    def position(self, device_id: str, incarnation: str) -> JournalPosition:
        head = self.journal(device_id, incarnation).head
        return JournalPosition(incarnation, head.seq, head.hash)

    def store_batch(self, device_id: str, entries: tuple[Entry, ...]) -> on.BatchStored | on.BatchRefused:
        journal = self.journal(device_id, entries[0].incarnation)
        hashes = {entry.seq: entry.hash for entry in journal.entries}
        try:
            verdict = judge_run(journal.head, hashes.get, entries)
        except Hole:
            return on.BatchStored(through_seq=journal.head.seq, hash=journal.head.hash, outcomes=())
        except Fork:
            return on.BatchRefused(CloseCode.FORK, "another entry is stored")
        intake = Intake(
            center_id=self.center_id,
            time_zone="Europe/Paris",
            head_version=self.head.version,
            known_children=[key[1] for key in self.live_records() if key[0] == Entity.CHILD],
            stored=[StoredFact(fact_of_record(record), 0) for record in self.events()],
        )
        origin = Origin(
            device_id=device_id,
            device_name="Desk",
            is_entitled=device_id not in self.revoked,
            received_at_ms=self.clock_ms,
        )
        for entry in verdict.fresh:
            decision = intake.decide(entry, origin)
            journal.entries.append(entry)
            journal.outcomes.append(decision.outcome)
            journal.head = head_after(entry)
            if decision.draft is not None:
                self._append([decision.draft])
        last = entries[-1]
        outcomes = tuple(journal.outcomes[entry.seq - 1] for entry in entries)
        return on.BatchStored(through_seq=last.seq, hash=last.hash, outcomes=outcomes)


def _draft(operation: Operation, entity: Entity, entity_id: str, bucket: str, body: bytes) -> ChangeDraft:
    return ChangeDraft(
        bucket=bucket, entity=entity, entity_id=entity_id, operation=operation, body=body, ends_unit=True
    )
