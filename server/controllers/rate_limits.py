"""How limits stand in headers (draft-ietf-httpapi-ratelimit-headers-10): `RateLimit-Policy` and `RateLimit`."""

from collections.abc import Iterable
from typing import Final

from starlette.requests import HTTPConnection
from starlette.types import Scope

from server.core.errors import Quota
from server.services.account_limits import Left

_STATE: Final = "rate_limit_headers"


def limit_headers(quota: Quota, *, left: int, more_in_s: int) -> dict[str, str]:
    """Give both headers: so many tries are left, and there are more in so many seconds."""
    return {
        "ratelimit-policy": f'"{quota.name}";q={quota.burst};w={quota.window_s}',
        "ratelimit": f'"{quota.name}";r={left};t={more_in_s}',
    }


def note_limit(connection: HTTPConnection, left: Left) -> None:
    """Let the answer of a request tell what is left, whatever it will be."""
    quota = Quota(left.limit.name, left.limit.burst, left.limit.window_s)
    headers = limit_headers(quota, left=left.tries, more_in_s=left.limit.step_s)
    setattr(connection.state, _STATE, [(name.encode(), value.encode()) for name, value in headers.items()])


def noted_limit(scope: Scope) -> Iterable[tuple[bytes, bytes]]:
    """Give the headers that were noted for a request; none where nobody was counted."""
    headers: Iterable[tuple[bytes, bytes]] = scope.get("state", {}).get(_STATE, ())
    return headers
