"""What a guardian's children used, and what it comes to."""

from datetime import date
from typing import Annotated, Any, Final, Literal
from uuid import UUID
from zoneinfo import ZoneInfo

from fastapi import Header, Path, Query, Response

from server.controllers.api_router import api_router
from server.controllers.dependencies import CurrentUser, ServicesDep
from server.controllers.pagination import CURSOR_CHARACTERS_MAX, PageQuery, next_cursor
from server.controllers.preconditions import set_etag
from server.controllers.statements import statement_out
from server.core.csv_text import BOM, csv_line
from server.core.etags import etag_of
from server.schemas.my_statements import Month, MyStatementList, MyStatementOut
from server.schemas.offers import MoneyOut
from server.schemas.statements import StatementOut, UsageLineOut
from server.services.my_statements import STATEMENTS, STATEMENTS_MAX, USAGE_RULES, MyStatement

router = api_router("/my", tags=["families"])
IfNoneMatch = Annotated[str | None, Header(max_length=200)]
_LIST: Final = "my-statements"
_NOT_NEW: Final[dict[str, Any]] = {"description": "It is what you have"}
_COLUMNS: Final = (
    "day", "kind", "service_code", "unit", "quantity", "booked_from", "booked_to", "attended_from", "attended_to",
    "amount", "currency", "remarks", "booking_id", "stay_ids", "event_ids", "terms_version", "rules_version",
)  # fmt: skip


@router.get("/statements", response_model=MyStatementList, responses={304: _NOT_NEW})
async def my_statements(
    user: CurrentUser,
    services: ServicesDep,
    *,
    cursor: Annotated[
        str, Query(max_length=CURSOR_CHARACTERS_MAX, description="`next_cursor` of the page before; empty: the first")
    ] = "",
    limit: Annotated[int, Query(ge=1, le=STATEMENTS_MAX, description="Statements at most")] = STATEMENTS,
    if_none_match: IfNoneMatch = None,
) -> Response:
    """List the months of the children for whom I book and what each comes to, the newest first (guardian).

    A charge belongs to a child: whoever may see it and book for it sees all of them.
    """
    key = PageQuery(cursor, limit).after(_LIST, date.fromisoformat, UUID)
    after = None if key is None else (key[0], str(key[1]))
    page = await services.parents.statements.page(user, after, limit)
    out = MyStatementList(items=[_summary(one) for one in page.items], next_cursor=next_cursor(_LIST, page.after))
    return _answer(out.model_dump_json(), "application/json", etag_of(_LIST, out.model_dump_json()), if_none_match)


@router.get(
    "/children/{child_id}/statements/{month}",
    response_model=StatementOut,
    responses={200: {"content": {"text/csv": {}}}, 304: _NOT_NEW},
)
async def my_statement(
    child_id: Annotated[UUID, Path(description="Id of a child of mine")],
    month: Annotated[Month, Path(description="YYYY-MM")],
    user: CurrentUser,
    services: ServicesDep,
    *,
    form: Annotated[Literal["json", "csv"], Query(alias="format", description="csv: for a spreadsheet")] = "json",
    if_none_match: IfNoneMatch = None,
) -> Response:
    """Give the lines of a month with the bookings, stays and events that each follows from (guardian).

    It is worked out from what is known now; days that are locked come out as they were known when they were locked.
    """
    found = await services.parents.statements.of_month(user, str(child_id), date.fromisoformat(f"{month}-01"))
    out = statement_out(found.child.center_id, ZoneInfo(found.child.time_zone), found.statement)
    etag = etag_of("my-statement", form, out.model_dump_json(exclude={"as_of"}))
    if form == "json":
        return _answer(out.model_dump_json(), "application/json", etag, if_none_match)
    response = _answer(_csv(out), "text/csv; charset=utf-8", etag, if_none_match)
    response.headers["content-disposition"] = f'attachment; filename="statement-{month}.csv"'
    return response


def _answer(content: str, media_type: str, etag: str, if_none_match: str | None) -> Response:
    is_known = if_none_match is not None and f'"{etag}"' in if_none_match
    response = Response(status_code=304) if is_known else Response(content, media_type=media_type)
    set_etag(response, etag)
    return response


def _summary(one: MyStatement) -> MyStatementOut:
    child, found = one.child, one.statement
    return MyStatementOut(
        child_id=child.child_id,
        center_id=child.center_id,
        center_name=child.center_name,
        given_name=child.given_name,
        family_name=child.family_name,
        month=f"{one.month:%Y-%m}",
        first_day=found.first_day,
        last_day=found.last_day,
        rules_version=USAGE_RULES,
        lines=len(found.lines),
        unpriced_lines=found.unpriced,
        totals=[MoneyOut(amount=amount, currency=currency) for currency, amount in found.totals.items()],
        final=len(found.locked_days) == (found.last_day - found.first_day).days + 1,
    )


def _csv(out: StatementOut) -> str:
    lines = [csv_line(_COLUMNS)]
    lines += [csv_line(_cells(line)) for line in out.lines]
    return BOM + "".join(lines)


def _cells(line: UsageLineOut) -> list[str]:
    moments = (line.booked_from, line.booked_to, line.attended_from, line.attended_to)
    return [
        line.day.isoformat(), line.kind, line.service_code or "", line.unit, line.quantity,
        *(moment.isoformat() if moment else "" for moment in moments),
        line.amount.amount if line.amount else "", line.amount.currency if line.amount else "",
        " ".join(line.remarks), line.booking_id or "", " ".join(line.stay_ids), " ".join(line.event_ids),
        "" if line.terms_version is None else str(line.terms_version), str(line.rules_version),
    ]  # fmt: skip
