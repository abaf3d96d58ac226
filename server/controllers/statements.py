"""What a child used, and what it comes to."""

from datetime import date, datetime
from typing import Annotated
from uuid import UUID
from zoneinfo import ZoneInfo

from fastapi import Depends, Path, Query

from server.controllers.api_router import api_router
from server.controllers.dependencies import ServicesDep, require_role
from server.core.money import money_text
from server.schemas.offers import MoneyOut
from server.schemas.statements import StatementOut, UsageLineOut
from server.services.access import STAFF_AND_UP, Center
from server.services.statements import USAGE_RULES, Statement, UsageLine

router = api_router("/centers/{center_id}/children/{child_id}/statement", tags=["planning"])
StaffedCenter = Annotated[Center, Depends(require_role(STAFF_AND_UP))]


@router.get("")
async def statement(
    center: StaffedCenter,
    services: ServicesDep,
    child_id: Annotated[UUID, Path(description="Id of a child")],
    first_day: Annotated[date, Query(description="YYYY-MM-DD")],
    last_day: Annotated[date, Query(description="YYYY-MM-DD; at most 62 days")],
) -> StatementOut:
    """Work out what a child used in a period, from its bookings and stays as they are known now (staff).

    Days that are locked come out as they were known when they were locked.
    """
    found = await services.statements.of_child(center, str(child_id), first_day, last_day)
    return statement_out(center.id, ZoneInfo(center.time_zone), found)


def statement_out(center_id: str, zone: ZoneInfo, found: Statement) -> StatementOut:
    """Give a statement as clients get it."""
    return StatementOut(
        center_id=center_id,
        child_id=found.child_id,
        first_day=found.first_day,
        last_day=found.last_day,
        as_of=found.as_of.astimezone(zone),
        rules_version=USAGE_RULES,
        lines=[_line_out(line, found, zone) for line in found.lines],
        totals=[MoneyOut(amount=amount, currency=currency) for currency, amount in found.totals.items()],
        unpriced_lines=found.unpriced,
        locked_days=list(found.locked_days),
        adjusted_days=list(found.adjusted_days),
    )


def _line_out(line: UsageLine, found: Statement, zone: ZoneInfo) -> UsageLineOut:
    def local(moment: datetime | None) -> datetime | None:
        return moment.astimezone(zone) if moment else None

    amount = None
    if line.amount is not None and line.currency is not None:
        amount = MoneyOut(amount=money_text(line.amount, line.currency), currency=line.currency)
    return UsageLineOut(
        kind=line.kind.value,
        day=line.day,
        service_id=line.service_id,
        service_code=found.service_codes.get(line.service_id or ""),
        unit=line.unit,
        quantity=_plain(f"{line.quantity:f}"),
        booked_from=local(line.booked.starts_at if line.booked else None),
        booked_to=local(line.booked.ends_at if line.booked else None),
        attended_from=local(line.attended_from),
        attended_to=local(line.attended_to),
        booking_id=line.booking_id,
        stay_ids=list(line.stay_ids),
        event_ids=list(line.event_ids),
        terms_version=line.terms_version,
        rules_version=line.rules_version,
        amount=amount,
        remarks=[one.value for one in line.remarks],
    )


def _plain(quantity: str) -> str:
    """The number without decimals that say nothing."""
    return quantity.rstrip("0").rstrip(".") if "." in quantity else quantity
