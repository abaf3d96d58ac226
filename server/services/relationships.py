"""What adults are to a child, and what they may know and do: decided for each child and each adult."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Final

from server.core.clock import Clock
from server.core.errors import Conflict, NotFound
from server.core.etags import Expected, check_expected, etag_of
from server.models.people import Person, Relationship
from server.models.rooms import Center
from server.repositories import people, pickups, relationships
from server.repositories.unit_of_work import UnitOfWork, UnitsOfWork
from server.services import roster_records
from server.services.access import User
from server.services.adults import find_adult
from server.services.announcements import suspend_of_adult
from server.services.child_files import ChildFile, Part, find_child, read_child
from server.services.children import put_child
from server.services.guardian_rights import Rights, rights_of
from server.services.roster_changes import assign
from sync.records import Entity

# Parents, grandparents, neighbours and friends of a child, and everybody announced for one day.
RELATIONSHIPS_MAX: Final = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Stated:
    """What somebody said of a relationship; a right that is None was not decided."""

    kind: str = ""
    legal_guardian: bool = False
    can_view: bool | None = None
    can_book: bool | None = None
    receives_notifications: bool | None = None
    emergency_rank: int | None = None


@dataclass(frozen=True, slots=True)
class Kinship:
    """An adult of a child, what was stated, and the rights that follow."""

    adult_id: str
    given_name: str
    family_name: str
    stated: Stated
    rights: Rights

    @property
    def etag(self) -> str:
        """The tag of this state."""
        return etag_of("relationship", self.adult_id, *asdict(self.stated).values())


class Relationships:
    """Keeps relationships."""

    def __init__(self, units: UnitsOfWork, clock: Clock) -> None:
        """Write through `units`; `clock` says since when announcements of whoever lost a right are suspended."""
        self._units = units
        self._clock = clock

    async def of_child(self, center: Center, reader: User, child_id: str) -> Sequence[Kinship]:
        """Give the adults of a child: those who are called first, then by name. Raises NotFound."""
        async with self._units.begin() as unit:
            await read_child(unit, reader, center.id, child_id, Part.RELATIONSHIPS)
            rows = await relationships.of_child(unit.session, center.id, child_id)
        return [_kinship(relationship, person) for relationship, person in rows]

    async def put(
        self, center: Center, user: User, *, child_id: str, adult_id: str, stated: Stated, expected: Expected | None
    ) -> Kinship:
        """Say what an adult is to a child; `expected` None: there is nothing between them yet.

        What an adult announced as a legal guardian and who may see the child is suspended when they are that no more.

        Raises:
            NotFound: the centre has no such child or adult.
            PreconditionRequired: there is a relationship, and nothing was expected.
            PreconditionFailed: it is not in a state that is expected, or not there.
            Conflict: the child has too many.

        """
        async with self._units.begin(actor=user.id, origin="api") as unit:
            await unit.lock_head(center.id)
            file = await find_child(unit, center.id, child_id)
            person = await find_adult(unit, center.id, adult_id)
            standing = await relationships.find(unit.session, center.id, child_id, adult_id)
            check_expected(_kinship(standing, person).etag if standing else None, expected)
            if standing is None:
                standing = await _begin(unit, center.id, child_id, adult_id)
            assign(standing, asdict(stated))
            await _tell(unit, file, standing)
            if not (standing.legal_guardian and rights_of(standing).can_view):
                await suspend_of_adult(unit, self._clock, center, adult_id, child_id=child_id)
            return _kinship(standing, person)

    async def remove(self, center: Center, user: User, *, child_id: str, adult_id: str, expected: Expected) -> None:
        """Say that an adult is nothing to a child.

        Raises:
            NotFound: there is no such child, or nothing between them.
            PreconditionFailed: it is not in a state that is expected.
            Conflict: it is written down whether the adult may collect the child, and that stays.

        """
        async with self._units.begin(actor=user.id, origin="api") as unit:
            await unit.lock_head(center.id)
            file = await find_child(unit, center.id, child_id)
            person = await find_adult(unit, center.id, adult_id)
            standing = await relationships.find(unit.session, center.id, child_id, adult_id)
            if standing is None:
                raise NotFound("There is nothing between this child and this adult")
            expected.require(_kinship(standing, person).etag)
            if await pickups.of_pair(unit.session, center.id, child_id, adult_id) is not None:
                raise Conflict("It is on file whether this adult may collect the child: say there that they must not")
            await suspend_of_adult(unit, self._clock, center, adult_id, child_id=child_id)
            await people.remove(unit.session, standing)
            await put_child(unit, file.person, file.profile)


async def _begin(unit: UnitOfWork, center_id: str, child_id: str, adult_id: str) -> Relationship:
    if len(await relationships.of_child(unit.session, center_id, child_id)) >= RELATIONSHIPS_MAX:
        raise Conflict(f"The child has {RELATIONSHIPS_MAX} adults, and that is all it can")
    made = Relationship(center_id=center_id, child_id=child_id, adult_id=adult_id)
    await people.add(unit.session, [made])
    return made


async def _tell(unit: UnitOfWork, file: ChildFile, relationship: Relationship) -> None:
    """Tell desks what they see of it: the pick-up, if there is one. The child is said as it stands, for the log."""
    center_id = relationship.center_id
    await put_child(unit, file.person, file.profile)
    pickup = await pickups.of_pair(unit.session, center_id, relationship.child_id, relationship.adult_id)
    if pickup is not None:
        unit.put(center_id, Entity.PICKUP, pickup.id, roster_records.pickup_record(pickup, relationship))


def _kinship(relationship: Relationship, person: Person) -> Kinship:
    stated = Stated(**{name: getattr(relationship, name) for name in Stated.__slots__})
    return Kinship(person.id, person.given_name, person.family_name, stated, rights_of(relationship))
