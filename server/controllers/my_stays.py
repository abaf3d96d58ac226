"""The stays of a guardian's child, and what the guardian says to them."""

from datetime import date
from itertools import groupby
from typing import Annotated, Final
from uuid import UUID
from zoneinfo import ZoneInfo

from fastapi import Path, Query, Response, status

from server.controllers.api_router import api_router
from server.controllers.dependencies import CurrentUser, ServicesDep
from server.core.clock import datetime_of
from server.schemas.my_stays import (
    ConfirmIn,
    DisputeIn,
    HandoverOut,
    MyStayList,
    MyStayOut,
    OwnWordOut,
    SaidOut,
    StayDayOut,
)
from server.services.desk_entries import Entered
from server.services.my_stays import About, MyStay, StayPage, Word
from server.services.stay_history import Handover, OwnWord

router = api_router("/my/children/{child_id}", tags=["families"])
ChildId = Annotated[UUID, Path(description="Id of a child of mine")]
StayId = Annotated[UUID, Path(description="Id of a stay of the child")]
_NO_STORE: Final = {"cache-control": "no-store"}


@router.get("/stays")
async def my_stays(
    child_id: ChildId,
    user: CurrentUser,
    services: ServicesDep,
    response: Response,
    first_day: Annotated[date | None, Query(alias="from", description="YYYY-MM-DD; two weeks when left out")] = None,
    last_day: Annotated[date | None, Query(alias="to", description="YYYY-MM-DD, included; today when left out")] = None,
) -> MyStayList:
    """List the stays of a child of mine by day, the last day first, for at most 92 days at once (guardian)."""
    response.headers.update(_NO_STORE)
    return _list_out(await services.parents.stays.between(user, str(child_id), first_day, last_day))


@router.post("/stays/{stay_id}/confirm", status_code=status.HTTP_201_CREATED)
async def confirm(
    child_id: ChildId, stay_id: StayId, body: ConfirmIn, user: CurrentUser, services: ServicesDep
) -> SaidOut:
    """Say that a stay was as it is told; it stands in the stay's evidence (guardian)."""
    word = Word(event_id=str(body.event_id))
    return _said_out(await services.parents.stays.say(user, str(child_id), str(stay_id), word))


@router.post("/stays/{stay_id}/dispute", status_code=status.HTTP_201_CREATED)
async def dispute(
    child_id: ChildId, stay_id: StayId, body: DisputeIn, user: CurrentUser, services: ServicesDep
) -> SaidOut:
    """Say that a stay was not as it is told; the centre has to answer it (guardian)."""
    word = Word(
        event_id=str(body.event_id),
        disputes=True,
        about=About(body.about),
        reason=body.reason,
        right_time=body.right_time,
    )
    return _said_out(await services.parents.stays.say(user, str(child_id), str(stay_id), word))


def _said_out(entered: Entered) -> SaidOut:
    return SaidOut(event_id=entered.event_id, version=entered.version, needs_review=entered.needs_review)


def _list_out(page: StayPage) -> MyStayList:
    zone = ZoneInfo(page.child.time_zone)
    return MyStayList(
        child_id=page.child.child_id,
        first_day=page.first_day,
        last_day=page.last_day,
        days=[
            StayDayOut(day=day, stays=[_stay_out(stay, zone) for stay in reversed(list(stays))])
            for day, stays in groupby(page.stays, key=lambda stay: stay.day)
        ],
    )


def _stay_out(stay: MyStay, zone: ZoneInfo) -> MyStayOut:
    started_ms, ended_ms = stay.started_at_ms, stay.ended_at_ms
    return MyStayOut(
        stay_id=stay.stay_id,
        evidence_id=stay.stay_id,
        started_at=None if started_ms is None else datetime_of(started_ms).astimezone(zone),
        ended_at=None if ended_ms is None else datetime_of(ended_ms).astimezone(zone),
        brought=_handover_out(stay.brought),
        collected=_handover_out(stay.collected),
        disputed=stay.is_disputed,
        assumed=stay.is_assumed,
        own_word=_word_out(stay.own_word, zone),
    )


def _handover_out(handover: Handover | None) -> HandoverOut | None:
    if handover is None:
        return None
    return HandoverOut(
        name=handover.name,
        relationship=handover.kind,
        method=handover.method,
        identity_check=handover.identity_check,
        desk_name=handover.device_name,
        recorded_at_desk=handover.is_of_a_desk,
        retroactive=handover.is_retroactive,
        corrected=handover.is_corrected,
    )


def _word_out(word: OwnWord | None, zone: ZoneInfo) -> OwnWordOut | None:
    if word is None:
        return None
    return OwnWordOut(
        event_id=word.event_id,
        says="disputed" if word.disputes else "confirmed",
        reason=word.reason,
        at=datetime_of(word.at_ms).astimezone(zone),
        open=word.is_open,
    )
