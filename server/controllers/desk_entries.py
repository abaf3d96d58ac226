"""What was forgotten, what was wrong, and what a guardian says to it."""

from uuid import UUID

from fastapi import status

from server.controllers.api_router import api_router
from server.controllers.dependencies import CenterIdInQuery, CurrentUser, ServicesDep
from server.schemas.desk_entries import EnteredOut, EntryIn
from server.services.access import MANAGER_AND_UP
from server.services.desk_entries import Entry, EventKind

router = api_router(tags=["attendance"])


@router.post("/attendance/events", status_code=status.HTTP_201_CREATED)
async def enter(center_id: CenterIdInQuery, body: EntryIn, user: CurrentUser, services: ServicesDep) -> EnteredOut:
    """Enter what was forgotten at a desk, void or correct what was wrong, or note what a guardian says (manager).

    The entry is an event of the log, with the account behind it, and reaches every desk.
    """
    center = await services.centers.entitled(user, str(center_id), MANAGER_AND_UP)
    entry = Entry(
        kind=EventKind(body.kind),
        event_id=_text(body.event_id),
        child_id=_text(body.child_id),
        occurred_at=body.occurred_at,
        room_id=_text(body.room_id),
        to_room_id=_text(body.to_room_id),
        adult_id=_text(body.adult_id),
        adult_name=body.adult_name,
        named=tuple(str(one) for one in body.named),
        right_time=body.right_time,
        disputes=body.disputes,
        reason_code=body.reason_code,
        reason=body.reason,
    )
    entered = await services.desk_entries.enter(center, user, entry)
    return EnteredOut(event_id=entered.event_id, version=entered.version, needs_review=entered.needs_review)


def _text(given: UUID | None) -> str:
    return "" if given is None else str(given)
