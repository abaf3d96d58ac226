"""Members of staff as managers keep them: whom desks name, and who counts in the ratio. Log-ins are in `members`."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from typing import Any, Final

from server.core.errors import Conflict, FieldProblem, InvalidInput
from server.core.etags import Expected, etag_of
from server.models.people import Person, PersonKind, StaffProfile, StaffRole
from server.models.rooms import Center
from server.repositories import people, people_days, staff
from server.repositories.unit_of_work import UnitOfWork, UnitsOfWork
from server.services import roster_records
from server.services.access import User
from server.services.people_days import attested_by, member_of_staff
from server.services.projections import refold
from server.services.roster_changes import assign
from sync.records import Entity

__all__ = ["Staff", "StaffMember", "StaffPage", "StaffRole"]

# All of a large centre, over the years that are kept.
STAFF_MAX: Final = 1_000
_OF_PERSON: Final = ("given_name", "family_name", "phone", "email")
_OF_PROFILE: Final = ("role", "counts_in_ratio")
_DAYS: Final = ("employed_from", "employed_to")


@dataclass(frozen=True, slots=True, kw_only=True)
class StaffMember:
    """A member of staff, employed between two days (both included) where somebody said which."""

    id: str
    external_id: str
    given_name: str
    family_name: str
    role: str
    counts_in_ratio: bool = True
    phone: str = ""
    email: str = ""
    employed_from: date | None = None
    employed_to: date | None = None

    @property
    def etag(self) -> str:
        """The tag of this state."""
        return etag_of("staff", *asdict(self).values())


@dataclass(frozen=True, slots=True)
class StaffPage:
    """Members of staff by name; `after`: behind whom there are more, None at the end."""

    items: Sequence[StaffMember]
    after: str | None


class Staff:
    """Keeps the staff of centres."""

    def __init__(self, units: UnitsOfWork) -> None:
        """Write through `units`."""
        self._units = units

    async def page(self, center: Center, *, after: str | None, limit: int) -> StaffPage:
        """Give a page of the staff of a centre by name, behind the member `after`."""
        async with self._units.begin() as unit:
            rows = await staff.page(unit.session, center.id, after=after, limit=limit + 1)
        items = [_member(*row) for row in rows[:limit]]
        return StaffPage(items, items[-1].id if len(rows) > limit else None)

    async def one(self, center: Center, person_id: str) -> StaffMember:
        """Give a member of staff. Raises NotFound."""
        async with self._units.begin() as unit:
            return _member(*await member_of_staff(unit, center.id, person_id))

    async def create(self, center: Center, user: User, member: StaffMember) -> StaffMember:
        """Put somebody on the staff; the same with the same id a second time changes nothing.

        Raises:
            InvalidInput: they leave before they come.
            Conflict: somebody else has one of the ids, or the centre has too many.

        """
        if member.employed_from and member.employed_to and member.employed_to < member.employed_from:
            detail = "The last day lies before the first"
            raise InvalidInput(detail, (FieldProblem("/employed_to", detail),))
        async with self._units.begin(actor=user.id, origin="api") as unit:
            await unit.lock_head(center.id)
            if await people.find(unit.session, center.id, member.id) is not None:
                return await _repeated(unit, center.id, member)
            await _refuse_taken(unit, center.id, member.external_id)
            values = asdict(member)
            person = Person(
                center_id=center.id, id=member.id, kind=PersonKind.STAFF.value, external_id=member.external_id,
                **{name: values[name] for name in _OF_PERSON},
            )  # fmt: skip
            profile = StaffProfile(
                center_id=center.id, person_id=member.id, **{name: values[name] for name in (*_OF_PROFILE, *_DAYS)}
            )
            await people.add(unit.session, [person], [profile])
            await _tell(unit, person, profile)
            # A desk that knew the id before the server did has named them already.
            await refold(unit.connection, center.id, await attested_by(unit, center.id, [member.id]))
        return member

    async def change(
        self, center: Center, user: User, person_id: str, changes: Mapping[str, Any], expected: Expected
    ) -> StaffMember:
        """Change what `changes` names but the days, when the member is in a state that is expected.

        Raises:
            NotFound: the centre has no such member of staff.
            PreconditionFailed: somebody changed them meanwhile.

        """
        async with self._units.begin(actor=user.id, origin="api") as unit:
            await unit.lock_head(center.id)
            person, profile = await member_of_staff(unit, center.id, person_id)
            expected.require(_member(person, profile).etag)
            assign(person, {name: changes[name] for name in _OF_PERSON if name in changes})
            assign(profile, {name: changes[name] for name in _OF_PROFILE if name in changes})
            await _tell(unit, person, profile)
            return _member(person, profile)


async def _tell(unit: UnitOfWork, person: Person, profile: StaffProfile) -> None:
    await people.flush(unit.session)
    unit.put(person.center_id, Entity.STAFF, person.id, roster_records.staff_record(person, profile))


async def _repeated(unit: UnitOfWork, center_id: str, member: StaffMember) -> StaffMember:
    standing = await people_days.member_of_staff(unit.session, center_id, member.id)
    if standing is None or _member(*standing) != member:
        raise Conflict("Somebody else has this id at this centre")
    return member


async def _refuse_taken(unit: UnitOfWork, center_id: str, external_id: str) -> None:
    if await people.is_taken(unit.session, center_id, PersonKind.STAFF, external_id):
        raise Conflict("Another member of staff has this external id at this centre")
    if await people.count(unit.session, center_id, PersonKind.STAFF) >= STAFF_MAX:
        raise Conflict(f"The centre has {STAFF_MAX} members of staff on file, and that is all it can")


def _member(person: Person, profile: StaffProfile) -> StaffMember:
    return StaffMember(
        id=person.id,
        external_id=person.external_id,
        **{name: getattr(person, name) for name in _OF_PERSON},
        **{name: getattr(profile, name) for name in (*_OF_PROFILE, *_DAYS)},
    )
