"""Doors of the API: routes that are made once, with their whole address."""

from collections.abc import Sequence
from enum import Enum
from typing import Final

from fastapi import APIRouter
from fastapi.params import Depends
from starlette.types import Scope

API_PREFIX: Final = "/api/v1"


def api_router(prefix: str = "", *, tags: Sequence[str], dependencies: Sequence[Depends] = ()) -> APIRouter:
    """Give a router for doors under `/api/v1` and `prefix`.

    To include one router in another would make each route again with the first request, and its checks of what
    comes in with it: half a second of a server's start for nothing. `routes.py` takes these as they are.
    """
    named: list[str | Enum] = [*tags]
    return APIRouter(prefix=API_PREFIX + prefix, tags=named, dependencies=dependencies)


def route_of(scope: Scope) -> str:
    """Give the pattern of the route that was found, below `/api/v1` without that; empty when there is none.

    Logs, audit entries and idempotency keys name a door by it: an address may hold ids, and a wrong one anything.
    """
    return str(getattr(scope.get("route"), "path", "")).removeprefix(API_PREFIX)
