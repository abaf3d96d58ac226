"""Keeps how far devices are and when they were seen, and writes it now and then, many at a time."""

import asyncio
from typing import Final

import structlog

from server.core.clock import Clock
from server.core.errors import Unavailable
from server.repositories import journals, sync_reading
from server.repositories.unit_of_work import UnitsOfWork
from server.services.journal_intake import DeviceKey
from sync.effects import RecordApplied

FLUSH_S: Final = 2.0
# Devices in one statement; beyond it a flush writes several times.
DEVICES_AT_ONCE: Final = 5_000
# Devices whose position waits while the database is away, about 500 bytes each; the oldest words go first.
DEVICES_MAX: Final = 50_000
# `last_seen_at` is for people: a device that says something every 5 s is not written down each time.
SEEN_STEP_S: Final = 15

_log = structlog.get_logger(__name__)


class Positions:
    """Only the newest word of each device counts. `run` is a task beside the server."""

    def __init__(self, units: UnitsOfWork, clock: Clock) -> None:
        """Wait for the first word."""
        self._units = units
        self._clock = clock
        self._waiting: dict[DeviceKey, journals.Position] = {}

    def __len__(self) -> int:
        """How many wait to be written."""
        return len(self._waiting)

    def note(self, device: DeviceKey, effect: RecordApplied) -> None:
        """Note how far a device is, until the next flush."""
        self._waiting.pop(device, None)
        self._waiting[device] = journals.Position(
            device.center_id, device.device_id, effect.epoch, effect.version, effect.queue_depth, self._clock.now()
        )
        if len(self._waiting) > DEVICES_MAX:
            del self._waiting[next(iter(self._waiting))]

    async def flush(self) -> None:
        """Write what waits, bounded at a time.

        Raises:
            DatabaseUnavailable: what is not written goes on waiting.

        """
        while self._waiting:
            taken = dict(list(self._waiting.items())[:DEVICES_AT_ONCE])
            seen = {device.device_id: position.at for device, position in taken.items()}
            async with self._units.begin(origin="sync") as unit:
                await journals.store_positions(unit.connection, list(taken.values()))
                await sync_reading.note_seen(unit.connection, seen, step_s=SEEN_STEP_S)
            for device, position in taken.items():
                if self._waiting.get(device) is position:
                    del self._waiting[device]

    async def run(self) -> None:
        """Flush every now and then, and once more when cancelled."""
        try:
            while True:
                await asyncio.sleep(FLUSH_S)
                try:
                    await self.flush()
                except Unavailable:
                    _log.warning("positions_kept_in_memory", devices=len(self))
        finally:
            try:
                await self.flush()
            except Unavailable:
                _log.warning("positions_lost", devices=len(self))
