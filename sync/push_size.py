"""How many entries the next push takes: more while answers come quickly, fewer when they do not."""

from typing import Final

from sync.limits import PUSH_ENTRIES_MAX

FIRST_PUSH_ENTRIES: Final = 32
QUICK_ACKNOWLEDGEMENT_MS: Final = 1_000
SLOW_ACKNOWLEDGEMENT_MS: Final = 5_000


class PushSize:
    """Starts small, doubles on quick answers, halves on slow ones; never beyond what the server allows."""

    def __init__(self) -> None:
        self._entries = FIRST_PUSH_ENTRIES
        self._entries_max = PUSH_ENTRIES_MAX

    @property
    def entries(self) -> int:
        """How many entries to read for the next push."""
        return min(self._entries, self._entries_max)

    def bound(self, entries_max: int) -> None:
        """The server takes at most this many."""
        self._entries_max = max(1, min(PUSH_ENTRIES_MAX, entries_max))

    def slow_down(self) -> None:
        """The server asks for less."""
        self._entries = min(self._entries, FIRST_PUSH_ENTRIES)

    def answered(self, took_ms: int) -> None:
        """A push was acknowledged after so many milliseconds."""
        if took_ms <= QUICK_ACKNOWLEDGEMENT_MS:
            self._entries *= 2
        elif took_ms >= SLOW_ACKNOWLEDGEMENT_MS:
            self._entries = max(self._entries // 2, 1)
        else:
            # A link that is merely far away: without this, one slow answer would keep pushes small for ever.
            self._entries += max(1, self._entries // 4)
        self._entries = min(self._entries, self._entries_max)
