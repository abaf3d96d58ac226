"""The server's store in memory: the behaviour of the PostgreSQL one, small enough to be read in one go.

Everything that is durable lives in `CenterState`, which is never changed in place: a transaction builds the next
state and puts it there with one assignment, so a crash before that loses all of it and a crash after it nothing.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import msgspec

from sync import effects as do
from sync import events as on
from sync.change_log import (
    CHANGE_OVERHEAD_BYTES,
    ChangeDraft,
    Head,
    Numbered,
    cut_page,
    genesis,
    number,
)
from sync.codec import encode
from sync.digest import sums, wire_digests
from sync.driver import StoreUnavailable
from sync.errors import BrokenChain, CloseCode
from sync.incidents import DeviceIncident
from sync.intake import Decision, Intake, Origin, StoredFact
from sync.journal import Entry, EntryOutcome, Fork, Hole, JournalHead, head_after, judge_run
from sync.journal import genesis as journal_genesis
from sync.limits import LEASE_MS, PAGE_CHANGES_MAX, PAYLOAD_BYTES_MAX, SNAPSHOT_PART_RECORDS_MAX
from sync.messages import BucketDigest, JournalPosition, Page, SnapshotPart, SnapshotRecord, StagedSnapshot
from sync.records import SNAPSHOT_PRIORITY, Entity
from tests.simulation.model_records import RecordKey, apply, held_of, move_total
from tests.simulation.reference import Reference

JournalKey = tuple[str, str]


class StoredEntry(msgspec.Struct, frozen=True):
    """An entry as it was pushed, with its first outcome."""

    entry: Entry
    outcome: EntryOutcome


class CenterState(msgspec.Struct, frozen=True, kw_only=True):
    """Everything durable of one centre."""

    head: Head
    log: tuple[Numbered, ...] = ()
    records: dict[RecordKey, SnapshotRecord] = {}
    totals: dict[str, int] = {}
    journals: dict[JournalKey, tuple[StoredEntry, ...]] = {}
    facts: tuple[StoredFact, ...] = ()
    incidents: dict[str, tuple[str, DeviceIncident]] = {}
    compacted_version: int = 0
    applied: dict[JournalKey, int] = {}


class Reader(msgspec.Struct, frozen=True, kw_only=True):
    """The device on whose behalf an effect is carried out."""

    device_id: str
    device_name: str = "desk"
    is_entitled: bool = True


def _no_crash(_point: str) -> None:
    """Nothing happens here outside the simulation of crashes."""


class ModelServerStore:
    """The store of one centre; `perform(effect, reader)` gives the event, or raises `StoreUnavailable`."""

    def __init__(
        self,
        center_id: str,
        *,
        epoch: str,
        salt: Callable[[int], bytes],
        wall_ms: Callable[[], int],
        verify: Callable[[str, bytes, bytes], bool],
        time_zone: str = "Europe/Berlin",
    ) -> None:
        self.center_id = center_id
        self.state = CenterState(head=genesis(center_id, epoch))
        self.origin_epoch = epoch
        self.page_changes_max = PAGE_CHANGES_MAX
        self.part_records_max = SNAPSHOT_PART_RECORDS_MAX
        self.snapshot_lag_max = 0
        self.reach: Callable[[str], None] = _no_crash
        self.is_down = False
        self.lease_ms = LEASE_MS
        self.judges_by_records = True
        self._snapshots: dict[tuple[str, int], on.SnapshotLoaded] = {}
        self._salt = salt
        self._wall_ms = wall_ms
        self._verify = verify
        self._time_zone = time_zone

    def perform(self, effect: Any, reader: Reader) -> Any:
        """Carry out one store effect of a server session."""
        if self.is_down:
            raise StoreUnavailable("the database is away")
        match effect:
            case do.LoadDevice():
                return self._load_device(effect, reader)
            case do.StoreBatch(entries):
                return self._store_batch(entries, reader)
            case do.LoadPage(after_version, up_to_version, all_digests):
                return self._load_page(after_version, up_to_version, all_digests=all_digests)
            case do.LoadSnapshot(staged):
                return self._load_snapshot(staged)
            case do.LoadBucket(bucket):
                return self._load_bucket(bucket)
            case do.RecordApplied(epoch, version):
                return self._record_applied(epoch, version, reader)
        raise AssertionError(f"{effect} is no effect of a server's store")

    def write(self, drafts: Sequence[ChangeDraft]) -> Head:
        """A transaction of the REST API: reference data, in one unit."""
        if self.is_down:
            raise StoreUnavailable("the database is away")
        self._commit(self._logged(self.state, drafts))
        return self.state.head

    def restore(self, state: CenterState, epoch: str) -> None:
        """Come back from a backup: an older state, and a new life of the log."""
        self.state = msgspec.structs.replace(state, head=Head(epoch, state.head.version, state.head.hash), applied={})
        self._snapshots.clear()

    def forget_snapshots(self) -> None:
        """The process that held them died."""
        self._snapshots.clear()

    def compact(self, horizon: int = 0) -> int:
        """Keep no bodies behind the slowest device that is known, nor before a version that is too old for anybody.

        Gives the version from which on pages are served.
        """
        slowest = min(self.state.applied.values(), default=0)
        floor = max(self.state.compacted_version, slowest, horizon)
        self.state = msgspec.structs.replace(self.state, compacted_version=floor)
        return floor

    # -- uploads

    def _store_batch(self, entries: tuple[Entry, ...], reader: Reader) -> Any:
        key = (reader.device_id, entries[0].incarnation)
        stored = self._journal_head(*key)
        try:
            verdict = judge_run(stored, lambda seq: self._hash_at(key, seq), entries)
        except Hole:
            return on.BatchStored(through_seq=stored.seq, hash=stored.hash, outcomes=())
        except Fork as error:
            return on.BatchRefused(CloseCode.FORK, str(error))
        except BrokenChain as error:
            return on.BatchRefused(CloseCode.JOURNAL_INVALID, str(error))
        if not self._verify(reader.device_id, entries[-1].hash, entries[-1].signature):
            return on.BatchRefused(CloseCode.JOURNAL_INVALID, "the signature is not this device's")
        if verdict.fresh:
            self._commit(self._taken_in(key, verdict.fresh, reader))
        known = self.state.journals.get(key, ())
        outcomes = tuple(known[entry.seq - 1].outcome for entry in entries)
        return on.BatchStored(through_seq=entries[-1].seq, hash=entries[-1].hash, outcomes=outcomes)

    def _taken_in(self, key: JournalKey, fresh: Iterable[Entry], reader: Reader) -> CenterState:
        state = self.state
        origin = Origin(
            device_id=reader.device_id,
            device_name=reader.device_name,
            is_entitled=reader.is_entitled,
            received_at_ms=self._wall_ms(),
        )
        reference = Reference(state.records.values(), events=False)
        intake = Intake(
            center_id=self.center_id,
            time_zone=self._time_zone,
            head_version=state.head.version,
            known_children=self._children_ever(),
            stored=state.facts,
            center=reference.center if self.judges_by_records else None,
        )
        if self.judges_by_records:
            reference.teach(intake)
        decisions = [intake.decide(entry, origin) for entry in fresh]
        lines = tuple(StoredEntry(decision.entry, decision.outcome) for decision in decisions)
        state = self._logged(state, [decision.draft for decision in decisions if decision.draft is not None])
        return msgspec.structs.replace(
            state,
            journals={**state.journals, key: state.journals.get(key, ()) + lines},
            facts=state.facts + _facts_of(decisions),
            incidents={**_incidents_of(reader, decisions), **state.incidents},
        )

    def _children_ever(self) -> set[str]:
        return {row.change.entity_id for row in self.state.log if row.change.entity == Entity.CHILD}

    def _hash_at(self, key: JournalKey, seq: int) -> bytes | None:
        known = self.state.journals.get(key, ())
        return known[seq - 1].entry.hash if 1 <= seq <= len(known) else None

    def _journal_head(self, device_id: str, incarnation: str) -> JournalHead:
        known = self.state.journals.get((device_id, incarnation), ())
        return head_after(known[-1].entry) if known else journal_genesis(device_id, incarnation)

    # -- the log

    def _logged(self, state: CenterState, drafts: Sequence[ChangeDraft]) -> CenterState:
        if not drafts:
            return state
        head, rows = number(state.head, drafts, [self._salt(16) for _ in drafts])
        records, totals = dict(state.records), dict(state.totals)
        for row in rows:
            key = (row.change.entity, row.change.entity_id)
            move_total(totals, records.get(key), -1)
            apply(records, row.change)
            move_total(totals, records.get(key), 1)
        return msgspec.structs.replace(state, head=head, log=state.log + rows, records=records, totals=totals)

    def _commit(self, state: CenterState) -> None:
        self.reach("server: before commit")
        self.state = state
        self.reach("server: after commit")

    # -- downloads

    def _load_device(self, effect: do.LoadDevice, reader: Reader) -> on.DeviceLoaded:
        journal = self._journal_head(reader.device_id, effect.incarnation)
        head = self.state.head
        cursor = self._cursor(effect)
        is_current = cursor is on.Cursor.OURS and effect.version == head.version
        return on.DeviceLoaded(
            stored_seq=journal.seq,
            stored_hash=journal.hash,
            head=head,
            cursor=cursor,
            server_wall_ms=self._wall_ms(),
            is_entitled=reader.is_entitled,
            older=tuple(self._position(reader.device_id, offered.incarnation) for offered in effect.older),
            differing=self._differing(effect.digests) if is_current else (),
            lease_ms=self.lease_ms,
        )

    def _position(self, device_id: str, incarnation: str) -> JournalPosition:
        head = self._journal_head(device_id, incarnation)
        return JournalPosition(incarnation, head.seq, head.hash)

    def _cursor(self, effect: do.LoadDevice) -> on.Cursor:
        head = self.state.head
        if effect.epoch and effect.epoch != head.epoch:
            return on.Cursor.FOREIGN
        if effect.version == 0:
            return on.Cursor.NONE
        if self._log_hash(effect.version) != effect.hash:
            return on.Cursor.FOREIGN
        return on.Cursor.COMPACTED if effect.version < self.state.compacted_version else on.Cursor.OURS

    def _differing(self, told: Iterable[BucketDigest]) -> tuple[str, ...]:
        totals = self.state.totals
        return tuple(one.bucket for one in told if totals.get(one.bucket, 0).to_bytes(32, "big") != one.digest)

    def _log_hash(self, version: int) -> bytes | None:
        if version == 0:
            return genesis(self.center_id, self.origin_epoch).hash
        return self.state.log[version - 1].hash if version <= len(self.state.log) else None

    def _load_page(self, after_version: int, up_to_version: int = 0, *, all_digests: bool = False) -> on.PageLoaded:
        state = self.state
        if after_version < state.compacted_version:
            raise StoreUnavailable("what follows there is no longer kept")
        end = min(up_to_version or state.head.version, after_version + PAGE_CHANGES_MAX)
        following = [row.change for row in state.log[after_version:end]]
        changes = cut_page(following[: self.page_changes_max]) or cut_page(following)
        to_version = after_version + len(changes)
        totals = state.totals if to_version == state.head.version else {}
        touched = {change.bucket for change in changes} if totals else set()
        told = totals if all_digests else {bucket: totals.get(bucket, 0) for bucket in touched}
        page = Page(
            epoch=state.head.epoch,
            after_version=after_version,
            to_version=to_version,
            to_hash=self._log_hash(to_version) or b"",
            head_version=state.head.version,
            changes=changes,
            digests=wire_digests(told),
        )
        return on.PageLoaded(
            epoch=page.epoch,
            after_version=after_version,
            to_version=to_version,
            head_version=page.head_version,
            frame=encode(page),
        )

    def _load_snapshot(self, staged: StagedSnapshot) -> on.SnapshotLoaded:
        """The one that a device has begun to take, while it is at hand; or any that is not too far behind."""
        head, floor = self.state.head, self.state.compacted_version
        known = self._snapshots.get((staged.epoch, staged.version))
        if known is not None and known.head.epoch == head.epoch and known.head.version >= floor:
            return known
        oldest = max(head.version - self.snapshot_lag_max, floor)
        fresh = [one for one in self._snapshots.values() if one.head.epoch == head.epoch and one.head.version >= oldest]
        if fresh:
            return fresh[-1]
        made = on.SnapshotLoaded(head=head, frames=self._frames(self.state.records.values()))
        self._snapshots[head.epoch, head.version] = made
        return made

    def _load_bucket(self, bucket: str) -> on.BucketLoaded:
        records = [record for record in self.state.records.values() if record.bucket == bucket]
        return on.BucketLoaded(head=self.state.head, frames=self._frames(records, bucket))

    def _frames(self, chosen: Iterable[SnapshotRecord], bucket: str = "") -> tuple[bytes, ...]:
        head = self.state.head
        records = sorted(chosen, key=_snapshot_order)
        totals = {bucket: 0} if bucket else {}
        digests = wire_digests({**totals, **sums(held_of(record) for record in records)})
        slices = list(_slices(records, self.part_records_max)) or [()]
        return tuple(
            encode(
                SnapshotPart(
                    epoch=head.epoch,
                    version=head.version,
                    hash=head.hash,
                    part=number,
                    parts=len(slices),
                    records=part,
                    bucket=bucket,
                    digests=digests if number == len(slices) else (),
                )
            )
            for number, part in enumerate(slices, start=1)
        )

    def _record_applied(self, epoch: str, version: int, reader: Reader) -> None:
        if epoch == self.state.head.epoch:
            key = (reader.device_id, epoch)
            version = max(version, self.state.applied.get(key, 0))
            self.state = msgspec.structs.replace(self.state, applied={**self.state.applied, key: version})


def _facts_of(decisions: Iterable[Decision]) -> tuple[StoredFact, ...]:
    return tuple(
        StoredFact(decision.fact, decision.outcome.version, decision.record.received_at_ms)
        for decision in decisions
        if decision.fact is not None and decision.record is not None
    )


def _incidents_of(reader: Reader, decisions: Iterable[Decision]) -> dict[str, tuple[str, DeviceIncident]]:
    found = [decision.incident for decision in decisions if decision.incident is not None]
    return {incident.event_id: (reader.device_id, incident) for incident in found}


def _slices(records: Sequence[SnapshotRecord], records_max: int) -> Iterator[tuple[SnapshotRecord, ...]]:
    """Cut records into parts that fit a frame."""
    part: list[SnapshotRecord] = []
    size = 0
    for record in records:
        weight = len(record.body) + CHANGE_OVERHEAD_BYTES
        if part and (len(part) == records_max or size + weight > PAYLOAD_BYTES_MAX):
            yield tuple(part)
            part, size = [], 0
        part.append(record)
        size += weight
    if part:
        yield tuple(part)


def _snapshot_order(record: SnapshotRecord) -> tuple[int, str, int]:
    return (SNAPSHOT_PRIORITY.index(Entity(record.entity)), record.bucket, record.version)
