"""Erasing a child or an adult of a centre, and the holds that keep somebody from being erased."""

from typing import Annotated, Any
from uuid import UUID
from zoneinfo import ZoneInfo

from fastapi import Depends, status

from server.controllers.api_router import api_router
from server.controllers.dependencies import CurrentUser, ServicesDep, require_role
from server.controllers.pagination import PageDep, next_id
from server.schemas.erasures import (
    ConfirmationIn,
    ErasureAsked,
    ErasureIn,
    ErasureList,
    ErasureOut,
    HoldIn,
    HoldList,
    HoldOut,
)
from server.services.access import MANAGER_AND_UP, Center
from server.services.erasures import CONFIRM_WITHIN, Asked, Erasure, ErasureKind, ErasureReason
from server.services.legal_holds import LegalHold

ERASURES = "erasures"

# ManagedCenter takes `center_id` from the path.
router = api_router("/centers/{center_id}", tags=["erasure"])
ManagedCenter = Annotated[Center, Depends(require_role(MANAGER_AND_UP))]


@router.get("/erasures")
async def list_erasures(center: ManagedCenter, services: ServicesDep, page: PageDep) -> ErasureList:
    """List who is to be erased, and who was (manager)."""
    found = await services.erasures.page(center, after=page.after_id(ERASURES), limit=page.limit)
    cursor = next_id(ERASURES, found.after)
    return ErasureList(items=[ErasureOut(**_out(center, one)) for one in found.items], next_cursor=cursor)


@router.post("/erasures", status_code=status.HTTP_201_CREATED)
async def ask_for_erasure(
    body: ErasureIn, center: ManagedCenter, user: CurrentUser, services: ServicesDep
) -> ErasureAsked:
    """Ask for a child to be erased, or an adult without children (manager); nothing is done until it is confirmed.

    The answer says what will go. Who was asked for before has that erasure, with its own id.
    """
    kind = ErasureKind(body.kind)
    return _asked(center, await services.erasures.ask(center, user, str(body.id), kind, str(body.person_id)))


@router.get("/erasures/{erasure_id}")
async def get_erasure(erasure_id: UUID, center: ManagedCenter, services: ServicesDep) -> ErasureAsked:
    """Read an erasure, and what it takes away as things stand (manager)."""
    return _asked(center, await services.erasures.one(center, str(erasure_id)))


@router.post("/erasures/{erasure_id}/confirmation")
async def confirm_erasure(
    erasure_id: UUID, body: ConfirmationIn, center: ManagedCenter, user: CurrentUser, services: ServicesDep
) -> ErasureOut:
    """Erase, for good: with a reason, and with my password again (manager). A second time changes nothing."""
    reason = ErasureReason(body.reason)
    done = await services.erasures.confirm(center, user, str(erasure_id), reason, body.password)
    return ErasureOut(**_out(center, done))


@router.delete("/erasures/{erasure_id}", status_code=status.HTTP_204_NO_CONTENT)
async def withdraw_erasure(erasure_id: UUID, center: ManagedCenter, user: CurrentUser, services: ServicesDep) -> None:
    """Take back what was asked for and not confirmed (manager)."""
    await services.erasures.withdraw(center, user, str(erasure_id))


@router.get("/legal-holds")
async def list_holds(center: ManagedCenter, services: ServicesDep, page: PageDep) -> HoldList:
    """List of whom nothing may be erased (manager)."""
    shown, cursor = page.part("legal holds", await services.erasures.holds.of_center(center), lambda one: one.id)
    return HoldList(items=[_hold(center, one) for one in shown], next_cursor=cursor)


@router.post("/legal-holds", status_code=status.HTTP_201_CREATED)
async def place_hold(body: HoldIn, center: ManagedCenter, user: CurrentUser, services: ServicesDep) -> HoldOut:
    """Let nothing of a child or an adult be erased until the hold is lifted (manager)."""
    placed = await services.erasures.holds.place(center, user, str(body.id), str(body.person_id), body.reason)
    return _hold(center, placed)


@router.delete("/legal-holds/{hold_id}", status_code=status.HTTP_204_NO_CONTENT)
async def lift_hold(hold_id: UUID, center: ManagedCenter, user: CurrentUser, services: ServicesDep) -> None:
    """Lift a hold (manager)."""
    await services.erasures.holds.lift(center, user, str(hold_id))


def _out(center: Center, row: Erasure) -> dict[str, Any]:
    zone = ZoneInfo(center.time_zone)
    confirm_by = (row.asked_at + CONFIRM_WITHIN).astimezone(zone) if row.ended_at is None else None
    return {
        "id": row.id, "kind": row.kind, "person_id": row.person_id, "state": row.state, "reason": row.reason,
        "asked_at": row.asked_at.astimezone(zone), "asked_by": row.asked_by, "confirm_by": confirm_by,
        "ended_at": row.ended_at.astimezone(zone) if row.ended_at else None, "ended_by": row.ended_by,
    }  # fmt: skip


def _asked(center: Center, asked: Asked) -> ErasureAsked:
    return ErasureAsked(
        **_out(center, asked.erasure), adults=list(asked.adult_ids), alerts=asked.alerts, pickups=asked.pickups,
        photos=asked.photos, cards=asked.cards, accounts=asked.accounts,
    )  # fmt: skip


def _hold(center: Center, row: LegalHold) -> HoldOut:
    at = row.placed_at.astimezone(ZoneInfo(center.time_zone))
    return HoldOut(id=row.id, person_id=row.person_id, reason=row.reason, placed_at=at, placed_by=row.placed_by)
