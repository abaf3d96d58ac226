"""Who may collect a child, as people at the centre decide it: with the history of each status, judged anew at once."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

from server.core.clock import Clock
from server.core.errors import Conflict, FieldProblem, InvalidInput, NotFound
from server.core.etags import Expected, etag_of
from server.models.people import PickupAuthorisation, PickupStatus, Relationship
from server.models.rooms import Center
from server.repositories import people, pickups, relationships
from server.repositories.pickups import PickupRows
from server.repositories.unit_of_work import UnitOfWork, UnitsOfWork
from server.services import roster_records
from server.services.access import User
from server.services.adults import find_adult
from server.services.announcements import today_at
from server.services.child_files import Part, find_child, read_child
from server.services.projections import refold
from server.services.roster_changes import assign, note_status
from sync.records import Entity

__all__ = ["NewPickup", "Pickup", "PickupRows", "Pickups"]

# Those that are not over, of one child: what a person at a desk can still look through, and a desk fold.
CURRENT_MAX: Final = 100
_CHANGEABLE: Final = ("status", "valid_from", "valid_to")


@dataclass(frozen=True, slots=True, kw_only=True)
class NewPickup:
    """Whether an adult may collect a child, and between which days (both included)."""

    id: str
    child_id: str
    adult_id: str
    status: str
    valid_from: date | None = None
    valid_to: date | None = None


@dataclass(frozen=True, slots=True)
class Pickup:
    """An authorisation as it stands, with its adult."""

    rows: PickupRows

    @property
    def etag(self) -> str:
        """The tag of this state."""
        row = self.rows[0]
        return etag_of("pickup", row.id, row.status, row.valid_from, row.valid_to, row.history, row.withdrawn_at)


class Pickups:
    """Keeps pick-up authorisations."""

    def __init__(self, units: UnitsOfWork, clock: Clock) -> None:
        """Write through `units`; `clock` says since when a status is so."""
        self._units = units
        self._clock = clock

    async def current(self, center: Center, reader: User, child_id: str) -> Sequence[Pickup]:
        """Give who may collect a child, or must not, today or later, by name. Raises NotFound."""
        return await self._of_child(center, reader, child_id, today_at(center, self._clock))

    async def all(self, center: Center, reader: User, child_id: str) -> Sequence[Pickup]:
        """Give also whose time is over, at most a thousand. Raises NotFound."""
        return await self._of_child(center, reader, child_id, None)

    async def one(self, center: Center, reader: User, child_id: str, pickup_id: str) -> Pickup:
        """Give one authorisation of a child. Raises NotFound."""
        async with self._units.begin() as unit:
            await read_child(unit, reader, center.id, child_id, Part.PICKUPS)
            return Pickup(await _find(unit, center.id, child_id, pickup_id))

    async def create(self, center: Center, user: User, new: NewPickup) -> Pickup:
        """Say whether an adult may collect a child; the same with the same id a second time changes nothing.

        Raises:
            NotFound: the centre has no such child or adult.
            InvalidInput: the days end before they begin, or what is temporary has no end.
            Conflict: it was said of the two already, another authorisation has the id, or the child has too many.

        """
        _check(new.status, new.valid_from, new.valid_to)
        async with self._units.begin(actor=user.id, origin="api") as unit:
            await unit.lock_head(center.id)
            await find_child(unit, center.id, new.child_id)
            await find_adult(unit, center.id, new.adult_id)
            standing = await pickups.find(unit.session, center.id, new.id)
            if standing is not None:
                return await _repeated(unit, standing, new)
            await self._refuse(unit, center, new)
            await _relate(unit, center.id, new)
            row = PickupAuthorisation(
                center_id=center.id, id=new.id, child_id=new.child_id, adult_id=new.adult_id, status="",
                valid_from=new.valid_from, valid_to=new.valid_to,
            )  # fmt: skip
            note_status(row, new.status, self._clock.wall_ms())
            row.status = new.status
            await people.add(unit.session, [row])
            return await tell(unit, row)

    async def change(
        self, center: Center, user: User, *, child_id: str, pickup_id: str, changes: Mapping[str, Any],
        expected: Expected,
    ) -> Pickup:  # fmt: skip
        """Change status or days; releases that were made are judged anew in the same transaction.

        Raises:
            NotFound: the child has no such authorisation.
            PreconditionFailed: somebody changed it meanwhile.
            InvalidInput: as `create`.

        """
        async with self._units.begin(actor=user.id, origin="api") as unit:
            await unit.lock_head(center.id)
            await find_child(unit, center.id, child_id)
            rows = await _find(unit, center.id, child_id, pickup_id)
            expected.require(Pickup(rows).etag)
            row = rows[0]
            wanted = {name: getattr(row, name) for name in _CHANGEABLE} | dict(changes)
            _check(wanted["status"], wanted["valid_from"], wanted["valid_to"])
            if wanted["status"] != row.status:
                note_status(row, wanted["status"], self._clock.wall_ms())
                row.withdrawn_at = None  # the centre has decided now, and no guardian
            assign(row, wanted)
            return await tell(unit, row)

    async def _of_child(self, center: Center, reader: User, child_id: str, since: date | None) -> Sequence[Pickup]:
        async with self._units.begin() as unit:
            await read_child(unit, reader, center.id, child_id, Part.PICKUPS)
            found = await pickups.of_child(unit.session, center.id, child_id, since=since)
        return [Pickup(rows) for rows in found]

    async def _refuse(self, unit: UnitOfWork, center: Center, new: NewPickup) -> None:
        if await pickups.of_pair(unit.session, center.id, new.child_id, new.adult_id) is not None:
            raise Conflict("It is on file already whether this adult may collect the child: change that")
        since = today_at(center, self._clock)
        if len(await pickups.of_child(unit.session, center.id, new.child_id, since=since)) >= CURRENT_MAX:
            raise Conflict(f"The child has {CURRENT_MAX} pick-ups on file, and that is all it can")


async def tell(unit: UnitOfWork, row: PickupAuthorisation) -> Pickup:
    """Tell every desk how an authorisation stands now, and judge the child's releases anew; the head is held."""
    await people.flush(unit.session)
    rows = await pickups.rows(unit.session, row.center_id, row.id)
    assert rows is not None, "an authorisation has its relationship and its adult"
    unit.put(row.center_id, Entity.PICKUP, row.id, roster_records.pickup_record(row, rows[1]))
    await refold(unit.connection, row.center_id, [row.child_id])
    return Pickup(rows)


async def _find(unit: UnitOfWork, center_id: str, child_id: str, pickup_id: str) -> PickupRows:
    rows = await pickups.rows(unit.session, center_id, pickup_id)
    if rows is None or rows[0].child_id != child_id:
        raise NotFound("The child has no such pick-up")
    return rows


async def _repeated(unit: UnitOfWork, standing: PickupAuthorisation, new: NewPickup) -> Pickup:
    same = {name: getattr(standing, name) for name in NewPickup.__slots__}
    if same != {name: getattr(new, name) for name in NewPickup.__slots__}:
        raise Conflict("Another pick-up has this id")
    return Pickup(await _find(unit, standing.center_id, new.child_id, new.id))


async def _relate(unit: UnitOfWork, center_id: str, new: NewPickup) -> None:
    """A relationship of which nothing is said, where there is none: a desk is told what the adult is to the child."""
    if await relationships.find(unit.session, center_id, new.child_id, new.adult_id) is None:
        made = Relationship(center_id=center_id, child_id=new.child_id, adult_id=new.adult_id)
        await people.add(unit.session, [made])


def _check(status: str, valid_from: date | None, valid_to: date | None) -> None:
    if valid_from is not None and valid_to is not None and valid_to < valid_from:
        detail = "The last day lies before the first"
        raise InvalidInput(detail, (FieldProblem("/valid_to", detail),))
    if status == PickupStatus.TEMPORARY and valid_to is None:
        detail = "Say until which day: a temporary pick-up ends"
        raise InvalidInput(detail, (FieldProblem("/valid_to", detail),))
