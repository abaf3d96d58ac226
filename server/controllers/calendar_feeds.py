"""The bookings of a family for calendar programs (iCalendar, RFC 5545)."""

import hashlib
from typing import Annotated

from fastapi import Header, Path, Request, Response, status

from server.controllers.api_router import api_router
from server.controllers.dependencies import ClientDep, CurrentUser, ServicesDep
from server.controllers.preconditions import set_etag
from server.core.icalendar import MEDIA_TYPE
from server.schemas.calendar_feeds import MyCalendarOut, MyNewCalendarOut
from server.services.calendar_feeds import TOKEN_CHARACTERS

router = api_router(tags=["families"])
_NO_STORE = {"cache-control": "no-store"}


@router.get("/my/calendar")
async def my_calendar(user: CurrentUser, services: ServicesDep, response: Response) -> MyCalendarOut:
    """Tell whether I have a calendar feed, and when it was read last (guardian)."""
    response.headers.update(_NO_STORE)
    found = await services.parents.calendar.mine(user)
    return MyCalendarOut(made_at=found.made_at, last_read_at=found.last_read_at)


@router.post("/my/calendar", status_code=status.HTTP_201_CREATED)
async def make_calendar(
    user: CurrentUser, services: ServicesDep, request: Request, response: Response
) -> MyNewCalendarOut:
    """Make an address at which my calendar program reads the bookings of my children (guardian).

    It is a secret, told only now; whoever has it reads them. One that I had before is no good any more.
    """
    response.headers.update(_NO_STORE)
    made = await services.parents.calendar.make(user)
    path = request.url_for("calendar_at", token=made.token).path
    return MyNewCalendarOut(
        made_at=made.feed.made_at, last_read_at=None, url=f"{request.app.state.base_url.rstrip('/')}{path}"
    )


@router.delete("/my/calendar", status_code=status.HTTP_204_NO_CONTENT)
async def remove_calendar(user: CurrentUser, services: ServicesDep) -> None:
    """Take my calendar feed away: its address is no good any more (guardian); safe to repeat."""
    await services.parents.calendar.remove(user)


@router.get(
    "/calendars/{token}.ics",
    response_class=Response,
    responses={200: {"content": {"text/calendar": {}}}, 304: {"description": "Nothing is new"}},
)
async def calendar_at(
    token: Annotated[str, Path(min_length=TOKEN_CHARACTERS, max_length=TOKEN_CHARACTERS)],
    services: ServicesDep,
    client: ClientDep,
    *,
    if_none_match: Annotated[str | None, Header(max_length=200)] = None,
) -> Response:
    """Give the bookings of a family, from a month ago to a year ahead, by an address that is the secret.

    By today's rights: a child whom the account may not see or book for any more is not in it.
    """
    content = await services.parents.calendar.read(token, client)
    etag = hashlib.sha256(content).hexdigest()[:32]
    is_known = if_none_match is not None and f'"{etag}"' in if_none_match
    response = Response(status_code=304) if is_known else Response(content, media_type=MEDIA_TYPE)
    response.headers["content-disposition"] = 'inline; filename="bookings.ics"'
    set_etag(response, etag)
    return response
