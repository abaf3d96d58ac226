"""Children as people at the centre manage them: each change is in the log of its centre in the same transaction."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from typing import Any, Final

from server.core.errors import Conflict, FieldProblem, InvalidInput
from server.core.etags import Expected, etag_of
from server.models.people import ChildProfile, Person, PersonKind
from server.models.rooms import Center
from server.repositories import absences, change_log, children, people
from server.repositories.children import ChildFilter
from server.repositories.unit_of_work import UnitOfWork, UnitsOfWork
from server.services import roster_records
from server.services.access import User
from server.services.child_files import Part, find_child, read_child
from server.services.roster_changes import assign
from sync.records import Entity

__all__ = ["Child", "ChildFilter", "ChildPage", "Children"]

# What a day's attendance is told for at most (`services.attendance`).
CHILDREN_MAX: Final = 1_000
_OF_PERSON: Final = ("given_name", "family_name", "preferred_name", "birth_date")
_OF_PROFILE: Final = ("home_room_id", "enrolled")


@dataclass(frozen=True, slots=True, kw_only=True)
class Child:
    """A child of a roster; `external_id` is its id in roster files, its own id when nobody gave another."""

    id: str
    external_id: str
    given_name: str
    family_name: str
    preferred_name: str = ""
    birth_date: date | None = None
    home_room_id: str | None = None
    enrolled: bool = True

    @property
    def etag(self) -> str:
        """The tag of this state."""
        return etag_of("child", *asdict(self).values())


@dataclass(frozen=True, slots=True)
class ChildPage:
    """Children with the versions at which they last changed; `after`: behind whom there are more, None at the end.

    `version` is where the log was before the page was read.
    """

    items: Sequence[tuple[Child, int]]
    after: str | None
    version: int


class Children:
    """Keeps the children of centres."""

    def __init__(self, units: UnitsOfWork) -> None:
        """Write through `units`."""
        self._units = units

    async def page(self, center: Center, wanted: ChildFilter, *, after: str | None, limit: int) -> ChildPage:
        """Give a page of the children of a centre by name, behind the child `after`."""
        async with self._units.begin() as unit:
            head = await change_log.read_head(unit.connection, center.id)
            rows = await children.page(unit.session, center.id, wanted, after=after, limit=limit + 1)
        items = [(_child(person, profile), version) for person, profile, version in rows[:limit]]
        more = items[-1][0].id if len(rows) > limit else None
        return ChildPage(items, more, head.version if head else 0)

    async def one(self, center: Center, reader: User, child_id: str) -> Child:
        """Give a child. Raises NotFound."""
        async with self._units.begin() as unit:
            file = await read_child(unit, reader, center.id, child_id, Part.CHILD)
        return _child(file.person, file.profile)

    async def create(self, center: Center, user: User, child: Child) -> Child:
        """Put a child on the roster; the same child with the same id a second time changes nothing.

        Raises:
            InvalidInput: the centre has no such room.
            Conflict: somebody else has one of the ids, or the roster is full.

        """
        async with self._units.begin(actor=user.id, origin="api") as unit:
            await unit.lock_head(center.id)
            known = await people.find(unit.session, center.id, child.id)
            if known is not None:
                standing = await children.find(unit.session, center.id, child.id)
                if standing is None or _child(*standing) != child:
                    raise Conflict("Somebody else has this id at this centre")
                return child
            await _refuse_taken(unit, center.id, child.external_id)
            await _check_room(unit, center.id, child.home_room_id)
            values = asdict(child)
            person = Person(
                center_id=center.id, id=child.id, kind=PersonKind.CHILD.value, external_id=child.external_id,
                **{name: values[name] for name in _OF_PERSON},
            )  # fmt: skip
            profile = ChildProfile(
                center_id=center.id, child_id=child.id, **{name: values[name] for name in _OF_PROFILE}
            )
            await people.add(unit.session, [person], [profile])
            await put_child(unit, person, profile)
        return child

    async def change(
        self, center: Center, user: User, child_id: str, changes: Mapping[str, Any], expected: Expected
    ) -> Child:
        """Change what `changes` names, when the child is in a state that is expected; gives the child as it is then.

        Raises:
            NotFound: the centre has no such child.
            PreconditionFailed: somebody changed it meanwhile.
            InvalidInput: the centre has no such room.

        """
        async with self._units.begin(actor=user.id, origin="api") as unit:
            await unit.lock_head(center.id)
            file = await find_child(unit, center.id, child_id)
            expected.require(_child(file.person, file.profile).etag)
            await _check_room(unit, center.id, changes.get("home_room_id"))
            assign(file.person, {name: changes[name] for name in _OF_PERSON if name in changes})
            assign(file.profile, {name: changes[name] for name in _OF_PROFILE if name in changes})
            await put_child(unit, file.person, file.profile)
            return _child(file.person, file.profile)


async def put_child(unit: UnitOfWork, person: Person, profile: ChildProfile) -> None:
    """Tell every desk of a child as it stands now, with its alerts; whoever writes of it in any table calls this."""
    await people.flush(unit.session)
    alerts = await children.alerts(unit.session, person.center_id, person.id)
    held = await absences.told(unit.connection, [(person.center_id, person.id)])
    announced = held.get((person.center_id, person.id), ())
    record = roster_records.child_record(person, profile, alerts, announced)
    unit.put(person.center_id, Entity.CHILD, person.id, record)


def _child(person: Person, profile: ChildProfile) -> Child:
    return Child(
        id=person.id,
        external_id=person.external_id,
        given_name=person.given_name,
        family_name=person.family_name,
        preferred_name=person.preferred_name,
        birth_date=person.birth_date,
        home_room_id=profile.home_room_id,
        enrolled=profile.enrolled,
    )


async def _refuse_taken(unit: UnitOfWork, center_id: str, external_id: str) -> None:
    if await people.is_taken(unit.session, center_id, PersonKind.CHILD, external_id):
        raise Conflict("Another child has this external id at this centre")
    if await people.count(unit.session, center_id, PersonKind.CHILD) >= CHILDREN_MAX:
        raise Conflict(f"The roster holds {CHILDREN_MAX} children, and that is all it can")


async def _check_room(unit: UnitOfWork, center_id: str, room_id: str | None) -> None:
    if room_id is not None and await people.find_room(unit.session, center_id, room_id) is None:
        detail = "There is no such room at this centre"
        raise InvalidInput(detail, (FieldProblem("/home_room_id", detail),))
