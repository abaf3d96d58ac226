"""Kiosks: codes, enrolment, tokens, and their end."""

from typing import Annotated
from uuid import UUID

from fastapi import Depends, Request, Response

from server.controllers.api_router import api_router
from server.controllers.dependencies import CurrentUser, ServicesDep, require_role
from server.controllers.pagination import PageDep
from server.core.errors import FieldProblem, InvalidInput, NotFound
from server.schemas.devices import (
    DeviceList,
    DeviceOut,
    DeviceToken,
    DeviceTokenIn,
    EnrolIn,
    EnrolmentCodeIn,
    EnrolmentCodeOut,
    EnrolOut,
    NonceOut,
)
from server.services.access import MANAGER_AND_UP, Center, User
from server.services.bundle import Services
from server.services.devices import Device, DeviceUnknown, from_base64url
from server.services.enrolment import Applicant

PUBLIC_KEY_BYTES = 32

router = api_router(tags=["devices"])
ManagedCenter = Annotated[Center, Depends(require_role(MANAGER_AND_UP))]


@router.post("/centers/{center_id}/enrolment-codes", status_code=201)
async def new_enrolment_code(
    center: ManagedCenter, asked: EnrolmentCodeIn, services: ServicesDep, response: Response
) -> EnrolmentCodeOut:
    """Make a one-time code for one kiosk (manager); it is shown this once and good for ten minutes."""
    made = await services.enrolment.new_code(center, asked.device_name)
    response.headers["cache-control"] = "no-store"
    return EnrolmentCodeOut(code=made.code, expires_at=made.expires_at)


@router.get("/centers/{center_id}/devices")
async def list_devices(center: ManagedCenter, services: ServicesDep, page: PageDep) -> DeviceList:
    """List the kiosks of a centre (manager)."""
    shown, cursor = page.part("devices", await services.devices.of_center(center), lambda one: one.id)
    return DeviceList(items=[_out(device) for device in shown], next_cursor=cursor)


@router.post("/devices/enrol", status_code=201)
async def enrol(asked: EnrolIn, services: ServicesDep) -> EnrolOut:
    """Exchange a one-time code for an identity; a repeat with the same code and key gets the same answer."""
    key = from_base64url(asked.public_key, PUBLIC_KEY_BYTES)
    if key is None:
        detail = "Send the 32 bytes of an Ed25519 public key in base64url without padding"
        raise InvalidInput(detail, (FieldProblem("/public_key", detail),))
    done = await services.enrolment.enrol(asked.code, Applicant(key, asked.device_name, asked.app_version))
    return EnrolOut(
        device_id=done.device_id,
        device_name=done.device_name,
        center_id=done.center_id,
        center_name=done.center_name,
    )


@router.post("/devices/{device_id}/nonce")
async def new_nonce(device_id: UUID, services: ServicesDep, response: Response) -> NonceOut:
    """Get a nonce to sign; it is good once, for a minute."""
    response.headers["cache-control"] = "no-store"
    return NonceOut(nonce=await services.devices.new_nonce(str(device_id)))


@router.post("/devices/{device_id}/token")
async def device_token(
    device_id: UUID, asked: DeviceTokenIn, services: ServicesDep, request: Request, response: Response
) -> DeviceToken:
    """Buy a token for the sync socket by a signature over the nonce."""
    issued = await services.devices.token(str(device_id), asked.nonce, asked.signature)
    response.headers["cache-control"] = "no-store"
    return DeviceToken(access_token=issued.token, expires_in=issued.expires_in_s, server_version=request.app.version)


@router.post("/devices/{device_id}/suspend")
async def suspend(device_id: UUID, user: CurrentUser, services: ServicesDep) -> DeviceOut:
    """Pause a kiosk (manager of its centre); its open link ends within five seconds, and it goes on recording."""
    await _managed(device_id, user, services)
    return _out(await services.devices.suspend(str(device_id)))


@router.post("/devices/{device_id}/resume")
async def resume(device_id: UUID, user: CurrentUser, services: ServicesDep) -> DeviceOut:
    """Let a paused kiosk go on (manager of its centre); it comes back by itself within about half a minute."""
    await _managed(device_id, user, services)
    return _out(await services.devices.resume(str(device_id)))


@router.post("/devices/{device_id}/revoke")
async def revoke(device_id: UUID, user: CurrentUser, services: ServicesDep) -> DeviceOut:
    """Switch a kiosk off for good (manager of its centre); its open link ends within five seconds."""
    await _managed(device_id, user, services)
    return _out(await services.devices.revoke(str(device_id)))


async def _managed(device_id: UUID, user: User, services: Services) -> None:
    """Raise DeviceUnknown for a kiosk that is none of the user's, and NotEntitled for one they do not manage."""
    center_id = await services.devices.center_of(str(device_id))
    try:
        await services.centers.entitled(user, center_id, MANAGER_AND_UP)
    except NotFound:
        raise DeviceUnknown from None


def _out(device: Device) -> DeviceOut:
    return DeviceOut(
        id=device.id,
        name=device.name,
        state=device.state,
        app_version=device.app_version,
        created_at=device.created_at,
        last_seen_at=device.last_seen_at,
    )
