"""Enrolled kiosks: their tokens, bought by a signature over a nonce, and their end."""

import base64
import binascii
from datetime import timedelta
from typing import Final

import structlog

from server.core.clock import Clock
from server.core.errors import Conflict, NotEntitled, NotFound, RateLimited, RollcallError, Unauthenticated
from server.core.ids import Luck
from server.core.signatures import is_signed
from server.core.tokens import TokenPurpose, Tokens
from server.models.devices import Device, DeviceKind, DeviceNonce, DeviceState
from server.models.rooms import Center
from server.repositories import devices
from server.repositories.unit_of_work import UnitOfWork, UnitsOfWork
from server.services.auth import IssuedToken

__all__ = [
    "Device",
    "DeviceIsRevoked",
    "DeviceSuspended",
    "DeviceUnknown",
    "Devices",
    "NonceUsed",
    "SignatureWrong",
]

NONCE_BYTES: Final = 32
NONCE_LIFETIME_S: Final = 60
# A device asks for one at each connection; a hundred in a minute is somebody else.
NONCES_MAX: Final = 100
TOKEN_LIFETIME_S: Final = 900
SIGNATURE_BYTES: Final = 64

_log = structlog.get_logger(__name__)


class DeviceUnknown(NotFound):
    """No device has this id."""

    code = "device_unknown"
    title = "This kiosk is not known here: enrol it again"


class NonceUsed(Unauthenticated):
    """The nonce was not given to this device, was used, or is older than a minute."""

    code = "nonce_used"
    title = "This nonce is not good any more: ask for another"


class SignatureWrong(Unauthenticated):
    """The signature is not one of the key that was enrolled."""

    code = "signature_wrong"
    title = "The signature does not fit the key this kiosk was enrolled with"


class DeviceSuspended(NotEntitled):
    """The device may not be here for the time being."""

    code = "device_suspended"
    title = "This kiosk was suspended by a manager"


class DeviceIsRevoked(Conflict):
    """The device was switched off for good: it can neither be paused nor go on."""

    code = "device_revoked"
    title = "This kiosk was switched off for good: take it in anew with a code"


def message_to_sign(device_id: str, nonce: str) -> bytes:
    """Give what a device signs to buy a token: bound to its purpose, its id, and this one nonce."""
    return f"rollcall-device-token-v1\n{device_id}\n{nonce}".encode("ascii")


class Devices:
    """What enrolled devices ask, and what managers ask of them."""

    def __init__(self, units: UnitsOfWork, clock: Clock, luck: Luck, tokens: Tokens) -> None:
        """Make nonces of `luck`."""
        self._units = units
        self._clock = clock
        self._luck = luck
        self._tokens = tokens

    async def new_nonce(self, device_id: str) -> str:
        """Give a nonce (base64url) that the device may sign once, within a minute.

        Raises:
            DeviceUnknown, DeviceSuspended: there is nothing to sign for.
            RateLimited: this device has a hundred open nonces.

        """
        now = self._clock.now()
        nonce = self._luck(NONCE_BYTES)
        async with self._units.begin(origin="device") as unit:
            await self._admitted(unit, device_id)
            row = DeviceNonce(device_id=device_id, nonce=nonce, expires_at=now + timedelta(seconds=NONCE_LIFETIME_S))
            stored = await devices.add_nonce(unit.session, row, now=now, limit=NONCES_MAX)
        if not stored:
            raise RateLimited("Too many nonces were asked for", retry_after_s=NONCE_LIFETIME_S)
        return to_base64url(nonce)

    async def token(self, device_id: str, nonce: str, signature: str) -> IssuedToken:
        """Give an access token for a good signature; the nonce is used up either way.

        A revoked device gets one too: it opens nothing but the sync socket, and that takes what the device still has
        to tell and tells it nothing.

        Raises:
            DeviceUnknown, DeviceSuspended, NonceUsed, SignatureWrong: and no token.

        """
        async with self._units.begin(origin="device") as unit:
            device = await self._admitted(unit, device_id)
            refusal = await self._check(unit, device, nonce, signature)
            if refusal is None:
                device.last_seen_at = self._clock.now()
        # Raised only now: an exception inside would have given the nonce back.
        if refusal is not None:
            _log.info("device_token_refused", device=device_id, reason=refusal.code)
            raise refusal
        token = self._tokens.issue(TokenPurpose.DEVICE, device_id, lifetime_s=TOKEN_LIFETIME_S)
        return IssuedToken(token, TOKEN_LIFETIME_S)

    async def of_center(self, center: Center) -> list[Device]:
        """Give the devices of a centre."""
        async with self._units.begin() as unit:
            return await devices.of_center(unit.session, center.id)

    async def center_of(self, device_id: str) -> str:
        """Give the centre a device belongs to. Raises DeviceUnknown."""
        async with self._units.begin() as unit:
            return (await self._known(unit, device_id)).center_id

    async def revoke(self, device_id: str) -> Device:
        """Switch a device off for good; its open socket ends within five seconds. Safe to repeat.

        What it recorded before it knows of it is still taken, and parked for a person.
        """
        return await self._turn(device_id, DeviceState.REVOKED)

    async def suspend(self, device_id: str) -> Device:
        """Pause a device until it is resumed; its open socket ends within five seconds. Safe to repeat.

        It keeps its key and goes on recording; its entries are taken when it may come again.

        Raises:
            DeviceUnknown: there is no such kiosk.
            DeviceIsRevoked: it was switched off for good.

        """
        return await self._turn(device_id, DeviceState.SUSPENDED)

    async def resume(self, device_id: str) -> Device:
        """Let a device go on that was paused; what it recorded meanwhile is taken as ever. Safe to repeat.

        Raises:
            DeviceUnknown: there is no such kiosk.
            DeviceIsRevoked: it was switched off for good.

        """
        return await self._turn(device_id, DeviceState.ACTIVE)

    async def _turn(self, device_id: str, state: DeviceState) -> Device:
        async with self._units.begin(origin="api") as unit:
            device = await self._known(unit, device_id)
            # What stands so already is neither held nor told in the audit log.
            if device.state == state:
                return device
            # Of two managers who decide at once the later one sees what the other did: a revocation is never undone.
            await devices.hold(unit.session, device)
            if device.state == DeviceState.REVOKED != state:
                raise DeviceIsRevoked
            device.state = state.value
        _log.info("device_state_changed", device=device_id, state=state.value)
        return device

    async def _check(self, unit: UnitOfWork, device: Device, nonce: str, signature: str) -> RollcallError | None:
        raw = from_base64url(nonce, NONCE_BYTES)
        if raw is None or not await devices.take_nonce(unit.session, device.id, raw, now=self._clock.now()):
            return NonceUsed()
        signed = from_base64url(signature, SIGNATURE_BYTES)
        if signed is None or not is_signed(device.public_key, signed, message_to_sign(device.id, nonce)):
            return SignatureWrong()
        return None

    async def _known(self, unit: UnitOfWork, device_id: str) -> Device:
        device = await devices.find(unit.session, device_id)
        if device is None or device.kind != DeviceKind.KIOSK:
            raise DeviceUnknown
        return device

    async def _admitted(self, unit: UnitOfWork, device_id: str) -> Device:
        device = await self._known(unit, device_id)
        if device.state not in (DeviceState.ACTIVE, DeviceState.REVOKED):
            raise DeviceSuspended
        return device


def to_base64url(data: bytes) -> str:
    """Base64url without padding (RFC 4648 section 5)."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


def from_base64url(text: str, size: int) -> bytes | None:
    """Give the bytes of a text in base64url without padding; None when it is none of exactly `size` bytes."""
    try:
        data = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        return None
    return data if len(data) == size and to_base64url(data) == text else None
