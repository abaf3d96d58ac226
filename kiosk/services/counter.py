"""The front desk: whole families come and go at once, a release is refused, the last entry is taken back."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from kiosk.keys import DeviceKeys
from kiosk.services import roster as rosters
from kiosk.services.cards import BY_CARD, BY_CODE, find_card
from kiosk.services.children import child_of
from kiosk.services.door import Door, DoorMode
from kiosk.services.errors import DeskError
from kiosk.services.families import FamilyMember, children_of, family
from kiosk.services.newcomers import (
    Newcomer,
    arrival_of,
    cleaned,
    require_none_of,
    resembling,
)
from kiosk.services.recorder import DeskParts, Recorded
from kiosk.services.recording import Wish
from kiosk.services.release import (
    LIST_OLD,
    NO_LIST,
    Doubt,
    Refusal,
    Release,
    Stop,
    doubt,
    is_list_old,
    lacks_list,
)
from kiosk.services.roster import RosterLine
from kiosk.services.scans import ScanFault, read_scan
from sync.attendance_events import OVERRIDE, EventKind
from sync.desk_code import desk_code, left_ms
from sync.pictures import Picture, unpack

CHILDREN_MAX = 40
"""At most so many children are recorded at once: a whole room, and one transaction."""


@dataclass(frozen=True)
class Undoable:
    """What can be taken back, and for how long yet (milliseconds)."""

    recorded: tuple[Recorded, ...]
    left_ms: int


@dataclass(frozen=True)
class Scanned:
    """Whose code it was, and the children to act on; `adult_id` is empty when it is a child's own card.

    `method` is the `auth_method` of what is recorded by it.
    """

    adult_id: str
    lines: tuple[RosterLine, ...]
    method: str = BY_CODE


@dataclass(frozen=True)
class AppCode:
    """What a parent types into their app to say that they are here, and how long it is shown yet (milliseconds)."""

    code: str
    left_ms: int


class Counter:
    """Records what happens at the counter; whoever unlocked the desk attests it."""

    def __init__(
        self, parts: DeskParts, door: Door, family_key: Callable[[], bytes], keys: DeviceKeys, new_id: Callable[[], str]
    ) -> None:
        self._following = parts.following
        self._refusals = parts.refusals
        self._recorder = parts.recorder
        self._door = door
        self._family_key = family_key
        self._center_id = keys.center_id
        self._device_id = keys.device_id
        self._new_id = new_id
        self._last: tuple[tuple[Recorded, ...], int] = ((), 0)
        self.arrived: Callable[[Sequence[Recorded]], None] = lambda _: None
        """Hears of children who came, once that is durable."""
        self.were_printed: Callable[[Sequence[Recorded]], Awaitable[bool]] = _nothing_printed
        """Says whether a label of one of these may have come out; raises DeskError of the store."""

    # -- what can be done

    def family(self, child_id: str) -> tuple[FamilyMember, ...]:
        """A child and those who come and go with it; raises DeskError locked, revoked or unknown_child."""
        self._refusals.require_unlocked()
        self._refusals.require_known(child_id)
        return family(self._following.knowledge, child_id, self._following.span_of_today())

    def undoable(self) -> Undoable | None:
        """The last thing this desk recorded, while it can be taken back."""
        recorded, at_ms = self._last
        left_ms = self._door.settings.undo_ms - (self._following.clock.monotonic_ms() - at_ms)
        return Undoable(recorded, left_ms) if recorded and left_ms > 0 else None

    async def has_label(self) -> bool:
        """Whether a label may have come out of what can be taken back; raises DeskError storage_failed."""
        found = self.undoable()
        return found is not None and await self.were_printed(found.recorded)

    def scan(self, text: str) -> Scanned:
        """The children of the adult whose code or card this is, or the child whose card it is.

        Raises:
            DeskError: locked, revoked, or unknown_code with the reason.

        """
        self._refusals.require_unlocked()
        knowledge = self._following.knowledge
        card = find_card(text, self._door.pepper(), knowledge.credentials)
        if isinstance(card, ScanFault):
            raise DeskError("unknown_code", card.words)
        if card is not None:
            return self._opened_by_card(card.person_id)
        found = read_scan(text, self._family_key(), self._center_id, self._following.now_ms())
        if isinstance(found, ScanFault):
            raise DeskError("unknown_code", found.words)
        return Scanned(found.adult_id, self._lines(children_of(knowledge, found.adult_id)))

    def _opened_by_card(self, person_id: str) -> Scanned:
        knowledge = self._following.knowledge
        if person_id in knowledge.children:
            return Scanned("", self._lines((person_id,)), BY_CARD)
        return Scanned(person_id, self._lines(children_of(knowledge, person_id)), BY_CARD)

    def _lines(self, child_ids: Sequence[str]) -> tuple[RosterLine, ...]:
        knowledge, today = self._following.knowledge, self._following.span_of_today()
        if not child_ids:
            raise DeskError("unknown_code", "This code opens nothing: the adult may collect no child here.")
        return tuple(rosters.line_of(knowledge, one, today) for one in child_ids)

    def resembling(self, name: str) -> tuple[RosterLine, ...]:
        """The children who may be meant by a name that somebody typed; raises DeskError locked or revoked."""
        self._refusals.require_unlocked()
        return resembling(self._following.knowledge, name, self._following.span_of_today())

    def app_code(self) -> AppCode:
        """The code of this desk and minute.

        Raises:
            DeskError: locked, revoked, or no_keys while the server never gave this desk its pepper.

        """
        self._refusals.require_unlocked()
        pepper = self._door.pepper()
        if not pepper:
            raise DeskError("no_keys", "This desk has no keys yet; connect it to the network.")
        now_ms = self._following.now_ms()
        return AppCode(desk_code(pepper, self._device_id, now_ms), left_ms(now_ms))

    def picture(self, person_id: str) -> Picture | None:
        """The picture of a child or an adult; None when there is none here, and on a desk that hides its names."""
        record = self._following.knowledge.pictures.get(person_id)
        hides_names = bool(self._following.last_words) or self._following.is_locked
        return None if record is None or hides_names else unpack(record)

    def is_list_old(self) -> bool:
        """Whether the pick-up list must be checked by phone."""
        as_of_ms = self._following.status().data_as_of_ms
        return is_list_old(as_of_ms, self._following.clock.wall_ms(), old_ms=self._door.settings.list_old_ms)

    # -- what is recorded

    async def arrive(self, child_ids: Sequence[str]) -> tuple[Recorded, ...]:
        """Record that these children came: all of them, or none; durable when this returns.

        Raises:
            DeskError: revoked, unknown_child, already_in, bad_input, storage_full, storage_failed.

        """
        async with self._recorder.one_at_a_time:
            for child_id in _checked(child_ids):
                self._refusals.require_known(child_id)
                self._refusals.require_name(child_id)
                self._refusals.require_not_in(child_id)
            recorded = await self._record([self._wish(EventKind.CHECK_IN, one) for one in child_ids])
        self.arrived(recorded)
        return recorded

    async def take_in(self, newcomer: Newcomer) -> Recorded:
        """Record that a child came who is not on file, under an id of its own; durable when this returns.

        Raises:
            DeskError: revoked, bad_input, unknown_room, resembles_known (a child of such a name is known, and nobody
                said that it is not this one), storage_full, storage_failed.

        """
        self._refusals.require_alive()
        said = cleaned(newcomer)
        async with self._recorder.one_at_a_time:
            knowledge = self._following.knowledge
            if said.room_id and said.room_id not in knowledge.rooms:
                raise DeskError("unknown_room", "No such room is known here; choose one of the list.")
            if not self._following.is_locked:  # or nobody can look who is meant
                require_none_of(resembling(knowledge, said.name, self._following.span_of_today()), said)
            recorded = await self._record([arrival_of(said, self._new_id(), self._door.state().staff_id)])
        self.arrived(recorded)
        return recorded[0]

    async def release(self, child_ids: Sequence[str], release: Release) -> tuple[Recorded, ...]:
        """Record that these children left with somebody: all of them, or none; durable when this returns.

        Raises:
            DeskError: revoked, unknown_child, already_out, unknown_adult, not_authorised, needs_second_person,
                bad_input, storage_full, storage_failed.

        """
        async with self._recorder.one_at_a_time:
            warnings = list(release.warnings)
            for child_id in _checked(child_ids):
                self._refusals.require_known(child_id)
                self._refusals.require_in(child_id, None)
                warnings.extend(self._warnings_of(child_id, release))
            if self.is_list_old():
                warnings.append(LIST_OLD)
            said = self._said(release, tuple(dict.fromkeys(warnings)))
            return await self._record([self._wish(EventKind.CHECK_OUT, one, **said) for one in child_ids])

    async def refuse(self, child_ids: Sequence[str], refusal: Refusal) -> tuple[Recorded, ...]:
        """Record that these children were not given to somebody; durable when this returns.

        Raises:
            DeskError: revoked, unknown_child, bad_input, storage_full, storage_failed.

        """
        async with self._recorder.one_at_a_time:
            for child_id in _checked(child_ids):
                self._refusals.require_known(child_id)
            said = {
                "adult_id": refusal.adult_id,
                "adult_name": refusal.adult_name,
                "reason_code": refusal.reason_code,
                "reason": refusal.reason,
            }
            return await self._record([self._wish(EventKind.RELEASE_REFUSED, one, **said) for one in child_ids])

    async def undo(self) -> tuple[Recorded, ...]:
        """Take back the last thing this desk recorded, of a family all of it; what was recorded stays in the log.

        Raises:
            DeskError: nothing_to_undo, revoked, storage_full, storage_failed.

        """
        async with self._recorder.one_at_a_time:
            found = self.undoable()
            if found is None:
                raise DeskError("nothing_to_undo", "There is nothing to take back; what is older is corrected.")
            wishes = [
                Wish(
                    kind=EventKind.VOID,
                    child_id=one.child_id,
                    supersedes=(one.event_id,),
                    staff_id=self._door.state().staff_id,
                    reason_code="undo",
                )
                for one in found.recorded
            ]
            undone = await self._recorder.record(*wishes)
            self._last = ((), 0)
            return undone

    async def _record(self, wishes: Sequence[Wish]) -> tuple[Recorded, ...]:
        recorded = await self._recorder.record(*wishes)
        self._last = (recorded, self._following.clock.monotonic_ms())
        return recorded

    def _warnings_of(self, child_id: str, release: Release) -> list[str]:
        self._refusals.require_on_list(child_id, release.adult_id)
        known = rosters.collectors(self._following.knowledge, child_id, self._following.today())
        found = doubt(known, release.adult_id, release.adult_name)
        if lacks_list(known, is_on_file=child_of(self._following.knowledge, child_id).is_on_file):
            found = Doubt(Stop.OVERRIDE, NO_LIST)
        if found.stop is Stop.NEVER:
            self._refusals.require_may_collect(child_id, release.adult_id, release.adult_name)
        if found.stop is Stop.OVERRIDE and not self._is_overridden(release):
            message = "This release needs a second member of staff with a PIN, and a reason."
            raise DeskError("needs_second_person", message)
        return [found.warning] if found.warning else []

    def _is_overridden(self, release: Release) -> bool:
        """By somebody's PIN and a reason; by a reason alone where nobody has a PIN."""
        has_no_pins = self._door.state().mode in (DoorMode.NO_PINS, DoorMode.NOT_CHECKABLE)
        return bool(release.reason) and (has_no_pins or self._door.knows(release.approval))

    def _said(self, release: Release, warnings: tuple[str, ...]) -> dict[str, object]:
        is_override = bool(release.reason)
        approval = release.approval if self._door.take(release.approval) else None
        return {
            "adult_id": release.adult_id,
            "adult_name": release.adult_name,
            "identity_check": release.identity_check,
            "auth_method": release.auth_method,
            "warnings": warnings,
            "reason_code": OVERRIDE if is_override else "",
            "reason": release.reason,
            # The event has no field for a second person: who stood in for the release is told in words and by id.
            "note": f"Second person: {approval.staff_name} ({approval.staff_id})"[:200] if approval else "",
        }

    def _wish(self, kind: EventKind, child_id: str, **said: object) -> Wish:
        room_id = child_of(self._following.knowledge, child_id).home_room_id
        staff_id = self._door.state().staff_id
        return Wish(kind=kind, child_id=child_id, room_id=room_id, staff_id=staff_id, **said)  # type: ignore[arg-type]


def _checked(child_ids: Sequence[str]) -> Sequence[str]:
    if not 0 < len(child_ids) <= CHILDREN_MAX or len(set(child_ids)) != len(child_ids):
        raise DeskError("bad_input", f"Choose 1 to {CHILDREN_MAX} children, each once.")
    return child_ids


async def _nothing_printed(_recorded: Sequence[Recorded]) -> bool:
    return False
