"""What must be known of a child."""

from typing import Annotated
from uuid import UUID

from fastapi import Depends, Response, status

from server.controllers.api_router import api_router
from server.controllers.children import given_values
from server.controllers.dependencies import CurrentUser, ServicesDep, require_role
from server.controllers.pagination import PageDep
from server.controllers.preconditions import ExpectedDep, set_etag
from server.schemas.alerts import AlertChangeIn, AlertIn, AlertList, AlertOut
from server.services.access import MANAGER_AND_UP, STAFF_AND_UP, Center
from server.services.alerts import Alert, etag_of_alert

# ManagedCenter and StaffedCenter take `center_id` from the path.
router = api_router("/centers/{center_id}/children/{child_id}", tags=["people"])
ManagedCenter = Annotated[Center, Depends(require_role(MANAGER_AND_UP))]
StaffedCenter = Annotated[Center, Depends(require_role(STAFF_AND_UP))]


@router.get("/alerts")
async def list_alerts(
    child_id: UUID, center: StaffedCenter, user: CurrentUser, services: ServicesDep, page: PageDep
) -> AlertList:
    """List the alerts of a child as desks show them (staff); the reading is noted."""
    found = await services.alerts.of_child(center, user, str(child_id))
    shown, cursor = page.part("alerts", found, lambda one: one.id)
    return AlertList(items=[_out(alert) for alert in shown], next_cursor=cursor)


@router.post("/alerts", status_code=status.HTTP_201_CREATED)
async def create_alert(
    child_id: UUID, body: AlertIn, center: ManagedCenter, user: CurrentUser, services: ServicesDep, response: Response
) -> AlertOut:
    """Add an alert, on every desk (manager). The same again with the same id changes nothing."""
    return _tagged(await services.alerts.create(center, user, str(child_id), given_values(body)), response)


@router.patch("/alerts/{alert_id}")
async def change_alert(  # noqa: PLR0913 - each is a part of the request
    child_id: UUID,
    alert_id: UUID,
    body: AlertChangeIn,
    center: ManagedCenter,
    user: CurrentUser,
    services: ServicesDep,
    *,
    expected: ExpectedDep,
    response: Response,
) -> AlertOut:
    """Change an alert, on every desk (manager; If-Match)."""
    changed = await services.alerts.change(
        center, user, child_id=str(child_id), alert_id=str(alert_id), changes=given_values(body), expected=expected
    )
    return _tagged(changed, response)


@router.delete("/alerts/{alert_id}", status_code=status.HTTP_204_NO_CONTENT)
async def remove_alert(
    child_id: UUID,
    alert_id: UUID,
    center: ManagedCenter,
    user: CurrentUser,
    services: ServicesDep,
    expected: ExpectedDep,
) -> None:
    """Take an alert off every desk (manager; If-Match)."""
    await services.alerts.remove(center, user, child_id=str(child_id), alert_id=str(alert_id), expected=expected)


def _out(alert: Alert) -> AlertOut:
    etag = f'"{etag_of_alert(alert)}"'
    return AlertOut(id=alert.id, kind=alert.kind, severity=alert.severity, text=alert.text, etag=etag)


def _tagged(alert: Alert, response: Response) -> AlertOut:
    set_etag(response, etag_of_alert(alert))
    return _out(alert)
