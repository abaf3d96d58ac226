"""Of what a guardian is told by mail."""

from collections.abc import Sequence

from fastapi import Response

from server.controllers.api_router import api_router
from server.controllers.dependencies import CurrentUser, ServicesDep
from server.controllers.pagination import PageDep
from server.schemas.my_notifications import ChoiceOut, NotificationsIn, NotificationsOut
from server.services.my_notifications import Choice

router = api_router("/my", tags=["families"])


@router.get("/notifications")
async def my_notifications(
    user: CurrentUser, services: ServicesDep, page: PageDep, response: Response
) -> NotificationsOut:
    """Tell of what I am told by mail about each child whom I may see (guardian)."""
    response.headers["cache-control"] = "no-store"
    found = await services.parents.notifications.mine(user)
    shown, cursor = page.part("my notifications", found, lambda one: one.child_id)
    return _out(shown, cursor)


@router.put("/notifications")
async def choose_notifications(
    body: NotificationsIn, user: CurrentUser, services: ServicesDep, response: Response
) -> NotificationsOut:
    """Choose of what to be told by mail about children of mine (guardian); a right that ends ends it too."""
    response.headers["cache-control"] = "no-store"
    wanted = [Choice(str(one.child_id), one.kinds) for one in body.items]
    chosen = {one.child_id for one in wanted}
    now = await services.parents.notifications.put(user, wanted)
    return _out([one for one in now if one.child_id in chosen], "")


def _out(choices: Sequence[Choice], cursor: str) -> NotificationsOut:
    return NotificationsOut(
        items=[ChoiceOut(child_id=one.child_id, kinds=list(one.kinds), may_hear=one.may_hear) for one in choices],
        next_cursor=cursor,
    )
