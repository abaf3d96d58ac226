"""Cards and fobs from elsewhere, as people at the centre give them out and block them; desks learn of each at once."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import structlog

from server.core.clock import Clock
from server.core.errors import Conflict, FieldProblem, InvalidInput, NotFound
from server.models.credentials import Credential, CredentialKind
from server.models.rooms import Center
from server.repositories import credentials, people
from server.repositories.unit_of_work import UnitOfWork, UnitsOfWork
from server.services import roster_records
from server.services.access import User
from server.services.door import pepper_of
from server.services.photos import Whose, find_person
from sync.barcodes import BARCODE_CHARACTERS_MAX, BARCODE_CHARACTERS_MIN, is_barcode, seal_of
from sync.pins import pepper_id
from sync.records import Entity

__all__ = ["Barcode", "Barcodes", "NewBarcode"]

# A card, a fob, and those of a family's bags; a desk keeps all of a thousand people in memory.
ACTIVE_MAX: Final = 5
# With those that were revoked: the oldest of these are forgotten, and then the desk says that it knows no such card.
KEPT_MAX: Final = 20
_RULE: Final = (
    f"A barcode has {BARCODE_CHARACTERS_MIN} to {BARCODE_CHARACTERS_MAX} printable ASCII characters with a digit among "
    "them, and no blank at an end"
)
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class NewBarcode:
    """A card that is given out; `id` is the caller's, so that a repeat is harmless."""

    id: str
    text: str
    label: str = ""


@dataclass(frozen=True, slots=True)
class Barcode:
    """A card of a person; what it says is not known here."""

    id: str
    label: str
    created_at: datetime
    revoked_at: datetime | None


class Barcodes:
    """Keeps cards."""

    def __init__(self, units: UnitsOfWork, clock: Clock, secret_key: str) -> None:
        """Write through `units`; the key of each centre is derived from `secret_key`, as that of its PINs."""
        self._units = units
        self._clock = clock
        self._secret_key = secret_key

    async def of(self, center: Center, whose: Whose) -> Sequence[Barcode]:
        """Give the cards of a person, also revoked ones, the newest first. Raises NotFound."""
        async with self._units.begin() as unit:
            await find_person(unit, center.id, whose)
            rows = await credentials.of_person(unit.session, center.id, whose.id, limit=KEPT_MAX)
        return [_barcode(row) for row in rows]

    async def add(self, center: Center, user: User, whose: Whose, new: NewBarcode) -> Barcode:
        """Let desks find a person by a card; the same with the same id a second time changes nothing.

        Raises:
            NotFound: the centre has no such child or adult.
            InvalidInput: the text can be on no card; the message never repeats it.
            Conflict: somebody has this card now, another card has the id, or the person has too many.

        """
        if not is_barcode(new.text):
            raise InvalidInput(_RULE, (FieldProblem("/barcode", _RULE),))
        pepper = pepper_of(self._secret_key, center.id)
        seal = seal_of(new.text, pepper)
        async with self._units.begin(actor=user.id, origin="api") as unit:
            await unit.lock_head(center.id)
            await find_person(unit, center.id, whose)
            standing = await credentials.find(unit.session, center.id, new.id)
            if standing is not None:
                return _repeated(standing, whose, seal, new)
            await _make_room(unit, center.id, whose.id, seal)
            row = Credential(
                center_id=center.id, id=new.id, kind=CredentialKind.BARCODE.value, person_id=whose.id, label=new.label,
                seal=seal, pepper_id=pepper_id(pepper), created_at=self._clock.now(), created_by=user.id or None,
            )  # fmt: skip
            await people.add(unit.session, [row])
            unit.put(center.id, Entity.CREDENTIAL, row.id, roster_records.credential_record(row))
        _log.info("barcode_added", center=center.id, person=whose.id, credential=new.id)
        return _barcode(row)

    async def revoke(self, center: Center, user: User, whose: Whose, barcode_id: str) -> None:
        """Let a card open nothing any more; desks say that it was blocked. A second time changes nothing.

        Raises:
            NotFound: the person has no such card.

        """
        async with self._units.begin(actor=user.id, origin="api") as unit:
            await unit.lock_head(center.id)
            await find_person(unit, center.id, whose)
            row = await credentials.find(unit.session, center.id, barcode_id)
            if row is None or row.person_id != whose.id:
                raise NotFound("This person has no such card")
            if row.revoked_at is not None:
                return
            row.revoked_at, row.revoked_by = self._clock.now(), user.id or None
            unit.put(center.id, Entity.CREDENTIAL, row.id, roster_records.credential_record(row))
        _log.info("barcode_revoked", center=center.id, person=whose.id, credential=barcode_id)


def _repeated(standing: Credential, whose: Whose, seal: str, new: NewBarcode) -> Barcode:
    if (standing.person_id, standing.seal, standing.label) != (whose.id, seal, new.label):
        raise Conflict("Another card has this id")
    return _barcode(standing)


async def _make_room(unit: UnitOfWork, center_id: str, person_id: str, seal: str) -> None:
    if await credentials.is_in_use(unit.session, center_id, seal):
        raise Conflict("Somebody at this centre has this card already: revoke it there first")
    rows = await credentials.of_person(unit.session, center_id, person_id, limit=2 * KEPT_MAX)
    if sum(row.revoked_at is None for row in rows) >= ACTIVE_MAX:
        raise Conflict(f"This person has {ACTIVE_MAX} cards, and that is all one can have: revoke one")
    revoked = [row for row in rows if row.revoked_at is not None]
    for row in revoked[KEPT_MAX - ACTIVE_MAX :]:
        await people.remove(unit.session, row)
        unit.remove(center_id, Entity.CREDENTIAL, row.id)


def _barcode(row: Credential) -> Barcode:
    return Barcode(row.id, row.label, row.created_at, row.revoked_at)
