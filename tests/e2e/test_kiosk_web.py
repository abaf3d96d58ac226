"""The desk in a real browser: the page that `run --web` serves, one browser at a time, and nobody from elsewhere."""

import asyncio
import contextlib
import re
import signal
import socket
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from playwright.async_api import Page, expect

from kiosk.services.enrolment import Request, enrol
from kiosk.web.server import HEADERS
from tests.support.api import Api
from tests.support.browser import browser_path, open_browser, visitor
from tests.support.kiosk_server import until
from tests.support.live_office import open_live_office
from tests.support.postgres import FreshDatabase

pytestmark = [
    pytest.mark.postgres,
    pytest.mark.slow,
    pytest.mark.skipif(not browser_path(), reason="there is no Chromium here; the Debian package is called chromium"),
    # Playwright's transport is closed by its own process, after the loop that pytest watches.
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]
CALM = re.compile("The desk is closed here. Nothing that was recorded is lost.")


@contextlib.asynccontextmanager
async def served(folder: Path, *more: str) -> AsyncIterator[str]:
    """`rollcall-kiosk run --web` on a port of its own."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    arguments = ("-m", "kiosk", "run", "--web", "--port", str(port), "--data", str(folder), *more)
    process = await asyncio.create_subprocess_exec(sys.executable, *arguments, stdout=asyncio.subprocess.PIPE)
    url = f"http://127.0.0.1:{port}"
    try:
        async with httpx.AsyncClient() as client:
            await until(lambda: _answers(client, url))
        yield url
    finally:
        process.send_signal(signal.SIGTERM)
        await process.communicate()


async def _answers(client: httpx.AsyncClient, url: str) -> bool:
    with contextlib.suppress(httpx.TransportError):
        return (await client.get(url)).status_code == httpx.codes.OK
    return False


async def _typed(page: Page, text: str) -> None:
    await page.locator("textarea").first.focus()
    await page.keyboard.type(text, delay=90)  # as a person does: what comes quicker is a scanner
    await page.keyboard.press("Enter")


async def test_a_child_is_checked_in_from_a_browser_and_the_server_has_it(
    database: FreshDatabase, tmp_path: Path
) -> None:
    async with open_live_office(database, tmp_path / "server") as office:
        manager = await office.api.sign_in("manager")
        code = await office.api.new_code(manager, "Tablet")
        desk = tmp_path / "desk"
        await enrol(
            Request(server=str(office.api.client.base_url), code=code, data_dir=desk, name="Tablet"), lambda _: None
        )
        async with served(desk) as url, open_browser() as browser, visitor(browser, url) as tablet:
            asked: list[str] = []
            tablet.page.on("request", lambda request: asked.append(request.url))
            painted = _listen(tablet.page)
            await tablet.go("/")
            await expect(tablet.page.locator("body")).to_have_class(re.compile("-first-byte"), timeout=60_000)
            await expect(tablet.page.locator("#calm")).to_be_hidden()
            await until(lambda: "Zoë".encode() in b"".join(painted))
            await _typed(tablet.page, "zoe")
            await until(lambda: _came(office.api, manager))
            await _nobody_from_elsewhere(url)
            assert all(one.startswith((url, url.replace("http", "ws"), "data:")) for one in asked)
            assert tablet.complaints == []
            await tablet.page.keyboard.press("Control+q")
            await expect(tablet.page.locator("#words")).to_have_text(CALM)
            await expect(tablet.page.locator("#calm")).to_be_hidden(timeout=60_000)  # and it came back by itself


def _listen(page: Page) -> list[bytes]:
    """Whatever the desk paints, as it comes over the page's socket."""
    painted: list[bytes] = []

    def hear(payload: str | bytes) -> None:
        painted.append(payload if isinstance(payload, bytes) else payload.encode())

    page.on("websocket", lambda opened: opened.on("framereceived", hear))
    return painted


async def _came(api: Api, manager: dict[str, str]) -> bool:
    """Whether the server holds that Zoë came, by the desk behind the browser, and nothing else."""
    answer = await api.client.get("/api/v1/attendance", params={"center_id": api.centers["north"]}, headers=manager)
    children = answer.raise_for_status().json()["children"]
    events = [(one["given_name"], event["kind"], event["device_name"]) for one in children for event in one["events"]]
    return events == [("Zoë", "check_in", "Tablet")]


async def _nobody_from_elsewhere(url: str) -> None:
    async with httpx.AsyncClient(base_url=url) as client:
        page = await client.get("/")
        assert page.headers["content-security-policy"] == HEADERS["Content-Security-Policy"]
        assert "://" not in page.text.replace(url.replace("http", "ws"), "")
        assert (await client.get("/", headers={"Host": "desk.example.org"})).status_code == 421
        upgrade = {"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": "13"}
        upgrade |= {"Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA=="}
        for origin in ("http://evil.example", ""):
            assert (await client.get("/ws", headers={**upgrade, "Origin": origin})).status_code == 403
        for path in ("/static/", "/static/../server.py", "/download/x"):
            assert (await client.get(path)).status_code in {403, 404}
    port = int(url.rsplit(":", 1)[1])
    for address in {found[4][0] for found in socket.getaddrinfo(socket.gethostname(), None, socket.AF_INET)}:
        if not str(address).startswith("127."):
            with pytest.raises(OSError, match="refused"):
                socket.create_connection((str(address), port), timeout=5)
