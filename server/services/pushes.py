"""What devices push: whose entries they are, and what a push is answered."""

from dataclasses import dataclass
from typing import TypeAlias

from server.core.asking import NOBODY, Asking
from sync.events import BatchRefused, BatchStored
from sync.journal import Entry, ParkReason

Answer: TypeAlias = BatchStored | BatchRefused


@dataclass(frozen=True, slots=True)
class DeviceKey:
    """A device that proved who it is, and the centre it belongs to."""

    center_id: str
    device_id: str


@dataclass(frozen=True, slots=True)
class Push:
    """A run of entries of one journal; `signed` follows from them, and its signature vouches for them.

    With a reason to `park` its entries are kept, and not decided. `asking` is who sent the request behind it, if any.
    """

    device: DeviceKey
    entries: tuple[Entry, ...]
    signed: Entry
    park: ParkReason = ParkReason.NOT_PARKED
    asking: Asking = NOBODY

    @property
    def incarnation(self) -> str:
        """Which journal of the device this is a run of."""
        return self.entries[0].incarnation
