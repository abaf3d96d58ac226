"""How a kiosk comes to be trusted: a one-time code, and the key it made itself."""

import hmac
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import structlog

from server.core.clock import Clock
from server.core.errors import Conflict, InvalidInput, NotEntitled, RollcallError
from server.core.ids import Luck
from server.core.text import clean_text
from server.core.tokens import derive_key
from server.models.columns import NAME_MAX
from server.models.devices import Device, DeviceState, EnrolmentCode
from server.models.rooms import Center
from server.repositories import centers, devices
from server.repositories.unit_of_work import UnitOfWork, UnitsOfWork

# No 0, O, 1, I and L: nobody mistakes one for another.
ALPHABET: Final = "23456789ABCDEFGHJKMNPQRSTUVWXYZ"
CODE_LETTERS: Final = 8
SELECTOR_LETTERS: Final = 4
# 5 tries at 31 to the 4th hidden halves: one chance in 184,704 for somebody who knows the first half.
TRIES: Final = 5
CODE_LIFETIME_S: Final = 600
# A used code stays this long, so that a kiosk whose answer was lost can ask again.
CODE_KEPT: Final = timedelta(days=1)
NEW_CODE_ATTEMPTS: Final = 20

_log = structlog.get_logger(__name__)


class EnrolmentCodeWrong(NotEntitled):
    """No such code; a wrong second half costs one of its tries."""

    code = "enrolment_code_wrong"
    title = "This code is not right: compare it with the one on the screen, letter by letter"


class EnrolmentCodeExpired(NotEntitled):
    """The right code, too late."""

    code = "enrolment_code_expired"
    title = "This code is older than ten minutes: ask for a new one"


class EnrolmentCodeUsed(Conflict):
    """The right code, used by another kiosk."""

    code = "enrolment_code_used"
    title = "Another kiosk has used this code: ask for a new one"


class EnrolmentCodeLocked(NotEntitled):
    """Too many wrong tries."""

    code = "enrolment_code_locked"
    title = "This code was tried wrongly too often: ask for a new one"


class DeviceKeyTaken(Conflict):
    """The key of this kiosk is enrolled already, by another code."""

    code = "device_key_taken"
    title = "This kiosk is enrolled already: remove its data folder first, to make a new key"


@dataclass(frozen=True, slots=True)
class NewCode:
    """A code as it is shown, once, and until when it is good."""

    code: str
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Applicant:
    """What a kiosk says of itself; `public_key` is its raw Ed25519 key (32 bytes)."""

    public_key: bytes
    device_name: str
    app_version: str


@dataclass(frozen=True, slots=True)
class Enrolled:
    """A device and the centre it belongs to from now on."""

    device_id: str
    device_name: str
    center_id: str
    center_name: str


class Enrolment:
    """Makes codes and takes kiosks in."""

    def __init__(
        self, units: UnitsOfWork, clock: Clock, luck: Luck, new_id: Callable[[], str], secret_key: str
    ) -> None:
        """Hash codes with a key derived from `secret_key`, so that a copy of the table gives none away."""
        self._units = units
        self._clock = clock
        self._luck = luck
        self._new_id = new_id
        self._key = derive_key(secret_key, "enrolment-code")

    async def new_code(self, center: Center, device_name: str) -> NewCode:
        """Make a code for one kiosk of a centre; an empty name lets the kiosk choose its own."""
        name = clean_text(device_name, what="The name of the desk", length_min=0, length_max=NAME_MAX)
        now = self._clock.now()
        expires_at = now + timedelta(seconds=CODE_LIFETIME_S)
        for _ in range(NEW_CODE_ATTEMPTS):
            letters = _letters(self._luck(16))
            async with self._units.begin(origin="enrolment") as unit:
                row = EnrolmentCode(
                    selector=letters[:SELECTOR_LETTERS], secret_hash=self._hash(letters), center_id=center.id,
                    device_name=name, expires_at=expires_at, tries_left=TRIES,
                )  # fmt: skip
                if await devices.add_code(unit.session, row, expired_before=now - CODE_KEPT):
                    _log.info("enrolment_code_made", center=center.id)
                    return NewCode(f"{letters[:SELECTOR_LETTERS]}-{letters[SELECTOR_LETTERS:]}", expires_at)
        raise Conflict("There are too many open codes: wait ten minutes")

    async def enrol(self, code: str, applicant: Applicant) -> Enrolled:
        """Take a kiosk in; a repeat with the same code and key gives the same answer.

        Raises:
            EnrolmentCodeWrong, EnrolmentCodeExpired, EnrolmentCodeUsed, EnrolmentCodeLocked: and nothing else
                happened but that a try was counted.
            DeviceKeyTaken: the key was enrolled by another code.
            InvalidInput: the name cannot be taken.

        """
        letters = normalised(code)
        async with self._units.begin(origin="enrolment") as unit:
            outcome = await self._decide(unit, letters, applicant)
        # Raised only now: an exception inside would have undone the count of tries.
        if isinstance(outcome, RollcallError):
            _log.info("enrolment_refused", reason=outcome.code)
            raise outcome
        return outcome

    async def _decide(self, unit: UnitOfWork, letters: str, applicant: Applicant) -> Enrolled | RollcallError:
        row = await devices.lock_code(unit.session, letters[:SELECTOR_LETTERS])
        if row is None:
            return EnrolmentCodeWrong()
        if row.tries_left == 0:
            return EnrolmentCodeLocked()
        if not hmac.compare_digest(row.secret_hash, self._hash(letters)):
            row.tries_left -= 1
            return EnrolmentCodeWrong() if row.tries_left else EnrolmentCodeLocked()
        if row.used_by is not None:
            return await self._repeated(unit, row.used_by, applicant)
        if row.expires_at <= self._clock.now():
            return EnrolmentCodeExpired()
        return await self._take_in(unit, row, applicant)

    async def _repeated(self, unit: UnitOfWork, device_id: str, applicant: Applicant) -> Enrolled | RollcallError:
        device = await devices.find(unit.session, device_id)
        if device is None or device.public_key != applicant.public_key:
            return EnrolmentCodeUsed()
        await unit.reach_also(device.center_id)
        return await self._answer(unit, device)

    async def _take_in(self, unit: UnitOfWork, row: EnrolmentCode, applicant: Applicant) -> Enrolled | RollcallError:
        if await devices.find_by_key(unit.session, applicant.public_key) is not None:
            return DeviceKeyTaken()
        name = row.device_name or applicant.device_name
        try:
            name = clean_text(name, what="The name of the desk", length_max=NAME_MAX)
        except InvalidInput as error:
            return error
        device = Device(
            id=self._new_id(), center_id=row.center_id, name=name, state=DeviceState.ACTIVE.value,
            public_key=applicant.public_key, app_version=applicant.app_version, created_at=self._clock.now(),
        )  # fmt: skip
        await unit.reach_also(row.center_id)
        await devices.add_device(unit.session, device, row)
        _log.info("device_enrolled", device=device.id, center=device.center_id)
        return await self._answer(unit, device)

    async def _answer(self, unit: UnitOfWork, device: Device) -> Enrolled:
        center = await centers.find(unit.session, device.center_id)
        return Enrolled(device.id, device.name, device.center_id, center.name if center else "")

    def _hash(self, letters: str) -> bytes:
        return hmac.digest(self._key, letters.encode(), "sha256")


def normalised(code: str) -> str:
    """Give the eight letters of a code however it was typed; what cannot be one comes out as no code is.

    Raises:
        EnrolmentCodeWrong: it has other letters, or not eight of them.

    """
    letters = "".join(code.upper().replace("-", " ").split())
    if len(letters) != CODE_LETTERS or not set(letters) <= set(ALPHABET):
        raise EnrolmentCodeWrong
    return letters


def _letters(luck: bytes) -> str:
    """Eight letters from 128 bits of luck: the bias is below one in 10**26."""
    number = int.from_bytes(luck, "big")
    letters = []
    for _ in range(CODE_LETTERS):
        number, index = divmod(number, len(ALPHABET))
        letters.append(ALPHABET[index])
    return "".join(letters)
