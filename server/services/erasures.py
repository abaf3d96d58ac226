"""Erasing a child or an adult of a centre: asked for, looked at, and confirmed with a reason and the password again.

A hold keeps anybody from being erased for as long as it stands, and whoever is in the building is not erased.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

import structlog

from server.core.clock import Clock
from server.core.errors import Conflict, NotFound
from server.models.erasure import Erasure, ErasureKind, ErasureReason, ErasureState
from server.models.people import Person, PersonKind
from server.models.rooms import Center
from server.repositories import erasures, people
from server.repositories.unit_of_work import UnitOfWork, UnitsOfWork
from server.services.access import User
from server.services.erasing import ALWAYS, Erased, erase, hide_words, who_goes
from server.services.legal_holds import LegalHolds
from server.services.password_again import PasswordAgain

__all__ = ["Asked", "Erasure", "ErasureKind", "ErasurePage", "ErasureReason", "Erasures"]

# Who asked and looked has a week to make sure; then it is looked at anew.
CONFIRM_WITHIN: Final = timedelta(days=7)
# What came in late is looked for that often; an hour more is looked through, for clocks that differ.
SWEEP_EVERY: Final = timedelta(hours=1)
SWEEP_OVERLAP: Final = timedelta(hours=1)
SWEEPS_A_RUN_MAX: Final = 50

_log = structlog.get_logger(__name__)


class LegallyHeld(Conflict):
    """Somebody who would be erased is under a legal hold."""

    code = "legal_hold"
    title = "There is a legal hold"


class StillPresent(Conflict):
    """Whoever is in the building is not erased."""

    code = "still_present"
    title = "The child is checked in"


class HasChildren(Conflict):
    """An adult who belongs to a child is erased with it, or after the relationship has ended."""

    code = "has_children"
    title = "This adult belongs to a child"


@dataclass(frozen=True, slots=True)
class Asked:
    """An erasure, and what it takes away: how many of what; of one that is done, nothing any more."""

    erasure: Erasure
    adult_ids: Sequence[str] = ()
    alerts: int = 0
    pickups: int = 0
    photos: int = 0
    cards: int = 0
    accounts: int = 0


@dataclass(frozen=True, slots=True)
class ErasurePage:
    """Erasures by id; `after`: behind which there are more, None at the end."""

    items: Sequence[Erasure]
    after: str | None


class Erasures:
    """Takes people out of the books."""

    def __init__(self, units: UnitsOfWork, clock: Clock, again: PasswordAgain) -> None:
        """Write through `units`; `again` asks for the password once more."""
        self._units = units
        self._clock = clock
        self._again = again
        self.holds: Final = LegalHolds(units, clock)

    async def page(self, center: Center, *, after: str | None, limit: int) -> ErasurePage:
        """Give a page of the erasures of a centre."""
        async with self._units.begin() as unit:
            rows = await erasures.page(unit.session, center.id, after=after, limit=limit + 1)
        return ErasurePage(rows[:limit], rows[limit - 1].id if len(rows) > limit else None)

    async def one(self, center: Center, erasure_id: str) -> Asked:
        """Give an erasure with what it takes away. Raises NotFound."""
        async with self._units.begin() as unit:
            return await _looked_at(unit, await _find(unit, center.id, erasure_id))

    async def ask(self, center: Center, user: User, erasure_id: str, kind: ErasureKind, person_id: str) -> Asked:
        """Ask for somebody to be erased; nothing is done yet, and who was asked for before has that erasure.

        Raises:
            NotFound: the centre has no such child or adult.
            Conflict: another erasure has this id, or it could not be confirmed as things stand.

        """
        async with self._units.begin(actor=user.id, origin="api") as unit:
            await unit.lock_head(center.id)
            standing = await erasures.of_person(unit.session, center.id, person_id)
            if standing is not None and standing.state == ErasureState.DONE:
                return Asked(standing)
            await self._refuse(unit, center.id, kind, person_id)
            now = self._clock.now()
            if standing is not None:
                standing.asked_at, standing.asked_by = now, user.id
                return await _looked_at(unit, standing)
            if await erasures.find(unit.session, center.id, erasure_id) is not None:
                raise Conflict("Another erasure has this id")
            erasure = Erasure(
                center_id=center.id, id=erasure_id, kind=kind.value, person_id=person_id,
                state=ErasureState.ASKED.value, asked_at=now, asked_by=user.id,
            )  # fmt: skip
            await people.add(unit.session, [erasure])
            asked = await _looked_at(unit, erasure)
        _log.info("erasure_asked", center=center.id, erasure=erasure_id, by=user.id)
        return asked

    async def withdraw(self, center: Center, user: User, erasure_id: str) -> None:
        """Take back what was asked for, a second time too.

        Raises:
            NotFound: there is no such erasure.
            Conflict: it is done, and nothing brings back what was erased.

        """
        async with self._units.begin(actor=user.id, origin="api") as unit:
            await unit.lock_head(center.id)
            erasure = await _find(unit, center.id, erasure_id)
            if erasure.state == ErasureState.DONE:
                raise Conflict("This was done: what was erased cannot be brought back")
            if erasure.state == ErasureState.ASKED:
                _end(erasure, ErasureState.WITHDRAWN, self._clock, user.id)

    async def confirm(
        self, center: Center, user: User, erasure_id: str, reason: ErasureReason, password: str
    ) -> Erasure:
        """Erase whom somebody asked for, in one transaction; a second time changes nothing.

        Raises:
            NotFound: there is no such erasure.
            WrongPassword, RateLimited: as `PasswordAgain.require`.
            Conflict: it was taken back, was asked for too long ago, or somebody is held, in, or belongs to a child.

        """
        await self._again.require(user, password)
        async with self._units.begin(actor=user.id, origin="erasure") as unit:
            await unit.lock_head(center.id)
            erasure = await _find(unit, center.id, erasure_id)
            if erasure.state == ErasureState.DONE:
                return erasure
            if erasure.state == ErasureState.WITHDRAWN or self._clock.now() - erasure.asked_at > CONFIRM_WITHIN:
                raise Conflict("This was taken back, or asked for more than a week ago: ask again")
            await self._refuse(unit, center.id, ErasureKind(erasure.kind), erasure.person_id)
            _end(erasure, ErasureState.DONE, self._clock, user.id)
            erasure.reason = reason.value
            await people.flush(unit.session)
            await erase(unit, erasure)
        _log.warning("person_erased", center=center.id, erasure=erasure_id, kind=erasure.kind, by=user.id)
        return erasure

    async def sweep(self) -> int:
        """Take names and notes out of what came in since somebody was erased; gives how many events had some.

        A desk that was away tells late what it had recorded before. A job; run by hand it does the same.
        """
        now = self._clock.now()
        async with self._units.begin() as unit:
            due = await erasures.unswept(unit.session, before=now - SWEEP_EVERY, limit=SWEEPS_A_RUN_MAX)
        return sum([await self._sweep(one.center_id, one.id) for one in due])

    async def _sweep(self, center_id: str, erasure_id: str) -> int:
        async with self._units.begin(origin="erasure") as unit:
            await unit.lock_head(center_id)
            erasure = await _find(unit, center_id, erasure_id)
            since = (erasure.swept_at or ALWAYS) - SWEEP_OVERLAP
            hidden = await hide_words(unit, erasure, (), since=since)
            erasure.swept_at = self._clock.now()
        if hidden:
            _log.info("late_words_erased", center=center_id, erasure=erasure_id, events=hidden)
        return hidden

    async def _refuse(self, unit: UnitOfWork, center_id: str, kind: ErasureKind, person_id: str) -> None:
        person = await _person(unit, center_id, kind, person_id)
        if kind is ErasureKind.ADULT and await erasures.adults_of_others(unit.connection, center_id, [person.id], None):
            raise HasChildren("This adult belongs to a child: end the relationship first, or erase the child")
        if await erasures.is_present(unit.connection, center_id, person.id):
            raise StillPresent("This child is checked in: check it out first")
        goes = await who_goes(unit, center_id, kind, person.id)
        held = await erasures.holds(unit.session, center_id, [person.id, *(one.id for one in goes.adults)])
        if held:
            raise LegallyHeld("There is a legal hold on somebody who would be erased: it must be lifted first")


def _end(erasure: Erasure, state: ErasureState, clock: Clock, user_id: str) -> None:
    erasure.state, erasure.ended_at, erasure.ended_by = state.value, clock.now(), user_id
    erasure.swept_at = erasure.ended_at


async def _looked_at(unit: UnitOfWork, erasure: Erasure) -> Asked:
    if erasure.state != ErasureState.ASKED:
        return Asked(erasure)
    goes: Erased = await who_goes(unit, erasure.center_id, ErasureKind(erasure.kind), erasure.person_id)
    held = goes.held
    return Asked(
        erasure, [one.id for one in goes.adults], alerts=len(held.alerts), pickups=len(held.pickups),
        photos=len(held.photos), cards=len(held.credentials), accounts=len(held.accounts),
    )  # fmt: skip


async def _find(unit: UnitOfWork, center_id: str, erasure_id: str) -> Erasure:
    found = await erasures.find(unit.session, center_id, erasure_id)
    if found is None:
        raise NotFound("There is no such erasure at this centre")
    return found


async def _person(unit: UnitOfWork, center_id: str, kind: ErasureKind, person_id: str) -> Person:
    """Give a child or an adult of a centre, also a child that moved away and is only known there by its name."""
    wanted = PersonKind.CHILD if kind is ErasureKind.CHILD else PersonKind.ADULT
    person = await people.find(unit.session, center_id, person_id)
    if person is None or person.kind != wanted:
        raise NotFound(f"There is no such {wanted.value} at this centre")
    return person
