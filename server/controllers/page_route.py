"""How pages answer: as HTML that is kept nowhere, also when they refuse, and with the way to the sign-in."""

import dataclasses
from collections.abc import Callable, Coroutine
from typing import Annotated, Any, Final
from urllib.parse import urlencode

import structlog
from fastapi import Depends, Form, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, RedirectResponse
from fastapi.routing import APIRoute

from server.controllers.browser import SESSION_COOKIE, check_from_page, door_of, user_of_cookie
from server.controllers.dependencies import CenterIdInPath, ServicesDep
from server.controllers.problems import RETRY_AFTER_S, status_of
from server.core.errors import NotFound, RateLimited, RollcallError, Unauthenticated, Unavailable
from server.services.access import MANAGER_AND_UP, STAFF_AND_UP, Center, User
from server.web.dashboard import CenterFrame, Frame, dashboard_page

HOME: Final = "/dashboard"
SIGN_IN: Final = "/dashboard/sign-in"
SEE_OTHER: Final = 303
NEXT_CHARACTERS_MAX: Final = 500
FormToken = Annotated[str, Form(max_length=64)]
_NO_STORE: Final = {"cache-control": "no-store"}

_log = structlog.get_logger(__name__)


class PageRoute(APIRoute):
    """A route whose refusals are pages for people, and not problem details for programs."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Wrap the handler of the route."""
        inner = super().get_route_handler()

        async def handler(request: Request) -> Response:
            try:
                return await inner(request)
            except RequestValidationError:
                return _refusal(NotFound("There is nothing at this address."))
            except Unauthenticated:
                return to_sign_in(request)
            except RollcallError as error:
                return _refusal(error)

        return handler


async def page_user(request: Request, services: ServicesDep) -> User:
    """Give who is signed in in this browser. Raises Unauthenticated, which leads to the sign-in."""
    user = await user_of_cookie(request, services)
    if user is None:
        raise Unauthenticated
    return user


PageUser = Annotated[User, Depends(page_user)]


async def form_user(request: Request, user: PageUser, services: ServicesDep, csrf: FormToken = "") -> User:
    """Give who sent a form of a page of this session. Raises Unauthenticated, FormTokenWrong."""
    check_from_page(request, services, SESSION_COOKIE, csrf)
    return user


FormUser = Annotated[User, Depends(form_user)]


async def page_center(center_id: CenterIdInPath, user: PageUser, services: ServicesDep) -> Center:
    """Give the centre of a page, where its reader works. Raises NotFound, NotEntitled."""
    return await services.centers.entitled(user, str(center_id), STAFF_AND_UP)


async def managed_center(center_id: CenterIdInPath, user: FormUser, services: ServicesDep) -> Center:
    """Give the centre of a form that its manager alone may send. Raises NotFound, NotEntitled."""
    return await services.centers.entitled(user, str(center_id), MANAGER_AND_UP)


PageCenter = Annotated[Center, Depends(page_center)]
FormCenter = Annotated[Center, Depends(managed_center)]


def session_token(request: Request) -> str:
    """Give the cookie of the session; empty without one."""
    return door_of(request).read(SESSION_COOKIE, request)


def framed(
    request: Request, services: ServicesDep, user: User, *, title: str, section: str = "", script: str = ""
) -> Frame:
    """Give what is around a page of this user."""
    return Frame(
        title=title,
        user_name=user.display_name or user.email,
        form_token=services.browser_sessions.form_token(session_token(request)),
        section=section,
        script=script,
    )


def center_page_frame(  # noqa: PLR0913 - what is around every page of a centre
    request: Request, services: ServicesDep, user: User, center: Center, *, title: str, section: str, script: str
) -> Frame:
    """Give what is around a page of this user about a centre."""
    frame = framed(request, services, user, title=title, section=section, script=script)
    return dataclasses.replace(frame, center=center_frame(center, user))


def center_frame(center: Center, user: User) -> CenterFrame:
    """Give what a page says of its centre."""
    may_manage = bool(user.roles_at(center) & MANAGER_AND_UP)
    return CenterFrame(center.id, center.name, center.time_zone, may_manage)


def page_response(template: str, frame: Frame, *, status: int = 200, **values: Any) -> HTMLResponse:
    """Make a page and send it."""
    page = dashboard_page(template, frame, **values)
    return HTMLResponse(page.text, status, {**_NO_STORE, "content-security-policy": page.policy})


def see_other(address: str) -> RedirectResponse:
    """Lead to another page; what was posted is not posted again."""
    return RedirectResponse(address, SEE_OTHER, _NO_STORE)


def to_sign_in(request: Request) -> Response:
    """Lead to the sign-in, and from there back to the page that was asked for."""
    asked = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    wanted = asked if request.method == "GET" else HOME
    return see_other(f"{SIGN_IN}?{urlencode({'next': safe_next(wanted)})}")


def safe_next(address: str) -> str:
    """Give the address of a page of ours to go on with; the beginning for anything else."""
    is_ours = address == HOME or address.startswith((f"{HOME}/", f"{HOME}?"))
    is_plain = address.isascii() and address.isprintable() and "\\" not in address and "//" not in address
    return address if is_ours and is_plain and len(address) <= NEXT_CHARACTERS_MAX else HOME


def _refusal(error: RollcallError) -> Response:
    response = page_response("refused", Frame(title=error.title), status=status_of(error), detail=error.detail)
    if isinstance(error, RateLimited):
        response.headers["retry-after"] = str(error.retry_after_s)
    if isinstance(error, Unavailable):
        response.headers["retry-after"] = str(RETRY_AFTER_S)
        _log.warning("page_refused_unavailable", reason=error.code)
    return response
