"""What people have to settle, and their answers."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID
from zoneinfo import ZoneInfo

from fastapi import Query, status

from server.controllers.api_router import api_router
from server.controllers.dependencies import CenterIdInQuery, CurrentUser, ServicesDep
from server.controllers.pagination import PageDep, next_cursor, read_moment
from server.core.clock import datetime_of
from server.schemas.reviews import AnsweredOut, AnswerIn, PossibleAnswerOut, ReviewList, ReviewOut, WitnessOut
from server.services.access import MANAGER_AND_UP, STAFF_AND_UP
from server.services.reviews import Filter, Given, Review, Witness

REVIEWS = "reviews"

router = api_router("/reviews", tags=["reviews"])


@router.get("")
async def list_reviews(  # noqa: PLR0913 - each is a part of the request
    center_id: CenterIdInQuery,
    user: CurrentUser,
    services: ServicesDep,
    page: PageDep,
    *,
    state: Annotated[Literal["open", "answered", "all"], Query(description="Only these")] = "open",
    severity: Annotated[Literal["critical", "normal"] | None, Query(description="Only these")] = None,
    kind: Annotated[str, Query(max_length=40, description="One kind of finding only")] = "",
    subject_id: Annotated[UUID | None, Query(description="One child or person only")] = None,
) -> ReviewList:
    """List findings of a centre with both sides' evidence and what may be answered, those found last first (staff)."""
    center = await services.centers.entitled(user, str(center_id), STAFF_AND_UP)
    wanted = Filter(
        state="" if state == "all" else state,
        severity=severity or "",
        kind=kind,
        subject_id=str(subject_id) if subject_id else None,
    )
    key = page.after(REVIEWS, read_moment, str)
    found = await services.reviews.page(center, wanted, after=key, limit=page.limit)
    zone = ZoneInfo(center.time_zone)
    items = [_review_out(review, zone) for review in found.items]
    return ReviewList(items=items, next_cursor=next_cursor(REVIEWS, found.after))


@router.post("/answers", status_code=status.HTTP_201_CREATED)
async def answer_review(
    center_id: CenterIdInQuery, body: AnswerIn, user: CurrentUser, services: ServicesDep
) -> AnsweredOut:
    """Answer a finding (manager). The answer is an event of the log and reaches every desk; a later one replaces it."""
    center = await services.centers.entitled(user, str(center_id), MANAGER_AND_UP)
    given = Given(body.finding, body.answer, body.left_at, body.occurred_at, body.reason)
    answered = await services.reviews.answer(center, user, given)
    return AnsweredOut(event_id=answered.event_id, version=answered.version)


def _review_out(review: Review, zone: ZoneInfo) -> ReviewOut:
    line, answering = review.line, review.answering
    return ReviewOut(
        finding=line.finding,
        kind=line.kind,
        severity=line.severity,
        state=line.state,
        subject_id=line.subject_id,
        subject_kind=line.subject_kind,
        subject_name=line.subject_name,
        found_at=line.found_at.astimezone(zone) if line.found_at else None,
        since=line.since.astimezone(zone) if line.since else None,
        minutes_stale=review.minutes_stale,
        evidence=[_witness_out(witness, zone) for witness in review.witnesses],
        possible_answers=[
            PossibleAnswerOut(answer=one.code, says=one.says, consequence=one.consequence, needs=one.needs.value)
            for one in review.answers
        ],
        answer=line.answer,
        answered_by=line.answered_by,
        answered_by_name=answering.author if answering else "",
        answered_at=datetime_of(answering.recorded_at_ms).astimezone(zone) if answering else None,
        answer_reason=answering.reason if answering else "",
    )


def _witness_out(witness: Witness, zone: ZoneInfo) -> WitnessOut:
    event, record = witness.event, witness.testimony.record

    def local(wall_ms: int) -> datetime:
        return datetime_of(wall_ms).astimezone(zone)

    return WitnessOut(
        event_id=event.event_id,
        kind=event.kind.value,
        occurred_at=local(event.occurred_at_ms),
        recorded_at=local(event.recorded_at_ms),
        received_at=local(record.received_at_ms),
        device_id=record.device_id,
        device_name=record.device_name,
        staff_id=event.staff_id,
        staff_name=witness.staff_name,
        author=event.author,
        adult_id=event.adult_id,
        adult_name=event.adult_name,
        auth_method=event.auth_method,
        identity_check=event.identity_check,
        clock_offset_ms=event.clock_offset_ms,
        clock_error_ms=event.clock_error_ms,
        clock_suspect=event.clock_suspect,
        warnings=list(event.warnings),
        reason=event.reason,
        note=event.note,
        knew_version=witness.testimony.base_version,
    )
