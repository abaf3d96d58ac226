"""Doors of the API: routes that are made once, with their whole address."""

from collections.abc import Sequence
from enum import Enum
from typing import Final

from fastapi import APIRouter
from fastapi.params import Depends

API_PREFIX: Final = "/api/v1"


def api_router(prefix: str = "", *, tags: Sequence[str], dependencies: Sequence[Depends] = ()) -> APIRouter:
    """Give a router for doors under `/api/v1` and `prefix`.

    To include one router in another would make each route again with the first request, and its checks of what
    comes in with it: half a second of a server's start for nothing. `routes.py` takes these as they are.
    """
    named: list[str | Enum] = [*tags]
    return APIRouter(prefix=API_PREFIX + prefix, tags=named, dependencies=dependencies)
