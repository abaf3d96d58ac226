"""What a browser shows of itself: its cookie, where a request comes from, and the token of a form.

A cookie goes with a request by itself, whoever made the page that asks. So one of ours is believed only when the
browser does not say that another site asks (`Sec-Fetch-Site`, `Origin`), and what changes something must say where it
comes from, and carry the token that only our pages know. `SameSite=Strict` keeps the cookie at home already; this is
the second lock.
"""

from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from fastapi import Request, Response
from starlette.requests import HTTPConnection

from server.controllers.who_asks import SAFE_METHODS, let_user_ask
from server.core.settings import Settings
from server.services.access import User
from server.services.browser_sessions import AGE_MAX, FormTokenWrong
from server.services.bundle import Services

SESSION_COOKIE: Final = "rollcall"
FORM_COOKIE: Final = "rollcall-form"
FORM_HEADER: Final = "x-csrf-token"
FORM_COOKIE_AGE_S: Final = 3_600
SESSION_AGE_S: Final = int(AGE_MAX.total_seconds())
TOKEN_CHARACTERS_MAX: Final = 64
_HOST_PREFIX: Final = "__Host-"
_LOOPBACK: Final = frozenset({"127.0.0.1", "::1", "localhost"})
_OURS: Final = frozenset({"same-origin", "none"})  # none: typed, from a bookmark, or loaded again


@dataclass(frozen=True, slots=True)
class BrowserDoor:
    """How cookies are made here and which pages are ours; `public_origin` may be empty."""

    public_origin: str
    allows_plain_http: bool

    def name_of(self, cookie: str, connection: HTTPConnection) -> str:
        """Give the whole name of a cookie at the address that the browser asked."""
        return cookie if self._is_plain(connection) else f"{_HOST_PREFIX}{cookie}"

    def read(self, cookie: str, connection: HTTPConnection) -> str:
        """Give the value of a cookie of ours; empty when there is none or another site asks."""
        if not self.is_ours(connection):
            return ""
        value = connection.cookies.get(self.name_of(cookie, connection), "")
        return value if len(value) <= TOKEN_CHARACTERS_MAX else ""

    def keep(self, response: Response, request: Request, cookie: str, value: str, *, age_s: int) -> None:
        """Let the browser keep a cookie, out of reach of scripts and of other sites."""
        response.set_cookie(
            self.name_of(cookie, request), value, max_age=age_s, path="/", httponly=True, samesite="strict",
            secure=not self._is_plain(request),
        )  # fmt: skip

    def drop(self, response: Response, request: Request, cookie: str) -> None:
        """Let the browser forget a cookie."""
        self.keep(response, request, cookie, "", age_s=0)

    def is_ours(self, connection: HTTPConnection) -> bool:
        """Tell whether nothing says that a page of another site asks."""
        site, origin = connection.headers.get("sec-fetch-site"), connection.headers.get("origin")
        return (site is None or site in _OURS) and (origin is None or self._is_our_origin(origin, connection))

    def comes_from_us(self, connection: HTTPConnection) -> bool:
        """Tell whether the browser says that a page of ours asks; needed for what changes something."""
        return connection.headers.get("origin") is not None and self.is_ours(connection)

    def _is_our_origin(self, origin: str, connection: HTTPConnection) -> bool:
        asked = f"{connection.url.scheme}://{connection.headers.get('host', '')}"
        return origin.lower() in {asked.lower(), self.public_origin} - {""}

    def _is_plain(self, connection: HTTPConnection) -> bool:
        """Without `Secure` only where it was asked for, and where the wire is inside the machine."""
        is_near = connection.url.scheme == "http" and connection.url.hostname in _LOOPBACK
        return self.allows_plain_http and is_near


def browser_door(settings: Settings) -> BrowserDoor:
    """Make the door of these settings."""
    public = urlsplit(settings.public_url.lower())
    origin = f"{public.scheme}://{public.netloc}" if public.netloc else ""
    return BrowserDoor(origin, settings.dashboard_over_http)


def door_of(connection: HTTPConnection) -> BrowserDoor:
    """Give the door of the app that was asked."""
    door: BrowserDoor = connection.app.state.browser_door
    return door


async def user_of_cookie(request: Request, services: Services) -> User | None:
    """Give who is signed in in this browser; None without a cookie of ours.

    It says nothing of whether they meant to change something: `check_from_page` does.

    Raises:
        SessionEnded, AccountInactive: there is a cookie, and it is good for nothing.

    """
    token = door_of(request).read(SESSION_COOKIE, request)
    if not token:
        return None
    user = await services.browser_sessions.user_of(token)
    await let_user_ask(request, user, services)
    return user


def check_script(request: Request, services: Services) -> None:
    """Raise FormTokenWrong when a request with a cookie would change something, and no script of ours sent it."""
    if request.method not in SAFE_METHODS:
        check_from_page(request, services, SESSION_COOKIE, request.headers.get(FORM_HEADER, ""))


def check_from_page(request: Request, services: Services, cookie: str, shown: str) -> None:
    """Raise FormTokenWrong unless a page of ours that was made for this cookie sent the request."""
    door = door_of(request)
    token = door.read(cookie, request)
    if not token or not door.comes_from_us(request):
        raise FormTokenWrong
    services.browser_sessions.check_form_token(token, shown)
