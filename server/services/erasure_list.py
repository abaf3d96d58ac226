"""Who was erased, as it is kept beside backups: ids and no name; and erasing them again, after a restore."""

from collections.abc import Sequence

import msgspec

from server.core.clock import Clock
from server.models.erasure import Erasure, ErasureState
from server.repositories import erased_accounts, erasures, people
from server.repositories.erasures import ErasedOne
from server.repositories.unit_of_work import Connection, UnitOfWork, UnitsOfWork
from server.services.erasing import erase
from server.services.own_erasure import forget_account

__all__ = ["ErasedList", "ErasedOne", "ErasureList"]


class ErasedList(msgspec.Struct, frozen=True):
    """People at centres (rows with the fields of `ErasedOne`, in order), and accounts."""

    people: tuple[ErasedOne, ...] = ()
    accounts: tuple[str, ...] = ()


class ErasureList:
    """What an operator asks for."""

    def __init__(self, units: UnitsOfWork) -> None:
        """Read through `units`."""
        self._units = units

    async def all(self) -> ErasedList:
        """Give everybody who was erased at any centre, in the order in which they were."""
        async with self._units.read() as connection:
            return await erased_so_far(connection)


async def erased_so_far(connection: Connection) -> ErasedList:
    """Give everybody who was erased in this database."""
    return ErasedList(tuple(await erasures.all_done(connection)), tuple(await erased_accounts.all_erased(connection)))


async def replay(unit: UnitOfWork, lists: Sequence[ErasedList], clock: Clock) -> int:
    """Erase again who was erased before, as after a restore; gives how many people were not erased there.

    Those of centres that are not there, and those that the database knows of already, are left out.
    """
    wanted = {(one.center_id, one.person_id): one for listed in lists for one in listed.people}
    known = {(one.center_id, one.person_id) for one in await erasures.all_done(unit.connection)}
    there = set(await erasures.center_ids(unit.connection))
    missing = [one for key, one in wanted.items() if key not in known and one.center_id in there]
    await unit.lock_heads({one.center_id for one in missing})
    for one in missing:
        await _erase_again(unit, one)
    for user_id in sorted({user_id for listed in lists for user_id in listed.accounts}):
        await forget_account(unit, user_id, clock)
    return len(missing)


async def _erase_again(unit: UnitOfWork, one: ErasedOne) -> None:
    standing = await erasures.of_person(unit.session, one.center_id, one.person_id)
    erasure = standing or Erasure(
        center_id=one.center_id, id=one.id, kind=one.kind, person_id=one.person_id, state="", asked_at=one.asked_at,
        asked_by=one.asked_by,
    )  # fmt: skip
    erasure.state, erasure.reason = ErasureState.DONE.value, one.reason
    erasure.ended_at, erasure.ended_by, erasure.swept_at = one.ended_at, one.ended_by, one.ended_at
    await people.add(unit.session, [erasure])
    await erase(unit, erasure)
