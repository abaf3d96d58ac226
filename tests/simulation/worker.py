"""The one thread of a desk's store, in virtual time: jobs in order, each with a moment before and one after."""

from collections import deque
from collections.abc import Callable
from typing import Any

from tests.simulation.luck import Luck
from tests.simulation.timeline import Timeline

Job = tuple[Callable[[], Any], Callable[[Any], None]]


class StoreWorker:
    """Runs jobs one after the other; `stop` forgets all that have not begun, as a crash does."""

    def __init__(self, timeline: Timeline, luck: Luck) -> None:
        self.delay_ms = (0, 6)
        self.paused_until_ms = 0
        self._timeline = timeline
        self._luck = luck
        self._jobs: deque[Job] = deque()
        self._is_busy = False
        self._is_stopped = False

    def submit(self, work: Callable[[], Any], done: Callable[[Any], None]) -> None:
        """Queue a job; `done` gets its result a moment after it is durable."""
        if self._is_stopped:
            return
        self._jobs.append((work, done))
        if not self._is_busy:
            self._plan()

    def stop(self) -> None:
        """The process died."""
        self._is_stopped = True
        self._jobs.clear()

    def _plan(self) -> None:
        self._is_busy = True
        self._timeline.at(self._later(), self._run)

    def _later(self) -> int:
        soon_ms = self._timeline.now_ms + self._luck.between(*self.delay_ms)
        return max(soon_ms, self.paused_until_ms)

    def _run(self) -> None:
        if self._is_stopped:
            return
        if self._timeline.now_ms < self.paused_until_ms:
            self._plan()
            return
        work, done = self._jobs.popleft()
        result = work()
        if self._is_stopped:
            return
        self._timeline.at(self._later(), lambda: self._finish(done, result))
        self._is_busy = False
        if self._jobs:
            self._plan()

    def _finish(self, done: Callable[[Any], None], result: Any) -> None:
        if not self._is_stopped:
            done(result)
