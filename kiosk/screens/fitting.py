"""Gives a fresh screen the size classes of the style sheet, which Textual sets only on a change of size."""

from typing import Any

from textual import events
from textual.screen import Screen


def fit(screen: Screen[Any]) -> None:
    """Tell a screen that was just put up how large the terminal is."""
    screen.post_message(events.Resize.from_dimensions((screen.app.size.width, screen.app.size.height), None))
