"""The store of a centre on PostgreSQL behind the interface of the model; its books are read after each effect."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from logging import CRITICAL
from typing import Any

import msgspec
import structlog
from sqlalchemy import text

from server.core.clock import datetime_of
from server.core.errors import Unavailable
from server.repositories.journals import unescaped
from server.repositories.unit_of_work import UnitOfWork
from server.services.journal_intake import DeviceKey
from sync import effects as do
from sync.change_log import Change, ChangeDraft, Head, Numbered, Operation
from sync.driver import StoreUnavailable
from sync.intake import StoredFact, fact_of_record
from sync.journal import Entry, EntryOutcome, Outcome, ParkReason
from sync.limits import LEASE_MS
from sync.records import RECORD_TYPES, ChildRecord, Entity, EventRecord
from tests.simulation.crashes import Crash
from tests.simulation.model_records import fold_of_log
from tests.simulation.model_store import CenterState, JournalKey, Reader, StoredEntry
from tests.simulation.plan import Plan
from tests.simulation.postgres_lane import PostgresLane
from tests.simulation.signatures import private_key
from tests.simulation.world import StoreMaker, World
from tests.support.reach import reach_everything

_HEAD = "SELECT epoch, version, hash FROM center_head WHERE center_id = :center_id"
_LOG = "SELECT * FROM change_log WHERE center_id = :center_id AND version > :version ORDER BY version"
_JOURNALS = "SELECT * FROM device_journal WHERE center_id = :center_id ORDER BY device_id, incarnation"
_ENTRIES = (
    "SELECT * FROM journal_entry WHERE center_id = :center_id AND device_id = :device_id"
    " AND incarnation = :incarnation AND seq > :seq ORDER BY seq"
)


@contextmanager
def postgres_stores(plan: Plan) -> Iterator[StoreMaker]:
    """What makes the stores of one run, all in one database of its own."""
    reach_everything()
    lane = PostgresLane(plan.seed)
    logging = structlog.get_config()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(CRITICAL))

    def store_of(world: World, center_id: str) -> PostgresStore:
        lane.wall_ms = world.true_wall_ms
        return PostgresStore(lane, center_id)

    try:
        yield store_of
    finally:
        structlog.configure(**logging)
        lane.close()


class PostgresStore:
    """One centre; `perform(effect, reader)` gives the event, or raises `StoreUnavailable`."""

    def __init__(self, lane: PostgresLane, center_id: str) -> None:
        self.center_id = center_id
        self.state = CenterState(head=Head("", 0, b""))
        self.is_down = False
        self.lease_ms = LEASE_MS
        self.lane = lane
        self._at = datetime_of(lane.wall_ms())
        self._devices: dict[str, bool] = {}
        lane.run(
            lane.execute("INSERT INTO organisation VALUES (:id, :name)", id=center_id, name=f"Operator of {center_id}")
        )
        lane.run(
            lane.execute(
                "INSERT INTO center (id, organisation_id, code, name, time_zone)"
                " VALUES (:id, :organisation_id, :code, 'Elm House', 'Europe/Berlin')",
                id=center_id,
                organisation_id=center_id,
                code=center_id,
            )
        )

    @property
    def reach(self) -> Any:
        """What is called at the crash points of a transaction."""
        return self.lane.points

    @reach.setter
    def reach(self, points: Any) -> None:
        self.lane.points = points

    @property
    def origin_epoch(self) -> str:
        """The first life of the log; here it has no other."""
        return self.state.head.epoch

    def forget_snapshots(self) -> None:
        """The process that held them died."""
        self.lane.boot()

    def perform(self, effect: Any, reader: Reader) -> Any:
        """Carry out one store effect of a server session."""
        if self.is_down:
            raise StoreUnavailable("the database is away")
        return self._done(self._perform(effect, reader))

    def write(self, drafts: Sequence[ChangeDraft]) -> Head:
        """A transaction of the REST API: reference data, in one unit."""
        if self.is_down:
            raise StoreUnavailable("the database is away")
        self._done(self._write(drafts))
        return self.state.head

    def _done(self, work: Any) -> Any:
        """Do it to its end and read the books, also when it failed; after a crash in another process."""
        try:
            return self.lane.run(work)
        except Unavailable as error:
            raise StoreUnavailable(str(error)) from error
        except Crash:
            self.lane.boot()
            raise
        finally:
            self.lane.run(self._read_books())

    async def _perform(self, effect: Any, reader: Reader) -> Any:
        device = await self._device(reader)
        store = self.lane.store
        match effect:
            case do.LoadDevice():
                return await store.load_device(device, effect)
            case do.StoreBatch(entries):
                return await store.store_batch(device, entries)
            case do.LoadPage():
                return await store.load_page(device, effect)
            case do.LoadSnapshot():
                return await store.load_snapshot(device, effect)
            case do.LoadBucket():
                return await store.load_bucket(device, effect)
            case do.RecordApplied():
                return store.record_applied(device, effect)
        raise AssertionError(f"{effect} is no effect of a server's store")

    async def _device(self, reader: Reader) -> DeviceKey:
        """The device, enrolled when it is first seen, and revoked when the reader says so."""
        if reader.device_id not in self._devices:
            await self.lane.execute(
                "INSERT INTO device (id, center_id, name, state, public_key, app_version, created_at)"
                " VALUES (:id, :center_id, :name, 'active', :key, '', :at) ON CONFLICT DO NOTHING",
                id=reader.device_id,
                center_id=self.center_id,
                name=reader.device_name,
                key=private_key(reader.device_id).public_key().public_bytes_raw(),
                at=self._at,
            )
            self._devices[reader.device_id] = True
        if self._devices[reader.device_id] != reader.is_entitled:
            state = "active" if reader.is_entitled else "revoked"
            await self.lane.execute("UPDATE device SET state = :state WHERE id = :id", state=state, id=reader.device_id)
            self._devices[reader.device_id] = reader.is_entitled
        return DeviceKey(self.center_id, reader.device_id)

    async def _write(self, drafts: Sequence[ChangeDraft]) -> None:
        async with self.lane.units.begin(actor="office", origin="api") as unit:
            await unit.lock_head(self.center_id)
            for draft in drafts:
                await self._put(unit, draft)

    async def _put(self, unit: UnitOfWork, draft: ChangeDraft) -> None:
        entity = Entity(draft.entity)
        if draft.operation is Operation.REMOVE:
            unit.remove(self.center_id, entity, draft.entity_id)
            return
        record = msgspec.json.decode(draft.body, type=RECORD_TYPES[entity])
        unit.put(self.center_id, entity, draft.entity_id, record)
        if isinstance(record, ChildRecord):
            await unit.connection.execute(*_person(self.center_id, draft.entity_id, record))

    # -- the books

    async def _read_books(self) -> None:
        """What is durable now, as the model keeps it: the same object as before when nothing changed."""
        known = self.state
        ((epoch, version, digest),) = await self.lane.rows(_HEAD, center_id=self.center_id) or [("", 0, b"")]
        rows = await self.lane.rows(_LOG, center_id=self.center_id, version=known.head.version)
        fresh = tuple(_numbered(row) for row in rows)
        journals = await self._journals(known.journals)
        if not fresh and journals == known.journals and version == known.head.version:
            return
        log = known.log + fresh
        self.state = CenterState(
            head=Head(str(epoch), version, bytes(digest)),
            log=log,
            records=fold_of_log(log),
            journals=journals,
            facts=known.facts + tuple(_fact(row) for row in fresh if row.change.entity == Entity.EVENT),
        )

    async def _journals(self, known: dict[JournalKey, tuple[StoredEntry, ...]]) -> dict[JournalKey, Any]:
        found = dict(known)
        for journal in await self.lane.rows(_JOURNALS, center_id=self.center_id):
            key = (str(journal.device_id), unescaped(journal.incarnation))
            lines = known.get(key, ())
            if journal.last_seq == len(lines):
                continue
            rows = await self.lane.rows(
                _ENTRIES,
                center_id=self.center_id,
                device_id=journal.device_id,
                incarnation=journal.incarnation,
                seq=len(lines),
            )
            found[key] = lines + tuple(_stored(row) for row in rows)
        return found


def _person(center_id: str, child_id: str, record: ChildRecord) -> tuple[Any, dict[str, object]]:
    statement = (
        "INSERT INTO person (center_id, id, kind, external_id, given_name, family_name, preferred_name, phone, email)"
        " VALUES (:center_id, :id, 'child', :code, :given_name, :family_name, '', '', '') ON CONFLICT DO NOTHING"
    )
    names = {"given_name": record.given_name, "family_name": record.family_name}
    return text(statement), {"center_id": center_id, "id": child_id, "code": child_id, **names}


def _numbered(row: Any) -> Numbered:
    change = Change(
        version=row.version,
        bucket=row.bucket,
        entity=row.entity,
        entity_id=row.entity_id,
        operation=Operation(row.operation),
        body=bytes(row.body),
        salt=bytes(row.salt),
        commitment=bytes(row.commitment),
        transaction_last=row.transaction_last,
    )
    return Numbered(change, bytes(row.hash))


def _fact(row: Numbered) -> StoredFact:
    record = msgspec.json.decode(row.change.body, type=EventRecord)
    return StoredFact(fact_of_record(record), row.change.version, record.received_at_ms)


def _stored(row: Any) -> StoredEntry:
    entry = Entry(
        incarnation=unescaped(row.incarnation),
        seq=row.seq,
        event_id=unescaped(row.event_id),
        kind=unescaped(row.kind),
        body=bytes(row.body),
        hlc=row.hlc,
        wall_ms=row.wall_ms,
        monotonic_ms=row.monotonic_ms,
        boot_id=unescaped(row.boot_id),
        base_epoch=unescaped(row.base_epoch),
        base_version=row.base_version,
        previous_hash=bytes(row.previous_hash),
        hash=bytes(row.hash),
        signature=bytes(row.signature),
    )
    outcome = EntryOutcome(entry.seq, entry.event_id, Outcome(row.outcome), ParkReason(row.reason), row.version)
    return StoredEntry(entry, outcome)
