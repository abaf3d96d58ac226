"""Who collects a child for one day because its guardian says so, by their account and with their password again."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

import structlog

from server.core.clock import Clock
from server.core.errors import Conflict, FieldProblem, InvalidInput, NotEntitled, NotFound
from server.models.people import PickupAuthorisation, PickupStatus, Relationship
from server.models.rooms import Center
from server.repositories import people, pickups
from server.repositories.guardian_accounts import FamilyChild
from server.repositories.pickups import PickupRows
from server.repositories.unit_of_work import UnitOfWork, UnitsOfWork
from server.services.access import User
from server.services.adults import Adult, add_adult
from server.services.announcements import suspend, today_at
from server.services.child_files import Part, read_child
from server.services.guardian_rights import child_with_center
from server.services.password_again import PasswordAgain
from server.services.pickups import tell
from server.services.roster_changes import note_status
from sync.resemblance import Resemblance, resemblance

__all__ = ["Announcement", "MyPickups", "PickupRows"]

OPEN_MAX: Final = 20
AHEAD_DAYS_MAX: Final = 31
# Fewer digits are an extension, and no number of one person.
PHONE_DIGITS_MIN: Final = 7

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Announcement:
    """Who collects on which day; `id` is the caller's, so that a repeat is harmless."""

    id: str
    given_name: str
    family_name: str
    phone: str
    relationship: str
    day: date


class MyPickups:
    """Takes announcements of guardians."""

    def __init__(self, units: UnitsOfWork, again: PasswordAgain, clock: Clock, new_id: Callable[[], str]) -> None:
        """Write through `units`; `new_id` names the adults."""
        self._units = units
        self._again = again
        self._clock = clock
        self._new_id = new_id

    async def mine(self, user: User, child_id: str) -> Sequence[PickupRows]:
        """Give what an account announced for a child, for today and later. Raises NotFound."""
        async with self._units.begin() as unit:
            child, center = await child_with_center(unit, user, child_id)
            await read_child(unit, user, center.id, child.child_id, Part.ANNOUNCEMENTS)
            since = today_at(center, self._clock)
            return await pickups.of_child(unit.session, center.id, child_id, since=since, announced_by=user.id)

    async def announce(self, user: User, child_id: str, announced: Announcement, password: str) -> PickupRows:
        """Let somebody collect a child on one day; the same with the same id a second time changes nothing.

        Raises:
            NotFound: it is no child of the account's.
            NotEntitled: the account is not a legal guardian's.
            WrongPassword, RateLimited: as `PasswordAgain.require`.
            InvalidInput: the day is over, or more than a month ahead.
            Conflict: another pick-up has this id, there are too many, or the centre has to decide about this person.

        """
        async with self._units.begin() as unit:
            _require_guardian((await child_with_center(unit, user, child_id))[0])
        await self._again.require(user, password)
        async with self._units.begin(actor=user.id, origin="my") as unit:
            _, center = await child_with_center(unit, user, child_id)
            await unit.lock_head(center.id)
            child, _ = await child_with_center(unit, user, child_id)
            _require_guardian(child)
            standing = await pickups.rows(unit.session, center.id, announced.id)
            if standing is not None:
                return _repeated(standing, user, child, announced)
            if await pickups.find(unit.session, center.id, announced.id) is not None:
                raise Conflict("Another pick-up has this id")
            await self._refuse(unit, user, center, child_id, announced)
            rows = await self._store(unit, user, child, announced)
        _log.info("pickup_announced", center=center.id, child=child_id, pickup=announced.id, user=user.id)
        return rows

    async def withdraw(self, user: User, child_id: str, pickup_id: str) -> PickupRows:
        """Take an announcement back, a second time too.

        Raises:
            NotFound: the account announced no such pick-up for this child.
            Conflict: its day is over, or the centre has decided otherwise meanwhile.

        """
        async with self._units.begin(actor=user.id, origin="my") as unit:
            _, center = await child_with_center(unit, user, child_id)
            await unit.lock_head(center.id)
            rows = await pickups.rows(unit.session, center.id, pickup_id)
            if rows is None or rows[0].announced_by != user.id or rows[0].child_id != child_id:
                raise NotFound("You announced no such pick-up")
            pickup = rows[0]
            if pickup.withdrawn_at is not None:
                return rows
            if pickup.valid_to is None or pickup.valid_to < today_at(center, self._clock):
                raise Conflict("The day of this pick-up is over")
            if pickup.status != PickupStatus.TEMPORARY:
                raise Conflict("The centre has decided about this pick-up: talk to them")
            pickup.withdrawn_at = self._clock.now()
            await suspend(unit, pickup, self._clock.wall_ms())
        _log.info("pickup_withdrawn", center=center.id, child=child_id, pickup=pickup_id, user=user.id)
        return rows

    async def _refuse(
        self, unit: UnitOfWork, user: User, center: Center, child_id: str, announced: Announcement
    ) -> None:
        today = today_at(center, self._clock)
        if not today <= announced.day <= today + timedelta(days=AHEAD_DAYS_MAX):
            detail = f"Say who collects today, or on a day of the next {AHEAD_DAYS_MAX}"
            raise InvalidInput(detail, (FieldProblem("/day", detail),))
        mine = await pickups.count_announced(unit.session, center.id, child_id, announced_by=user.id, since=today)
        if mine >= OPEN_MAX:
            raise Conflict(f"You have announced {OPEN_MAX} pick-ups that are not over: withdraw one first")
        for name, phone in await pickups.blocked_names(unit.session, center.id, child_id):
            if may_be_the_same(announced, name, phone):
                _log.warning("pickup_announcement_refused", center=center.id, child=child_id, user=user.id)
                raise Conflict("The centre has to decide about this person: please call them")

    async def _store(self, unit: UnitOfWork, user: User, child: FamilyChild, announced: Announcement) -> PickupRows:
        adult = Adult(
            id=self._new_id(), external_id=f"announced:{announced.id}", given_name=announced.given_name,
            family_name=announced.family_name, phone=announced.phone,
        )  # fmt: skip
        await add_adult(unit, child.center_id, adult)
        relationship = Relationship(
            center_id=child.center_id, child_id=child.child_id, adult_id=adult.id, kind=announced.relationship,
            can_view=False, can_book=False, receives_notifications=False,
        )  # fmt: skip
        pickup = PickupAuthorisation(
            center_id=child.center_id, id=announced.id, child_id=child.child_id, adult_id=adult.id, status="",
            valid_from=announced.day, valid_to=announced.day, announced_by=user.id,
        )  # fmt: skip
        note_status(pickup, PickupStatus.TEMPORARY, self._clock.wall_ms())
        pickup.status = PickupStatus.TEMPORARY.value
        await people.add(unit.session, [relationship, pickup])
        return (await tell(unit, pickup)).rows


def may_be_the_same(announced: Announcement, name: str, phone: str) -> bool:
    """Whether an announced person may be one whom the centre does not let collect: by name, or by telephone.

    A near match counts: nobody comes past a refusal by a slip of the pen, and the centre can be called.
    """
    if resemblance(f"{announced.given_name} {announced.family_name}", name) is not Resemblance.NONE:
        return True
    ours, theirs = _digits(announced.phone), _digits(phone)
    # With and without the code of the country: what both end with.
    length = min(len(ours), len(theirs))
    return length >= PHONE_DIGITS_MIN and ours[-length:] == theirs[-length:]


def _digits(phone: str) -> str:
    """The digits of a number without the zeros before it."""
    return "".join(character for character in phone if character.isdecimal()).lstrip("0")


def _require_guardian(child: FamilyChild) -> None:
    if not child.legal_guardian:
        raise NotEntitled("Only a legal guardian says who else collects; ask the centre")


def _repeated(standing: PickupRows, user: User, child: FamilyChild, announced: Announcement) -> PickupRows:
    pickup, relationship, adult = standing
    same = (pickup.child_id, pickup.announced_by, pickup.valid_from, relationship.kind, adult.given_name)
    wanted = (child.child_id, user.id, announced.day, announced.relationship, announced.given_name)
    if same != wanted or (adult.family_name, adult.phone) != (announced.family_name, announced.phone):
        raise Conflict("Another pick-up has this id")
    return standing
