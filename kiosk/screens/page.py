"""What the pages of the day have in common: a head, a list, one line that answers, and one key press at a time."""

from collections.abc import Awaitable, Callable, Iterable
from typing import Any

from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.screen import Screen
from textual.widget import Widget
from textual.widgets import Footer

from kiosk.screens.freshness import calmly
from kiosk.widgets.choice_list import ChoiceList
from kiosk.widgets.quiet_line import QuietLine
from kiosk.widgets.result_line import FRESH


def page_frame(
    *, beside_title: Iterable[Widget] = (), head: Iterable[Widget] = (), foot: Iterable[Widget] = ()
) -> ComposeResult:
    """A page from its title to its keys; `head` stands above the list, and `foot` between the list and the answer."""
    with Vertical(id="page-head"):
        with Horizontal(classes="page-title-line"):
            yield QuietLine(id="page-title", classes="page-title")
            yield from beside_title
        yield from head
    yield ChoiceList(id="page-list")
    yield from foot
    yield QuietLine(id="page-note")
    yield Footer(show_command_palette=False)


def answer(page: Screen[Any], sentence: str) -> None:
    """Answer the last key press; an empty sentence leaves the line as it is. A tiny screen shows answers, no hints."""
    if sentence:
        hint(page, sentence)
        page.query_one("#page-note").add_class(FRESH)


def answer_below(page: Screen[Any], sentence: str) -> None:
    """Say what went wrong after the answer to the last key, in a line below it; a small screen shows only this."""
    is_small = page.has_class("-tiny") or page.has_class("-narrow")
    said = "" if is_small else str(page.query_one("#page-note", QuietLine).content).partition("\n")[0]
    answer(page, f"{said}\n{sentence}".strip())


def hint(page: Screen[Any], sentence: str) -> None:
    """Say what can be done here, before any key was pressed."""
    note = page.query_one("#page-note", QuietLine)
    note.say(sentence)
    note.refresh(layout=True)  # it is as high as its words


class OneAtATime:
    """Carries out key presses one after the other; those that come meanwhile are dropped, not queued."""

    def __init__(self) -> None:
        self._is_busy = False

    async def take(
        self, step: Callable[[], Awaitable[str]], say: Callable[[str], None], then: Callable[[], Awaitable[None]]
    ) -> None:
        """Carry out a step, say what it came to, and look again."""
        if self._is_busy:
            return
        self._is_busy = True
        try:
            await calmly(step, say)
            await then()
        finally:
            self._is_busy = False
