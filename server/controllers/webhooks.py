"""Webhooks of a centre; docs/webhooks.md tells integrators how to hear them."""

from typing import Annotated, Any
from uuid import UUID
from zoneinfo import ZoneInfo

from fastapi import Depends, Path, Response, status

from server.controllers.api_router import api_router
from server.controllers.dependencies import CurrentUser, ServicesDep, require_role
from server.controllers.pagination import PageDep, next_id
from server.controllers.preconditions import ExpectedDep, set_etag
from server.schemas.webhooks import (
    DeliveryList,
    DeliveryOut,
    ReplayIn,
    WebhookChangeIn,
    WebhookIn,
    WebhookList,
    WebhookOut,
    WebhookSecretOut,
)
from server.services.access import MANAGER_AND_UP, Center
from server.services.webhooks import Change, NewWebhook, Webhook, WebhookDelivery, WebhookState, etag

DELIVERIES = "webhook-deliveries"

# ManagedCenter takes `center_id` from the path.
router = api_router("/centers/{center_id}/webhooks", tags=["webhooks"])
ManagedCenter = Annotated[Center, Depends(require_role(MANAGER_AND_UP))]
WebhookId = Annotated[UUID, Path(description="Id of a webhook of the centre")]


@router.get("")
async def list_webhooks(center: ManagedCenter, services: ServicesDep, page: PageDep) -> WebhookList:
    """List the webhooks of a centre and how they fare (manager)."""
    shown, cursor = page.part("webhooks", await services.webhooks.of_center(center), lambda one: one.id)
    return WebhookList(items=[WebhookOut(**_told(one, center)) for one in shown], next_cursor=cursor)


@router.post("", status_code=status.HTTP_201_CREATED)
async def add_webhook(
    body: WebhookIn, center: ManagedCenter, user: CurrentUser, services: ServicesDep, response: Response
) -> WebhookSecretOut:
    """Tell an address from now on what happens at the centre (manager); the secret is shown this once."""
    new = NewWebhook(str(body.id), body.url, body.description, body.kinds)
    row, secret = await services.webhooks.add(center, user, new)
    return _with_secret(row, secret, center, response)


@router.get("/{webhook_id}")
async def get_webhook(
    webhook_id: WebhookId, center: ManagedCenter, services: ServicesDep, response: Response
) -> WebhookOut:
    """Tell of one webhook (manager)."""
    return _out(await services.webhooks.find(center, str(webhook_id)), center, response)


@router.patch("/{webhook_id}")
async def change_webhook(  # noqa: PLR0913 - each is a part of the request
    webhook_id: WebhookId,
    body: WebhookChangeIn,
    center: ManagedCenter,
    user: CurrentUser,
    services: ServicesDep,
    expected: ExpectedDep,
    *,
    response: Response,
) -> WebhookOut:
    """Change a webhook, pause it or let it be active (manager); it goes on where it stopped, at once."""
    state = WebhookState(body.state) if body.state else None
    wanted = Change(body.url, body.description, body.kinds, state)
    return _out(await services.webhooks.change(center, user, str(webhook_id), wanted, expected), center, response)


@router.delete("/{webhook_id}", status_code=status.HTTP_204_NO_CONTENT)
async def remove_webhook(
    webhook_id: WebhookId, center: ManagedCenter, user: CurrentUser, services: ServicesDep, expected: ExpectedDep
) -> None:
    """Take a webhook away, and with it the log of its deliveries (manager)."""
    await services.webhooks.remove(center, user, str(webhook_id), expected)


@router.post("/{webhook_id}/rotation")
async def rotate_webhook_secret(
    webhook_id: WebhookId,
    center: ManagedCenter,
    user: CurrentUser,
    services: ServicesDep,
    expected: ExpectedDep,
    response: Response,
) -> WebhookSecretOut:
    """Give a webhook another secret, shown this once (manager); for 24 hours the one before signs too."""
    row, secret = await services.webhooks.rotate(center, user, str(webhook_id), expected)
    return _with_secret(row, secret, center, response)


@router.post("/{webhook_id}/ping", status_code=status.HTTP_202_ACCEPTED)
async def ping_webhook(
    webhook_id: WebhookId, center: ManagedCenter, user: CurrentUser, services: ServicesDep, response: Response
) -> WebhookOut:
    """Send a `webhook.ping` before anything else (manager); the log of deliveries tells what became of it."""
    return _out(await services.webhooks.ping(center, user, str(webhook_id)), center, response)


@router.post("/{webhook_id}/replay", status_code=status.HTTP_202_ACCEPTED)
async def replay_webhook(
    webhook_id: WebhookId,
    body: ReplayIn,
    center: ManagedCenter,
    user: CurrentUser,
    services: ServicesDep,
    response: Response,
) -> WebhookOut:
    """Tell a webhook again what follows, with the ids of the first time (manager); or skip what it does not take."""
    row = await services.webhooks.replay(
        center, user, str(webhook_id), from_version=body.from_version, from_number=body.from_number
    )
    return _out(row, center, response)


@router.get("/{webhook_id}/deliveries")
async def list_deliveries(
    webhook_id: WebhookId, center: ManagedCenter, services: ServicesDep, page: PageDep
) -> DeliveryList:
    """List the attempts of the last 30 days, the newest first (manager); what was sent is not kept."""
    found = await services.webhooks.deliveries(
        center, str(webhook_id), before=page.after_id(DELIVERIES), limit=page.limit
    )
    cursor = next_id(DELIVERIES, found.before)
    return DeliveryList(items=[_delivery(one, center) for one in found.items], next_cursor=cursor)


def _out(row: Webhook, center: Center, response: Response) -> WebhookOut:
    set_etag(response, etag(row))
    return WebhookOut(**_told(row, center))


def _with_secret(row: Webhook, secret: str | None, center: Center, response: Response) -> WebhookSecretOut:
    set_etag(response, etag(row))
    response.headers["cache-control"] = "no-store"
    return WebhookSecretOut(**_told(row, center), secret=secret)


def _told(row: Webhook, center: Center) -> dict[str, Any]:
    zone = ZoneInfo(center.time_zone)
    plain = ("id", "url", "description", "kinds", "state", "pause_reason", "epoch", "version", "number", "attempts")
    told: dict[str, Any] = {name: getattr(row, name) for name in (*plain, "last_error")}
    for name in ("failing_since", "delivered_at", "rotated_at", "created_at"):
        moment = getattr(row, name)
        told[name] = moment.astimezone(zone) if moment else None
    is_waiting = row.failing_since is not None and row.state == WebhookState.ACTIVE
    return {**told, "next_try_at": row.not_before.astimezone(zone) if is_waiting else None, "etag": etag(row)}


def _delivery(row: WebhookDelivery, center: Center) -> DeliveryOut:
    names = ("id", "message_id", "kind", "version", "number", "attempt", "took_ms", "status", "outcome", "reason")
    at = row.at.astimezone(ZoneInfo(center.time_zone))
    return DeliveryOut(**{name: getattr(row, name) for name in names}, at=at)
