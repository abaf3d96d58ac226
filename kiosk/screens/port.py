"""What the screens ask of the world: a desk and a clock, as small as they can be."""

from collections.abc import Sequence
from typing import Protocol

from kiosk.messages import DeskStatus, Quarantined
from kiosk.services.building import Building
from kiosk.services.counter import AppCode, Scanned, Undoable
from kiosk.services.desk import Collector, Recorded, RosterLine, Wish
from kiosk.services.door import Approval, DoorState, StaffMember
from kiosk.services.families import FamilyMember
from kiosk.services.newcomers import Newcomer
from kiosk.services.release import Refusal, Release
from kiosk.services.subscription import Subscription
from sync.pictures import Picture


class WallClock(Protocol):
    """Knows the time of day."""

    def wall_ms(self) -> int:
        """Milliseconds since the Unix epoch, UTC."""
        ...


class DoorPort(Protocol):
    """Who is at the desk; what asks for a PIN may raise DeskError, which says what to do."""

    def state(self) -> DoorState:
        """How the door stands now."""
        ...

    def staff(self) -> Sequence[StaffMember]:
        """Who can unlock this desk, by name."""
        ...

    async def unlock(self, person_id: str, pin: str) -> DoorState:
        """Unlock the desk for a member of staff."""
        ...

    async def approve(self, person_id: str, pin: str) -> Approval:
        """Get the word of a second member of staff."""
        ...

    def lock(self) -> None:
        """Nobody is at the desk."""
        ...

    def touch(self) -> None:
        """Somebody did something."""
        ...


class CounterPort(Protocol):
    """What happens at the counter; every method may raise DeskError, and what is recorded is durable on return."""

    def family(self, child_id: str) -> Sequence[FamilyMember]:
        """A child and those who come and go with it, itself first."""
        ...

    def undoable(self) -> Undoable | None:
        """The last thing recorded, while it can be taken back."""
        ...

    def scan(self, text: str) -> Scanned:
        """The children of the adult whose code this is."""
        ...

    def app_code(self) -> AppCode:
        """What parents type into their app at this desk now."""
        ...

    def picture(self, person_id: str) -> Picture | None:
        """The picture of a child or an adult, if there is one here."""
        ...

    def is_list_old(self) -> bool:
        """Whether the pick-up list must be checked by phone."""
        ...

    async def arrive(self, child_ids: Sequence[str]) -> tuple[Recorded, ...]:
        """Record that these children came: all or none."""
        ...

    def resembling(self, name: str) -> tuple[RosterLine, ...]:
        """The children who may be meant by a name, the closest first."""
        ...

    async def take_in(self, newcomer: Newcomer) -> Recorded:
        """Record that a child came who is not on file."""
        ...

    async def release(self, child_ids: Sequence[str], release: Release) -> tuple[Recorded, ...]:
        """Record that these children left with somebody: all or none."""
        ...

    async def refuse(self, child_ids: Sequence[str], refusal: Refusal) -> tuple[Recorded, ...]:
        """Record that these children were not given to somebody."""
        ...

    async def has_label(self) -> bool:
        """Whether a label may have come out of what can be taken back."""
        ...

    async def undo(self) -> tuple[Recorded, ...]:
        """Take back the last thing recorded."""
        ...


class DeskPort(Protocol):
    """The desk as a person uses it; every method may raise DeskError, which says what to do."""

    @property
    def building(self) -> Building:
        """Roll-calls, staff and visitors, rooms, corrections, today, and how the desk itself is."""
        ...

    @property
    def quarantined(self) -> Quarantined | None:
        """What became of a replica that could not be trusted when the desk was opened."""
        ...

    async def roster(self) -> Sequence[RosterLine]:
        """Every child of today's roster, in the order to show."""
        ...

    async def collectors(self, child_id: str) -> Sequence[Collector]:
        """Who may and who may not collect this child."""
        ...

    @property
    def door(self) -> DoorPort:
        """Who is at the desk."""
        ...

    @property
    def counter(self) -> CounterPort:
        """What happens at the counter."""
        ...

    async def check_in(self, child_id: str) -> Recorded:
        """Record that a child came; durable when this returns."""
        ...

    async def check_out(self, child_id: str, *, adult_id: str = "", adult_name: str = "") -> Recorded:
        """Record that a child left, and with whom; durable when this returns."""
        ...

    async def record(self, *wishes: Wish) -> tuple[Recorded, ...]:
        """Record anything, of whatever subject, together: all or none; durable when this returns."""
        ...

    async def status(self) -> DeskStatus:
        """Everything for the status line."""
        ...

    async def run_link(self) -> None:
        """Keep in touch with the server until cancelled."""
        ...

    def subscribe(self) -> Subscription:
        """The desk's messages from now on."""
        ...
