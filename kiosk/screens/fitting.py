"""What a fresh screen needs that Textual does late: its size classes, and fields that keep up with quick keys."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from textual import events
from textual.screen import Screen
from textual.widgets import Input


def fit(screen: Screen[Any]) -> None:
    """Tell a screen that was just put up how large the terminal is."""
    screen.post_message(events.Resize.from_dimensions((screen.app.size.width, screen.app.size.height), None))


def after_typed(fields: Sequence[Input], then: Callable[[], None]) -> None:
    """Carry on once each of these fields has what was typed into it before: a field takes its keys one by one."""
    first, *others = fields
    first.call_later(partial(after_typed, others, then) if others else then)


def take_early(screen: Screen[Any], event: events.Key) -> None:
    """Give a letter to the field that has the keys now; it reached the screen when none of its fields had them yet."""
    if event.is_printable and event.character and isinstance(screen.focused, Input):
        event.stop()
        screen.focused.insert_text_at_cursor(event.character)
