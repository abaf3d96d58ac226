"""What was kept aside, and what a manager decides of it."""

from datetime import datetime
from typing import Annotated, Final, Literal
from zoneinfo import ZoneInfo

from fastapi import Query, status

from server.controllers.api_router import api_router
from server.controllers.dependencies import CenterIdInQuery, CurrentUser, ServicesDep
from server.controllers.pagination import PageDep, next_cursor
from server.core.clock import datetime_of
from server.core.errors import FieldProblem, InvalidInput
from server.schemas.set_aside import SetAsideList, SetAsideOut, VerdictIn, VerdictOut
from server.services.access import MANAGER_AND_UP, STAFF_AND_UP
from server.services.set_aside import Kept, SetAsideVerdict, Verdict
from sync.attendance import corrected_at_ms

router = api_router("/set-aside", tags=["reviews"])

LIST: Final = "set_aside"
ANSWERED: Final = {"open": False, "answered": True, "all": None}


@router.get("")
async def list_set_aside(
    center_id: CenterIdInQuery,
    user: CurrentUser,
    services: ServicesDep,
    page: PageDep,
    *,
    state: Annotated[Literal["open", "answered", "all"], Query(description="Only these")] = "open",
) -> SetAsideList:
    """List entries of desks that were kept aside and count for nothing until somebody looks (staff).

    A child who is in the building may be among them. Those that came last are first.
    """
    center = await services.centers.entitled(user, str(center_id), STAFF_AND_UP)
    after = page.after(LIST, _moment, bytes.fromhex)
    found = await services.set_aside.page(
        center, answered=ANSWERED[state], after=None if after is None else (after[0], after[1]), limit=page.limit + 1
    )
    shown = found[: page.limit]
    key = (shown[-1].entry.received_at.isoformat(), shown[-1].entry.hash.hex()) if len(found) > page.limit else None
    zone = ZoneInfo(center.time_zone)
    return SetAsideList(items=[_kept_out(one, zone) for one in shown], next_cursor=next_cursor(LIST, key))


@router.post("/answers", status_code=status.HTTP_201_CREATED)
async def decide(center_id: CenterIdInQuery, body: VerdictIn, user: CurrentUser, services: ServicesDep) -> VerdictOut:
    """Take in an entry that was kept aside, for the child who was meant, or dismiss it (manager).

    Whatever is decided stands beside the entry, which stays as its desk signed it; desks hear of it by their log.
    """
    center = await services.centers.entitled(user, str(center_id), MANAGER_AND_UP)
    verdict = SetAsideVerdict(body.verdict)
    if verdict is SetAsideVerdict.DISMISSED and (body.child_id or body.name or body.occurred_at):
        detail = "Whose it is and when it happened is said of an entry that is taken in"
        raise InvalidInput(detail, (FieldProblem("#/verdict", detail),))
    decided = await services.set_aside.decide(
        center,
        user,
        Verdict(
            entry_hash=bytes.fromhex(body.entry),
            verdict=verdict,
            child_id="" if body.child_id is None else str(body.child_id),
            name=body.name,
            occurred_at=body.occurred_at,
            reason=body.reason,
        ),
    )
    return VerdictOut(entries=decided.entries, event_id=decided.event_id or None)


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError
    return moment


def _kept_out(kept: Kept, zone: ZoneInfo) -> SetAsideOut:
    entry, event = kept.entry, kept.event
    return SetAsideOut(
        entry=entry.hash.hex(),
        reason=entry.reason.name.lower(),
        says=kept.why,
        device_id=entry.device_id,
        device_name=entry.device_name,
        event_id=entry.event_id,
        kind=event.kind.value if event else entry.kind,
        occurred_at=datetime_of(corrected_at_ms(event)).astimezone(zone) if event else None,
        received_at=entry.received_at.astimezone(zone),
        child_id=event.child_id if event else "",
        child_name=kept.child_name,
        provisional_name=event.provisional_name if event else "",
        adult_name=event.adult_name if event else "",
        can_be_taken_in=kept.can_be_taken_in,
        verdict=entry.verdict,
        answered_at=entry.answered_at.astimezone(zone) if entry.answered_at else None,
        answered_by_name=entry.answered_by,
        answer_reason=entry.answer_reason,
    )
