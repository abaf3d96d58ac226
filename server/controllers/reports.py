"""Reports to keep: CSV for spreadsheets and PDF for paper, over any period, sent as they are made."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Annotated, Any, Final, Literal
from zoneinfo import ZoneInfo

import structlog
from fastapi import Depends, Query, Request, Response
from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from server.controllers.api_router import api_router
from server.controllers.dependencies import CurrentUser, ServicesDep, require_role
from server.controllers.pagination import PageDep
from server.core.csv_text import BOM, csv_line
from server.core.errors import NotEntitled, RollcallError, Unauthenticated
from server.schemas.reports import ReportKindOut, ReportList
from server.services.access import STAFF_AND_UP, Center, User
from server.services.bundle import Services
from server.services.reports import KINDS, ReportName, ReportPlan, ReportRow, local
from server.web.fonts import letters
from server.web.report_pdf import PdfColumn, PdfHead, PdfReport

router = api_router("/centers/{center_id}/reports", tags=["reports"])
StaffedCenter = Annotated[Center, Depends(require_role(STAFF_AND_UP))]
ReportForm = Literal["csv", "pdf"]
PARTS_HEADER: Final = "x-report-parts"
# Rows that are written at once: the letters of so many take 10 to 50 ms, which others of this process can wait.
ROWS_AT_ONCE: Final = 200
# Who loses a right gets nothing more of what it opened; all doors promise five seconds.
RIGHTS_FOR_S: Final = 2.0
_TYPES: Final = {"csv": "text/csv; charset=utf-8", "pdf": "application/pdf"}
_FILES: Final[dict[int | str, dict[str, Any]]] = {
    200: {"description": "The report", "content": {"text/csv": {}, "application/pdf": {}}}
}

_log = structlog.get_logger(__name__)


@router.get("")
async def reports(center: StaffedCenter, user: CurrentUser, page: PageDep) -> ReportList:
    """List the reports, and which of them the reader may have (staff)."""
    mine = user.roles_at(center)
    shown, cursor = page.part("reports", list(KINDS.values()), lambda one: one.name.value)
    return ReportList(
        items=[
            ReportKindOut(
                name=kind.name.value,
                title=kind.title,
                about=kind.about,
                columns=[column.title for column in kind.columns],
                yours=bool(mine & kind.roles),
            )
            for kind in shown
        ],
        next_cursor=cursor,
    )


@router.get(
    "/{name}",
    response_class=Response,
    responses=_FILES,
)
async def report(  # noqa: PLR0913 - each is a part of the question
    request: Request,
    center: StaffedCenter,
    user: CurrentUser,
    services: ServicesDep,
    name: ReportName,
    *,
    first: Annotated[date | None, Query(alias="from", description="YYYY-MM-DD; today when left out")] = None,
    last: Annotated[date | None, Query(alias="to", description="The last day; the first when left out")] = None,
    form: Annotated[ReportForm, Query(alias="format", description="For a spreadsheet, or to print")] = "csv",
) -> Response:
    """Give a report over days of the centre, both included (manager; `daily` and `emergency`: staff).

    CSV is UTF-8 with a byte order mark, CRLF and quoted cells; a cell that a spreadsheet would run begins with an
    apostrophe. Times are those of the centre, with their offset. The answer is sent as it is made: `x-report-parts`
    says in how many parts, and in a PDF a comment `% part n of m` follows each. An answer that ends without its last
    chunk is not whole.
    """
    plan = await services.reports.plan(center, name, first, last)
    reader = _Reader(services, user, plan)
    chunks = _csv(plan, reader) if form == "csv" else _pdf(plan, reader, request)
    begun = await anext(chunks)  # what cannot be read at all is refused as usual
    days = "" if plan.first == plan.last else f"-to-{plan.last}"
    return ReportStream(
        _all(begun, chunks),
        media_type=_TYPES[form],
        headers={
            "cache-control": "no-store",
            "content-disposition": f'attachment; filename="{name.value}-{plan.first}{days}.{form}"',
            "x-accel-buffering": "no",
            PARTS_HEADER: str(len(plan.parts)),
        },
    )


class ReportStream(StreamingResponse):
    """An answer that is left without its end when it cannot go on: no client takes it for whole."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it."""
        try:
            await super().__call__(scope, receive, send)
        except* RollcallError as group:
            codes = {one.code for one in group.exceptions if isinstance(one, RollcallError)}
            _log.info("report_cut", reasons=sorted(codes))


@dataclass(slots=True)
class _Reader:
    """Reads the parts of a report for somebody, for as long as that one may have it."""

    services: Services
    user: User
    plan: ReportPlan
    checked_at: float = -RIGHTS_FOR_S

    async def parts(self) -> AsyncIterator[tuple[int, list[ReportRow]]]:
        """Give the rows of each part with its number. Raises Unauthenticated, NotEntitled, DatabaseUnavailable."""
        for number, part in enumerate(self.plan.parts, start=1):
            await self._check()
            yield number, await self.services.reports.rows(self.plan, part)

    async def _check(self) -> None:
        now = asyncio.get_running_loop().time()
        if now - self.checked_at < RIGHTS_FOR_S:
            return
        log_in = (self.user.id, self.user.session_id)
        known = (await self.services.auth.users([log_in])).get(log_in)
        if known is None or not known.is_active:
            raise Unauthenticated
        if not known.roles_at(self.plan.center) & self.plan.kind.roles:
            raise NotEntitled("Your role at this centre does not allow this report; ask a manager")
        self.checked_at = now


async def _csv(plan: ReportPlan, reader: _Reader) -> AsyncIterator[bytes]:
    head = BOM + csv_line(column.title for column in plan.kind.columns)
    async for _, rows in reader.parts():
        # Also where there is nothing to tell: whoever waits, and whatever stands between, sees that something comes.
        if head:
            yield head.encode()
            head = ""
        for some in _bundles(rows):
            yield "".join(map(csv_line, some)).encode("utf-8", "replace")
            await asyncio.sleep(0)


async def _pdf(plan: ReportPlan, reader: _Reader, request: Request) -> AsyncIterator[bytes]:
    zone, kind = ZoneInfo(plan.center.time_zone), plan.kind
    period = f"{plan.first}" if plan.first == plan.last else f"{plan.first} to {plan.last}"
    reader_name = reader.user.display_name or reader.user.email
    made_at = local(plan.as_of, zone)
    head = PdfHead(
        title=f"{kind.title}: {plan.center.name}",
        lines=(
            f"{period} · times are those of {plan.center.time_zone} · made {made_at} for {reader_name}",
            kind.about,
        ),
        made_at=plan.as_of,
    )
    font = await asyncio.to_thread(letters, request.app.state.report_font)
    pdf = PdfReport(head, [PdfColumn(one.title, one.weight) for one in kind.columns], font)
    made, lines = pdf.begin(), 0
    async for number, rows in reader.parts():
        for some in _bundles(rows):
            lines += len(some)
            yield made + await asyncio.to_thread(pdf.rows, some)
            made = b""
        yield made + pdf.remark(f"part {number} of {len(plan.parts)}")
        made = b""
    yield await _end(pdf, lines)


async def _end(pdf: PdfReport, lines: int) -> bytes:
    said = "There is nothing to tell of these days." if not lines else f"Lines: {lines}. End of the report."
    finish: Callable[[str], bytes] = pdf.end
    return await asyncio.to_thread(finish, said)


def _bundles(rows: Sequence[ReportRow]) -> Iterator[Sequence[ReportRow]]:
    for at in range(0, len(rows), ROWS_AT_ONCE):
        yield rows[at : at + ROWS_AT_ONCE]


async def _all(begun: bytes, rest: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    yield begun
    async for chunk in rest:
        yield chunk
