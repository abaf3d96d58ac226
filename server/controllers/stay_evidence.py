"""What is behind a stay: as one JSON answer, and as one page to print."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Final
from uuid import UUID
from zoneinfo import ZoneInfo

import msgspec
from fastapi import Path, Response
from fastapi.responses import HTMLResponse

from server.controllers.api_router import api_router
from server.controllers.dependencies import CenterIdInQuery, CurrentUser, ServicesDep
from server.schemas.stay_evidence import (
    AnswerOut,
    ChangeOut,
    ChecksOut,
    ClockOut,
    DeviceOut,
    EntryOut,
    EvidenceEventOut,
    EvidenceFindingOut,
    EvidenceStayOut,
    RoomTimeOut,
    SignerOut,
    StayEvidenceOut,
    StepOut,
)
from server.services.access import MANAGER_AND_UP
from server.services.stay_evidence import EventEvidence, Proof, StayRecord
from server.web.evidence_page import evidence_page
from sync.attendance import AttendanceEvent
from sync.evidence_trail import Change, Question, Step
from sync.journal import Outcome, ParkReason
from sync.limits import WALL_MS_MAX, WALL_MS_MIN
from sync.stays import Stay

router = api_router(tags=["attendance"])
StayId = Annotated[UUID, Path(description="The event that begins the stay: its check-in, or a check-out without one")]
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_NO_STORE: Final = {"cache-control": "no-store"}
_HTML: Final[dict[int | str, dict[str, Any]]] = {200: {"description": "A page to print", "content": {"text/html": {}}}}


@router.get("/attendance/stays/{stay_id}/evidence")
async def stay_evidence(
    stay_id: StayId, center_id: CenterIdInQuery, user: CurrentUser, services: ServicesDep, response: Response
) -> StayEvidenceOut:
    """Tell each event behind a stay: who signed and how, on which device, what it said first, each change (manager).

    Each journal entry is checked for this answer: its hash, its signature, and that what counts is what was signed.
    """
    center = await services.centers.entitled(user, str(center_id), MANAGER_AND_UP)
    response.headers.update(_NO_STORE)
    return _record_out(await services.stay_evidence.of_stay(center, user, str(stay_id)))


@router.get("/attendance/stays/{stay_id}/evidence.html", response_class=HTMLResponse, responses=_HTML)
async def stay_evidence_page(
    stay_id: StayId, center_id: CenterIdInQuery, user: CurrentUser, services: ServicesDep
) -> HTMLResponse:
    """Give the same as one page of HTML to print on A4 (manager); it loads nothing and runs nothing."""
    center = await services.centers.entitled(user, str(center_id), MANAGER_AND_UP)
    page = evidence_page(_record_out(await services.stay_evidence.of_stay(center, user, str(stay_id))).model_dump())
    return HTMLResponse(page.text, headers={**_NO_STORE, "content-security-policy": page.policy})


def _record_out(record: StayRecord) -> StayEvidenceOut:
    zone = ZoneInfo(record.center.time_zone)
    numbers = {event.told.fact.event.event_id: number for number, event in enumerate(record.events)}
    return StayEvidenceOut(
        center_id=record.center.id,
        center_name=record.center.name,
        time_zone=record.center.time_zone,
        version=record.version,
        as_of=record.as_of.astimezone(zone),
        read_by=record.reader.display_name or record.reader.email,
        stay_id=record.stay_id,
        child_id=record.child_id,
        child_name=record.names.get(record.child_id) or record.provisional_name,
        stay=None if record.stay is None else _stay_out(record.stay, record, zone),
        complete=record.is_complete,
        sound=all(event.is_sound for event in record.events),
        findings=[_finding_out(question, numbers) for question in record.questions],
        events=[_event_out(number, event, record, zone) for number, event in enumerate(record.events, start=1)],
        names=dict(record.names),
    )


def _stay_out(stay: Stay, record: StayRecord, zone: ZoneInfo) -> EvidenceStayOut:
    return EvidenceStayOut(
        started_at=None if stay.started_at_ms is None else _moment(stay.started_at_ms, zone),
        ended_at=None if stay.ended_at_ms is None else _moment(stay.ended_at_ms, zone),
        rooms=[
            RoomTimeOut(
                room_id=room.room_id, name=record.names.get(room.room_id, ""), since=_moment(room.since_ms, zone)
            )
            for room in stay.rooms
        ],
        disputed=stay.disputed,
        assumed=stay.assumed,
    )


def _event_out(number: int, event: EventEvidence, record: StayRecord, zone: ZoneInfo) -> EvidenceEventOut:
    fact, said, now = event.told.fact, event.told.fact.event, event.told.now
    device_name = event.device_name or record.names.get(fact.device_id, "")
    return EvidenceEventOut(
        number=number,
        event_id=said.event_id,
        kind=said.kind.value,
        part=event.told.part.value,
        counts=now is not None,
        occurred_at=_moment(said.occurred_at_ms, zone),
        recorded_at=_moment(said.recorded_at_ms, zone),
        received_at=_moment(event.received_at_ms, zone),
        counts_at=None if now is None else _moment(now.at_ms, zone),
        retroactive=said.occurred_at_ms != said.recorded_at_ms,
        retroactive_by_ms=said.recorded_at_ms - said.occurred_at_ms,
        late=event.is_late,
        late_by_ms=event.late_by_ms,
        signer=_signer_out(said, record),
        device=DeviceOut(device_id=fact.device_id, name=device_name, incarnation=fact.incarnation, seq=fact.seq),
        clock=ClockOut(
            offset_ms=said.clock_offset_ms, error_ms=said.clock_error_ms, suspect=said.clock_suspect, hlc=fact.hlc
        ),
        outcome=event.outcome,
        version=event.version,
        witnessed_by=record.names.get(event.witnessed_by, event.witnessed_by),
        log_matches=event.log_matches,
        sound=event.is_sound,
        original=event.original.decode("utf-8", "backslashreplace"),
        said=_decoded(event.original),
        changes=[_change_out(change, record, zone) for change in event.told.changes],
        entries=[_entry_out(proof, zone) for proof in event.proofs],
    )


def _signer_out(said: AttendanceEvent, record: StayRecord) -> SignerOut:
    return SignerOut(
        staff_id=said.staff_id,
        staff_name=record.names.get(said.staff_id, ""),
        author=said.author,
        adult_id=said.adult_id,
        adult_name=said.adult_name or record.names.get(said.adult_id, ""),
        auth_method=said.auth_method,
        identity_check=said.identity_check,
    )


def _change_out(change: Change, record: StayRecord, zone: ZoneInfo) -> ChangeOut:
    said = change.act.event
    return ChangeOut(
        event_id=said.event_id,
        acts=change.acts,
        removes=change.removes,
        steps=[_step_out(step, zone) for step in change.steps],
        recorded_at=_moment(said.recorded_at_ms, zone),
        signer=_signer_out(said, record),
        reason_code=said.reason_code,
        reason=said.reason,
    )


def _step_out(step: Step, zone: ZoneInfo) -> StepOut:
    if step.name != "at_ms":
        return StepOut(name=step.name, before=step.before, after=step.after)
    before, after = (_moment(int(value or 0), zone).isoformat() for value in (step.before, step.after))
    return StepOut(name="at", before=before, after=after)


def _entry_out(proof: Proof, zone: ZoneInfo) -> EntryOut:
    stored, entry, checks = proof.stored, proof.stored.entry, proof.checks
    has_time = WALL_MS_MIN <= entry.wall_ms <= WALL_MS_MAX
    return EntryOut(
        device=DeviceOut(
            device_id=stored.device_id, name=stored.device_name, incarnation=entry.incarnation, seq=entry.seq
        ),
        witness=proof.is_witness,
        event_id=entry.event_id,
        kind=entry.kind,
        wall_at=_moment(entry.wall_ms, zone) if has_time else None,
        monotonic_ms=entry.monotonic_ms,
        boot_id=entry.boot_id,
        base_epoch=entry.base_epoch,
        base_version=entry.base_version,
        previous_hash=entry.previous_hash.hex(),
        hash=entry.hash.hex(),
        signature=entry.signature.hex(),
        public_key=None if stored.public_key is None else stored.public_key.hex(),
        evidence=stored.evidence.hex(),
        outcome=Outcome(stored.outcome).name.lower(),
        reason=ParkReason(stored.reason).name.lower(),
        checks=ChecksOut(
            sound=checks.is_sound,
            hash_matches=checks.hash_matches,
            follows=checks.follows,
            signature_verifies=checks.signature_verifies,
            evidence_matches=checks.evidence_matches,
            says_the_same=checks.says_the_same,
        ),
    )


def _finding_out(question: Question, numbers: Mapping[str, int]) -> EvidenceFindingOut:
    return EvidenceFindingOut(
        key=question.key,
        kind=question.kind,
        critical=question.is_critical,
        open=question.is_open,
        event_ids=sorted(question.event_ids, key=lambda one: numbers.get(one, len(numbers))),
        answers=[AnswerOut(answer=answer.answer, event_id=answer.event_id) for answer in question.answers],
    )


def _decoded(original: bytes) -> dict[str, Any] | None:
    """What the signed bytes say; None when they are no JSON object (any more)."""
    try:
        return msgspec.json.decode(original, type=dict[str, Any])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def _moment(wall_ms: int, zone: ZoneInfo) -> datetime:
    return (_EPOCH + timedelta(milliseconds=wall_ms)).astimezone(zone)
