"""The audit log."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated, Literal
from uuid import UUID

from fastapi import Depends, Query

from server.controllers.api_router import api_router
from server.controllers.dependencies import CurrentUser, ServicesDep
from server.controllers.pagination import PageDep, next_cursor
from server.schemas.audit import AuditEntryOut, AuditList
from server.schemas.base import Moment
from server.services.access import MANAGER_AND_UP
from server.services.audit import AuditEntry, AuditPage, Wanted

AUDIT = "audit"
SEQ_MAX = 2**63 - 1
_Verb = Literal["changed", "read", "signed_in", "signed_out", "sign_in_failed", "locked_out"]
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

router = api_router("/audit", tags=["audit"])


@dataclass(frozen=True, slots=True)
class _Filter:
    """Which entries a client wants."""

    actor: Annotated[UUID | None, Query(description="Only what this person did")] = None
    entity_id: Annotated[UUID | None, Query(description="Only what was done to this")] = None
    verb: Annotated[_Verb | None, Query(description="Only these")] = None
    since: Annotated[Moment | None, Query(alias="from", description="Not before this moment")] = None
    until: Annotated[Moment | None, Query(alias="to", description="Before this moment")] = None

    def wanted(self) -> Wanted:
        actor, entity_id = (str(one) if one else None for one in (self.actor, self.entity_id))
        return Wanted(actor, entity_id, self.verb, self.since, self.until)


@router.get("")
async def list_audit(
    user: CurrentUser,
    services: ServicesDep,
    page: PageDep,
    only: Annotated[_Filter, Depends()],
    *,
    center_id: Annotated[
        UUID | None, Query(description="Id of a centre of yours; without it: what belongs to no centre (admin)")
    ] = None,
) -> AuditList:
    """List who changed or read what, the newest first (manager; without a centre, an admin)."""
    key = page.after(AUDIT, _number)
    before = key[0] if key else None
    if center_id is None:
        found = await services.audit.of_organisation(user, only.wanted(), before=before, limit=page.limit)
    else:
        center = await services.centers.entitled(user, str(center_id), MANAGER_AND_UP)
        found = await services.audit.of_center(center, only.wanted(), before=before, limit=page.limit)
    return _listed(found)


def _listed(page: AuditPage) -> AuditList:
    key = (page.before,) if page.before is not None else None
    return AuditList(items=[_entry(one) for one in page.items], next_cursor=next_cursor(AUDIT, key))


def _entry(entry: AuditEntry) -> AuditEntryOut:
    return AuditEntryOut(
        seq=entry.seq,
        at=_EPOCH + timedelta(microseconds=entry.at_us),
        actor=entry.actor,
        verb=entry.verb,
        entity=entry.entity,
        entity_id=entry.entity_id,
        part=entry.part,
        route=entry.route,
        request_id=entry.request_id,
    )


def _number(text: str) -> int:
    number = int(text)
    if not 0 < number <= SEQ_MAX:
        raise ValueError
    return number
