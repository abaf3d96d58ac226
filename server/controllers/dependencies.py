"""What routes ask for, as named types: the use-cases, the user, and the centre with the right to it."""

from collections.abc import Awaitable, Callable
from typing import Annotated
from uuid import UUID

from fastapi import Depends, Path, Query, Request
from fastapi.security import OAuth2PasswordBearer

from server.controllers.browser import check_script, user_of_cookie
from server.controllers.rate_limits import note_limit
from server.controllers.repeats import claim_if_keyed
from server.controllers.who_asks import let_user_ask
from server.core.errors import Unauthenticated, Unavailable
from server.services.access import Center, RoleId, User
from server.services.auth import AccountInactive
from server.services.bundle import Services
from server.services.clients import Client, client_of
from server.services.live_hub import LiveHub

oauth2_scheme = OAuth2PasswordBearer(tokenUrl="/api/v1/auth/token", auto_error=False)


def get_services(request: Request) -> Services:
    """Give the use-cases. Raises Unavailable before the server has started and after it stopped."""
    services = getattr(request.app.state, "services", None)
    if not isinstance(services, Services):
        raise Unavailable
    return services


ServicesDep = Annotated[Services, Depends(get_services)]


def get_live_hub(request: Request) -> LiveHub:
    """Give the hub of what is watched live. Raises Unavailable as `get_services`."""
    hub = getattr(request.app.state, "live_hub", None)
    if not isinstance(hub, LiveHub):
        raise Unavailable
    return hub


LiveHubDep = Annotated[LiveHub, Depends(get_live_hub)]
BearerToken = Annotated[str | None, Depends(oauth2_scheme)]


def get_client(request: Request) -> Client:
    """Give whom a request comes from: the direct peer, unless TRUSTED_PROXIES lets a proxy name another."""
    address = request.client.host if request.client else ""
    return client_of(address, request.headers.get("user-agent", ""))


ClientDep = Annotated[Client, Depends(get_client)]


async def get_current_user(request: Request, token: BearerToken, services: ServicesDep) -> User:
    """Give the user behind the bearer token, or else of the browser whose page asks; the request is counted.

    Raises:
        Unauthenticated: nobody known asks.
        RateLimited: the account asks too much.

    """
    if token:
        user = await services.auth.identify(token)
        await let_user_ask(request, user, services)
    else:
        of_browser = await user_of_cookie(request, services)
        if of_browser is None:
            raise Unauthenticated("Send an access token as Authorization: Bearer; /api/v1/auth/token gives one.")
        check_script(request, services)
        user = of_browser
    note_limit(request, await services.account_limits.take(user.id))
    return user


def get_good_until_ms(token: BearerToken, services: ServicesDep) -> int:
    """Give until when (UTC milliseconds) whoever asks, and is known to `CurrentUser`, need not say again who it is."""
    return services.auth.good_until_ms(token) if token else services.browser_sessions.stream_until_ms()


GoodUntilMs = Annotated[int, Depends(get_good_until_ms)]


async def get_current_active_user(
    request: Request, user: Annotated[User, Depends(get_current_user)], services: ServicesDep
) -> User:
    """Give the user if the account is not switched off, and the right to do once what is sent under a key.

    Raises:
        AccountInactive: the account is switched off.
        AnsweredBefore, KeyReused, StillRunning, RateLimited: as `claim_if_keyed`.

    """
    if not user.is_active:
        raise AccountInactive
    await claim_if_keyed(request, user, services)
    return user


CurrentUser = Annotated[User, Depends(get_current_active_user)]
CenterIdInPath = Annotated[UUID, Path(description="Id of a centre of yours")]
CenterIdInQuery = Annotated[UUID, Query(description="Id of a centre of yours")]


def require_role(roles: frozenset[RoleId]) -> Callable[..., Awaitable[Center]]:
    """Give a dependency: the centre in the path, at which the user has one of the roles.

    It raises NotFound for a centre that is not the user's, NotEntitled where the role does not suffice.
    """

    async def center_with_right(center_id: CenterIdInPath, user: CurrentUser, services: ServicesDep) -> Center:
        return await services.centers.entitled(user, str(center_id), roles)

    return center_with_right
