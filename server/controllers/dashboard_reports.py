"""The page on which reports are chosen. It works without a script: the browser then loads the file by itself."""

from datetime import date, timedelta
from typing import Annotated, Final
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Query, Request, Response

from server.controllers.dependencies import ServicesDep
from server.controllers.page_route import PageCenter, PageRoute, PageUser, center_page_frame, page_response, see_other
from server.controllers.reports import ReportForm
from server.services.reports import KINDS, ReportName

router = APIRouter(prefix="/dashboard/centers/{center_id}/reports", route_class=PageRoute, include_in_schema=False)
_DAY: Final = timedelta(days=1)
First = Annotated[date | None, Query(alias="from")]
Last = Annotated[date | None, Query(alias="to")]


@router.get("")
async def reports_page(  # noqa: PLR0913 - each is a field of the form
    request: Request,
    center: PageCenter,
    user: PageUser,
    services: ServicesDep,
    *,
    name: Annotated[ReportName, Query()] = ReportName.DAILY,
    first: First = None,
    last: Last = None,
) -> Response:
    """Show which reports there are, and let the reader choose one, the days and the form."""
    frame = center_page_frame(request, services, user, center, title="Reports", section="reports", script="reports.js")
    mine = user.roles_at(center)
    today = services.reports.today(center)
    return page_response(
        "reports",
        frame,
        kinds=[kind for kind in KINDS.values() if mine & kind.roles],
        name=name.value,
        first=(first or today).isoformat(),
        last=(last or first or today).isoformat(),
        periods=_periods(today, name),
        zone=ZoneInfo(center.time_zone).key,
    )


@router.get("/file")
async def report_file(
    center: PageCenter,
    name: ReportName,
    *,
    first: First = None,
    last: Last = None,
    form: Annotated[ReportForm, Query(alias="format")] = "csv",
) -> Response:
    """Lead to the file of a report; what the form cannot put into an address itself."""
    days = {} if name is ReportName.EMERGENCY else {"from": first, "to": last}
    asked = {key: str(value) for key, value in days.items() if value is not None} | {"format": form}
    return see_other(f"/api/v1/centers/{center.id}/reports/{name.value}?{urlencode(asked)}")


def _periods(today: date, name: ReportName) -> list[tuple[str, str]]:
    """What is asked for most: words, and the query behind the address."""
    monday = today - timedelta(days=today.weekday())
    month = today.replace(day=1)
    before = (month - _DAY).replace(day=1)
    chosen = (
        ("Today", today, today),
        ("Last week", monday - 7 * _DAY, monday - _DAY),
        ("This month", month, today),
        ("Last month", before, month - _DAY),
        ("Last year", date(today.year - 1, 1, 1), date(today.year - 1, 12, 31)),
    )
    return [
        (words, urlencode({"name": name.value, "from": first.isoformat(), "to": last.isoformat()}))
        for words, first, last in chosen
    ]
