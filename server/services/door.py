"""What opens the door of a centre's desks: PINs of its staff, codes of its families, and the keys to check both.

The pepper and the signing key of a centre are derived from SECRET_KEY: nothing of them is stored. With a new SECRET_KEY
desks fetch the new ones, PINs must be set anew (each names its pepper), and family codes are made anew.
"""

from dataclasses import dataclass
from typing import Final

import structlog
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from server.core.asking import asking_now
from server.core.clock import Clock
from server.core.errors import FieldProblem, InvalidInput, NotEntitled, NotFound
from server.core.ids import Luck
from server.core.stretching import Stretching
from server.core.tokens import TokenPurpose, Tokens, derive_key
from server.models.devices import DeviceKind, DeviceState
from server.models.people import Person, StaffProfile
from server.models.rooms import Center
from server.repositories import devices, guardian_accounts, staff
from server.repositories.guardian_accounts import OwnAdult
from server.repositories.unit_of_work import UnitOfWork, UnitsOfWork
from server.services import roster_records
from server.services.access import MANAGER_AND_UP, User
from server.services.devices import DeviceUnknown
from sync.family_code import NONCE_BYTES, FamilyCode, code_text
from sync.pins import (
    PIN_LANES,
    PIN_MEMORY_KIB,
    PIN_PASSES,
    SALT_BYTES,
    STRETCHED_BYTES,
    sealed,
    weakness,
)
from sync.records import Entity, PinRecord, encode_record

DAY_S: Final = 86_400
# A code on a phone or a key ring: a term long, and none lives for ever.
FAMILY_CODE_DAYS: Final = 90
FAMILY_CODE_DAYS_MAX: Final = 400
# A telephone gets the next one by itself; one that was without a network for a week asks at the desk.
PHONE_CODE_DAYS: Final = 7

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class DoorKeys:
    """What a desk checks PINs and family codes with: 32 bytes each, and never the key that signs."""

    pin_pepper: bytes
    family_key: bytes


@dataclass(frozen=True, slots=True)
class NewFamilyCode:
    """A code as it is shown, and until when it is good (seconds since 1970, UTC)."""

    text: str
    expires_at_s: int


class Door:
    """Sets PINs, makes family codes, and hands desks the keys."""

    def __init__(self, units: UnitsOfWork, clock: Clock, luck: Luck, tokens: Tokens, secret_key: str) -> None:
        """Derive the keys of each centre from `secret_key`."""
        self._units = units
        self._clock = clock
        self._luck = luck
        self._tokens = tokens
        self._secret_key = secret_key
        self._stretching = Stretching()

    async def set_pin(self, center: Center, user: User, person_id: str, pin: str) -> PinRecord:
        """Let a member of staff have this PIN at every desk of the centre; a lock after wrong tries ends with it.

        Raises:
            NotFound: the centre has no such member of staff.
            NotEntitled: the user is no manager, and not the person either (by their e-mail address).
            InvalidInput: the PIN is none, or one of those that are tried first; the message never repeats it.

        """
        async with self._units.begin() as unit:
            person, _ = await self._of_staff(unit, center, user, person_id)
        personal = (person.phone, person.birth_date.strftime("%d%m%Y") if person.birth_date else "")
        if reason := weakness(pin, personal):
            raise InvalidInput(reason, (FieldProblem("/pin", reason),))
        salt = self._luck(SALT_BYTES)
        stretched = await self._stretching.argon2id(
            pin, salt, memory_kib=PIN_MEMORY_KIB, passes=PIN_PASSES, lanes=PIN_LANES, size=STRETCHED_BYTES
        )
        record = sealed(stretched, salt, self._pepper(center.id), set_at_ms=self._clock.wall_ms())
        await self._store(center, user, person_id, record)
        _log.info("pin_set", center=center.id, person=person_id, by=user.id)
        return record

    async def remove_pin(self, center: Center, user: User, person_id: str) -> None:
        """Let a member of staff have no PIN any more; safe to repeat. Raises NotFound or NotEntitled as `set_pin`."""
        await self._store(center, user, person_id, None)
        _log.info("pin_removed", center=center.id, person=person_id, by=user.id)

    async def new_family_code(self, center: Center, adult_id: str, days: int = FAMILY_CODE_DAYS) -> NewFamilyCode:
        """Make a code that opens this adult's children at the centre's desks.

        It gives no right: what the pick-up list says at the moment of the scan is what counts.

        Raises:
            NotFound: the centre has no such adult.

        """
        async with self._units.begin() as unit:
            if await staff.find_adult(unit.session, center.id, adult_id) is None:
                raise NotFound("The centre has no such adult")
            unit.note_change(center.id, asking_now(), "family_code", adult_id)
        expires_at_s = self._clock.wall_ms() // 1_000 + days * DAY_S
        return self._signed(FamilyCode(center.id, adult_id, expires_at_s, self._luck(NONCE_BYTES)))

    async def codes_of(self, user: User) -> list[tuple[OwnAdult, NewFamilyCode]]:
        """Give the code of an account at each centre where it is an adult's: one for each day, good for a week.

        It gives no right, as `new_family_code`. The same day gives the same code: nothing is made, and nothing stored.
        """
        async with self._units.begin() as unit:
            adults = await guardian_accounts.adults_of(unit.connection, user.id)
        day = self._clock.wall_ms() // (1_000 * DAY_S)
        return [(one, self._code_of_day(one, day)) for one in adults]

    def _code_of_day(self, adult: OwnAdult, day: int) -> NewFamilyCode:
        expires_at_s = (day + 1 + PHONE_CODE_DAYS) * DAY_S
        purpose = f"family-code-nonce:{adult.center_id}:{adult.adult_id}:{day}"
        nonce = derive_key(self._secret_key, purpose)[:NONCE_BYTES]
        return self._signed(FamilyCode(adult.center_id, adult.adult_id, expires_at_s, nonce))

    async def keys_of(self, device_id: str, token: str) -> DoorKeys:
        """Give a desk the keys of its centre, against its own token.

        Raises:
            Unauthenticated: the token is none of a device.
            DeviceUnknown: it is that of another device, or of one that may not be here any more.

        """
        claims = self._tokens.verify(TokenPurpose.DEVICE, token)
        async with self._units.begin() as unit:
            device = await devices.find(unit.session, device_id) if claims.subject == device_id else None
        if device is None or device.kind != DeviceKind.KIOSK or device.state != DeviceState.ACTIVE:
            raise DeviceUnknown
        family_key = self._signer(device.center_id).public_key().public_bytes_raw()
        return DoorKeys(self._pepper(device.center_id), family_key)

    async def _store(self, center: Center, user: User, person_id: str, record: PinRecord | None) -> None:
        async with self._units.begin(actor=user.id, origin="api") as unit:
            await unit.lock_head(center.id)
            person, profile = await self._of_staff(unit, center, user, person_id)
            before = profile.pin
            profile.pin = None if record is None else encode_record(record)
            if profile.pin != before:
                unit.put(center.id, Entity.STAFF, person.id, roster_records.staff_record(person, profile))

    async def _of_staff(
        self, unit: UnitOfWork, center: Center, user: User, person_id: str
    ) -> tuple[Person, StaffProfile]:
        found = await staff.find(unit.session, center.id, person_id)
        is_manager = bool(user.roles_at(center) & MANAGER_AND_UP)
        is_own = found is not None and bool(found[0].email) and found[0].email.casefold() == user.email.casefold()
        if found is None and is_manager:
            raise NotFound("The centre has no such member of staff")
        if found is None or not (is_manager or is_own):
            # The same for somebody who is not there: who is on the staff is not told by this door.
            raise NotEntitled("A PIN is set by a manager, or by the person whose PIN it is")
        return found

    def _pepper(self, center_id: str) -> bytes:
        return pepper_of(self._secret_key, center_id)

    def _signed(self, code: FamilyCode) -> NewFamilyCode:
        return NewFamilyCode(code_text(code, self._signer(code.center_id).sign(code.to_sign())), code.expires_at_s)

    def _signer(self, center_id: str) -> Ed25519PrivateKey:
        return Ed25519PrivateKey.from_private_bytes(derive_key(self._secret_key, f"family-code:{center_id}"))


def pepper_of(secret_key: str, center_id: str) -> bytes:
    """Give the key of a centre under which its desks check PINs, and from which that of its cards is made."""
    return derive_key(secret_key, f"pin-pepper:{center_id}")
