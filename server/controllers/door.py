"""The door of a centre's desks: PINs of staff, family codes, and the keys that desks check them with."""

from datetime import UTC, datetime
from typing import Annotated
from uuid import UUID

from fastapi import Depends, Response, status

from server.controllers.api_router import api_router
from server.controllers.dependencies import CurrentUser, ServicesDep, oauth2_scheme, require_role
from server.core.clock import datetime_of
from server.core.errors import Unauthenticated
from server.schemas.door import DoorKeysOut, FamilyCodeIn, FamilyCodeOut, PinIn, PinOut
from server.services.access import MANAGER_AND_UP, STAFF_AND_UP, Center
from server.services.devices import to_base64url

router = api_router(tags=["door"])
StaffedCenter = Annotated[Center, Depends(require_role(STAFF_AND_UP))]
ManagedCenter = Annotated[Center, Depends(require_role(MANAGER_AND_UP))]


@router.put("/centers/{center_id}/staff/{person_id}/pin")
async def set_pin(
    center: StaffedCenter, person_id: UUID, user: CurrentUser, asked: PinIn, services: ServicesDep
) -> PinOut:
    """Set the PIN by which somebody unlocks the desks of the centre (a manager, or the person by their e-mail)."""
    record = await services.door.set_pin(center, user, str(person_id), asked.pin)
    return PinOut(person_id=str(person_id), set_at=datetime_of(record.set_at_ms))


@router.delete("/centers/{center_id}/staff/{person_id}/pin", status_code=status.HTTP_204_NO_CONTENT)
async def remove_pin(center: StaffedCenter, person_id: UUID, user: CurrentUser, services: ServicesDep) -> None:
    """Take a PIN away (a manager, or the person); safe to repeat."""
    await services.door.remove_pin(center, user, str(person_id))


@router.post("/centers/{center_id}/adults/{adult_id}/family-code", status_code=status.HTTP_201_CREATED)
async def new_family_code(
    center: ManagedCenter, adult_id: UUID, asked: FamilyCodeIn, services: ServicesDep, response: Response
) -> FamilyCodeOut:
    """Make a signed code that opens an adult's children at a desk (manager); it gives no right to collect."""
    made = await services.door.new_family_code(center, str(adult_id), asked.days)
    response.headers["cache-control"] = "no-store"
    return FamilyCodeOut(code=made.text, expires_at=datetime.fromtimestamp(made.expires_at_s, UTC))


@router.get("/devices/{device_id}/door-keys")
async def door_keys(
    device_id: UUID,
    services: ServicesDep,
    response: Response,
    token: Annotated[str | None, Depends(oauth2_scheme)] = None,
) -> DoorKeysOut:
    """Give a desk the pepper of PINs and the key of family codes of its centre, against its own access token."""
    if not token:
        raise Unauthenticated("Send the device's access token as Authorization: Bearer")
    keys = await services.door.keys_of(str(device_id), token)
    response.headers["cache-control"] = "no-store"
    return DoorKeysOut(pin_pepper=to_base64url(keys.pin_pepper), family_key=to_base64url(keys.family_key))
