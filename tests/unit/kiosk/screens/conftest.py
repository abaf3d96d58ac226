"""A kiosk's screen on a desk in memory, at a standing 07:58."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import Any

import pytest
from textual import events
from textual.pilot import Pilot
from textual.screen import Screen

from kiosk.app import KioskApp
from kiosk.widgets.quiet_line import QuietLine
from kiosk.widgets.roster_table import RosterTable
from kiosk.widgets.search_field import SearchField
from tests.support.clock import FakeClock
from tests.support.fake_desk import FakeDesk
from tests.support.sample_desk import many_children, sample_morning

ROUNDS_MAX = 200


@dataclass
class Kiosk:
    """What a person at the desk can do and see."""

    app: KioskApp
    pilot: Pilot[None]
    desk: FakeDesk
    clock: FakeClock

    async def press(self, *keys: str) -> None:
        """Press keys one after another and let the screen answer."""
        await self.pilot.press(*keys)
        await self.pilot.pause()

    async def until(self, happened: Callable[[], bool], what: str) -> None:
        """Let the screen work until something can be seen."""
        for _ in range(ROUNDS_MAX):
            if happened():
                return
            await self.pilot.pause()
        raise AssertionError(f"never happened: {what}; result: {self.text('result')!r}")

    async def until_result(self, words: str) -> None:
        """Wait for the answer to a key press."""
        await self.until(lambda: words in self.text("result"), words)

    async def until_screen(self, kind: type[Screen[Any]]) -> None:
        """Wait for a screen to be on top."""
        await self.until(lambda: isinstance(self.app.screen, kind), kind.__name__)

    def text(self, name: str) -> str:
        """The words of a line, on the top screen or the one below."""
        for screen in reversed(self.app.screen_stack):
            for line in screen.query(f"#{name}").results(QuietLine):
                return str(line.content)
        return ""

    @property
    def table(self) -> RosterTable:
        return self._below.query_one(RosterTable)

    @property
    def search(self) -> SearchField:
        return self._below.query_one(SearchField)

    @property
    def chosen(self) -> str:
        """The name under the cursor, or nothing."""
        line = self.table.chosen
        return line.display_name if line else ""

    @property
    def _below(self) -> Screen[object]:
        return self.app.screen_stack[1]


async def scan(kiosk: Kiosk, code: str, *, at_s: float, enter: bool = True) -> None:
    """Type as a scanner does: a key every ten milliseconds."""
    keys = [events.Key(character, character) for character in code]
    if enter:
        keys.append(events.Key("enter", "\r"))
    for number, key in enumerate(keys):
        key.time = at_s + number / 100
        kiosk.app.post_message(key)
    await kiosk.pilot.pause()


OpenKiosk = Callable[..., AbstractAsyncContextManager[Kiosk]]


@pytest.fixture
def open_kiosk() -> OpenKiosk:
    """Opens a kiosk on the sample morning, or on so many children."""

    @asynccontextmanager
    async def opened(size: tuple[int, int] = (80, 24), children: int = 0) -> AsyncIterator[Kiosk]:
        desk, clock = await sample_morning()
        if children:
            desk = FakeDesk(many_children(children), clock)
        app = KioskApp(desk, clock)
        async with app.run_test(size=size) as pilot:
            kiosk = Kiosk(app, pilot, desk, clock)
            await kiosk.until(lambda: len(app.screen_stack) > 1 and bool(kiosk.table.lines), "the first roster")
            yield kiosk

    return opened
