"""Carries out what server sessions ask of the store: journals in, the log of the centre out."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from server.core.clock import Clock
from server.core.errors import NotEntitled, Unauthenticated
from server.core.signatures import is_signed
from server.models.devices import DeviceState
from server.repositories import change_log, sync_reading
from server.repositories.sync_reading import CenterStanding, DeviceStanding
from server.repositories.unit_of_work import Connection, UnitsOfWork
from server.services.devices import TOKEN_LIFETIME_S
from server.services.journal_intake import DeviceKey, JournalIntake
from server.services.log_reader import LogReader
from server.services.positions import Positions
from server.services.standings import Standings, Totals, beginning_of, differing, oldest_day
from sync.effects import CheckProof, LoadBucket, LoadDevice, LoadPage, LoadSnapshot, RecordApplied
from sync.events import (
    BatchRefused,
    BatchStored,
    BucketLoaded,
    Cursor,
    DeviceLoaded,
    PageLoaded,
    ProofChecked,
    SnapshotLoaded,
)
from sync.journal import Entry
from sync.limits import LEASE_MS
from sync.messages import JournalPosition, proof_material

PROOF_GOOD_FOR_MS: Final = TOKEN_LIFETIME_S * 1000


@dataclass(frozen=True, slots=True)
class Admitted:
    """A device that may open a link: an active one, or a revoked one, which may only hand over its journal."""

    key: DeviceKey
    is_entitled: bool


@dataclass(frozen=True, slots=True)
class _Loaded:
    """What one reading says of a device and of its log."""

    begun_ms: int
    device: DeviceStanding | None
    center: CenterStanding | None
    journals: dict[str, JournalPosition]
    cursor: Cursor
    totals: Totals | None


class ServerStore:
    """What all server sessions of this process share; every method may raise DatabaseUnavailable."""

    def __init__(self, units: UnitsOfWork, intake: JournalIntake, clock: Clock, *, lease_ms: int = LEASE_MS) -> None:
        """Hold nothing but bounded memory; a device may go on for `lease_ms` without hearing this server again."""
        self.standings: Final = Standings(clock.monotonic_ms)
        self._units = units
        self._intake = intake
        self._clock = clock
        self._lease_ms = lease_ms
        self._reader = LogReader(units, self.standings, clock)
        self._positions = Positions(units, clock)

    # -- who is there

    async def admit(self, device_id: str) -> Admitted:
        """Let a device in, by what is remembered of it or by the database.

        Raises:
            Unauthenticated: there is no such device.
            NotEntitled: it is suspended.

        """
        standing = await self._device(device_id)
        if standing is None:
            raise Unauthenticated("This device is not known here; enrol it again.")
        return Admitted(DeviceKey(standing.center_id, device_id), _is_entitled(standing))

    async def check_proof(self, device: DeviceKey, effect: CheckProof) -> ProofChecked:
        """Check what a device signed within its link, and that it is still active."""
        standing = await self._device(device.device_id)
        if standing is None or standing.state != DeviceState.ACTIVE:
            return ProofChecked(0)
        message = proof_material(device.device_id, effect.nonce)
        return ProofChecked(PROOF_GOOD_FOR_MS if is_signed(standing.public_key, effect.signature, message) else 0)

    async def _device(self, device_id: str) -> DeviceStanding | None:
        known = self.standings.device(device_id)
        # A pause that is over is not remembered for another poll: the desk has come because it may.
        if (known is not None and known.state != DeviceState.SUSPENDED) or not _is_id(device_id):
            return known
        async with self._units.read() as connection:
            return (await sync_reading.read_devices(connection, [device_id])).get(device_id)

    # -- where it stands

    async def load_device(self, device: DeviceKey, effect: LoadDevice) -> DeviceLoaded:
        """Give where the device's journals stand here, and what its cursor is to the log.

        A device that stands exactly where this process knows the server to stand is answered from memory.

        Raises:
            NotEntitled: it is suspended, or gone.

        """
        known = self.standings.device(device.device_id)
        center = self.standings.center(device.center_id)
        if known is not None and center is not None and self.standings.is_current(known, effect, self._clock.now()):
            return DeviceLoaded(
                stored_seq=effect.journal_seq,
                stored_hash=effect.journal_hash,
                head=center.head,
                cursor=Cursor.OURS,
                server_wall_ms=self._clock.wall_ms(),
                older=effect.older,
                lease_ms=self._lease_ms,
            )
        loaded = await self._read_device(device, effect)
        if loaded.center is None:
            await self._reader.begin_log(device.center_id)
            loaded = await self._read_device(device, effect)
        return self._answer(device, effect, loaded)

    async def _read_device(self, device: DeviceKey, effect: LoadDevice) -> _Loaded:
        incarnations = (effect.incarnation, *(one.incarnation for one in effect.older))
        keys = [(device.center_id, device.device_id, incarnation) for incarnation in incarnations]
        begun_ms = self.standings.now_ms()
        async with self._units.read() as connection:
            center = await sync_reading.read_center(connection, device.center_id)
            found = await sync_reading.read_devices(connection, [device.device_id])
            journals = await sync_reading.read_journals(connection, keys)
            cursor = await _cursor(connection, device.center_id, center, effect)
            totals = None
            if center is not None and cursor is Cursor.OURS and effect.version == center.head.version:
                totals = await self._totals(connection, device.center_id, center)
        positions = {key[2]: journals.get(key) or beginning_of(device.device_id, key[2]) for key in keys}
        return _Loaded(begun_ms, found.get(device.device_id), center, positions, cursor, totals)

    async def _totals(self, connection: Connection, center_id: str, center: CenterStanding) -> Totals | None:
        if not center.has_digests:
            return None
        oldest = oldest_day(self._clock.now(), center.time_zone)
        return (await sync_reading.read_totals(connection, {center_id: oldest}))[center_id]

    def _answer(self, device: DeviceKey, effect: LoadDevice, loaded: _Loaded) -> DeviceLoaded:
        center = loaded.center
        if center is None:
            raise AssertionError("a log that has begun has no head")
        if loaded.device is None:
            raise NotEntitled("This device is not known here.")
        is_entitled = _is_entitled(loaded.device)
        self.standings.keep_center(device.center_id, center, loaded.totals, loaded.begun_ms)
        self.standings.keep_device(loaded.device, loaded.journals, center.head.epoch, loaded.begun_ms)
        oldest = oldest_day(self._clock.now(), center.time_zone)
        journal = loaded.journals[effect.incarnation]
        return DeviceLoaded(
            stored_seq=journal.seq,
            stored_hash=journal.hash,
            head=center.head,
            cursor=loaded.cursor,
            server_wall_ms=self._clock.wall_ms(),
            is_entitled=is_entitled,
            older=tuple(loaded.journals[one.incarnation] for one in effect.older),
            differing=() if loaded.totals is None else differing(effect.digests, loaded.totals, oldest),
            lease_ms=self._lease_ms,
        )

    # -- what it sends, and what it gets

    async def store_batch(self, device: DeviceKey, entries: Sequence[Entry]) -> BatchStored | BatchRefused:
        """Store, decide and log a push; it is acknowledged once this returns."""
        answer = await self._intake.store_batch(device, entries)
        if isinstance(answer, BatchRefused):
            self.standings.forget_device(device.device_id)
        else:
            end = JournalPosition(entries[0].incarnation, answer.through_seq, answer.hash)
            self.standings.entries_stored(device.device_id, end)
            self.standings.version_given(device.center_id, max((one.version for one in answer.outcomes), default=0))
        return answer

    def slow_down_ms(self) -> int:
        """How long a device shall wait before it pushes again; 0 while the store keeps up."""
        return self._intake.slow_down_ms()

    async def load_page(self, device: DeviceKey, effect: LoadPage) -> PageLoaded:
        """Give the next page after a version. Raises Unavailable when it is no longer kept."""
        return await self._reader.load_page(device.center_id, effect)

    async def load_snapshot(self, device: DeviceKey, effect: LoadSnapshot) -> SnapshotLoaded:
        """Give all records at one position, in parts."""
        return await self._reader.load_snapshot(device.center_id, effect)

    async def load_bucket(self, device: DeviceKey, effect: LoadBucket) -> BucketLoaded:
        """Give all records of one bucket at the head, in parts."""
        return await self._reader.load_bucket(device.center_id, effect)

    def record_applied(self, device: DeviceKey, effect: RecordApplied) -> None:
        """Note how far a device is; written at the next flush, and only the newest word counts."""
        self._positions.note(device, effect)

    async def flush_positions(self) -> None:
        """Write the positions that wait."""
        await self._positions.flush()

    async def run(self) -> None:
        """Write positions every now and then; a task beside the server."""
        await self._positions.run()


async def _cursor(connection: Connection, center_id: str, center: CenterStanding | None, effect: LoadDevice) -> Cursor:
    """What the device's cursor is to this log. A version of 0 is an empty replica, whatever its hash."""
    if not effect.epoch or center is None:
        return Cursor.NONE
    if effect.epoch != center.head.epoch:
        return Cursor.FOREIGN
    if effect.version == 0:
        return Cursor.NONE
    if effect.version > center.head.version:
        return Cursor.FOREIGN
    is_head = effect.version == center.head.version
    expected = center.head.hash if is_head else await change_log.hash_at(connection, center_id, effect.version)
    if expected != effect.hash:
        return Cursor.FOREIGN
    return Cursor.COMPACTED if effect.version < center.compacted_version else Cursor.OURS


def _is_entitled(device: DeviceStanding) -> bool:
    """Whether a device is active; a revoked one is not.

    Raises:
        NotEntitled: it is suspended, and may not even hand over its journal now.

    """
    if device.state not in (DeviceState.ACTIVE, DeviceState.REVOKED):
        raise NotEntitled("This device may not sync now; ask a manager of the centre.")
    return device.state == DeviceState.ACTIVE


def _is_id(text: str) -> bool:
    try:
        return str(UUID(text)) == text
    except ValueError:
        return False
