"""The scans that wait while one is written down or a question is answered: few, in order, and not for long."""

from collections import deque
from dataclasses import dataclass, field
from typing import Final

SCANS_MAX: Final = 4  # a family at the door with a card each; more in one breath is a scanner gone wild
# Who still stands there when a question was answered. What was scanned before that is scanned again by a person.
WAIT_MAX_MS: Final = 30_000


@dataclass
class ScanQueue:
    """First in, first out; every moment is given in milliseconds of one clock, which may be set meanwhile."""

    _waiting: deque[tuple[str, int]] = field(default_factory=deque)

    def __len__(self) -> int:
        """How many wait, those that have become too old with them."""
        return len(self._waiting)

    def add(self, code: str, at_ms: int) -> bool:
        """Let a code wait; False when so many wait that it cannot."""
        if len(self._waiting) >= SCANS_MAX:
            return False
        self._waiting.append((code, at_ms))
        return True

    def take(self, now_ms: int) -> str | None:
        """Give the code that waited longest; empty when that was too long, None when none waits."""
        if not self._waiting:
            return None
        code, at_ms = self._waiting.popleft()
        return code if 0 <= now_ms - at_ms <= WAIT_MAX_MS else ""

    def clear(self) -> None:
        """Forget all: whoever scanned is not at the desk any more."""
        self._waiting.clear()
