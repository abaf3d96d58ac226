"""The live board of a centre: one document, and a stream that keeps it fresh."""

from dataclasses import dataclass
from functools import partial
from typing import Annotated, Final
from uuid import UUID

from fastapi import Depends, Header, Query, Response
from fastapi.sse import EventSourceResponse, format_sse_event

from server.controllers.api_router import api_router
from server.controllers.board_lists import names_out
from server.controllers.board_shape import encoded_board
from server.controllers.dependencies import (
    CurrentUser,
    GoodUntilMs,
    LiveHubDep,
    ServicesDep,
    require_role,
)
from server.controllers.event_stream import EventStream
from server.schemas.live import BoardNames, BoardNamesOut, BoardOut, NamesOf
from server.services.access import STAFF_AND_UP, Center, User
from server.services.board import LiveBoard, Mark
from server.services.bundle import Services
from server.services.live_hub import Frame, Seat, Topic

router = api_router("/centers", tags=["live"])
StaffedCenter = Annotated[Center, Depends(require_role(STAFF_AND_UP))]
_EVENT_ID_MAX: Final = 200
_STREAMED: Final = "`event: board` with the document of /board as its data; `event: bye` with a reason at the end"


NamesWish = Annotated[BoardNames, Query(description="Whether each list tells its first names, or none")]


@dataclass(frozen=True, slots=True)
class Wish:
    """Which stream somebody wants: with the `first` names of each list or with none, and the event it has `seen`."""

    names: BoardNames
    seen: str


def wish_of(names: NamesWish = "first", last_event_id: Annotated[str, Header(max_length=_EVENT_ID_MAX)] = "") -> Wish:
    """Read what a stream is asked with."""
    return Wish(names, last_event_id)


WishDep = Annotated[Wish, Depends(wish_of)]


@router.get(
    "/{center_id}/board",
    response_model=BoardOut,
    responses={304: {"description": "Nothing is new"}},
)  # fmt: skip
async def board(
    center: StaffedCenter,
    services: ServicesDep,
    *,
    names: NamesWish = "first",
    if_none_match: Annotated[str | None, Header(max_length=_EVENT_ID_MAX)] = None,
) -> Response:
    """Tell everything urgent of a centre at once (staff); for clients that cannot hold a stream open.

    With `names=none` no list has anybody in it, for a screen that everybody sees. The answer has an ETag, which changes
    when the centre's log does, and with each minute.
    """
    if if_none_match is not None:
        etag = _etag(await services.live_boards.mark(center.id))
        if if_none_match == etag:
            return Response(status_code=304, headers={"etag": etag})
    mark, content, _ = await services.live_boards.of(center.id, partial(_written, names))
    headers = {"etag": _etag(mark), "cache-control": "no-cache"}
    return Response(content, media_type="application/json", headers=headers)


@router.get("/{center_id}/board/names")
async def names(
    center: StaffedCenter,
    services: ServicesDep,
    response: Response,
    *,
    of: Annotated[NamesOf, Query(description="Behind which number")] = "room",
    room_id: Annotated[UUID | None, Query(description="Of which room, with `room`")] = None,
) -> BoardNamesOut:
    """Tell who stands behind a number of the board (staff).

    `of` says which: with `room` a `room_id` says whose, and without one it is of those whose room nobody knows.
    """
    response.headers["cache-control"] = "no-store"
    return await services.live_boards.of(center.id, lambda found: names_out(found, of, str(room_id or "")))


@router.get(
    "/{center_id}/live",
    # Not `response_class`: FastAPI would encode each event for each viewer anew.
    response_class=Response,
    responses={200: {"description": _STREAMED, "content": {EventSourceResponse.media_type: {}}}},
)
async def live(
    center: StaffedCenter,
    user: CurrentUser,
    good_until_ms: GoodUntilMs,
    services: ServicesDep,
    hub: LiveHubDep,
    wish: WishDep,
) -> Response:
    """Stream the board of a centre as it changes (staff); the id of an event is `epoch:version` of the log.

    With `names=none` no list has anybody in it. A stream that resumes with a current `Last-Event-ID` begins with a
    comment. It ends with `event: bye` and a reason: `draining`, `rights_lost`, `token_expired` or `failed`; at the
    latest when the access token runs out, or after five minutes for a page with a cookie, which comes back by itself.
    """
    topic = Topic(f"board {center.id} {wish.names}", (center.id,), lambda: _frame(services, center.id, wish.names))
    seat = Seat(user.id, good_until_ms, lambda one: _is_staff(one, center), wish.seen, user.session_id)
    return EventStream(hub, hub.join(topic, seat))


async def _frame(services: Services, center_id: str, names: BoardNames) -> Frame:
    return await services.live_boards.of(center_id, partial(_framed, names))


def _written(names: BoardNames, found: LiveBoard) -> tuple[Mark, bytes, bytes]:
    return found.mark, *encoded_board(found, names)


def _framed(names: BoardNames, found: LiveBoard) -> Frame:
    mark, text, content = _written(names, found)
    event_id = f"{mark.epoch}:{mark.version}"
    return Frame(event_id, format_sse_event(event="board", data_str=text.decode(), id=event_id), content)


def _is_staff(user: User, center: Center) -> bool:
    return bool(user.roles_at(center) & STAFF_AND_UP)


def _etag(mark: Mark) -> str:
    return f'W/"{mark.epoch}.{mark.version}.{mark.minute}"'
