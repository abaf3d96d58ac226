"""Signing in to the dashboard and out of it."""

from typing import Annotated, Final
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Form, Query, Request, Response

from server.controllers.browser import (
    FORM_COOKIE,
    FORM_COOKIE_AGE_S,
    SESSION_AGE_S,
    SESSION_COOKIE,
    check_from_page,
    door_of,
    user_of_cookie,
)
from server.controllers.dependencies import ClientDep, ServicesDep
from server.controllers.page_route import (
    HOME,
    NEXT_CHARACTERS_MAX,
    SIGN_IN,
    FormToken,
    PageRoute,
    page_response,
    safe_next,
    see_other,
    session_token,
)
from server.controllers.problems import status_of
from server.controllers.who_asks import let_somebody_ask
from server.core.errors import NotEntitled, RateLimited, RollcallError, Unauthenticated
from server.services.browser_sessions import FormTokenWrong
from server.web.dashboard import Frame

router = APIRouter(
    prefix="/dashboard", route_class=PageRoute, include_in_schema=False, dependencies=[Depends(let_somebody_ask)]
)
_NOT_KEPT: Final = (
    "Your password is right, but this browser did not keep the sign-in. It needs https; on the server's own machine, "
    "DASHBOARD_OVER_HTTP allows plain http (see docs/settings.md)."
)
Text = Annotated[str, Form(max_length=1_000)]
Onward = Annotated[str, Query(alias="next", max_length=NEXT_CHARACTERS_MAX)]
OnwardField = Annotated[str, Form(alias="next", max_length=NEXT_CHARACTERS_MAX)]


@router.get("/sign-in", name="sign_in")
async def sign_in_page(
    request: Request, services: ServicesDep, onward: Onward = HOME, kept: Annotated[str, Query(max_length=3)] = ""
) -> Response:
    """Show the form; who is signed in goes on."""
    if await _is_signed_in(request, services):
        return see_other(safe_next(onward))
    return _form(request, services, onward, refusal=_NOT_KEPT if kept else "")


@router.post("/sign-in")
async def sign_in(  # noqa: PLR0913 - each is a field of the form
    request: Request,
    services: ServicesDep,
    client: ClientDep,
    *,
    email: Text = "",
    password: Text = "",
    csrf: FormToken = "",
    onward: OnwardField = HOME,
) -> Response:
    """Take the password; then see whether the browser keeps the cookie, and go on."""
    door, sessions = door_of(request), services.browser_sessions
    try:
        check_from_page(request, services, FORM_COOKIE, csrf)
        token = await sessions.begin(email, password, client)
    except (Unauthenticated, NotEntitled, RateLimited) as error:
        return _refused(request, services, error, email=email, wanted=onward)
    before = session_token(request)
    if before:
        await sessions.end(before)
    response = see_other(f"{SIGN_IN}?{urlencode({'kept': 'no', 'next': safe_next(onward)})}")
    door.keep(response, request, SESSION_COOKIE, token, age_s=SESSION_AGE_S)
    door.drop(response, request, FORM_COOKIE)
    return response


@router.post("/sign-out")
async def sign_out(request: Request, services: ServicesDep, csrf: FormToken = "") -> Response:
    """End the session of this browser."""
    token = session_token(request)
    if token:
        check_from_page(request, services, SESSION_COOKIE, csrf)
        await services.browser_sessions.end(token)
    response = see_other(SIGN_IN)
    door_of(request).drop(response, request, SESSION_COOKIE)
    return response


async def _is_signed_in(request: Request, services: ServicesDep) -> bool:
    try:
        return await user_of_cookie(request, services) is not None
    except (Unauthenticated, NotEntitled):
        return False


def _refused(request: Request, services: ServicesDep, error: RollcallError, *, email: str, wanted: str) -> Response:
    # A form that lay open for an hour is no reason for alarm: the fresh one beside the sentence works.
    text = "The page had grown old. Try again." if isinstance(error, FormTokenWrong) else error.detail
    response = _form(request, services, wanted, refusal=text, email=email, status=status_of(error))
    if isinstance(error, RateLimited):
        response.headers["retry-after"] = str(error.retry_after_s)
    return response


def _form(
    request: Request, services: ServicesDep, wanted: str, *, refusal: str = "", email: str = "", status: int = 200
) -> Response:
    door, sessions = door_of(request), services.browser_sessions
    token = door.read(FORM_COOKIE, request) or sessions.new_token()
    frame = Frame(title="Sign in", form_token=sessions.form_token(token))
    response = page_response("sign_in", frame, status=status, next=safe_next(wanted), refusal=refusal, email=email)
    door.keep(response, request, FORM_COOKIE, token, age_s=FORM_COOKIE_AGE_S)
    return response
