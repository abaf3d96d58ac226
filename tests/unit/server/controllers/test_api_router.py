"""The doors of the API: each route is made once, with its whole address."""

import pytest
from fastapi import APIRouter, FastAPI

from server.controllers.api_router import API_PREFIX, api_router
from server.core.settings import load_settings
from server.routes import build_app, open_routes
from tests.support.api import SECRET
from tests.support.clock import FakeClock


def test_no_route_is_included_since_that_would_make_it_again() -> None:
    app = build_app(load_settings(env_file=None, environment="test", secret_key=SECRET), FakeClock())
    assert [route for route in app.routes if not hasattr(route, "path")] == []


def test_a_door_of_the_api_lies_under_its_prefix_and_is_refused_elsewhere() -> None:
    inside, outside, app = api_router("/things", tags=["things"]), APIRouter(prefix="/things"), FastAPI()
    for router in (inside, outside):
        router.add_api_route("/{thing_id}", lambda thing_id: thing_id, name="thing")
    open_routes(app, inside, under=API_PREFIX)
    assert app.url_path_for("thing", thing_id="7") == "/api/v1/things/7"
    with pytest.raises(TypeError, match=r"does not lie under /api/v1: its router comes from APIRouter"):
        open_routes(app, outside, under=API_PREFIX)
