"""Says to the rest of the server who sends a request, once that is known: `core.asking` carries it on."""

from dataclasses import replace
from typing import Final
from uuid import UUID

from starlette.requests import HTTPConnection

from server.controllers.api_router import route_of
from server.core.asking import asking_now, let_ask
from server.services.access import User
from server.services.bundle import Services

SAFE_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS"})


async def let_user_ask(connection: HTTPConnection, user: User, services: Services) -> None:
    """Say that a user sends this request, and let it reach what is theirs."""
    reach = await services.centers.reach_of(user)
    method = str(connection.scope.get("method", "GET"))
    named = {name: str(value) for name, value in connection.path_params.items() if name != "center_id"}
    entity, entity_id = list(named.items())[-1] if named else ("", "")
    center_id = connection.path_params.get("center_id") or connection.query_params.get("center_id", "")
    let_ask(
        replace(
            asking_now(),
            reach=reach,
            actor=user.id,
            organisation_id=user.organisation_id,
            route=_route_of(connection),
            changes=method not in SAFE_METHODS,
            center_id=_uuid(str(center_id)),
            entity=entity.removesuffix("_id"),
            entity_id=entity_id if _uuid(entity_id) else "",
        )
    )


async def let_somebody_ask(connection: HTTPConnection) -> None:
    """Say by which route somebody comes whom nobody knows yet. For whole routers: it is asked before who it is."""
    let_ask(replace(asking_now(), route=_route_of(connection)))


def _route_of(connection: HTTPConnection) -> str:
    method = str(connection.scope.get("method", "GET"))
    return f"{method} {route_of(connection.scope)}"


def _uuid(text: str) -> str:
    """The canonical form of an id; empty for anything else."""
    try:
        return str(UUID(text))
    except ValueError:
        return ""
