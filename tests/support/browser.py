"""A real browser for tests and pictures: the Chromium of the system, and ears for everything it complains of."""

import re
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

from playwright.async_api import Browser, BrowserContext, ConsoleMessage, Page, async_playwright

from tests.support.api import PASSWORD

NAMES: Final = ("chromium", "chromium-browser", "google-chrome")
TIMEOUT_MS: Final = 20_000
# What the terminal of textual-serve warns of when the machine is busy: its parser had to wait.
OF_A_SLOW_MACHINE: Final = re.compile(r"task queue exceeded allotted deadline by \d+ms")


def browser_path() -> str:
    """Where the system's browser is; empty: there is none."""
    return next((found for name in NAMES if (found := shutil.which(name))), "")


@asynccontextmanager
async def open_browser() -> AsyncIterator[Browser]:
    """Start the browser; a container has no sandbox to offer it, and it sees only pages of ours."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=browser_path(), args=["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"]
        )
        try:
            yield browser
        finally:
            await browser.close()


class Visitor:
    """Somebody with a browser of their own; `complaints` is what its console says."""

    def __init__(self, context: BrowserContext, page: Page, base_url: str) -> None:
        self.context = context
        self.page = page
        self.complaints: list[str] = []
        self._base_url = base_url
        page.on("console", self._heard)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("dialog", lambda dialog: self.complaints.append(f"a dialog: {dialog.message}"))

    async def go(self, path: str) -> None:
        await self.page.goto(f"{self._base_url}{path}")

    async def sign_in(self, email: str, path: str = "/dashboard") -> None:
        """Sign in by keyboard, on the way to a page."""
        await self.go(path)
        await self.page.locator("#email").press_sequentially(email)
        await self.page.keyboard.press("Tab")
        await self.page.keyboard.type(PASSWORD)
        await self.page.keyboard.press("Enter")
        await self.page.wait_for_url(lambda url: "sign-in" not in url)

    def _heard(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"} and not OF_A_SLOW_MACHINE.fullmatch(message.text):
            self.complaints.append(message.text)


@asynccontextmanager
async def visitor(browser: Browser, base_url: str, **more: Any) -> AsyncIterator[Visitor]:
    """Open a browser profile of its own; `more` are the options of its screen."""
    context = await browser.new_context(**more)
    context.set_default_timeout(TIMEOUT_MS)
    try:
        yield Visitor(context, await context.new_page(), base_url)
    finally:
        await context.close()
