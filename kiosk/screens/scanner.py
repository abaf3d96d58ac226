"""The scanner among the keys: what it typed is taken out of the field where it landed, and handed on as one code."""

from typing import Any, Final

from textual import events
from textual.screen import Screen
from textual.widgets import Input

from kiosk.services.scans import Heard, ScanEar
from sync.family_code import looks_like_code
from sync.pins import is_pin

# Where names are typed, and so no digits.
NAME_FIELDS: Final = frozenset({"search", "other-adult"})
# A time or a number in a field made for it may be typed as quickly as a short card is read; what is longer is a card.
TYPED_MAX: Final = 6


class Scanner:
    """Listens for one screen at a time; keys go on to the screen until they turn out to be a code."""

    def __init__(self) -> None:
        self._ear = ScanEar()
        self._field: Input | None = None
        self._before = ("", 0)

    def hear(self, event: events.Key | events.Paste, screen: Screen[Any]) -> str | None:
        """None: it is for the screen. Otherwise a scan has ended: its code, empty when it is a repeat."""
        if isinstance(event, events.Paste):
            text = event.text.strip() if len(event.text) < 1_000 else ""  # noqa: PLR2004 - no code is as long
            return text if looks_like_code(text) else None
        at_ms = int(event.time * 1_000)
        if event.key == "enter":
            return self._end(at_ms, screen)
        if event.character is None or not event.is_printable:
            self._ear.forget()
        elif self._ear.hear(event.character, at_ms) is Heard.BEGIN:
            self._field = screen.focused if isinstance(screen.focused, Input) else None
            self._before = (self._field.value, self._field.cursor_position) if self._field else ("", 0)
        return None

    def _end(self, at_ms: int, screen: Screen[Any]) -> str | None:
        heard, code = self._ear.enter(at_ms)
        focused = screen.focused
        is_quick_pin = isinstance(focused, Input) and focused.password and is_pin(code)
        is_quick_number = isinstance(focused, Input) and focused.id not in NAME_FIELDS and len(code) < TYPED_MAX
        if heard is Heard.KEY or is_quick_pin or is_quick_number:
            return None
        if self._field is not None and self._field is focused:
            # Behind the keys that still wait for the field: what was there before the scanner typed comes back.
            self._field.call_later(_restore, self._field, *self._before)
        return code if heard is Heard.SCAN else ""


def _restore(field: Input, value: str, cursor: int) -> None:
    field.value, field.cursor_position = value, cursor
