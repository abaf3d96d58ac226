"""How the files of the dashboard are sent, and what production adds to every answer."""

from pathlib import Path

import httpx
import pytest

from server.core.settings import load_settings
from server.routes import build_app
from server.web.assets import shipped_assets
from tests.support.api import SECRET
from tests.support.clock import FakeClock


def client(folder: Path, environment: str = "test") -> httpx.AsyncClient:
    settings = load_settings(env_file=None, environment=environment, secret_key=SECRET, data_dir=folder)
    transport = httpx.ASGITransport(build_app(settings, FakeClock()))
    return httpx.AsyncClient(transport=transport, base_url="http://test")


async def test_files_are_good_for_ever_at_the_address_of_their_version(tmp_path: Path) -> None:
    assets = shipped_assets()
    async with client(tmp_path) as browser:
        for name, asset in assets.by_name.items():
            answer = await browser.get(f"/dashboard/assets/{assets.version}/{name}")
            assert (answer.status_code, answer.content) == (200, asset.content), name
            assert "immutable" in answer.headers["cache-control"]
            assert answer.headers["content-type"].split(";")[0] in {"text/css", "text/javascript", "image/svg+xml"}
            assert answer.headers["x-content-type-options"] == "nosniff"
            again = await browser.get(answer.request.url.path, headers={"if-none-match": asset.etag})
            assert (again.status_code, again.content) == (304, b"")
        old = await browser.get("/dashboard/assets/0000000000000000/dashboard.css")
        assert (old.status_code, old.headers["cache-control"]) == (200, "no-cache")
        for nothing in ("/dashboard/assets/0/pages.py", "/dashboard/assets/0/..%2fpages.py", "/dashboard/assets/0/"):
            assert (await browser.get(nothing)).status_code == 404


@pytest.mark.parametrize(("environment", "is_told"), [("production", True), ("test", False)])
async def test_production_tells_browsers_to_come_back_over_https_only(
    tmp_path: Path, environment: str, is_told: bool
) -> None:
    async with client(tmp_path, environment) as browser:
        answer = await browser.get("/livez")
    assert ("strict-transport-security" in answer.headers) == is_told
    assert answer.headers["referrer-policy"] == "same-origin"
