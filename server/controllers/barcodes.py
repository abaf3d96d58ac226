"""Cards and fobs by which desks find the children and adults of a centre."""

from collections.abc import Sequence
from typing import Annotated
from uuid import UUID
from zoneinfo import ZoneInfo

from fastapi import Depends, Response, status

from server.controllers.api_router import api_router
from server.controllers.dependencies import CurrentUser, ServicesDep, require_role
from server.controllers.pagination import PageDep, PageQuery
from server.schemas.barcodes import BarcodeIn, BarcodeList, BarcodeOut
from server.services.access import MANAGER_AND_UP, STAFF_AND_UP, Center
from server.services.barcodes import Barcode, NewBarcode
from server.services.photos import Whose, WhoseKind

# ManagedCenter and StaffedCenter take `center_id` from the path.
router = api_router("/centers/{center_id}", tags=["people"])
ManagedCenter = Annotated[Center, Depends(require_role(MANAGER_AND_UP))]
StaffedCenter = Annotated[Center, Depends(require_role(STAFF_AND_UP))]
_NO_STORE = {"cache-control": "no-store"}


@router.get("/children/{child_id}/barcodes")
async def list_child_barcodes(
    child_id: UUID, center: StaffedCenter, services: ServicesDep, page: PageDep
) -> BarcodeList:
    """List the cards of a child, also revoked ones (staff); not what they say."""
    return _list(await services.barcodes.of(center, _child(child_id)), center, page)


@router.post("/children/{child_id}/barcodes", status_code=status.HTTP_201_CREATED)
async def add_child_barcode(
    child_id: UUID,
    body: BarcodeIn,
    center: ManagedCenter,
    user: CurrentUser,
    services: ServicesDep,
    response: Response,
) -> BarcodeOut:
    """Let desks find a child by a card (manager). The same again with the same id changes nothing."""
    response.headers.update(_NO_STORE)
    return _out(await services.barcodes.add(center, user, _child(child_id), _new(body)), center)


@router.delete("/children/{child_id}/barcodes/{barcode_id}", status_code=status.HTTP_204_NO_CONTENT)
async def revoke_child_barcode(
    child_id: UUID, barcode_id: UUID, center: ManagedCenter, user: CurrentUser, services: ServicesDep
) -> None:
    """Block a card of a child at every desk (manager); safe to repeat."""
    await services.barcodes.revoke(center, user, _child(child_id), str(barcode_id))


@router.get("/adults/{adult_id}/barcodes")
async def list_adult_barcodes(
    adult_id: UUID, center: StaffedCenter, services: ServicesDep, page: PageDep
) -> BarcodeList:
    """List the cards of an adult, also revoked ones (staff); not what they say."""
    return _list(await services.barcodes.of(center, _adult(adult_id)), center, page)


@router.post("/adults/{adult_id}/barcodes", status_code=status.HTTP_201_CREATED)
async def add_adult_barcode(
    adult_id: UUID,
    body: BarcodeIn,
    center: ManagedCenter,
    user: CurrentUser,
    services: ServicesDep,
    response: Response,
) -> BarcodeOut:
    """Let desks find an adult's children by a card (manager); it gives no right: the pick-up list does."""
    response.headers.update(_NO_STORE)
    return _out(await services.barcodes.add(center, user, _adult(adult_id), _new(body)), center)


@router.delete("/adults/{adult_id}/barcodes/{barcode_id}", status_code=status.HTTP_204_NO_CONTENT)
async def revoke_adult_barcode(
    adult_id: UUID, barcode_id: UUID, center: ManagedCenter, user: CurrentUser, services: ServicesDep
) -> None:
    """Block a card of an adult at every desk (manager); safe to repeat."""
    await services.barcodes.revoke(center, user, _adult(adult_id), str(barcode_id))


def _child(child_id: UUID) -> Whose:
    return Whose(WhoseKind.CHILD, str(child_id))


def _adult(adult_id: UUID) -> Whose:
    return Whose(WhoseKind.ADULT, str(adult_id))


def _new(body: BarcodeIn) -> NewBarcode:
    return NewBarcode(str(body.id), body.barcode, body.label)


def _list(found: Sequence[Barcode], center: Center, page: PageQuery) -> BarcodeList:
    shown, cursor = page.part("barcodes", found, lambda one: one.id)
    return BarcodeList(items=[_out(one, center) for one in shown], next_cursor=cursor)


def _out(one: Barcode, center: Center) -> BarcodeOut:
    zone = ZoneInfo(center.time_zone)
    revoked_at = one.revoked_at.astimezone(zone) if one.revoked_at else None
    return BarcodeOut(id=one.id, label=one.label, created_at=one.created_at.astimezone(zone), revoked_at=revoked_at)
