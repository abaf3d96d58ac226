"""Stores pushes: one transaction checks, decides, logs and remembers every entry; then it is acknowledged."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from weakref import WeakValueDictionary

import structlog
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from server.core.clock import Clock, datetime_of
from server.core.database import sqlstate_of
from server.core.errors import Unavailable
from server.core.failures import facts_of
from server.repositories import attendance, journals
from server.repositories.unit_of_work import UnitOfWork, UnitsOfWork
from sync.attendance import AttendanceEvent, corrected_at_ms
from sync.change_log import Head
from sync.errors import BrokenChain, CloseCode
from sync.events import BatchRefused, BatchStored
from sync.intake import Decision, Intake, Origin, entry_event
from sync.journal import (
    Entry,
    EntryOutcome,
    Fork,
    Hole,
    JournalHead,
    Outcome,
    ParkReason,
    check_run,
    genesis,
    head_after,
    judge_run,
)
from sync.limits import REPLICA_DAYS, WALL_MS_MAX, WALL_MS_MIN

# SQLSTATE classes: data exception, integrity constraint violation, program limit exceeded.
_BLAMES_DATA: Final = frozenset({"22", "23", "54"})
# About 0.5 ms each for a child with a hundred facts; more than this would hold up everybody's heartbeats.
DECIDED_AT_ONCE_MAX: Final = 32
DAY_MS: Final = 24 * 3_600_000

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class DeviceKey:
    """A device that proved who it is, and the centre it belongs to."""

    center_id: str
    device_id: str


class JournalIntake:
    """Takes runs of journal entries from devices into the books of their centres."""

    def __init__(self, units: UnitsOfWork, clock: Clock) -> None:
        """Store through `units`; `clock` says when entries were received."""
        self._units = units
        self._clock = clock
        self._gates: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def store_batch(self, device: DeviceKey, entries: Sequence[Entry]) -> BatchStored | BatchRefused:
        """Store a pushed run; what was stored before is answered with its first outcome.

        When the whole run cannot be stored together, its entries are stored one by one, so that one that the
        database will not take is parked and its neighbours are not.

        Raises:
            DatabaseUnavailable: nothing is known to be stored; the device sends it again.

        """
        # Pushes of one centre follow each other by the lock on its head; those that wait for it wait here, so that
        # a busy centre holds one database connection of this process and not all of them.
        async with self._gates.setdefault(device.center_id, asyncio.Lock()):
            started_ms = self._clock.monotonic_ms()
            answer = await self._store_together(device, entries)
        took_ms = self._clock.monotonic_ms() - started_ms
        _log_answer(device, entries, answer, took_ms)
        return answer

    async def _store_together(self, device: DeviceKey, entries: Sequence[Entry]) -> BatchStored | BatchRefused:
        try:
            return await self._store(_Push(device, tuple(entries), entries[-1]))
        except Exception as error:
            if not _may_be_the_entry(error):
                raise
            _log.error("batch_failed", device=device.device_id, entries=len(entries), **facts_of(error))
            return await self._store_singly(device, entries)

    async def _store_singly(self, device: DeviceKey, entries: Sequence[Entry]) -> BatchStored | BatchRefused:
        try:
            check_run(entries)
        except BrokenChain as error:
            return BatchRefused(CloseCode.JOURNAL_INVALID, str(error))
        outcomes: list[EntryOutcome] = []
        for entry in entries:
            answer = await self._store_one(_Push(device, (entry,), entries[-1]))
            if isinstance(answer, BatchRefused) or not answer.outcomes:
                return answer
            outcomes += answer.outcomes
        return BatchStored(through_seq=entries[-1].seq, hash=entries[-1].hash, outcomes=tuple(outcomes))

    async def _store_one(self, push: "_Push") -> BatchStored | BatchRefused:
        try:
            return await self._store(push)
        except Exception as error:
            if not _may_be_the_entry(error):
                raise
            _log.error("entry_parked", device=push.device.device_id, seq=push.entries[0].seq, **facts_of(error))
            return await self._store(push, park=ParkReason.UNREADABLE)

    async def _store(self, push: "_Push", *, park: ParkReason = ParkReason.NOT_PARKED) -> BatchStored | BatchRefused:
        async with self._units.begin(actor=push.device.device_id, origin="device") as unit:
            transaction = _Transaction(unit, push, self._clock.wall_ms())
            try:
                return await transaction.run(park)
            except Hole:
                return await transaction.stored_so_far()
            except Fork as error:
                return BatchRefused(CloseCode.FORK, str(error))
            except BrokenChain as error:
                return BatchRefused(CloseCode.JOURNAL_INVALID, str(error))


@dataclass(frozen=True, slots=True)
class _Push:
    """Entries to store in one transaction; `signed` follows from them, and its signature vouches for them."""

    device: DeviceKey
    entries: tuple[Entry, ...]
    signed: Entry


class _Transaction:
    """The steps of one store, in the order in which rows are locked: device, then centre head."""

    def __init__(self, unit: UnitOfWork, push: _Push, received_at_ms: int) -> None:
        self._unit = unit
        self._connection = unit.connection
        self._push = push
        self._center_id = push.device.center_id
        self._device_id = push.device.device_id
        self._incarnation = push.entries[0].incarnation
        self._received_at_ms = received_at_ms

    async def run(self, park: ParkReason) -> BatchStored | BatchRefused:
        device = await journals.lock_device(self._connection, self._center_id, self._device_id)
        if device is None:
            return BatchRefused(CloseCode.REVOKED, "this device is not known here")
        head = await self._unit.lock_head(self._center_id)
        stored = await self._journal_head()
        known = await self._known_entries(stored)
        hashes = {seq: entry.hash for seq, entry in known.items()}
        verdict = judge_run(stored, hashes.get, self._push.entries)
        decisions: list[Decision] = []
        if verdict.fresh:
            if not _is_signed(self._push.signed, device.public_key):
                return BatchRefused(CloseCode.JOURNAL_INVALID, "the signature is not this device's")
            origin = Origin(
                device_id=self._device_id,
                device_name=device.name,
                is_entitled=device.is_active,
                received_at_ms=self._received_at_ms,
            )
            decisions = await self._decide(verdict.fresh, origin, (device.time_zone, head), park)
            await self._write(verdict.fresh, decisions)
        return self._answer(known, decisions)

    async def stored_so_far(self) -> BatchStored:
        """Tell where this journal stands here, which asks for the entries from there."""
        stored = await self._journal_head()
        return BatchStored(through_seq=stored.seq, hash=stored.hash, outcomes=())

    async def _journal_head(self) -> JournalHead:
        found = await journals.read_journal_head(self._connection, self._center_id, self._device_id, self._incarnation)
        return found or genesis(self._device_id, self._incarnation)

    async def _known_entries(self, stored: JournalHead) -> dict[int, journals.StoredEntry]:
        entries = self._push.entries
        repeated = range(entries[0].seq, min(entries[-1].seq, stored.seq) + 1)
        return await journals.read_entries(
            self._connection, self._center_id, self._device_id, self._incarnation, seqs=repeated
        )

    async def _decide(
        self, fresh: Sequence[Entry], origin: Origin, log: tuple[str, Head], park: ParkReason
    ) -> list[Decision]:
        if park is not ParkReason.NOT_PARKED:
            return [Decision(entry, EntryOutcome(entry.seq, entry.event_id, Outcome.PARKED, park)) for entry in fresh]
        intake = await self._intake(fresh, *log)
        if len(fresh) <= DECIDED_AT_ONCE_MAX:
            return [intake.decide(entry, origin) for entry in fresh]
        return await asyncio.to_thread(lambda: [intake.decide(entry, origin) for entry in fresh])

    async def _intake(self, fresh: Sequence[Entry], time_zone: str, head: Head) -> Intake:
        """Load what the decisions depend on, in two queries however many entries there are."""
        events = [event for event in map(entry_event, fresh) if event is not None]
        child_ids = sorted({event.child_id for event in events})
        known = await attendance.known_children(self._connection, self._center_id, child_ids)
        stored = await attendance.facts_around(
            self._connection,
            self._center_id,
            child_ids=known,
            since_ms=_earliest_ms(events) - REPLICA_DAYS * DAY_MS,
            event_ids=sorted({event.event_id for event in events}),
        )
        return Intake(
            center_id=self._center_id,
            time_zone=time_zone,
            head_version=head.version,
            known_children=known,
            stored=stored,
        )

    async def _write(self, fresh: Sequence[Entry], decisions: Sequence[Decision]) -> None:
        drafts = [decision.draft for decision in decisions if decision.draft is not None]
        outcomes = [decision.outcome for decision in decisions]
        received_at = datetime_of(self._received_at_ms)
        key = (self._center_id, self._device_id)
        await journals.append_entries(self._connection, key, fresh, outcomes, received_at)
        await attendance.append_facts(self._connection, self._center_id, decisions, received_at)
        await journals.store_journal_head(self._connection, *key, head_after(fresh[-1]))
        self._unit.append(self._center_id, drafts)

    def _answer(self, known: Mapping[int, journals.StoredEntry], decisions: Sequence[Decision]) -> BatchStored:
        """One outcome for each entry of the push, in its order: repeats come before what is new."""
        last = self._push.entries[-1]
        repeats = tuple(known[seq].outcome for seq in sorted(known))
        fresh = tuple(decision.outcome for decision in decisions)
        return BatchStored(through_seq=last.seq, hash=last.hash, outcomes=repeats + fresh)


def _earliest_ms(events: Sequence[AttendanceEvent]) -> int:
    """When the first of the events happened that can have happened; the others will be parked."""
    times = map(corrected_at_ms, events)
    return min((at_ms for at_ms in times if WALL_MS_MIN <= at_ms <= WALL_MS_MAX), default=WALL_MS_MAX)


def _may_be_the_entry(error: Exception) -> bool:
    """Whether an entry can be to blame: not when the database is away, or lacks a table or a right."""
    state = sqlstate_of(error)
    if isinstance(error, Unavailable):
        return False
    return state is None or state[:2] in _BLAMES_DATA


def _is_signed(entry: Entry, public_key: bytes) -> bool:
    try:
        Ed25519PublicKey.from_public_bytes(public_key).verify(entry.signature, entry.hash)
    except (InvalidSignature, ValueError):
        return False
    return True


def _log_answer(device: DeviceKey, entries: Sequence[Entry], answer: BatchStored | BatchRefused, took_ms: int) -> None:
    if isinstance(answer, BatchRefused):
        _log.warning(
            "batch_refused",
            device=device.device_id,
            code=answer.code.name,
            first_seq=entries[0].seq,
            entries=len(entries),
        )
        return
    parked = sum(outcome.outcome is Outcome.PARKED for outcome in answer.outcomes)
    _log.info("batch_stored", device=device.device_id, entries=len(entries), parked=parked, took_ms=took_ms)
