"""Coming and going by a parent's app: the telephone says which child, and the code of the desk says where.

It becomes an event of the server's own desk with the account behind it, as everything that people enter there, so it
reaches every desk and stands in the evidence of the stay.
"""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

import structlog

from server.core.clock import Clock, datetime_of, ms_of
from server.core.errors import Conflict, FieldProblem, InvalidInput, NotEntitled, RollcallError
from server.models.devices import Device, DeviceState
from server.models.people import PickupAuthorisation, PickupStatus
from server.models.rooms import Center
from server.repositories import devices, family_live, pickups
from server.repositories.guardian_accounts import FamilyChild
from server.repositories.unit_of_work import UnitOfWork, UnitsOfWork
from server.services.access import User
from server.services.announcements import today_at
from server.services.child_files import Part, read_child
from server.services.desk_entries import DeskEntries, Entered, Entry, EventKind
from server.services.door import pepper_of
from server.services.guardian_rights import child_with_center
from server.services.my_children import Whereabouts, whereabouts_at
from server.services.stay_history import PARENT_APP, StayHistory, read_history
from server.services.throttles import DESK_CODE, Throttles
from sync.desk_code import desk_of, typed_code
from sync.limits import REPLICA_DAYS
from sync.records import day_bounds_ms

__all__ = ["AppEntry", "EnteredAt", "MyAttendance"]

NOTE_CHARACTERS_MAX: Final = 200
_NOTE: Final = "App of a guardian at "
_MAY_COLLECT: Final = frozenset({PickupStatus.AUTHORISED, PickupStatus.TEMPORARY})

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class AppEntry:
    """A child came or left; `event_id` is the caller's and makes it one entry, `code` what the desk shows."""

    event_id: str
    kind: EventKind
    code: str


@dataclass(frozen=True, slots=True)
class EnteredAt:
    """What was entered, and the name of the desk."""

    entered: Entered
    desk_name: str


@dataclass(frozen=True, slots=True)
class _Prepared:
    """The centre and what was entered already, if it was; `desks`: those whose codes are good."""

    center: Center
    child: FamilyChild
    desks: tuple[Device, ...]
    refusal: RollcallError | None
    known: EnteredAt | None = None


class MyAttendance:
    """Takes entries of parents' apps."""

    def __init__(
        self, units: UnitsOfWork, entries: DeskEntries, throttles: Throttles, clock: Clock, secret_key: str
    ) -> None:
        """Enter through `entries`; codes are made from `secret_key`, as the peppers of the centres are."""
        self._units = units
        self._entries = entries
        self._throttles = throttles
        self._clock = clock
        self._secret_key = secret_key

    async def enter(self, user: User, child_id: str, entry: AppEntry) -> EnteredAt:
        """Enter that a child came or left now.

        The same entry sent again is entered once, also when the code is over by then.

        Raises:
            NotFound: it is no child of the account's.
            InvalidInput: no desk of the child's centre shows this code, or did a moment ago.
            RateLimited: the account has sent too many wrong codes.
            NotEntitled: the pick-up list does not let this adult collect the child today.
            Conflict: the child is in, or out, already, or not enrolled; or another event has this id.
            DatabaseUnavailable: it is not known whether it was stored; send it again with the same `event_id`.

        """
        prepared = await self._prepared(user, child_id, entry)
        if prepared.known is not None:
            return prepared.known
        desk = await self._desk(user, prepared, entry.code)
        if prepared.refusal is not None:
            raise prepared.refusal
        wanted = Entry(
            kind=entry.kind, event_id=entry.event_id, child_id=child_id, adult_id=prepared.child.adult_id,
            auth_method=PARENT_APP, note=f"{_NOTE}{desk.name}"[:NOTE_CHARACTERS_MAX],
        )  # fmt: skip
        try:
            entered = await self._entries.enter(prepared.center, user, wanted)
        except Conflict:
            # Sent twice at the same time: the other one may have been first.
            again = await self._prepared(user, child_id, entry)
            if again.known is None:
                raise
            return again.known
        _log.info("app_entry_stored", center=prepared.center.id, desk=desk.id, user=user.id, kind=entry.kind.value)
        return EnteredAt(entered, desk.name)

    async def _prepared(self, user: User, child_id: str, entry: AppEntry) -> _Prepared:
        now = self._clock.now()
        async with self._units.begin() as unit:
            child, center = await child_with_center(unit, user, child_id)
            await read_child(unit, user, child.center_id, child_id, Part.STATUS)
            history = await read_history(unit, child, with_event=entry.event_id)
            known = await _known(unit, history, user, entry)
            desks = await devices.of_center(unit.session, center.id)
            refusal = None if known else await self._refusal(unit, center, child, entry.kind, now)
        good = tuple(one for one in desks if one.state == DeviceState.ACTIVE)
        return _Prepared(center, child, good, refusal, known)

    async def _desk(self, user: User, prepared: _Prepared, text: str) -> Device:
        """The desk whose code it is; a wrong one is counted, a right one is not."""
        taken = (DESK_CODE, user.id)
        await self._throttles.take(taken)
        pepper, by_id = pepper_of(self._secret_key, prepared.center.id), {one.id: one for one in prepared.desks}
        found = desk_of(typed_code(text), pepper, by_id, self._clock.wall_ms())
        if found is None:
            _log.info("desk_code_refused", center=prepared.center.id, user=user.id)
            detail = "No desk of the centre shows this code; type the one that is on its screen now"
            raise InvalidInput(detail, (FieldProblem("/code", detail),))
        await self._throttles.give_back(taken)
        return by_id[found]

    async def _refusal(
        self, unit: UnitOfWork, center: Center, child: FamilyChild, kind: EventKind, now: datetime
    ) -> RollcallError | None:
        """Why this cannot be entered; it is told only to whoever shows a good code."""
        if not child.enrolled:
            return Conflict("This child is not at the centre any more; ask at the desk")
        where = await _whereabouts(unit, child, now)
        is_in = where is Whereabouts.IN
        if is_in == (kind is EventKind.CHECK_IN):
            return Conflict(f"The child is {'in already' if is_in else 'not in'}; if that is wrong, ask at the desk")
        if kind is EventKind.CHECK_IN:
            return None
        pickup = await pickups.of_pair(unit.session, center.id, child.child_id, child.adult_id)
        if may_collect(pickup, today_at(center, self._clock)):
            return None
        return NotEntitled("The pick-up list does not let you collect this child today; ask at the desk")


def may_collect(pickup: PickupAuthorisation | None, day: date) -> bool:
    """Whether an authorisation lets an adult collect on a day of the centre."""
    if pickup is None or pickup.status not in _MAY_COLLECT:
        return False
    has_begun = pickup.valid_from is None or pickup.valid_from <= day
    return has_begun and (pickup.valid_to is None or day <= pickup.valid_to)


async def _known(unit: UnitOfWork, history: StayHistory, user: User, entry: AppEntry) -> EnteredAt | None:
    """What became of this entry when it was sent before. Raises Conflict when its id is another event's."""
    found = await history.entered(unit, entry.event_id)
    if found is None:
        return None
    event, entered = found
    said = (event.kind, event.author_id, event.child_id, event.auth_method)
    if said != (entry.kind, user.id, history.child.child_id, PARENT_APP):
        raise Conflict("There is another event with this id")
    in_question = any(entry.event_id in finding.event_ids for finding in history.attendance.findings)
    return EnteredAt(
        Entered(entered.event_id, entered.version, needs_review=in_question), event.note.removeprefix(_NOTE)
    )


async def _whereabouts(unit: UnitOfWork, child: FamilyChild, now: datetime) -> Whereabouts:
    today = now.astimezone(ZoneInfo(child.time_zone)).date().isoformat()
    start_ms, _ = day_bounds_ms(today, child.time_zone)
    stays = await family_live.stays(
        unit.connection, child.center_id, [child.child_id], oldest=now - timedelta(days=REPLICA_DAYS),
        since=datetime_of(start_ms),
    )  # fmt: skip
    return whereabouts_at(stays.get(child.child_id, []), ms_of(now), day_start_ms=start_ms)[0]
