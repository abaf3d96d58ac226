"""The pages to which mails about accounts lead: a new password, and an invitation.

The token stands behind the `#` of the link, which no browser sends: it reaches no log, no proxy and no `Referer`
(RFC 9110, section 10.1.3). A script of the page moves it into the form and out of the address; without a script it is
pasted. It travels once, in the body of the form.
"""

from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Form, Request, Response

from server.controllers.auth import RECOVERY_ANSWER
from server.controllers.browser import FORM_COOKIE, FORM_COOKIE_AGE_S, check_from_page, door_of
from server.controllers.dependencies import ClientDep, ServicesDep
from server.controllers.page_route import FormToken, PageRoute, page_response, see_other
from server.controllers.problems import status_of
from server.controllers.who_asks import let_somebody_ask
from server.core.errors import Conflict, InvalidInput, NotEntitled, RateLimited, RollcallError
from server.services.browser_sessions import FormTokenWrong
from server.services.invitations import Applicant
from server.web.dashboard import Frame

router = APIRouter(route_class=PageRoute, include_in_schema=False, dependencies=[Depends(let_somebody_ask)])
RESET: Final = "/reset"
INVITATION: Final = "/invitation"
_SCRIPT: Final = "mailed_link.js"
_TITLES: Final = {"reset": "A new password", "invitation": "Your invitation"}
_REFUSALS: Final = (Conflict, InvalidInput, NotEntitled, RateLimited)
# A mailed token has 64 characters; whoever pastes may paste the whole link.
Token = Annotated[str, Form(max_length=1_000)]
Text = Annotated[str, Form(max_length=1_024)]


@router.get(RESET)
async def reset_page(request: Request, services: ServicesDep) -> Response:
    """Show the form for a new password, and the one that asks for a link."""
    return _form(request, services, "reset")


@router.post(RESET)
async def reset(  # noqa: PLR0913 - each is a field of the form
    request: Request,
    services: ServicesDep,
    client: ClientDep,
    *,
    token: Token = "",
    password: Text = "",
    again: Text = "",
    csrf: FormToken = "",
) -> Response:
    """Set the new password; the account is signed out everywhere."""
    try:
        check_from_page(request, services, FORM_COOKIE, csrf)
        _check_same(password, again)
        await services.recoveries.complete(token_in(token), password, client)
    except _REFUSALS as error:
        return _refused(request, services, "reset", error, token=token)
    return see_other(f"{RESET}/done")


@router.get(f"{RESET}/done")
async def reset_done() -> Response:
    """Say that the password is set."""
    frame = Frame(title="Your password is set")
    return page_response("done", frame, said="You are signed out everywhere. Sign in with the new password.")


@router.post(f"{RESET}/ask")
async def ask_reset(
    request: Request, services: ServicesDep, client: ClientDep, *, email: Text = "", csrf: FormToken = ""
) -> Response:
    """Ask for a link by mail; the answer is the same whether there is an account or not."""
    try:
        check_from_page(request, services, FORM_COOKIE, csrf)
        await services.recoveries.ask(email, client)
    except _REFUSALS as error:
        return _refused(request, services, "reset", error, email=email)
    return see_other(f"{RESET}/asked")


@router.get(f"{RESET}/asked")
async def reset_asked() -> Response:
    """Say the same to everybody who asked for a link."""
    return page_response("done", Frame(title="Look at your mail"), said=RECOVERY_ANSWER)


@router.get(INVITATION)
async def invitation_page(request: Request, services: ServicesDep) -> Response:
    """Show the form with which an invitation is accepted."""
    return _form(request, services, "invitation")


@router.post(INVITATION)
async def accept_invitation(  # noqa: PLR0913 - each is a field of the form
    request: Request,
    services: ServicesDep,
    client: ClientDep,
    *,
    token: Token = "",
    display_name: Text = "",
    password: Text = "",
    again: Text = "",
    csrf: FormToken = "",
) -> Response:
    """Accept the invitation; who has an account leaves name and password empty, and keeps both."""
    try:
        check_from_page(request, services, FORM_COOKIE, csrf)
        _check_same(password, again)
        accepted = await services.invitations.accept(token_in(token), Applicant(display_name, password), client)
    except _REFUSALS as error:
        return _refused(request, services, "invitation", error, token=token, display_name=display_name)
    return see_other(f"{INVITATION}/{'welcome' if accepted.is_new else 'added'}")


@router.get(f"{INVITATION}/welcome")
async def invitation_welcome() -> Response:
    """Say that there is an account now."""
    return page_response("done", Frame(title="Welcome"), said="Your account is ready. Sign in with your new password.")


@router.get(f"{INVITATION}/added")
async def invitation_added() -> Response:
    """Say that the account that was there has the role."""
    said = "You had an account: it is at this centre now, too. Sign in as always."
    return page_response("done", Frame(title="Welcome"), said=said)


def token_in(pasted: str) -> str:
    """Give the token of what was pasted: itself, or the whole link that ends with it."""
    return pasted.strip().rpartition("#token=")[2]


def _check_same(password: str, again: str) -> None:
    if password != again:
        raise InvalidInput("The two passwords are not the same: type it twice")


def _refused(request: Request, services: ServicesDep, page: str, error: RollcallError, **typed: str) -> Response:
    text = "The page had grown old. Try again." if isinstance(error, FormTokenWrong) else error.detail
    response = _form(request, services, page, refusal=text, status=status_of(error), **typed)
    if isinstance(error, RateLimited):
        response.headers["retry-after"] = str(error.retry_after_s)
    return response


def _form(request: Request, services: ServicesDep, page: str, *, status: int = 200, **shown: Any) -> Response:
    """Make the page; what was typed stands in it again, but for passwords."""
    door, sessions = door_of(request), services.browser_sessions
    token = door.read(FORM_COOKIE, request) or sessions.new_token()
    frame = Frame(title=_TITLES[page], form_token=sessions.form_token(token), script=_SCRIPT)
    values = {"refusal": "", "token": "", "email": "", "display_name": "", **shown}
    response = page_response(page, frame, status=status, **values)
    door.keep(response, request, FORM_COOKIE, token, age_s=FORM_COOKIE_AGE_S)
    return response
