"""Virtual time: one heap of what happens when, in whole milliseconds; nothing here knows the real clock."""

import heapq
from collections.abc import Callable

Action = Callable[[], object]

# More actions than this in one virtual millisecond are a loop that would never end.
ACTIONS_OF_ONE_MS_MAX = 20_000


class Livelock(Exception):
    """Time stands still while things go on happening."""


class Timeline:
    """Runs actions in order of time, and of planning within one millisecond."""

    def __init__(self) -> None:
        self.now_ms = 0
        self._heap: list[tuple[int, int, Action]] = []
        self._planned = 0
        self._at_once = 0

    def at(self, when_ms: int, action: Action) -> None:
        """Plan an action; what lies in the past happens next."""
        self._planned += 1
        heapq.heappush(self._heap, (max(when_ms, self.now_ms), self._planned, action))

    def after(self, delay_ms: int, action: Action) -> None:
        """Plan an action so many milliseconds from now."""
        self.at(self.now_ms + delay_ms, action)

    def run_until(self, end_ms: int) -> None:
        """Let everything up to and including this moment happen."""
        while self._heap and self._heap[0][0] <= end_ms:
            when_ms, _, action = heapq.heappop(self._heap)
            self._at_once = self._at_once + 1 if when_ms == self.now_ms else 0
            if self._at_once > ACTIONS_OF_ONE_MS_MAX:
                raise Livelock(f"{self._at_once} things happened at {when_ms} ms")
            self.now_ms = when_ms
            action()
        self.now_ms = end_ms
