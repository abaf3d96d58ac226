"""Guardians and contacts as people at the centre manage them."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Final

from server.core.errors import Conflict, NotFound
from server.core.etags import Expected, etag_of
from server.models.people import Person, PersonKind
from server.models.rooms import Center
from server.repositories import adults, guardian_accounts, people
from server.repositories.unit_of_work import UnitOfWork, UnitsOfWork
from server.services import roster_records
from server.services.access import User
from server.services.roster_changes import assign
from sync.records import Entity

# Two guardians and two others for each of a thousand children, and as many whom guardians announced.
ADULTS_MAX: Final = 10_000
_OF_PERSON: Final = ("given_name", "family_name", "phone", "email")


@dataclass(frozen=True, slots=True, kw_only=True)
class Adult:
    """An adult of a centre; `account_id` is the account they sign in with, None when there is none."""

    id: str
    external_id: str
    given_name: str
    family_name: str
    phone: str = ""
    email: str = ""
    account_id: str | None = None

    @property
    def etag(self) -> str:
        """The tag of this state."""
        return etag_of("adult", *asdict(self).values())


@dataclass(frozen=True, slots=True)
class AdultPage:
    """Adults by name; `after`: behind whom there are more, None at the end."""

    items: Sequence[Adult]
    after: str | None


class Adults:
    """Keeps the adults of centres."""

    def __init__(self, units: UnitsOfWork) -> None:
        """Write through `units`."""
        self._units = units

    async def page(self, center: Center, *, after: str | None, limit: int) -> AdultPage:
        """Give a page of the adults of a centre by name, behind the adult `after`."""
        async with self._units.begin() as unit:
            rows = await adults.page(unit.session, center.id, after=after, limit=limit + 1)
            links = await guardian_accounts.of_adults(unit.session, center.id, [row.id for row in rows])
        accounts = {link.adult_id: link.user_id for link in links}
        items = [_adult(person, accounts.get(person.id)) for person in rows[:limit]]
        return AdultPage(items, items[-1].id if len(rows) > limit else None)

    async def one(self, center: Center, adult_id: str) -> Adult:
        """Give an adult. Raises NotFound."""
        async with self._units.begin() as unit:
            return await _read(unit, await find_adult(unit, center.id, adult_id))

    async def create(self, center: Center, user: User, adult: Adult) -> Adult:
        """Put an adult on file; the same adult with the same id a second time changes nothing.

        Raises:
            Conflict: somebody else has one of the ids, or the centre has too many.

        """
        async with self._units.begin(actor=user.id, origin="api") as unit:
            await unit.lock_head(center.id)
            known = await people.find(unit.session, center.id, adult.id)
            if known is not None:
                if known.kind != PersonKind.ADULT or _adult(known, None) != adult:
                    raise Conflict("Somebody else has this id at this centre")
                return await _read(unit, known)
            await add_adult(unit, center.id, adult)
        return adult

    async def change(
        self, center: Center, user: User, adult_id: str, changes: Mapping[str, Any], expected: Expected
    ) -> Adult:
        """Change what `changes` names, when the adult is in a state that is expected.

        Raises:
            NotFound: the centre has no such adult.
            PreconditionFailed: somebody changed them meanwhile.

        """
        async with self._units.begin(actor=user.id, origin="api") as unit:
            await unit.lock_head(center.id)
            person = await find_adult(unit, center.id, adult_id)
            standing = await _read(unit, person)
            expected.require(standing.etag)
            assign(person, {name: changes[name] for name in _OF_PERSON if name in changes})
            unit.put(center.id, Entity.ADULT, person.id, roster_records.adult_record(person))
            return replace(standing, **{name: getattr(person, name) for name in _OF_PERSON})


async def find_adult(unit: UnitOfWork, center_id: str, adult_id: str) -> Person:
    """Give an adult of a centre. Raises NotFound."""
    person = await adults.find(unit.session, center_id, adult_id)
    if person is None:
        raise NotFound("There is no such adult at this centre")
    return person


async def add_adult(unit: UnitOfWork, center_id: str, adult: Adult) -> Person:
    """Put an adult on file whose id nobody has, and tell every desk; the caller holds the centre's head.

    Raises:
        Conflict: somebody else has the external id, or the centre has too many.

    """
    if await people.is_taken(unit.session, center_id, PersonKind.ADULT, adult.external_id):
        raise Conflict("Another adult has this external id at this centre")
    if await people.count(unit.session, center_id, PersonKind.ADULT) >= ADULTS_MAX:
        raise Conflict(f"The centre has {ADULTS_MAX} adults on file, and that is all it can")
    values = asdict(adult)
    person = Person(
        center_id=center_id, id=adult.id, kind=PersonKind.ADULT.value, external_id=adult.external_id,
        **{name: values[name] for name in _OF_PERSON},
    )  # fmt: skip
    await people.add(unit.session, [person])
    unit.put(center_id, Entity.ADULT, person.id, roster_records.adult_record(person))
    return person


async def _read(unit: UnitOfWork, person: Person) -> Adult:
    link = await guardian_accounts.find(unit.session, person.center_id, person.id)
    return _adult(person, link.user_id if link else None)


def _adult(person: Person, account_id: str | None) -> Adult:
    return Adult(
        id=person.id,
        external_id=person.external_id,
        given_name=person.given_name,
        family_name=person.family_name,
        phone=person.phone,
        email=person.email,
        account_id=account_id,
    )
