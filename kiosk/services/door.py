"""Who is at this desk: it is unlocked by one member of staff with a PIN, and locks itself when nobody uses it.

A centre in which nobody has a PIN works unlocked, and says so. So does a desk that was given PINs and not yet the
pepper to check them: a desk that opens for nobody would be worse than one that opens for all.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum

from kiosk.services.errors import DeskError
from kiosk.services.following import Following
from kiosk.services.pins import PinCheck
from kiosk.settings import DoorSettings
from sync.pins import is_checkable
from sync.records import PinRecord, StaffRecord


class DoorMode(StrEnum):
    """How the door stands."""

    NO_PINS = "no_pins"
    NOT_CHECKABLE = "not_checkable"
    LOCKED = "locked"
    UNLOCKED = "unlocked"


@dataclass(frozen=True)
class DoorState:
    """How the door stands, and by whom it was unlocked; both empty unless it was."""

    mode: DoorMode
    staff_id: str = ""
    staff_name: str = ""

    @property
    def hides_names(self) -> bool:
        """Whether nothing may be shown."""
        return self.mode is DoorMode.LOCKED


@dataclass(frozen=True)
class StaffMember:
    """Somebody who can unlock the desk."""

    person_id: str
    name: str


@dataclass(frozen=True, eq=False)
class Approval:
    """The word of a second member of staff, given with a PIN; good once."""

    staff_id: str
    staff_name: str


@dataclass
class _Unlocked:
    """By whom, with which PIN, and when something was done last (monotonic milliseconds)."""

    person_id: str
    salt: str
    used_ms: int


@dataclass
class Door:
    """One desk's door."""

    following: Following
    pins: PinCheck
    settings: DoorSettings
    pepper: Callable[[], bytes]
    _by: _Unlocked | None = None
    _approvals: set[Approval] = field(default_factory=set)

    def state(self) -> DoorState:
        """How the door stands now: somebody who left the staff, or whose PIN is another one, is not at it any more."""
        self._let_time_pass()
        if not self.staff():
            has_pins = any(isinstance(one.pin, PinRecord) for one in self.following.knowledge.staff.values())
            return DoorState(DoorMode.NOT_CHECKABLE if has_pins else DoorMode.NO_PINS)
        if self._by is None:
            return DoorState(DoorMode.LOCKED)
        return DoorState(DoorMode.UNLOCKED, self._by.person_id, self._name(self._by.person_id))

    def staff(self) -> tuple[StaffMember, ...]:
        """Who can unlock this desk, by name."""
        known = self.following.knowledge.staff
        found = [StaffMember(person_id, _name_of(one)) for person_id, one in known.items() if self._pin(person_id)]
        return tuple(sorted(found, key=lambda one: (one.name, one.person_id)))

    async def unlock(self, person_id: str, pin: str) -> DoorState:
        """Unlock the desk for a member of staff.

        Raises:
            DeskError: revoked, unknown_staff, bad_input, pin_wrong, pin_wait, pin_locked, pin_not_checked, storage
                errors.

        """
        salt = await self._check(person_id, pin)
        self._by = _Unlocked(person_id, salt, self.following.clock.monotonic_ms())
        return self.state()

    async def approve(self, person_id: str, pin: str) -> Approval:
        """Get the word of a second member of staff for one thing.

        Raises:
            DeskError: as `unlock`; or same_person, when it is the one who unlocked the desk.

        """
        if self._by is not None and person_id == self._by.person_id:
            raise DeskError("same_person", "This needs a second person: somebody else than who unlocked the desk.")
        await self._check(person_id, pin)
        approval = Approval(person_id, self._name(person_id))
        self._approvals.add(approval)
        return approval

    def knows(self, approval: Approval | None) -> bool:
        """Whether this word was given here, and is not used up."""
        return approval in self._approvals

    def take(self, approval: Approval | None) -> bool:
        """Whether this word was given here; it is used up by this."""
        if approval is None or approval not in self._approvals:
            return False
        self._approvals.discard(approval)
        return True

    def lock(self) -> None:
        """Nobody is at the desk."""
        self._by = None
        self._approvals.clear()

    def touch(self) -> None:
        """Somebody did something."""
        self._let_time_pass()
        if self._by is not None:
            self._by.used_ms = self.following.clock.monotonic_ms()

    def _let_time_pass(self) -> None:
        by = self._by
        if by is None:
            return
        idle_ms = self.following.clock.monotonic_ms() - by.used_ms
        record = self._pin(by.person_id)
        if idle_ms >= self.settings.idle_lock_ms or record is None or record.salt != by.salt:
            self.lock()

    async def _check(self, person_id: str, pin: str) -> str:
        if self.following.last_words:
            raise DeskError("revoked", self.following.last_words)
        record = self._pin(person_id)
        if record is None:
            raise DeskError("unknown_staff", "Nobody with this name has a PIN at this desk.")
        await self.pins.check(person_id, record, pin, self.pepper())
        return record.salt

    def _pin(self, person_id: str) -> PinRecord | None:
        """The PIN of a member of staff, if this desk can check it."""
        one = self.following.knowledge.staff.get(person_id)
        if one is None or not isinstance(one.pin, PinRecord):
            return None
        return one.pin if is_checkable(one.pin, self.pepper()) else None

    def _name(self, person_id: str) -> str:
        one = self.following.knowledge.staff.get(person_id)
        return _name_of(one) if one is not None else ""


def _name_of(one: StaffRecord) -> str:
    return f"{one.given_name} {one.family_name}".strip()
