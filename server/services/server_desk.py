"""The server as one more desk of each centre: what people enter through it, and what it writes down by the clock.

It keeps journals like any device, signed with a key of its own, and pushes them to itself: so its events are numbered,
chained, decided, proved and put back after a restore in no other way than everybody's. Each process of a server begins
a journal of its own, so that several never write into one.
"""

import asyncio
import hashlib
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

import structlog
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from server.core.asking import THE_SERVER, asks
from server.core.clock import Clock
from server.core.errors import DatabaseUnavailable
from server.models.devices import Device, DeviceKind, DeviceState
from server.repositories import change_log, devices
from server.repositories.held_commit import settle_held
from server.repositories.unit_of_work import UnitsOfWork
from server.services.journal_intake import DeviceKey, JournalIntake
from sync.attendance import AttendanceEvent, check_event, encode_event
from sync.events import BatchStored
from sync.journal import Draft, EntryOutcome, JournalHead, genesis, head_after, seal
from sync.stamps import next_stamp

NAME: Final = "Server"
_KEY_INFO: Final = b"rollcall.server-desk.v1\x00"

_log = structlog.get_logger(__name__)


@dataclass(slots=True)
class _Journal:
    """The journal of this process at one centre."""

    key: DeviceKey
    private_key: Ed25519PrivateKey
    head: JournalHead
    hlc: int = 0
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)


class ServerDesk:
    """Records events as the server's own desk."""

    def __init__(
        self, units: UnitsOfWork, intake: JournalIntake, clock: Clock, new_id: Callable[[], str], secret_key: str
    ) -> None:
        """Push to `intake`; the keys of the desks come from `secret_key`."""
        self._units = units
        self._intake = intake
        self._clock = clock
        self._new_id = new_id
        self._secret_key = secret_key
        self._journals: dict[str, _Journal] = {}
        self._boot_id = new_id()

    async def record(self, event: AttendanceEvent) -> EntryOutcome:
        """Store an event at its centre, and give what became of it; events of one centre are stored one by one.

        Raises:
            msgspec.ValidationError: the event does not say what its kind must say.
            DatabaseUnavailable: it is not known whether it was stored.

        """
        check_event(event)
        # Another task stores it, and may need what this one has locked.
        await settle_held()
        journal = self._journals.get(event.center_id)
        if journal is None:
            journal = self._journals.setdefault(event.center_id, await self._begin(event.center_id))
        async with journal.turn:
            return await self._push(journal, event)

    async def _push(self, journal: _Journal, event: AttendanceEvent) -> EntryOutcome:
        journal.hlc = next_stamp(previous=journal.hlc, wall_ms=self._clock.wall_ms())
        async with self._units.read() as connection:
            base = await change_log.read_head(connection, event.center_id)
        draft = Draft(
            event_id=event.event_id,
            kind=event.kind.value,
            body=encode_event(event),
            hlc=journal.hlc,
            wall_ms=self._clock.wall_ms(),
            monotonic_ms=self._clock.monotonic_ms(),
            boot_id=self._boot_id,
            base_epoch=base.epoch if base else "",
            base_version=base.version if base else 0,
        )
        entry = seal(journal.head, draft, journal.private_key.sign)
        is_stored = False
        try:
            answer = await self._intake.store_batch(journal.key, [entry])
            is_stored = isinstance(answer, BatchStored) and bool(answer.outcomes)
        finally:
            # Whether it was stored is not known: what comes next must not continue a journal that may end elsewhere.
            journal.head = head_after(entry) if is_stored else genesis(journal.key.device_id, self._new_id())
        if not isinstance(answer, BatchStored) or not answer.outcomes:
            _log.error("server_desk_refused", center=event.center_id, answer=type(answer).__name__)
            raise DatabaseUnavailable("the server's own desk was refused")
        return answer.outcomes[-1]

    async def _begin(self, center_id: str) -> _Journal:
        private_key = self._private_key(center_id)
        public_key = private_key.public_key().public_bytes_raw()
        device_id = str(uuid.UUID(bytes=hashlib.sha256(public_key).digest()[:16], version=5))
        desk = Device(
            id=device_id,
            center_id=center_id,
            name=NAME,
            state=DeviceState.ACTIVE.value,
            public_key=public_key,
            created_at=self._clock.now(),
            kind=DeviceKind.SERVER.value,
        )
        # Whoever is the first to enter something here does not make the desk.
        with asks(THE_SERVER):
            await self._add(desk)
        return _Journal(DeviceKey(center_id, device_id), private_key, genesis(device_id, self._new_id()))

    async def _add(self, desk: Device) -> None:
        async with self._units.begin(origin="server") as unit:
            await devices.add_server_desk(unit.session, desk)

    def _private_key(self, center_id: str) -> Ed25519PrivateKey:
        """The key of the desk at a centre (RFC 5869); another secret makes another desk, and the old one stays."""
        derive = HKDF(algorithm=hashes.SHA256(), length=32, salt=None, info=_KEY_INFO + center_id.encode())
        return Ed25519PrivateKey.from_private_bytes(derive.derive(self._secret_key.encode()))
